//! `field=value`, as it is typed.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clap::Args;

use crate::config::change::Fields;

/// Fields of a service or backend.
#[derive(Args)]
pub(super) struct Pairs {
    /// Fields as in the configuration, such as weight=5; without a value, as in weight=, a field gets its default
    #[arg(value_name = "FIELD=VALUE", required = true, value_parser = pair)]
    pairs: Vec<(String, Option<String>)>,
}

impl Pairs {
    /// By their names.
    ///
    /// # Errors
    /// One is given twice.
    pub fn fields(&self) -> Result<Fields> {
        let mut fields = BTreeMap::new();
        for (name, value) in &self.pairs {
            ensure!(
                fields.insert(name.clone(), value.clone()).is_none(),
                "{name} is given twice; remove one"
            );
        }
        Ok(fields)
    }
}

fn pair(text: &str) -> Result<(String, Option<String>), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok((name.to_owned(), (!value.is_empty()).then(|| value.to_owned())))
        }
        _ => Err("this is no field and value; write them as in weight=5".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_values() {
        assert_eq!(pair("vip=192.0.2.1"), Ok(("vip".into(), Some("192.0.2.1".into()))));
        assert_eq!(pair("name=a=b"), Ok(("name".into(), Some("a=b".into()))));
        assert_eq!(pair("weight="), Ok(("weight".into(), None)));
        assert!(pair("weight").is_err() && pair("=5").is_err());
    }
}
