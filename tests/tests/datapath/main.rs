//! The datapath on the host and in the kernel: the same packets, and the same answers.

mod described;
mod engine;
mod events;
mod frames;
mod golden;
mod many;
mod memory;
mod pieces;
mod random;
mod services;
mod sizes;
mod tunnels;
mod vectors;
