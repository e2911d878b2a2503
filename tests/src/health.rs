//! What `lbd` says of the backends' health.

use anyhow::{Context, Result};
use lb_userspace::api::{Check, CheckState, Health};

use crate::balancer::Balancer;
use crate::wait;

/// All of it.
///
/// # Errors
/// `lbctl` ends with an error.
pub fn health(balancer: &Balancer) -> Result<Health> {
    Ok(serde_json::from_str(&balancer.lbctl(&["-o", "json", "health"])?)?)
}

/// The checks of a backend of that name, one for each of its services.
///
/// # Errors
/// `lbctl` ends with an error.
pub fn checks(balancer: &Balancer, backend: &str) -> Result<Vec<Check>> {
    let mut checks = health(balancer)?.checks;
    checks.retain(|check| check.backend == backend);
    Ok(checks)
}

/// Waits until a backend stands like that in all of its services, and returns its checks then.
///
/// # Errors
/// It doesn't, in time: with what `lbctl health` shows.
pub fn wait_until(balancer: &Balancer, backend: &str, state: CheckState) -> Result<Vec<Check>> {
    let all = || {
        let checks = checks(balancer, backend)?;
        let are_all = !checks.is_empty() && checks.iter().all(|check| check.state == state);
        Ok(are_all.then_some(checks))
    };
    wait::until(&format!("{backend} {state:?}"), all)
        .with_context(|| balancer.lbctl(&["health"]).unwrap_or_default() + "\n" + &balancer.log())
}
