//! The control plane.

pub mod address;
pub mod agent;
pub mod api;
pub mod attach;
pub mod census;
pub mod client;
pub mod config;
pub mod daemon;
pub mod frame;
pub mod hash_key;
pub mod host_tables;
pub mod image;
mod interface;
pub mod kernel_clock;
pub mod logging;
pub mod maglev;
pub mod maps;
mod netlink;
pub mod next_hop;
pub mod numbers;
pub mod planner;
pub mod privileges;
pub mod programs;
pub mod roster;
pub mod rotation;
pub mod terminal;
pub mod transition;
