//! The way to an address, as traceroute shows it to the client.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::lab::Lab;
use crate::run;

/// What is sent with too low a hop limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Echo requests.
    Echo,
    /// SYNs to a port.
    Tcp(u16),
    /// Datagrams to ports that nobody listens at, beginning with 33434.
    Udp,
}

/// More hops than there are.
const MOST_HOPS: usize = 6;

/// For all hops, each of which may take its five seconds.
const LIMIT: Duration = Duration::from_mins(1);

/// Who answers for each hop, one question each; `None` for silence. It ends with the address itself, if that answers.
///
/// # Errors
/// traceroute is missing or ends with an error; Ctrl-C.
pub fn trace(lab: &Lab, to: IpAddr, probe: Probe) -> Result<Vec<Option<IpAddr>>> {
    let mut command = lab.host(Host::Client).command("traceroute");
    command.args(["-n", "-q", "1", "-N", "1", "-w", "5", "-m", &MOST_HOPS.to_string()]);
    // A client is told of ten errors a second, and the trace before may have had the last one.
    command.args(["-z", "0.15"]);
    match probe {
        Probe::Echo => command.arg("--icmp"),
        Probe::Tcp(port) => command.args(["--tcp", "-p", &port.to_string()]),
        Probe::Udp => &mut command,
    };
    let finished = run::finish(command.arg(to.to_string()), LIMIT)?;
    ensure!(finished.status.success(), "traceroute {to}: {}", finished.stderr.trim());
    parse(&finished.stdout)
}

/// A headline, then ` 2  198.51.100.10  0.043 ms` or ` 3  *` for each hop.
fn parse(output: &str) -> Result<Vec<Option<IpAddr>>> {
    let hop = |line: &str| match line.split_whitespace().nth(1) {
        Some("*") => Ok(None),
        Some(address) => address.parse().map(Some).with_context(|| line.to_owned()),
        None => Err(anyhow::anyhow!("not a hop: {line}")),
    };
    output.lines().skip(1).map(hop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read() {
        let output = "traceroute to 192.0.2.1 (192.0.2.1), 6 hops max, 60 byte packets\n \
                      1  203.0.113.1  0.356 ms\n 2  *\n 3  192.0.2.1  0.087 ms !X\n";
        let [router, vip] = ["203.0.113.1", "192.0.2.1"].map(|address| address.parse().unwrap());
        assert_eq!(parse(output).unwrap(), [Some(router), None, Some(vip)]);
    }
}
