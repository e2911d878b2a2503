//! What becomes of backends that fail in one way or another: real servers, through every way of forwarding.

mod faults;
mod kinds;
mod outliers;
mod reaction;

use lb_tests::balancer;
use lb_tests::lab::Lab;
use lb_tests::service::Service;

/// A configuration with these services, each of whose backends is checked as `health` says.
fn configuration(lab: &Lab, services: &[Service], health: &str) -> String {
    balancer::configure(lab.directory(), services)
        .replace("services:\n", &format!("defaults:\n  health: {health}\nservices:\n"))
}
