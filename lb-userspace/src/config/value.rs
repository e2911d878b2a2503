//! What the scalars of a configuration mean: functions from text to a value, or to what is wrong with it.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use lb_common::siphash::HashKey;

use super::prefix::Prefix;

/// A result whose error is what was found, a semicolon, and what to do.
type Meaning<T> = Result<T, String>;

/// Sizes of lookup tables, in slots. Below, few backends already make it uneven (Maglev's authors ask for a
/// hundred slots a backend); above, a table is more than 16 MiB. Both are primes.
pub(super) const TABLE_SIZES: RangeInclusive<u32> = 251..=4_194_301;

/// Lengths of prefixes. Shorter ones would hold addresses that are nobody's.
const PREFIX_LENGTHS_V4: RangeInclusive<u8> = 8..=32;
const PREFIX_LENGTHS_V6: RangeInclusive<u8> = 16..=128;

/// The longest name of a service or backend, in octets.
const LONGEST_NAME: usize = 255;

/// The longest name of an interface, in octets: the kernel's `IFNAMSIZ` less the zero at its end.
const LONGEST_INTERFACE_NAME: usize = 15;

/// The longest name of an instance, in octets.
const LONGEST_INSTANCE: usize = 32;

/// The longest name of a group, in octets: `GROUP_NAME_MAX_LENGTH` of groupadd(8).
const LONGEST_GROUP: usize = 32;

/// The longest path of a unix socket, in octets: `sun_path` in unix(7) less the zero at its end.
const LONGEST_SOCKET_PATH: usize = 107;

/// `text` as messages quote it: on one line, and no longer than a name usually is.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    let plain = text.chars().all(|c| c.is_ascii_graphic() && c != '"');
    let short: String = text.chars().take(LONGEST).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    if plain && !text.is_empty() { format!("{short}{dots}") } else { format!("{short:?}{dots}") }
}

/// The format of the file.
pub(super) fn version(text: &str) -> Meaning<()> {
    if text == "1" {
        return Ok(());
    }
    Err(format!("{} is not supported; this program reads version 1", shown(text)))
}

/// A decimal number within a range.
pub(super) fn number<T: FromStr + PartialOrd + Display>(text: &str, range: &RangeInclusive<T>) -> Meaning<T> {
    within(text, range, &format!("allowed are {} to {}", range.start(), range.end()))
}

/// No notation but the decimal one: YAML's readers disagree whether 010 is eight or ten.
pub(super) fn within<T: FromStr + PartialOrd>(
    text: &str,
    range: &RangeInclusive<T>,
    allowed: &str,
) -> Meaning<T> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("{} is not a decimal number; {allowed}", shown(text)));
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err(format!("{} begins with a zero; {allowed}", shown(text)));
    }
    // What the type cannot hold is out of range too.
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("{} is out of range; {allowed}", shown(text)))
}

/// A service's port; none for all that no other service has.
pub(super) fn port(text: &str) -> Meaning<Option<u16>> {
    if text == "any" {
        return Ok(None);
    }
    within(text, &(1..=65_535), "allowed are 1 to 65535, and any").map(Some)
}

/// A lookup table's size, in slots.
pub(super) fn table_size(text: &str) -> Meaning<u32> {
    let (smallest, largest) = TABLE_SIZES.into_inner();
    let size = within(text, &TABLE_SIZES, &format!("allowed are primes from {smallest} to {largest}"))?;
    if is_prime(size) {
        return Ok(size);
    }
    let next = (size..largest).find(|number| is_prime(*number)).unwrap_or(largest);
    Err(format!("{size} is not a prime; the next one is {next}"))
}

