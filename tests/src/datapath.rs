//! Packets without a network: the datapath as it is compiled for the host, and what must hold for whatever it is given.
//!
//! The packet tests and the fuzz targets are written with it.

// What the packets are for, who walks them, what is played to them, and what must come of it.
pub mod services;

pub mod agent;
pub mod host;

pub mod play;
pub mod script;
pub mod world;

pub mod laws;
pub mod reading;
