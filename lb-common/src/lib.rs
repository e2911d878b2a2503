//! The datapath, written once.
//!
//! The same lines are compiled into the XDP programs and into userspace, where they are tested, fuzzed and asked
//! for explanations. In the order in which a packet meets them:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`packet`] | bounded access to a frame |
//! | [`wire`] | header formats: the only place that knows big-endian |
//! | [`flow`], [`siphash`] | the 5-tuple and its keyed hash |
//! | [`vip`], [`service`], [`slot`], [`backend`], [`fragment`] | what the maps hold: the layouts shared with userspace |
//! | [`datapath`] | the walk of a packet through them, at the load balancer and at the backend |
//! | [`verdict`] | how a walk ends, why, and where that is counted |
//! | [`event`] | what is told of single packets |
//! | [`symptom`] | what is seen of a backend's troubles |
//! | [`mark`] | which packets are checks, and of whom |
//!
//! This crate has no dependencies, no allocation, no clock, no logging and no reachable panic: the kernel's
//! verifier refuses a program that could reach one.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics), allow(internal_features))]

pub mod address;
pub mod atomic;
pub mod backend;
pub mod checksum;
pub mod clock;
pub mod course;
pub mod datapath;
pub mod directory;
pub mod event;
mod flags;
pub mod flow;
pub mod fragment;
pub mod mark;
pub mod packet;
pub mod pin;
pub mod ration;
pub mod replay;
pub mod service;
pub mod settings;
pub mod siphash;
pub mod slot;
pub mod standing;
pub mod symptom;
pub mod verdict;
pub mod vip;
pub mod wire;

/// The version of what the maps hold. It goes up with every change after which a program, or a process, would
/// misread what another one has written: a type that a map holds, or what its values mean.
pub const LAYOUT: u32 = 3;

#[cfg(not(target_endian = "little"))]
compile_error!("addresses are hashed as little-endian words; a big-endian build needs its own test vectors");
