//! What is asked to be changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::document::{BACKENDS, Document, Node, SERVICES};
use crate::nearest::there_is_none;

/// Fields by their names; `quic.configuration` is one inside `quic`. Without a value a field gets its default.
pub type Fields = BTreeMap<String, Option<String>>;

/// Changes that are made together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// In this order.
    pub edits: Vec<Edit>,
    /// The running configuration that they were made for: they are refused if it is another one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether they are made although they may do damage.
    #[serde(default)]
    pub confirmed: bool,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// A new service without backends.
    AddService {
        /// Its name.
        service: String,
        /// Its other fields.
        fields: Fields,
    },
    /// Other fields of a service.
    SetService {
        /// Its name.
        service: String,
        /// The fields to be changed.
        fields: Fields,
    },
    /// A service less.
    RemoveService {
        /// Its name.
        service: String,
    },
    /// A new backend of a service.
    AddBackend {
        /// The service's name.
        service: String,
        /// Its fields.
        fields: Fields,
    },
    /// Other fields of a backend.
    SetBackend {
        /// Its name or address.
        backend: String,
        /// In this service; in all that have it if none is named.
        service: Option<String>,
        /// The fields to be changed.
        fields: Fields,
    },
    /// A backend less.
    RemoveBackend {
        /// Its name or address.
        backend: String,
        /// In this service; in all that have it if none is named.
        service: Option<String>,
    },
    /// New flows go elsewhere, and the old ones are kept for a while.
    DrainBackend {
        /// Its name or address.
        backend: String,
        /// In this service; in all that have it if none is named.
        service: Option<String>,
        /// For so many seconds; else for what its `drain_timeout` says, or its service's.
        seconds: Option<u32>,
    },
    /// It takes nothing, and lets go of all flows.
    DisableBackend {
        /// Its name or address.
        backend: String,
        /// In this service; in all that have it if none is named.
        service: Option<String>,
    },
    /// It takes flows again.
    EnableBackend {
        /// Its name or address.
        backend: String,
        /// In this service; in all that have it if none is named.
        service: Option<String>,
    },
}

/// A backend's fields that drain it.
const STATE: &str = "state";
const DRAIN_TIMEOUT: &str = "drain_timeout";
const ACTIVE: &str = "active";

impl Edit {
    /// Changes the running configuration; `saved` is what the file says.
    ///
    /// # Errors
    ///
    /// What was found, a semicolon, and what to do. The document is to be thrown away then.
    pub fn make(&self, running: &mut Document, saved: &Document) -> Result<(), String> {
        match self {
            Edit::AddService { service, fields } => {
                if running.root().at(&[SERVICES, service]).is_some() {
                    return Err(format!(
                        "there is a service {service} already; lbctl service set changes it"
                    ));
                }
                let mut added = Node::Map(vec![("name".into(), Node::Text(service.clone()))]);
                added.set(&[BACKENDS], Some(Node::Map(Vec::new())));
                running.root_mut().set(&[SERVICES, service], Some(added));
                fill(running, &[SERVICES, service], fields)
            }
            Edit::SetService { service, fields } => {
                let service = known_service(running, service)?;
                fill(running, &[SERVICES, &service], fields)
            }
            Edit::RemoveService { service } => {
                let service = known_service(running, service)?;
                running.root_mut().set(&[SERVICES, &service], None);
                Ok(())
            }
            Edit::AddBackend { service, fields } => add_backend(running, service, fields),
            Edit::SetBackend { backend, service, fields } => {
                for [service, backend] in known_backends(running, backend, service.as_deref())? {
                    fill(running, &[SERVICES, &service, BACKENDS, &backend], fields)?;
                }
                Ok(())
            }
            Edit::RemoveBackend { backend, service } => {
                for [service, backend] in known_backends(running, backend, service.as_deref())? {
                    running.root_mut().set(&[SERVICES, &service, BACKENDS, &backend], None);
                }
                Ok(())
            }
            Edit::DrainBackend { backend, service, seconds } => {
                for [service, backend] in known_backends(running, backend, service.as_deref())? {
                    let path = [SERVICES, &service, BACKENDS, &backend];
                    put(running, &path, STATE, Some("draining".into()))?;
                    if let Some(seconds) = seconds {
                        put(running, &path, DRAIN_TIMEOUT, Some(seconds.to_string()))?;
                    }
                }
                Ok(())
            }
            Edit::DisableBackend { backend, service } => {
                for [service, backend] in known_backends(running, backend, service.as_deref())? {
                    put(running, &[SERVICES, &service, BACKENDS, &backend], STATE, Some("disabled".into()))?;
                }
                Ok(())
            }
            Edit::EnableBackend { backend, service } => {
                for [service, backend] in known_backends(running, backend, service.as_deref())? {
                    enable(running, saved, &[SERVICES, &service, BACKENDS, &backend])?;
                }
                Ok(())
            }
        }
    }
}

