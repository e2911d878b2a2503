//! What a check is.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, Uri};
use simple_dns::TYPE;

use super::super::field::{Choice, Entries, Field, Form, List, Scalar, Text};
use super::super::prefix::Prefix;
use super::super::section::Section;
use super::super::value::path;
use super::{tls, value};
use crate::health::probe::{Dns, Exec, Grpc, Http, Icmp, Means, Tcp, Tls, Udp};
use tls::TLS;

/// What a check is, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    None,
    Tcp,
    Http,
    Https,
    Http2,
    Grpc,
    Udp,
    Dns,
    Icmp,
    Exec,
}

pub(super) static KIND: Scalar<Choice<Kind>> = Scalar {
    name: "kind",
    about: "What a check is: a TCP connection, a request by HTTP, HTTPS, HTTP/2 or gRPC, a datagram, a question of DNS, an echo \
            request, or a program. Must be given here or in the defaults. With none, backends aren't checked.",
    remedy: None,
    form: Choice(KINDS),
};

const KINDS: &[(&str, Kind)] = &[
    ("none", Kind::None),
    ("tcp", Kind::Tcp),
    ("http", Kind::Http),
    ("https", Kind::Https),
    ("http2", Kind::Http2),
    ("grpc", Kind::Grpc),
    ("udp", Kind::Udp),
    ("dns", Kind::Dns),
    ("icmp", Kind::Icmp),
    ("exec", Kind::Exec),
];

/// What may be written as a kind.
pub(super) const WORDS: &str = "tcp, http, https, http2, grpc, udp, dns, icmp, exec or none";

/// The fields that not every kind has.
pub(super) static FIELDS: &[Field] = &[
    Field::Scalar(&SEND),
    Field::Scalar(&EXPECT),
    Field::Scalar(&METHOD),
    Field::Scalar(&PATH),
    Field::Scalar(&HOST),
    Field::List(&STATUS),
    Field::Section(&TLS),
    Field::Scalar(&GRPC_SERVICE),
    Field::Scalar(&QUERY),
    Field::Scalar(&RECORD),
    Field::Scalar(&RCODE),
    Field::Scalar(&PROGRAM),
    Field::List(&ARGUMENTS),
    Field::List(&ENVIRONMENT),
];

/// Which kinds have a field that not every kind has.
const OF_KINDS: &[(&str, &[Kind])] = &[
    ("send", &[Kind::Tcp, Kind::Udp]),
    ("expect", &[Kind::Tcp, Kind::Udp, Kind::Http, Kind::Https, Kind::Http2]),
    ("method", &[Kind::Http, Kind::Https, Kind::Http2]),
    ("path", &[Kind::Http, Kind::Https, Kind::Http2]),
    ("host", &[Kind::Http, Kind::Https, Kind::Http2, Kind::Grpc]),
    ("status", &[Kind::Http, Kind::Https, Kind::Http2]),
    ("tls", &[Kind::Https, Kind::Http2, Kind::Grpc]),
    ("grpc_service", &[Kind::Grpc]),
    ("query", &[Kind::Dns]),
    ("record", &[Kind::Dns]),
    ("rcode", &[Kind::Dns]),
    ("program", &[Kind::Exec]),
    ("arguments", &[Kind::Exec]),
    ("environment", &[Kind::Exec]),
];

static SEND: Scalar<Text<Vec<u8>>> = Scalar {
    name: "send",
    about: "With tcp and udp: what is sent, where \\r, \\n, \\t, \\\\ and \\x00 stand for octets. Default: nothing; must be given \
            with udp.",
    remedy: None,
    form: Text(value::octets),
};

static EXPECT: Scalar<Text<Vec<u8>>> = Scalar {
    name: "expect",
    about: "With tcp, udp, http, https and http2: what has to be in the first 64 KiB of the answer, or of its body. Default: nothing.",
    remedy: None,
    form: Text(value::octets),
};

static METHOD: Scalar<Text<Method>> = Scalar {
    name: "method",
    about: "With http, https and http2: the request's method. Default: GET.",
    remedy: None,
    form: Text(value::method),
};

static PATH: Scalar<Text<Uri>> = Scalar {
    name: "path",
    about: "With http, https and http2: what is asked for. Default: /.",
    remedy: None,
    form: Text(value::path),
};

