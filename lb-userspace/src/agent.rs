//! The backend's side: VIPs on the loopback interface, and the program that unpacks what load balancers send.
//!
//! Every step is a value that undoes itself when it is dropped, so whatever ends the agent in an orderly way, an
//! error during start-up included, leaves the host as it was. What a killed agent left is on record, and the next one's
//! to undo.

mod arguments;
mod arp;
mod local;
mod record;
mod reverse_path;
mod stop;
mod sysctl;
mod unpacking;
mod vips;
mod watch;

use anyhow::Result;
use tracing::{info, warn};

use crate::{attach, privileges, systemd};
pub use arguments::Arguments;
use arp::Silence;
use record::Record;
use stop::Stop;
use unpacking::Unpacking;
use vips::Vips;

/// Runs until a signal ends it.
///
/// # Errors
///
/// One line that says what stood in the way of starting. Nothing is left behind then.
pub async fn run(arguments: Arguments) -> Result<()> {
    // First of all, so that a signal during start-up doesn't leave it half done.
    let mut stop = Stop::listen()?;
    privileges::check()?;
    let interfaces = arguments.interfaces();
    for interface in &interfaces {
        attach::check(interface)?;
    }

    // Silent before there is something to be silent about, and all in place before packets are unpacked. They are
    // undone in the opposite order.
    let vips = arguments.vips();
    let record = Record::open(&arguments.state_directory)?;
    let _silence = Silence::impose(&vips, &record)?;
    let _vips = Vips::add(&vips, &record)?;
    let unpacking = match arguments.balancers.as_slice() {
        [] => None,
        balancers => {
            Some(Unpacking::start(balancers, &vips, arguments.gue_port, &interfaces, arguments.mode)?)
        }
    };

    info!("ready");
    systemd::ready(&format!("VIPs: {}, interfaces: {}", vips.len(), interfaces.join(", ")));
    let signal = tokio::select! {
        signal = stop.signalled() => signal,
        ended = watch::watch(unpacking.as_ref()) => {
            // It still unpacks.
            ended.unwrap_or_else(|error| warn!("{error:#}"));
            stop.signalled().await
        }
    };
    info!("{signal}: stopping");
    systemd::stopping();
    if let Some(unpacking) = unpacking {
        info!("packets: {}", unpacking.outcomes()?);
    }
    Ok(())
}
