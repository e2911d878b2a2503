//! Long transfers: iperf3, whose client counts what it sent, and whose server what arrived.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::run;

/// The port of both TCP, which iperf3 always talks over, and UDP.
pub const PORT: u16 = 5201;

/// What the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// So many octets in one connection.
    Tcp {
        /// All octets.
        octets: u64,
    },
    /// So many datagrams.
    Udp {
        /// Their number.
        datagrams: u64,
        /// Octets of each.
        octets: u64,
    },
}

/// What iperf3 says of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Octets that the client sent.
    pub sent: u64,
    /// Octets that the server had received when it heard that all is sent.
    pub received: u64,
    /// Datagrams that the server missed among those that it received.
    pub lost: u64,
}

/// Octets of a socket's buffer on either side; the kernel takes twice as much.
const TCP_BUFFER: u64 = 64 * 1024;

/// As much as the kernel gives without being asked (`net.core.rmem_max`): 20 datagrams of 4,000 octets find room even if
/// the server reads none of them before the last has come.
const UDP_BUFFER: u64 = 208 * 1024;

/// Octets that iperf3 writes at once, and may send more than it was asked to: it looks between two writes.
pub const BLOCK: u64 = 128 * 1024;

/// Octets of a TCP transfer that may still be on the way when the server stops counting, which it does when it hears
/// that all is sent: what is in the buffers of both sides, and a block.
pub const UNCOUNTED: u64 = 2 * 2 * TCP_BUFFER + BLOCK;

/// Bits a second: slow enough for any machine that runs the rest.
const UDP_RATE: &str = "4M";

/// Far above what any of the transfers takes.
const LIMIT: Duration = Duration::from_mins(2);

/// Starts a server on a backend that has the VIP, and answers from it.
///
/// # Errors
/// iperf3 is missing or doesn't start.
pub fn serve(lab: &Lab, backend: Host, vip: IpAddr) -> Result<Process> {
    let name = format!("iperf3-{}-{vip}", backend.name());
    let mut command = lab.host(backend).command("iperf3");
    command.args(["--server", "--forceflush", "--port", &PORT.to_string(), "--bind", &vip.to_string()]);
    let mut server = Process::start(&name, &mut command, lab.directory().join(format!("{name}.log")))?;
    server.wait_until_ready(|log| Ok(log.contains("Server listening")))?;
    Ok(server)
}

/// Sends from the client to a server.
///
/// # Errors
/// iperf3 is missing, or the transfer broke off: with iperf3's word.
pub fn send(lab: &Lab, to: IpAddr, transfer: Transfer) -> Result<Report> {
    let mut command = lab.host(Host::Client).command("iperf3");
    command.args(["--json", "--client", &to.to_string(), "--port", &PORT.to_string()]);
    let (window, length, all) = match transfer {
        Transfer::Tcp { octets } => (TCP_BUFFER, BLOCK, octets),
        Transfer::Udp { datagrams, octets } => {
            command.args(["--udp", "--bitrate", UDP_RATE]);
            (UDP_BUFFER, octets, datagrams * octets)
        }
    };
    for (option, octets) in [("--window", window), ("--length", length), ("--bytes", all)] {
        command.args([option, &octets.to_string()]);
    }
    let finished = run::finish(&mut command, LIMIT)?;
    parse(&finished.stdout).with_context(|| format!("iperf3 to {to}: {}", finished.status))
}

fn parse(json: &str) -> Result<Report> {
    #[derive(Deserialize)]
    struct Output {
        error: Option<String>,
        #[serde(default)]
        end: End,
    }
    #[derive(Default, Deserialize)]
    struct End {
        sum_sent: Option<Sum>,
        sum_received: Option<Sum>,
    }
    #[derive(Deserialize)]
    struct Sum {
        bytes: u64,
        #[serde(default)]
        lost_packets: u64,
    }
    let output: Output = serde_json::from_str(json).context("not what iperf3 --json prints")?;
    if let Some(error) = output.error {
        bail!("{error}");
    }
    let (Some(sent), Some(received)) = (output.end.sum_sent, output.end.sum_received) else {
        bail!("no sums: {json}");
    };
    Ok(Report { sent: sent.bytes, received: received.bytes, lost: received.lost_packets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_and_what_went_wrong_are_read() {
        let output = r#"{"start": {}, "end": {
            "sum_sent": {"bytes": 80000, "packets": 20},
            "sum_received": {"bytes": 72000, "lost_packets": 2, "packets": 20}}}"#;
        assert_eq!(parse(output).unwrap(), Report { sent: 80_000, received: 72_000, lost: 2 });
        let refused = r#"{"end": {}, "error": "unable to connect to server: Connection refused"}"#;
        assert_eq!(
            parse(refused).unwrap_err().to_string(),
            "unable to connect to server: Connection refused"
        );
        assert!(parse(r#"{"end": {}}"#).unwrap_err().to_string().starts_with("no sums"));
    }
}