static HOST: Scalar<Text<HeaderValue>> = Scalar {
    name: "host",
    about: "With http, https, http2 and grpc: whom the request is meant for. Default: the VIP.",
    remedy: None,
    form: Text(value::host),
};

static STATUS: List = List {
    name: "status",
    about: "With http, https and http2: which statuses are well, as in 200-299 and 404. Default: 200-399.",
    remedy: None,
    may_be_empty: false,
    of: Entries::Scalars(&STATUSES),
};

static STATUSES: Scalar<Text<RangeInclusive<u16>>> = Scalar {
    name: "status",
    about: "One, or several as in 200-299.",
    remedy: None,
    form: Text(value::statuses),
};

static GRPC_SERVICE: Scalar<Text<String>> = Scalar {
    name: "grpc_service",
    about: "With grpc: the service that the server's health service is asked about. Default: the server as a whole.",
    remedy: None,
    form: Text(value::argument),
};

static QUERY: Scalar<Text<String>> = Scalar {
    name: "query",
    about: "With dns: the name that is asked for. Must be given.",
    remedy: None,
    form: Text(value::dns_name),
};

static RECORD: Scalar<Choice<TYPE>> = Scalar {
    name: "record",
    about: "With dns: the records that are asked for. Default: A.",
    remedy: None,
    form: Choice(&[
        ("A", TYPE::A),
        ("AAAA", TYPE::AAAA),
        ("CNAME", TYPE::CNAME),
        ("MX", TYPE::MX),
        ("NS", TYPE::NS),
        ("PTR", TYPE::PTR),
        ("SOA", TYPE::SOA),
        ("SRV", TYPE::SRV),
        ("TXT", TYPE::TXT),
    ]),
};

static RCODE: Scalar<Choice<u16>> = Scalar {
    name: "rcode",
    about: "With dns: the code that the answer has to have; with NOERROR it needs a record too. Default: NOERROR.",
    remedy: None,
    form: Choice(&[
        ("NOERROR", 0),
        ("FORMERR", 1),
        ("SERVFAIL", 2),
        ("NXDOMAIN", 3),
        ("NOTIMP", 4),
        ("REFUSED", 5),
    ]),
};

static PROGRAM: Scalar<Text<PathBuf>> = Scalar {
    name: "program",
    about: "With exec: the absolute path of a program that ends with 0 if the backend is well. Must be given.",
    remedy: None,
    form: Text(path),
};

static ARGUMENTS: List = List {
    name: "arguments",
    about: "With exec: what the program is told. No shell reads it.",
    remedy: None,
    may_be_empty: true,
    of: Entries::Scalars(&ARGUMENT),
};

static ARGUMENT: Scalar<Text<String>> =
    Scalar { name: "argument", about: "Any text.", remedy: None, form: Text(value::argument) };

static ENVIRONMENT: List = List {
    name: "environment",
    about: "With exec: what is in the program's environment besides LB_ADDRESS and LB_PORT, as in NAME=value.",
    remedy: None,
    may_be_empty: true,
    of: Entries::Scalars(&VARIABLE),
};

static VARIABLE: Scalar<Text<(String, String)>> =
    Scalar { name: "variable", about: "As in NAME=value.", remedy: None, form: Text(value::variable) };

impl Kind {
    pub fn of(means: &Means) -> Self {
        match means {
            Means::Tcp(_) => Kind::Tcp,
            Means::Http(Http { tls: None, .. }) => Kind::Http,
            Means::Http(_) => Kind::Https,
            Means::Http2(_) => Kind::Http2,
            Means::Grpc(_) => Kind::Grpc,
            Means::Icmp(_) => Kind::Icmp,
            Means::Udp(_) => Kind::Udp,
            Means::Dns(_) => Kind::Dns,
            Means::Exec(_) => Kind::Exec,
        }
    }

    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| *name)
    }

    pub fn needs_port(self) -> bool {
        !matches!(self, Kind::None | Kind::Icmp | Kind::Exec)
    }
}

/// Reports fields that this kind hasn't.
pub(super) fn refuse_others(health: &mut Section, kind: Kind) {
    for (field, kinds) in OF_KINDS {
        if let Some(node) = health.node(field)
            && !kinds.contains(&kind)
        {
            let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
            let message =
                format!("a check of kind {} has none, only {}; remove it", kind.name(), names.join(", "));
            health.error(field, node.at, message);
        }
    }
}

