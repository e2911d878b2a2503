//! The command line.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::attach::Mode;
use crate::config::{self, Prefix};

/// Makes this host a backend of load balancers.
///
/// Puts the VIPs on the loopback interface (a prefix as a local route), keeps the host from answering ARP for them, and
/// unpacks what the load balancers send here encapsulated. Without --balancer nothing is attached to any interface: that is all a backend
/// with the forwarding l2 needs, since its packets arrive as clients sent them.
///
/// On SIGTERM, SIGINT or SIGHUP everything is put back as it was. After SIGKILL the VIPs and sysctls stay; the next agent
/// that starts here takes them over, and puts them back when it ends.
#[derive(Debug, Parser)]
#[command(name = "lb-agent", version)]
pub struct Arguments {
    /// A VIP that this host serves, or a prefix of VIPs like 192.0.2.0/28; may be repeated
    #[arg(long = "vip", value_name = "ADDRESS", required = true, value_parser = vip)]
    vips: Vec<Prefix>,

    /// An address that a load balancer sends from, or a prefix like 172.16.0.0/16; may be repeated. Encapsulated packets
    /// from anyone else are left alone
    #[arg(long = "balancer", value_name = "ADDRESS", requires = "interfaces", value_parser = prefix)]
    pub balancers: Vec<Prefix>,

    /// The UDP port that packets of services with the forwarding gue arrive at; 0 for none
    #[arg(long, value_name = "PORT", default_value_t = 6080)]
    pub gue_port: u16,

    /// An interface that encapsulated packets arrive on; may be repeated
    #[arg(long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,

    /// Where on the interfaces packets are unpacked
    #[arg(long, default_value = "auto")]
    pub mode: Mode,

    /// Where the agent writes down what it has changed, so that the next one can undo it if this one is killed
    #[arg(long, value_name = "DIRECTORY", default_value = "/run/lb-agent")]
    pub state_directory: PathBuf,
}

impl Arguments {
    /// The VIPs, each once.
    #[must_use]
    pub fn vips(&self) -> Vec<Prefix> {
        let mut seen = BTreeSet::new();
        self.vips.iter().copied().filter(|&vip| seen.insert(vip)).collect()
    }

    /// The interfaces, each once.
    #[must_use]
    pub fn interfaces(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.interfaces.iter().map(String::as_str).filter(|&name| seen.insert(name)).collect()
    }
}

fn vip(text: &str) -> Result<Prefix, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => config::vip(&address.to_canonical().to_string()),
        Err(_) => config::vip(text),
    }
}

fn unicast(text: &str) -> Result<IpAddr, &'static str> {
    let address = text.parse::<IpAddr>().map_err(|_| "not an IP address")?.to_canonical();
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Err("not an address that a client or load balancer could use");
    }
    Ok(address)
}

fn prefix(text: &str) -> Result<Prefix, &'static str> {
    let Some((address, length)) = text.split_once('/') else { return unicast(text).map(Prefix::of_one) };
    let address = unicast(address)?;
    let length = length.parse().map_err(|_| "the length of a prefix is a number of bits")?;
    let prefix = Prefix::of_one(address);
    if length == 0 || length > prefix.length {
        return Err("a prefix has at least one bit and at most those of an address");
    }
    Ok(Prefix { length, ..prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from(words.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn unpacking_takes_an_interface() {
        use clap::error::ErrorKind::{MissingRequiredArgument, ValueValidation};
        assert!(parse("lb-agent --vip 192.0.2.1").is_ok());
        assert!(parse("lb-agent --vip 192.0.2.1 --balancer 10.0.0.10 --interface eth0").is_ok());
        let cases = [
            ("lb-agent", MissingRequiredArgument),
            ("lb-agent --vip 192.0.2.1 --balancer 10.0.0.10", MissingRequiredArgument),
            ("lb-agent --vip 192.0.2.1/24", ValueValidation),
            ("lb-agent --vip 127.0.0.0/8", ValueValidation),
            ("lb-agent --vip 2001::/15", ValueValidation),
            ("lb-agent --vip 127.0.0.1", ValueValidation),
            ("lb-agent --vip ff02::1", ValueValidation),
            ("lb-agent --vip 0.0.0.0", ValueValidation),
        ];
        for (words, expected) in cases {
            assert_eq!(parse(words).err(), Some(expected), "{words}");
        }
    }

    #[test]
    fn a_vip_is_an_address_or_a_prefix_and_a_mapped_address_is_the_ipv4_address() {
        let arguments =
            parse("lb-agent --vip ::ffff:192.0.2.1 --vip 2001:db8:f::/64 --vip 192.0.2.1").unwrap();
        let vips: Vec<_> = arguments.vips().iter().map(Prefix::to_string).collect();
        assert_eq!(vips, ["192.0.2.1", "2001:db8:f::/64"]);
    }

    #[test]
    fn an_interface_named_twice_counts_once() {
        let arguments = parse("lb-agent --vip 192.0.2.1 --interface b --interface a --interface b").unwrap();
        assert_eq!(arguments.interfaces(), ["b", "a"]);
    }
}