impl Edit {
    /// The address that a backend gets.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Edit::AddBackend { fields, .. } | Edit::SetBackend { fields, .. } => {
                fields.get("address").cloned().flatten()?.parse().ok()
            }
            _ => None,
        }
    }
}

fn add_backend(running: &mut Document, service: &str, fields: &Fields) -> Result<(), String> {
    let service = known_service(running, service)?;
    let name = fields.get("name").or_else(|| fields.get("address")).cloned().flatten();
    let name = name.ok_or("a backend's address is missing; write it as in address=198.51.100.9")?;
    let path = [SERVICES, &service, BACKENDS, &name];
    if running.root().at(&path).is_some() {
        return Err(format!("{service} has a backend {name} already; lbctl backend set changes it"));
    }
    running.root_mut().set(&path, Some(Node::Map(Vec::new())));
    fields.iter().try_for_each(|(field, value)| put(running, &path, field, value.clone()))
}

/// What the file says of its state, where that is to take flows; the file may also drain it.
fn enable(running: &mut Document, saved: &Document, path: &[&str; 4]) -> Result<(), String> {
    let says = |field| {
        let says = saved.root().at(path).and_then(|backend| backend.get(field));
        says.and_then(Node::text).map(str::to_owned)
    };
    let is_draining = |document: &Document| {
        let state = document.root().at(path).and_then(|backend| backend.get(STATE)).and_then(Node::text);
        state == Some("draining")
    };
    if is_draining(running) {
        put(running, path, DRAIN_TIMEOUT, says(DRAIN_TIMEOUT))?;
    }
    let state = says(STATE).map(|_| ACTIVE.to_owned());
    put(running, path, STATE, state)
}

fn fill(running: &mut Document, path: &[&str], fields: &Fields) -> Result<(), String> {
    let named = running.root().at(path).and_then(|node| node.get("name")).and_then(Node::text);
    let named = named.or(path.last().copied()).map(str::to_owned);
    for (field, value) in fields {
        if field == "name" && *value != named {
            return Err("a name can't be changed; add it anew and remove the former one".into());
        }
        if field == BACKENDS {
            return Err("backends are changed one by one; see lbctl backend".into());
        }
        put(running, path, field, value.clone())?;
    }
    Ok(())
}

/// Sets a field, which may be inside another one.
fn put(running: &mut Document, path: &[&str], field: &str, value: Option<String>) -> Result<(), String> {
    let root = running.root_mut();
    let value = value.map(Node::Text);
    let Some((outer, inner)) = field.split_once('.') else {
        root.set(&[path, &[field]].concat(), value);
        return Ok(());
    };
    let outer = [path, &[outer]].concat();
    match root.at(&outer) {
        Some(Node::Text(_) | Node::List(_)) => {
            return Err(format!(
                "{field} is unknown: {} has no fields",
                outer.last().copied().unwrap_or_default()
            ));
        }
        None if value.is_some() => drop(root.set(&outer, Some(Node::Map(Vec::new())))),
        Some(Node::Map(_)) | None => {}
    }
    root.set(&[&outer[..], &[inner]].concat(), value);
    if root.at(&outer).is_some_and(|node| node.entries().is_empty()) {
        root.set(&outer, None);
    }
    Ok(())
}

fn known_service(running: &Document, name: &str) -> Result<String, String> {
    let services = running.root().get(SERVICES).map_or(&[][..], Node::entries);
    if services.iter().any(|(known, _)| known == name) {
        return Ok(name.to_owned());
    }
    Err(there_is_none("service", name, services.iter().map(|(name, _)| name.as_str())))
}

/// Service and name of each backend that is meant.
fn known_backends(
    running: &Document,
    backend: &str,
    service: Option<&str>,
) -> Result<Vec<[String; 2]>, String> {
    let service = service.map(|name| known_service(running, name)).transpose()?;
    let services = running.root().get(SERVICES).map_or(&[][..], Node::entries);
    let services = services.iter().filter(|(name, _)| service.as_ref().is_none_or(|wanted| wanted == name));
    let all: Vec<(&str, &str, &Node)> = services
        .flat_map(|(service, node)| {
            let backends = node.get(BACKENDS).map_or(&[][..], Node::entries);
            backends.iter().map(move |(name, node)| (service.as_str(), name.as_str(), node))
        })
        .collect();
    let address: Option<IpAddr> = backend.parse().ok();
    let is_meant = |name: &str, node: &Node| {
        let own = node.get("address").and_then(Node::text).and_then(|text| text.parse().ok());
        name == backend || address.is_some() && own == address
    };
    let meant: Vec<_> = all
        .iter()
        .filter(|(_, name, node)| is_meant(name, node))
        .map(|(service, name, _)| [(*service).to_owned(), (*name).to_owned()])
        .collect();
    if meant.is_empty() {
        let place = service.map_or_else(String::new, |name| format!(" in service {name}"));
        let names = all.iter().map(|(_, name, _)| *name);
        return Err(there_is_none("backend", backend, names).replacen(
            backend,
            &format!("{backend}{place}"),
            1,
        ));
    }
    Ok(meant)
}