/// What a check of a kind is. None if something is wrong; then it has been reported.
pub(super) fn read(health: &mut Section, kind: Kind, vip: Option<Prefix>) -> Option<Means> {
    match kind {
        Kind::None => None,
        Kind::Tcp => Some(Means::Tcp(Tcp {
            send: health.optional(&SEND, Vec::new())?,
            expect: health.optional(&EXPECT, Vec::new())?,
        })),
        Kind::Http | Kind::Https => http(health, kind, vip).map(Means::Http),
        Kind::Http2 => http(health, kind, vip).map(Means::Http2),
        Kind::Grpc => grpc(health, vip).map(Means::Grpc),
        Kind::Icmp => Some(Means::Icmp(Icmp)),
        Kind::Udp => {
            let send = needed(health, &SEND, kind, "write what is sent")?;
            Some(Means::Udp(Udp { send, expect: health.optional(&EXPECT, Vec::new())? }))
        }
        Kind::Dns => {
            let query = needed(health, &QUERY, kind, "write the name that is asked for")?;
            let (record, code) = (health.optional(&RECORD, TYPE::A)?, health.optional(&RCODE, 0)?);
            let at = health.word(&QUERY).map_or(health.at(), |word| word.at);
            let question = Dns::new(&query, record, code);
            let question = question.map_err(|error| format!("{error}; write a name such as example.com"));
            question.map(Means::Dns).map_err(|message| health.error(QUERY.name, at, message)).ok()
        }
        Kind::Exec => Some(Means::Exec(Exec {
            program: needed(health, &PROGRAM, kind, "write the program's absolute path")?,
            arguments: entries(health, ARGUMENTS.name, &ARGUMENT)?,
            environment: entries(health, ENVIRONMENT.name, &VARIABLE)?,
        })),
    }
}

fn http(health: &mut Section, kind: Kind, vip: Option<Prefix>) -> Option<Http> {
    let written = health.maybe(&HOST)?;
    let tls = match kind {
        Kind::Https => Some(tls::read(health, written.as_ref())?),
        _ => tls_if_written(health, written.as_ref())?,
    };
    let mut statuses = entries(health, STATUS.name, &STATUSES)?;
    if statuses.is_empty() {
        statuses.push(200..=399);
    }
    Some(Http {
        method: health.optional(&METHOD, Method::GET)?,
        path: health.optional(&PATH, Uri::from_static("/"))?,
        host: written.or_else(|| host_of(vip?))?,
        statuses,
        body: health.optional(&EXPECT, Vec::new())?,
        tls,
    })
}

fn grpc(health: &mut Section, vip: Option<Prefix>) -> Option<Grpc> {
    let written = health.maybe(&HOST)?;
    let tls = tls_if_written(health, written.as_ref())?;
    let at = health.word(&HOST).map_or(health.at(), |word| word.at);
    let host = written.or_else(|| host_of(vip?))?;
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        health.error(HOST.name, at, "it is no host of gRPC; write one such as www.example.com:443");
        return None;
    };
    Some(Grpc { service: health.optional(&GRPC_SERVICE, String::new())?, authority, tls })
}

/// Who has to answer, where it is TLS only if that is written. The outer option is none if something is wrong; then it has been
/// reported.
#[expect(clippy::option_option, reason = "known or not, and if known, there or not")]
fn tls_if_written(health: &mut Section, host: Option<&HeaderValue>) -> Option<Option<Tls>> {
    if health.inherited(TLS.name).is_none() { Some(None) } else { tls::read(health, host).map(Some) }
}

/// The VIP as a host.
fn host_of(vip: Prefix) -> Option<HeaderValue> {
    let host = match vip.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    HeaderValue::from_str(&host).ok()
}

/// A scalar that this kind needs. None if it is missing or wrong; then that has been reported.
fn needed<F: Form>(health: &mut Section, scalar: &Scalar<F>, kind: Kind, remedy: &str) -> Option<F::Value> {
    let found = health.maybe(scalar)?;
    if found.is_none() {
        let at = health.at();
        let message = format!("missing; a check of kind {} needs it, {remedy}", kind.name());
        health.error(scalar.name, at, message);
    }
    found
}

/// A list's scalars. None if one is wrong; then that has been reported.
fn entries<F: Form>(health: &Section, list: &str, scalar: &Scalar<F>) -> Option<Vec<F::Value>> {
    health.words(list).map(|word| scalar.form.read(word.text).ok()).collect()
}
