//! Why a check failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tonic::Code;

/// How far a check got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is no connection yet.
    #[default]
    Connecting,
    /// There is one, which isn't secure yet.
    Handshake,
    /// The answer isn't there, or not all of it.
    Answer,
    /// A datagram was sent, and wasn't answered.
    Datagram,
    /// A program runs.
    Program,
}

/// Why a check failed.
#[derive(Debug)]
pub enum Failure {
    /// There was no end within this time.
    Timeout(Duration),
    /// The network says so.
    Network(io::Error),
    /// The socket can't be marked for the way through the VIP: the process may not.
    Mark,
    /// Neither kind of socket for echo requests may be opened.
    Ping,
    /// The connection was closed before there was an answer, or all of it.
    Closed,
    /// The certificate or the handshake is wrong.
    Tls(io::Error),
    /// The answer isn't HTTP, or ends early.
    Http(hyper::Error),
    /// The server doesn't offer HTTP/2 over TLS.
    NoHttp2,
    /// The answer isn't HTTP/2, or ends early.
    Http2(hyper::Error),
    /// By HTTP/2, the host can't be named like this.
    Host,
    /// The call ended with another status than OK, or not at all.
    Grpc(Box<tonic::Status>),
    /// The health service says this.
    Health(&'static str),
    /// The answer's status isn't one of those that are expected.
    Status(u16),
    /// What was expected isn't in the answer; it begins with this.
    Unexpected(Excerpt),
    /// What was expected isn't in the first so many octets of the answer.
    TooLong(usize),
    /// The answer isn't one to the question.
    NoAnswer,
    /// The name server's answer has this code, by its number.
    Rcode(u16),
    /// The answer has no record.
    NoRecord,
    /// The program can't be started.
    Start(io::Error),
    /// The check itself is at fault.
    Broken,
    /// The program ended like this.
    Exit(ExitStatus),
}

/// The beginning of an answer, in signs that can be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(String);

/// Octets of an answer that are told.
const EXCERPT: usize = 40;

impl Excerpt {
    /// Of this answer.
    #[must_use]
    pub fn of(answer: &[u8]) -> Self {
        let (end, rest) = if answer.len() > EXCERPT { (EXCERPT, "...") } else { (answer.len(), "") };
        Excerpt(format!("{}{rest}", answer[..end].escape_ascii()))
    }
}

impl Failure {
    /// Whether it says something of this node, and nothing of the backend: the check couldn't be made.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Failure::Broken | Failure::Mark | Failure::Ping | Failure::Start(_) => true,
            Failure::Network(error) => matches!(
                error.raw_os_error(),
                Some(
                    libc::EMFILE
                        | libc::ENFILE
                        | libc::ENOBUFS
                        | libc::ENOMEM
                        | libc::EADDRINUSE
                        | libc::EADDRNOTAVAIL
                )
            ),
            _ => false,
        }
    }
}

impl Stage {
    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(self) -> bool {
        match self {
            Stage::Handshake | Stage::Answer => true,
            Stage::Connecting | Stage::Datagram | Stage::Program => false,
        }
    }
}

/// What is missing.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Stage::Connecting => "no connection",
            Stage::Handshake => "no end of the TLS handshake",
            Stage::Answer => "no whole answer",
            Stage::Datagram => "no answer",
            Stage::Program => "the program didn't end",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Timeout(limit) => write!(f, "no end within {} ms", limit.as_millis()),
            Failure::Network(error) => f.write_str(&words(error)),
            Failure::Mark => f.write_str("a check through the VIP needs CAP_NET_ADMIN, for SO_MARK"),
            Failure::Ping => f.write_str(
                "echo requests aren't allowed: let net.ipv4.ping_group_range have lbd's group, or give it CAP_NET_RAW",
            ),
            Failure::Closed => f.write_str("it was closed without a whole answer"),
            Failure::Tls(error) => write!(f, "TLS: {}", words(error)),
            Failure::Http(error) => match error.source().filter(|_| error.is_canceled()) {
                // The request was, because of something that came before.
                Some(cause) => write!(f, "HTTP: {cause}"),
                None => write!(f, "HTTP: {error}"),
            },
            Failure::NoHttp2 => f.write_str("TLS: the server doesn't offer HTTP/2 (ALPN h2)"),
            Failure::Http2(error) => write!(f, "HTTP/2: {}", deepest(error)),
            Failure::Host => f.write_str("the host can't be asked for by HTTP/2"),
            Failure::Grpc(status) => match (status.source(), status.message()) {
                (Some(error), _) => write!(f, "HTTP/2: {}", deepest(error)),
                (None, "") => write!(f, "gRPC status {}", code(status.code())),
                (None, said) => {
                    write!(f, "gRPC status {}: {}", code(status.code()), Excerpt::of(said.as_bytes()).0)
                }
            },
            Failure::Health(status) => write!(f, "gRPC health: {status}"),
            Failure::Status(status) => write!(f, "HTTP {status}"),
            Failure::Unexpected(Excerpt(answer)) => write!(f, "an unexpected answer \"{answer}\""),
            Failure::TooLong(limit) => write!(f, "nothing expected in the first {limit} octets"),
            Failure::NoAnswer => f.write_str("what came isn't an answer to the question"),
            Failure::Rcode(code) => write!(f, "DNS code {code}{}", rcode(*code)),
            Failure::NoRecord => f.write_str("an answer without records"),
            Failure::Broken => f.write_str("the check itself is at fault; please report this"),
            Failure::Start(error) => write!(f, "the program can't be started: {}", words(error)),
            Failure::Exit(status) => write!(f, "the program's {status}"),
        }
    }
}

/// As people say it, without the number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if error.raw_os_error().is_some() => first.to_lowercase().chain(letters).collect(),
        Some(_) | None => text.to_owned(),
    }
}

/// What an error is due to.
fn deepest<'error>(mut error: &'error (dyn Error + 'static)) -> &'error (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// The name of a call's status (<https://grpc.io/docs/guides/status-codes>).
fn code(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The names of the usual codes (RFC 1035, section 4.1.1).
fn rcode(code: u16) -> &'static str {
    match code {
        1 => " (FORMERR)",
        2 => " (SERVFAIL)",
        3 => " (NXDOMAIN)",
        4 => " (NOTIMP)",
        5 => " (REFUSED)",
        _ => "",
    }
}
