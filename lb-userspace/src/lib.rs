//! The control plane.

pub mod address;
pub mod agent;
pub mod attach;
pub mod config;
pub mod programs;