fn is_prime(number: u32) -> bool {
    (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Meaning<T> {
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    Err(format!("{} is unknown; allowed: {}", shown(text), words.join(", ")))
}

/// Seconds, as `90`, `90s`, `15m`, `2h` or `1d`.
pub(super) fn seconds(text: &str, range: &RangeInclusive<u32>) -> Meaning<u32> {
    let (count, unit) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((count, "s")) => (count, 1),
        Some((count, "m")) => (count, 60),
        Some((count, "h")) => (count, 3600),
        Some((count, "d")) => (count, 86_400),
        _ => (text, 1),
    };
    let allowed = format!("allowed are {}s to {}s, also as in 90s, 15m, 2h, 1d", range.start(), range.end());
    length(count, unit, range).map_err(|fault| match fault {
        Fault::NoTime => format!("{} is not a time; {allowed}", shown(text)),
        Fault::OutOfRange => format!("{} is out of range; {allowed}", shown(text)),
    })
}

/// What is wrong with a time.
enum Fault {
    NoTime,
    OutOfRange,
}

/// So many of a unit.
fn length(count: &str, unit: u32, range: &RangeInclusive<u32>) -> Result<u32, Fault> {
    let digits = !count.is_empty() && count.bytes().all(|digit| digit.is_ascii_digit());
    if !digits || count.len() > 1 && count.starts_with('0') {
        return Err(Fault::NoTime);
    }
    let length = count.parse().ok().and_then(|count: u32| count.checked_mul(unit));
    length.filter(|length| range.contains(length)).ok_or(Fault::OutOfRange)
}

/// Milliseconds, as `500ms`, `2s`, `15m`, `2h` or `1d`: without a unit it could mean seconds as well.
pub(super) fn milliseconds(text: &str, range: &RangeInclusive<u32>) -> Meaning<u32> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let found = units.iter().find_map(|&(unit, length)| Some((text.strip_suffix(unit)?, length)));
    let (count, unit) = found.unwrap_or(("", 1));
    let allowed =
        format!("allowed are {} to {}, as in 500ms, 2s, 15m", time(*range.start()), time(*range.end()));
    length(count, unit, range).map_err(|fault| match fault {
        Fault::NoTime => format!("{} is not a time with its unit; {allowed}", shown(text)),
        Fault::OutOfRange => format!("{} is out of range; {allowed}", shown(text)),
    })
}

/// Milliseconds as they are written.
fn time(milliseconds: u32) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{milliseconds}ms")
    }
}

/// Whether something is done.
pub(super) fn yes_or_no(text: &str) -> Meaning<bool> {
    choice(text, &[("true", true), ("false", false)])
}

/// A service's address, or all of its addresses.
pub(super) fn vip(text: &str) -> Meaning<Prefix> {
    prefix(text, "write the address that clients connect to")
}

/// Where the outer source addresses of tunnels are taken from.
pub(super) fn tunnel_source(text: &str) -> Meaning<Prefix> {
    prefix(text, "write addresses that tunnels may come from")
}

/// A backend's address.
pub(super) fn backend_address(text: &str) -> Meaning<IpAddr> {
    let address: IpAddr = text.parse().map_err(|_| {
        let example = "write it alone, such as 192.0.2.1 or 2001:db8::1";
        format!("{} is not an IP address; {example}", shown(text))
    })?;
    unicast(Prefix::of_one(address), "write the backend's address on the network")?;
    Ok(address)
}

/// An address alone, or a prefix.
fn prefix(text: &str, remedy: &str) -> Meaning<Prefix> {
    let (address, length) = text.split_once('/').map_or((text, None), |(left, right)| (left, Some(right)));
    let address: IpAddr = address.parse().map_err(|_| {
        let example = "write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1";
        format!("{} is neither an IP address nor a prefix; {example}", shown(text))
    })?;
    let prefix = match (length, address) {
        (None, _) => Prefix::of_one(address),
        (Some(length), IpAddr::V4(_)) => Prefix::around(
            address,
            within(length, &PREFIX_LENGTHS_V4, "the length of an IPv4 prefix is 8 to 32")?,
        ),
        (Some(length), IpAddr::V6(_)) => Prefix::around(
            address,
            within(length, &PREFIX_LENGTHS_V6, "the length of an IPv6 prefix is 16 to 128")?,
        ),
    };
    unicast(prefix, remedy)?;
    if prefix.address == address {
        return Ok(prefix);
    }
    Err(format!("{} has bits set behind the prefix; write {prefix}, or {address} alone", shown(text)))
}

fn unicast(prefix: Prefix, remedy: &str) -> Meaning<()> {
    // No prefix that may be written is short enough to hold such addresses elsewhere than at its ends.
    let kind = match prefix.address {
        IpAddr::V6(v6) if let Some(v4) = v6.to_ipv4_mapped() => {
            return Err(if prefix.is_one_address() {
                format!("{prefix} is an IPv4 address written as IPv6; write {v4}")
            } else {
                format!("{prefix} is an IPv4 prefix written as IPv6; write it as IPv4")
            });
        }
        first if first.is_unspecified() => "the unspecified address",
        first if first.is_loopback() => "a loopback address",
        first if first.is_multicast() => "a multicast address",
        _ if prefix.last() == Ipv4Addr::BROADCAST => "the broadcast address",
        _ => return Ok(()),
    };
    let is = if prefix.is_one_address() { "is" } else { "contains" };
    Err(format!("{prefix} {is} {kind}; {remedy}"))
}

/// The name of a service or backend.
pub(super) fn name(text: &str) -> Meaning<String> {
    let fault = if text.is_empty() {
        "the name is empty".to_owned()
    } else if text.len() > LONGEST_NAME {
        format!("the name is {} octets long", text.len())
    } else if text.contains(char::is_control) {
        format!("{} contains a control character", shown(text))
    } else {
        return Ok(text.to_owned());
    };
    Err(format!("{fault}; allowed are 1 to {LONGEST_NAME} octets without control characters"))
}

