//! Why there is no answer, and what to do.

use std::error;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use nix::unistd::{Gid, Group};

use crate::api::Problem;

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// Nobody can be asked over TLS.
    NoTls {
        /// Host and port.
        authority: String,
        /// What the kernel or TLS says.
        cause: io::Error,
    },
    /// Nobody can be asked on this socket.
    NoSocket {
        /// Where lbd was looked for.
        socket: PathBuf,
        /// What the kernel says.
        cause: io::Error,
    },
    /// lbd refuses.
    Refused(Problem),
    /// The connection ended before the answer did.
    Cut(hyper::Error),
    /// The lines have ended.
    Ended,
    /// Question or answer isn't one that both understand.
    Garbled,
}

impl Error {
    /// Whether lbd was asked at all.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Error::NoTls { .. } | Error::NoSocket { .. })
    }

    /// An answer with another status than success.
    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let mut problem = serde_json::from_slice(body).unwrap_or_else(|_| {
            let words = String::from_utf8_lossy(body);
            Problem::new(status, format!("lbd answers {status} {}", words.trim()).trim_end())
        });
        problem.status.0 = status;
        Error::Refused(problem)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Error::NoSocket { socket, cause } => explain(f, socket, cause),
            Error::NoTls { authority, cause } => {
                write!(
                    f,
                    "{authority}: {cause}; see whether api.tls is configured there, and --ca is its authority"
                )
            }
            Error::Refused(problem) => problem.fmt(f),
            Error::Cut(cause) => {
                // The innermost says most: TLS tells why a certificate isn't taken.
                let mut cause: &dyn error::Error = cause;
                while let Some(inner) = cause.source() {
                    cause = inner;
                }
                write!(f, "lbd closed the connection: {cause}")
            }
            Error::Ended => f.write_str("lbd has ended"),
            Error::Garbled => {
                f.write_str("lbd's answer isn't understood; are lbctl and lbd of one version? lbctl version")
            }
        }
    }
}

impl error::Error for Error {}

fn explain(f: &mut Formatter, socket: &Path, cause: &io::Error) -> fmt::Result {
    let shown = socket.display();
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => write!(
            f,
            "{shown}: lbd isn't running here; start it with systemctl start lbd or lbd --config FILE, or name its \
             socket with --socket or $LB_SOCKET"
        ),
        ErrorKind::PermissionDenied => {
            let group = group_of(socket).unwrap_or_else(|| "the socket's group".into());
            write!(f, "{shown}: no permission; run this as root or as a member of {group}")
        }
        _ => write!(f, "{shown}: {cause}"),
    }
}

/// As in `the group lb`; none if the directory doesn't let us look.
fn group_of(socket: &Path) -> Option<String> {
    let number = fs::metadata(socket).ok()?.gid();
    let name = Group::from_gid(Gid::from_raw(number)).ok().flatten().map(|group| group.name);
    Some(format!("the group {}", name.unwrap_or_else(|| number.to_string())))
}
