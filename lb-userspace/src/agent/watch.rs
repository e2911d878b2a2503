//! Telling the operator what goes wrong while the agent runs, rather than at its end.

use std::future::pending;
use std::mem;
use std::time::Duration;

use anyhow::Result;
use lb_common::datapath::decapsulate::Outcome;
use tokio::time::interval;
use tracing::warn;

use super::unpacking::Unpacking;

/// Between two looks at the counters: soon enough for someone who is trying a configuration out.
const EVERY: Duration = Duration::from_secs(2);

/// Outcomes that a setting on one side or the other can cure, and which one.
const CURABLE: [(Outcome, &str); 2] = [
    (
        Outcome::Stranger,
        "packets in a tunnel come from an address that no --balancer names, and are not unpacked; `lbctl backend list \
         -o json` on the load balancer shows what it sends from, as source",
    ),
    (
        Outcome::Refused,
        "a load balancer sends packets in a tunnel for an address that no --vip names, and they are dropped; give this \
         backend every VIP that the load balancers send here",
    ),
];

/// Warns when the first packet of a kind comes. Without unpacking there is nothing to see.
///
/// Returns only if the counters can't be read.
pub async fn watch(unpacking: Option<&Unpacking>) -> Result<()> {
    let Some(unpacking) = unpacking else { return pending().await };
    let mut unseen = CURABLE.to_vec();
    let mut looks = interval(EVERY);
    while !unseen.is_empty() {
        looks.tick().await;
        for (outcome, text) in mem::take(&mut unseen) {
            match unpacking.packets(outcome)? {
                0 => unseen.push((outcome, text)),
                packets => warn!("{}={packets}: {text}", outcome.name()),
            }
        }
    }
    pending().await
}