/// The name of an interface, as the kernel allows it (`dev_valid_name`).
pub(super) fn interface_name(text: &str) -> Meaning<String> {
    let fault = if text.is_empty() {
        "the name is empty".to_owned()
    } else if text.len() > LONGEST_INTERFACE_NAME {
        format!("{} is {} octets long", shown(text), text.len())
    } else if let Some(wrong) =
        text.chars().find(|c| c.is_whitespace() || c.is_control() || "/:".contains(*c))
    {
        format!("{} contains {wrong:?}", shown(text))
    } else if text == "." || text == ".." {
        format!("{text} is no name")
    } else {
        return Ok(text.to_owned());
    };
    Err(format!(
        "{fault}; an interface's name has 1 to {LONGEST_INTERFACE_NAME} octets without spaces, / and :"
    ))
}

/// The name of an instance: part of paths.
pub(super) fn instance(text: &str) -> Meaning<String> {
    let fault = if text.is_empty() {
        "the name is empty".to_owned()
    } else if text.len() > LONGEST_INSTANCE {
        format!("{} is {} octets long", shown(text), text.len())
    } else if let Some(wrong) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        format!("{} contains {wrong:?}", shown(text))
    } else {
        return Ok(text.to_owned());
    };
    Err(format!("{fault}; an instance's name has 1 to {LONGEST_INSTANCE} of a to z, 0 to 9 and -"))
}

/// The name of a group of users, as far as groupadd(8) may make one.
pub(super) fn group(text: &str) -> Meaning<String> {
    let fault = if text.is_empty() {
        "the name is empty".to_owned()
    } else if text.len() > LONGEST_GROUP {
        format!("{} is {} octets long", shown(text), text.len())
    } else if let Some(wrong) =
        text.chars().find(|c| c.is_whitespace() || c.is_control() || ":,/".contains(*c))
    {
        format!("{} contains {wrong:?}", shown(text))
    } else {
        return Ok(text.to_owned());
    };
    Err(format!(
        "{fault}; a group's name has 1 to {LONGEST_GROUP} octets without spaces, colons, commas and /"
    ))
}

/// Where a TCP socket listens.
pub(super) fn listen(text: &str) -> Meaning<SocketAddr> {
    let address: Option<SocketAddr> = text.parse().ok();
    address.filter(|address| address.port() != 0).ok_or_else(|| {
        let example = "write them as in 192.0.2.10:9443 or \"[2001:db8::10]:9443\"";
        format!("{} is not an IP address and a port; {example}", shown(text))
    })
}

/// A unix socket's path.
pub(super) fn socket(text: &str) -> Meaning<PathBuf> {
    if text.len() > LONGEST_SOCKET_PATH {
        let length = text.len();
        return Err(format!("the path is {length} octets long; at most {LONGEST_SOCKET_PATH} are allowed"));
    }
    path(text)
}

/// A path that means the same wherever the daemon was started.
pub(super) fn path(text: &str) -> Meaning<PathBuf> {
    if text.starts_with('/') && !text.contains(char::is_control) {
        return Ok(text.into());
    }
    Err(format!("{} is not an absolute path; start it with /", shown(text)))
}

/// The flow hash's key. It is a secret: messages don't repeat it.
pub(super) fn hash_key(text: &str) -> Meaning<HashKey> {
    let remedy = "write 32 hexadecimal digits, such as openssl rand -hex 16 prints";
    if let Some(index) = text.chars().position(|c| !c.is_ascii_hexdigit()) {
        return Err(format!("character {} is not a hexadecimal digit; {remedy}", index + 1));
    }
    let value = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32);
    let value = value.ok_or_else(|| format!("the key has {} digits; {remedy}", text.len()))?;
    Ok(HashKey::new(value.to_be_bytes()))
}

/// A server's ID in QUIC's connection IDs: hexadecimal, `length` octets, the first in the lowest place.
pub(super) fn server_id(text: &str, length: u8) -> Meaning<u64> {
    let digits = usize::from(length) * 2;
    let remedy = format!("write {digits} hexadecimal digits, as server_id_length says");
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(format!("{} contains {wrong:?}; {remedy}", shown(text)));
    }
    if text.len() != digits {
        return Err(format!("{} has {} digits; {remedy}", shown(text), text.len()));
    }
    let in_order = u64::from_str_radix(text, 16).map_err(|error| format!("{error}; {remedy}"))?;
    Ok(in_order.swap_bytes() >> (64 - 8 * u32::from(length)))
}
