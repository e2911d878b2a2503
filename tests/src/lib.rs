//! The lab: a client, a router, a load balancer and three backends in network namespaces of this machine, with real
//! programs in them. The end-to-end tests and `lb-demo` are written with it.
//!
//! ```no_run
//! use lb_tests::{Backend, Balancer, Lab, SERVICES, curl, curl::Request};
//!
//! # fn main() -> anyhow::Result<()> {
//! let lab = Lab::new()?;
//! let _backends = Backend::start_all(&lab)?;
//! let balancer = Balancer::start(&lab, &SERVICES)?;
//! let replies = curl::fetch(&lab, &vec![Request::to(&SERVICES[0], "/"); 60])?;
//! assert!(replies.iter().all(|reply| reply.status == 200));
//! println!("{}", balancer.lbctl(&["service", "list"])?);
//! # Ok(())
//! # }
//! ```
//!
//! Whatever a value of these types started or made is stopped or removed when it is dropped: at the end of a scope, in
//! a panic, after Ctrl-C. What a killed lab left behind, the next one removes.

// In the order in which a test uses them: the network and who is in it, what runs there, what is asked and answered,
// what is made of the answers; packets without a network; then what all of these are built of.
pub mod lab;

pub mod entry;
pub mod health;
pub mod host;
pub mod service;
pub mod topology;

pub mod agent;
pub mod backend;
pub mod balancer;
pub mod nginx;

pub mod curl;
pub mod iperf;
pub mod keepalive;
pub mod ping;
pub mod traceroute;

pub mod accounts;
pub mod report;
pub mod snapshot;

pub mod datapath;

pub mod bench;

pub mod directory;
pub mod leftovers;
pub mod namespace;
pub mod neighbour;
pub mod sampling;
pub mod xdp;

pub mod interrupt;
pub mod process;
pub mod programs;
pub mod run;
pub mod vm;
pub mod wait;

pub use backend::Backend;
pub use balancer::Balancer;
pub use entry::Entry;
pub use host::Host;
pub use lab::Lab;
pub use service::{SERVICES, Service};
