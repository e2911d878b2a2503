//! Figures, measured here and now: what `cargo xtask bench` runs.

pub mod consistency;
pub mod methods;

pub mod control;

pub mod health;

// In the order of a run: what is measured, with which packets, in which programs, how it is checked, and what comes of it.
pub mod datapath;

pub mod rate;

pub mod instructions;

pub mod pktgen;

pub mod case;
pub mod cases;
pub mod node;
pub mod trace;

pub mod rig;

pub mod agreement;

pub mod figures;
pub mod machine;
pub mod progress;
pub mod record;
pub mod report;
