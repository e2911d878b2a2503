//! Lookup tables by what they were built for, so that a change builds only those that it concerns.
//!
//! To build a table takes milliseconds, and a node has a table for each service.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::maglev::{Member, Table};

/// All that a table depends on: its size, and the names and weights of the members in their order.
type Recipe = (u32, Vec<(String, u32)>);

/// The tables of one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    tables: BTreeMap<Recipe, Arc<Table>>,
    built: usize,
}

impl Tables {
    /// The table of these members: one that is here already, else one from `former`, else a new one.
    pub fn table(&mut self, former: &Tables, members: &[Member], size: u32) -> Arc<Table> {
        let recipe = (size, members.iter().map(|member| (member.name.to_owned(), member.weight)).collect());
        let known = self.tables.get(&recipe).or_else(|| former.tables.get(&recipe));
        if let Some(known) = known.cloned() {
            self.tables.insert(recipe, Arc::clone(&known));
            return known;
        }
        self.built += 1;
        let table = Arc::new(Table::build(members, size));
        self.tables.insert(recipe, Arc::clone(&table));
        table
    }

    /// How many were built anew.
    #[must_use]
    pub fn built(&self) -> usize {
        self.built
    }
}
