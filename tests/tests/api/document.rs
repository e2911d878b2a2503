//! The `OpenAPI` document is true, and the one in the repository is what lbd serves.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lb_tests::{Backend, Balancer, Lab, SERVICES, balancer};
use lb_userspace::api;
use serde_json::{Map, Value, json};

use crate::raw::ask;

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/openapi.json")
}

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() -> Result<()> {
    let document = api::document() + "\n";
    if env::var_os("LB_BLESS").is_some() {
        fs::write(kept(), &document)?;
    }
    let kept = fs::read_to_string(kept()).context("deploy/openapi.json; LB_BLESS=1 writes it")?;
    ensure!(kept == document, "deploy/openapi.json isn't what lbd serves; LB_BLESS=1 writes it");
    Ok(())
}

#[test]
fn every_question_is_answered_as_the_document_says() -> Result<()> {
    let lab = Lab::new()?;
    let _backends = Backend::start_all(&lab)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    balancer.wait_until_active()?;
    balancer.lbctl(&["backend", "drain", "b1"])?;
    let socket = balancer::socket(lab.directory());

    let (status, document) = ask(&socket, "GET", "/v1/openapi.json")?;
    assert_eq!((status, &document), (200, &serde_json::from_str(&api::document())?));
    let paths = document["paths"].as_object().context("paths")?;
    assert!(paths.len() > 5, "{paths:?}");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().context("methods")? {
            if method != "get" {
                // Whoever is asked in a wrong way says so, and how.
                let (status, body) = ask(&socket, &method.to_uppercase(), &example(path))?;
                ensure!((400..500).contains(&status), "{method} {path}: {status} {body}");
                holds(&document, &operation["responses"]["default"], &body).context(path.clone())?;
                continue;
            }
            if operation["responses"]["200"]["content"].get("application/json").is_none() {
                continue;
            }
            let (status, body) = ask(&socket, "GET", &example(path))?;
            assert_eq!(status, 200, "{path}: {body}");
            holds(&document, &operation["responses"]["200"], &body).context(path.clone())?;
        }
    }
    Ok(())
}

/// A path of something that there is.
fn example(path: &str) -> String {
    path.replace("{name}", SERVICES[0].name)
}

/// Checks a body against the schema of a response.
fn holds(document: &Value, response: &Value, body: &Value) -> Result<()> {
    let schema = &response["content"]["application/json"]["schema"];
    ensure!(schema.is_object(), "no schema: {response}");
    let mut whole: Map<String, Value> = schema.as_object().cloned().unwrap_or_default();
    whole.insert("components".into(), strict(document["components"].clone()));
    let validator = jsonschema::validator_for(&whole.into())?;
    let faults: Vec<_> =
        validator.iter_errors(body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    ensure!(faults.is_empty(), "{}\n{body}", faults.join("\n"));
    Ok(())
}

/// The same schemas, without room for what they don't name.
fn strict(mut components: Value) -> Value {
    let schemas = components["schemas"].as_object_mut();
    for schema in schemas.into_iter().flat_map(Map::values_mut) {
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
    }
    components
}
