//! No live flow changes its backend while its backend lives: by a model, and over the loaded program.

mod clients;
mod kernel;
mod model;
mod node;
mod prefixes;
mod regressions;
mod schedulers;
mod sequences;
