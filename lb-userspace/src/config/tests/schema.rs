//! The published schema says what the parser does.

use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

use super::super::field::{Described, Entries, Field, Fields};
use super::super::{Config, FIELDS};
use super::example::VALID;
use super::{edited, lines};

const EXAMPLE: &str = include_str!("../../../../deploy/lb.yaml");

/// A document as editors read it, without the fields that have no value: these are not there.
fn read(text: &str) -> Value {
    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let there = fields.into_iter().filter(|(_, value)| !value.is_null());
                there.map(|(name, value)| (name, without_nulls(value))).collect()
            }
            Value::Array(entries) => entries.into_iter().map(without_nulls).collect(),
            other => other,
        }
    }
    // YAML 1.2 knows no yes and no.
    let options = serde_saphyr::options! { strict_booleans: true };
    without_nulls(
        serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{error}\n{text}")),
    )
}

/// The faults of a document by the schema.
fn faults(validator: &Validator, text: &str) -> Vec<String> {
    let value = read(text);
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).unwrap()
}

/// `LB_BLESS=1` writes it anew.
#[test]
fn the_published_schema_is_of_these_fields() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/lb.schema.json");
    let schema = format!("{:#}\n", Config::schema());
    if std::env::var_os("LB_BLESS").is_some() {
        std::fs::write(&file, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap();
    assert!(published == schema, "{} is out of date; write it anew with LB_BLESS=1", file.display());
    assert!(jsonschema::meta::is_valid(&Config::schema()));
}

#[test]
fn what_is_valid_is_valid_by_the_schema() {
    let validator = validator(&Config::schema());
    assert_eq!(faults(&validator, EXAMPLE), [""; 0]);
    for (name, from, to) in VALID {
        // The schema knows numbers as numbers, and other readers take this key for one that is too large.
        if ["values in quotes", "a key with an exponent in it"].contains(name) {
            continue;
        }
        assert_eq!(faults(&validator, &edited(from, to)), [""; 0], "{name}");
    }
}

#[test]
fn what_is_of_another_shape_is_not_valid_by_the_schema() {
    let validator = validator(&Config::schema());
    let rows = [
        ("version: 1", "version: 2"),
        ("version: 1\n", ""),
        ("version: 1", "version: 1\ncolour: red"),
        ("version: 1", "version: 1\ndefaults: {vip: 192.0.2.1}"),
        ("version: 1", "version: 1\napi: {tls: {}}"),
        ("interfaces:\n  - name: eth0", "interfaces: []"),
        ("- name: eth0", "- eth0"),
        ("port: 80", "port: [80]"),
        ("port: 80", "port: 65536"),
        ("name: alpha", "colour: red"),
        ("backends: []", "backends: {address: 10.0.0.1}"),
        ("    protocol: udp\n", ""),
    ];
    for (from, to) in rows {
        let text = edited(from, to);
        assert_ne!(lines(&text), [""; 0], "{to}");
        assert_ne!(faults(&validator, &text), [""; 0], "{to}");
    }
}

/// Calls `see` with every scalar.
fn each_scalar(fields: Fields, see: &mut impl FnMut(&'static dyn Described)) {
    for field in fields.iter().copied().flatten() {
        match field {
            Field::Scalar(scalar) => see(*scalar),
            Field::Section(group) => each_scalar(group.fields, see),
            Field::List(list) => match list.of {
                Entries::Scalars(scalar) => see(scalar),
                Entries::Sections(fields) => each_scalar(fields, see),
            },
        }
    }
}

/// What a schema says of numbers and words, and what is just beside that.
fn probes(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| probes(value, found)),
        Value::Array(entries) => entries.iter().for_each(|value| probes(value, found)),
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            found.extend([number - 1, number, number + 1].map(|number| number.to_string()));
        }
        Value::String(word) => found.push(word.clone()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Of each scalar, what the parser takes is valid by the schema; and the other way round, where the schema can say it.
#[test]
fn parser_and_schema_agree_on_every_scalar() {
    let mut number = 0;
    each_scalar(FIELDS, &mut |scalar| {
        let schema = scalar.schema();
        let validator = validator(&schema);
        let mut tried: Vec<String> = [
            "true",
            "false",
            "yes",
            "0",
            "1",
            "1.5",
            "90s",
            "15m",
            "2h",
            "1d",
            "any",
            "x",
            "192.0.2.1",
            "/x",
        ]
        .map(str::to_owned)
        .into();
        probes(&schema, &mut tried);
        for text in tried {
            let takes = scalar.check(&text).is_ok();
            let valid = validator.is_valid(&read(&text));
            let whole = schema.get("enum").is_some()
                || schema.get("const").is_some()
                || schema["type"] == "boolean"
                || schema["type"] == "integer" && scalar.name() != "table_size";
            assert!(valid || !takes, "{}: the parser takes {text}, the schema does not", scalar.name());
            assert!(
                takes || !valid || !whole,
                "{}: the schema takes {text}, the parser does not",
                scalar.name()
            );
            number += 1;
        }
    });
    assert!(number > 500, "{number}");
}

/// Calls `see` with every field's name and the group it is in.
fn each_name(group: &str, fields: Fields, see: &mut impl FnMut(&str, &str)) {
    for field in fields.iter().copied().flatten() {
        see(group, field.name());
        match field {
            Field::Section(inner) => each_name(inner.name, inner.fields, see),
            Field::List(list) if let Entries::Sections(fields) = list.of => each_name(list.name, fields, see),
            Field::Scalar(_) | Field::List(_) => {}
        }
    }
}

/// Each is written there, if only behind a `#`; those of the defaults are those of services.
#[test]
fn the_example_has_every_field() {
    each_name("", FIELDS, &mut |group, name| {
        let written = EXAMPLE
            .lines()
            .any(|line| line.trim_start_matches([' ', '#', '-']).starts_with(&format!("{name}:")));
        assert!(written, "{group}.{name} is missing in deploy/lb.yaml");
    });
}

#[test]
fn a_schema_says_what_each_field_is() {
    fn check(schema: &Value, path: &str) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let about = field["description"].as_str().unwrap_or_default();
            assert!(about.ends_with('.'), "{path}.{name}: {about:?}");
            check(field, &format!("{path}.{name}"));
            check(&field["items"], &format!("{path}.{name}[]"));
        }
    }
    check(&Config::schema(), "");
}
