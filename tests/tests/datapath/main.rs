//! The datapath on the host and in the kernel: the same packets, and the same answers.

use lb_tests::datapath::services;

mod checks;
mod corpus;
mod described;
mod engine;
mod events;
mod frames;
mod golden;
mod lockstep;
mod many;
mod memory;
mod million;
mod mutate;
mod pieces;
mod random;
mod remembered;
mod sizes;
mod tunnels;
mod turns;
mod vectors;
