//! What the scalars of checks mean.

use std::ops::RangeInclusive;

use axum::http::{HeaderValue, Method, Uri};
use rustls::pki_types::ServerName;
use simple_dns::Name;

use super::super::value::{shown, within};

/// A result whose error is what was found, a semicolon, and what to do.
type Meaning<T> = Result<T, String>;

/// The longest text that is sent or awaited, in octets.
const LONGEST: usize = 4096;

/// Octets as text: `\r`, `\n`, `\t`, `\\` and `\x00` stand for octets that can't be written.
pub(super) fn octets(text: &str) -> Meaning<Vec<u8>> {
    let wrong = |what: &str| format!("{what}; allowed are \\r, \\n, \\t, \\\\ and octets such as \\x00");
    let mut octets = Vec::new();
    let mut rest = text.as_bytes().iter();
    while let Some(&octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'\\') => b'\\',
                Some(b'x') => {
                    let mut digit = || rest.next().and_then(|&digit| char::from(digit).to_digit(16));
                    let (Some(high), Some(low)) = (digit(), digit()) else {
                        return Err(wrong("\\x is not followed by two hexadecimal digits"));
                    };
                    (high << 4 | low) as u8
                }
                Some(&other) => return Err(wrong(&format!("\\{} is unknown", other.escape_ascii()))),
                None => return Err(wrong("the last \\ has nothing behind it")),
            },
            octet => octet,
        });
    }
    if octets.len() > LONGEST {
        return Err(format!("{} octets are too many; allowed are {LONGEST}", octets.len()));
    }
    Ok(octets)
}

/// A method of HTTP.
pub(super) fn method(text: &str) -> Meaning<Method> {
    let is_upper = !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_uppercase());
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| is_upper && text != "CONNECT");
    method.ok_or_else(|| format!("{} is not a method; write one such as GET or HEAD", shown(text)))
}

/// A path, perhaps with a query.
pub(super) fn path(text: &str) -> Meaning<Uri> {
    let path = text.parse().ok().filter(|_| text.starts_with('/'));
    path.ok_or_else(|| format!("{} is not a path; write one such as /health", shown(text)))
}

/// Whom a request is meant for.
pub(super) fn host(text: &str) -> Meaning<HeaderValue> {
    let is_host = !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_graphic());
    let host = HeaderValue::from_str(text).ok().filter(|_| is_host);
    host.ok_or_else(|| format!("{} is not a host; write one such as www.example.com", shown(text)))
}

/// A status of HTTP, or several of them.
pub(super) fn statuses(text: &str) -> Meaning<RangeInclusive<u16>> {
    let allowed = "allowed are 100 to 599, as in 200 and 200-299";
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (within(first, &(100..=599), allowed)?, within(last, &(100..=599), allowed)?);
    if first > last {
        return Err(format!("{} ends before it begins; {allowed}", shown(text)));
    }
    Ok(first..=last)
}

/// Whom a certificate is for.
pub(super) fn server_name(text: &str) -> Meaning<ServerName<'static>> {
    let name = ServerName::try_from(text.to_owned());
    name.map_err(|_| {
        format!("{} is neither a DNS name nor an IP address; write what the certificate says", shown(text))
    })
}

/// A name that is asked for.
pub(super) fn dns_name(text: &str) -> Meaning<String> {
    match Name::new(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{} is not a DNS name; write one such as example.com", shown(text))),
    }
}

/// A program's argument.
pub(super) fn argument(text: &str) -> Meaning<String> {
    if text.contains('\0') { Err("it contains a zero; remove it".into()) } else { Ok(text.to_owned()) }
}

/// A name and what it stands for in a program's environment.
pub(super) fn variable(text: &str) -> Meaning<(String, String)> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty() && !text.contains('\0'));
    let (name, value) =
        pair.ok_or_else(|| format!("{} is not a variable; write one such as NAME=value", shown(text)))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_cannot_be_written() {
        assert_eq!(octets(r"QUIT\r\n\x00\xfF\\\t").unwrap(), b"QUIT\r\n\0\xff\\\t");
        assert_eq!(octets("grün").unwrap(), "grün".as_bytes());
        let rest = "allowed are \\r, \\n, \\t, \\\\ and octets such as \\x00";
        assert_eq!(octets(r"\q").unwrap_err(), format!("\\q is unknown; {rest}"));
        assert_eq!(octets("a\\").unwrap_err(), format!("the last \\ has nothing behind it; {rest}"));
        assert_eq!(
            octets(r"\x0g").unwrap_err(),
            format!("\\x is not followed by two hexadecimal digits; {rest}")
        );
        assert_eq!(octets(&"a".repeat(4097)).unwrap_err(), "4097 octets are too many; allowed are 4096");
    }

    #[test]
    fn ranges_of_statuses() {
        assert_eq!(statuses("204").unwrap(), 204..=204);
        assert_eq!(statuses("200-399").unwrap(), 200..=399);
        for wrong in ["", "20", "600", "300-200", "200-", "200-299-300", "2xx"] {
            assert!(statuses(wrong).unwrap_err().contains("; allowed are 100 to 599"), "{wrong}");
        }
    }
}
