//! Checks through the VIP: the program that forwards them, on the way out of the interfaces.
//!
//! A check's socket says by its [mark](lb_common::mark) to which backend its packets go. The kernel routes them as it
//! would route anything for the VIP; where they leave, the program takes them, and forwards them as the balancer forwards
//! traffic: by the same entry of the map of backends. Unlike traffic they need `lbd`: the program is gone when it ends.

mod obstacle;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, tc};

pub use obstacle::{Obstacle, obstacle};

use crate::maps::CHECK_PROGRAM;
use crate::programs;

/// Where the program is. It is taken off when this is dropped, in the interfaces' network namespace; if links hold it, also
/// when the process is killed.
#[derive(Debug)]
pub struct Checks {
    by: By,
    links: BTreeMap<u32, SchedClassifierLink>,
}

/// What holds a program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A link (TCX), which goes with the process.
    Link,
    /// A filter of the queueing discipline `clsact`, which a killed process leaves.
    Filter,
}

impl Default for Checks {
    /// The program isn't anywhere yet, and will be held by links if the kernel has them.
    fn default() -> Self {
        Checks::by(if programs::tcx() { By::Link } else { By::Filter })
    }
}

impl Checks {
    /// The program isn't anywhere yet.
    #[must_use]
    pub const fn by(by: By) -> Self {
        Checks { by, links: BTreeMap::new() }
    }

    /// Attaches the program to the interfaces that it isn't on yet, each with its index and name, and takes it off all
    /// others. Must be called in the interfaces' network namespace.
    ///
    /// # Errors
    /// The first interface that refuses it; the program is on all others.
    pub fn follow<'name>(
        &mut self,
        program: &mut SchedClassifier,
        interfaces: impl IntoIterator<Item = (u32, &'name str)>,
    ) -> Result<()> {
        let interfaces: BTreeMap<u32, &str> = interfaces.into_iter().collect();
        self.links.retain(|index, _| interfaces.contains_key(index));
        let mut result = Ok(());
        for (index, name) in interfaces {
            if self.links.contains_key(&index) {
                continue;
            }
            match attach(program, name, self.by) {
                Ok(link) => drop(self.links.insert(index, link)),
                Err(error) => {
                    result = result.and(Err(error).with_context(|| {
                        format!("{name}: the program that forwards checks through VIPs can't be attached")
                    }));
                }
            }
        }
        result
    }

    /// The interfaces that checks through the VIP may leave by, by index.
    #[must_use]
    pub fn interfaces(&self) -> BTreeSet<u32> {
        self.links.keys().copied().collect()
    }
}

/// Before other programs there: what isn't a check goes on to them.
fn attach(
    program: &mut SchedClassifier,
    interface: &str,
    by: By,
) -> Result<SchedClassifierLink, ProgramError> {
    let options = match by {
        By::Link => TcAttachOptions::TcxOrder(LinkOrder::first()),
        By::Filter => {
            prepare(interface)?;
            TcAttachOptions::Netlink(NlOptions::default())
        }
    };
    let id = program.attach_with_options(interface, TcAttachType::Egress, options)?;
    program.take_link(id)
}

/// Where the kernel has no links for such programs: makes the queueing discipline that holds them, and removes what a
/// killed process has left.
fn prepare(interface: &str) -> Result<(), ProgramError> {
    match tc::qdisc_add_clsact(interface) {
        Ok(()) => {}
        // It is there.
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    // None is there, most of the time.
    let _ = tc::qdisc_detach_program(interface, TcAttachType::Egress, CHECK_PROGRAM);
    Ok(())
}
