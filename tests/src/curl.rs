//! The client: curl, one process for many requests, each over a connection of its own.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::lab::Lab;
use crate::run;
use crate::service::Service;
use crate::wait::PATIENCE;

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    url: String,
    local_port: Option<u16>,
    upload: Option<PathBuf>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status; 0 if there was no answer.
    pub status: u16,
    /// Octets of the body.
    pub octets: u64,
    /// The client's port.
    pub local_port: u16,
    /// What curl would end with if this were all: 0 if the reply came to its end.
    pub exit_code: u8,
    /// First line of the body, which is the backend's name.
    pub first_line: String,
}

impl Request {
    /// A request to a service.
    #[must_use]
    pub fn to(service: &Service, path: &str) -> Request {
        Request::to_address(service.vip, path)
    }

    /// A request to any address.
    #[must_use]
    pub fn to_address(address: IpAddr, path: &str) -> Request {
        let url = match address {
            IpAddr::V4(address) => format!("http://{address}{path}"),
            IpAddr::V6(address) => format!("http://[{address}]{path}"),
        };
        Request { url, local_port: None, upload: None }
    }

    /// The same from that port of the client, so that it is of the same flow each time.
    #[must_use]
    pub fn from_port(self, port: u16) -> Request {
        Request { local_port: Some(port), ..self }
    }

    /// The same, but that a file is sent there (PUT).
    #[must_use]
    pub fn with_file(self, file: &Path) -> Request {
        Request { upload: Some(file.to_owned()), ..self }
    }
}

/// Sends the requests one after another, until the first that isn't answered: there may be fewer replies than
/// requests, and the last one may have status 0 or an exit code other than 0.
///
/// # Errors
/// curl is missing, its output isn't what it was asked for, or it ended badly for another reason than a bad reply; Ctrl-C.
pub fn fetch(lab: &Lab, requests: &[Request]) -> Result<Vec<Reply>> {
    static CALLS: AtomicU32 = AtomicU32::new(1);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let configuration = lab.directory().join(format!("client-{call}.curl"));
    fs::write(&configuration, configure(requests))?;
    let mut command = lab.host(Host::Client).command("curl");
    command.args(["--disable", "--fail-early", "--config"]).arg(&configuration);
    let finished = run::finish(&mut command, LIMIT)?;
    let replies = parse(&finished.stdout).with_context(|| format!("curl: {}", finished.stderr.trim()))?;
    ensure!(replies.len() <= requests.len(), "curl sent more requests than it was told to");
    let all_well = replies.iter().all(|reply| reply.exit_code == 0);
    ensure!(
        finished.status.success() == all_well,
        "curl: {}, after {} of {} replies: {}",
        finished.status,
        replies.len(),
        requests.len(),
        finished.stderr.trim()
    );
    Ok(replies)
}

/// The backends that answered so many requests to a service, each over a connection of its own.
///
/// # Errors
/// As [`fetch`].
pub fn answers(lab: &Lab, service: &Service, requests: usize) -> Result<Vec<String>> {
    let replies = fetch(lab, &vec![Request::to(service, "/"); requests])?;
    Ok(replies.into_iter().filter(|reply| reply.status == 200).map(|reply| reply.first_line).collect())
}

/// For all requests of a call: far above what thousands take, and the first that fails ends it.
const LIMIT: Duration = Duration::from_mins(2);

/// Begins the line after each body.
const MARK: &str = "@reply ";

/// curl's configuration file, with all options anew for each request.
///
/// The body is read until the server closes (`ignore-content-length`), so that the server closes first and the
/// client's port is free at once, for the same flow again.
fn configure(requests: &[Request]) -> String {
    let each = |request: &Request| {
        let local_port = request.local_port.map(|port| format!("local-port = {port}\n")).unwrap_or_default();
        let upload = request.upload.as_ref().map(|file| format!("upload-file = \"{}\"\n", file.display()));
        let upload = upload.unwrap_or_default();
        format!(
            "url = \"{}\"\n{local_port}{upload}silent\nnoproxy = \"*\"\nmax-time = {}\nignore-content-length\nno-keepalive\n\
             header = \"Connection: close\"\n\
             write-out = \"\\n{MARK}%{{http_code}} %{{size_download}} %{{local_port}} %{{num_connects}} %{{exitcode}}\\n\"\n",
            request.url,
            PATIENCE.as_secs(),
        )
    };
    requests.iter().map(each).collect::<Vec<_>>().join("next\n")
}

fn parse(output: &str) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    let mut first_line = None;
    for line in output.lines() {
        let Some(facts) = line.strip_prefix(MARK) else {
            first_line.get_or_insert(line);
            continue;
        };
        let facts: Vec<u64> =
            facts.split(' ').map(str::parse).collect::<Result<_, _>>().context(line.to_owned())?;
        let &[status, octets, local_port, connections, exit_code] = facts.as_slice() else {
            anyhow::bail!("not the five numbers it was asked for: {line}");
        };
        ensure!(status == 0 || connections == 1, "a request without a connection of its own: {line}");
        replies.push(Reply {
            status: status as u16,
            octets,
            local_port: local_port as u16,
            exit_code: exit_code as u8,
            first_line: first_line.take().unwrap_or_default().to_owned(),
        });
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::SERVICES;

    #[test]
    fn bodies_and_what_follows_each_are_told_apart() {
        let output =
            "b2\n\n@reply 200 3 40001 1 0\nb1\n......\n@reply 200 262144 40002 1 56\n\n@reply 000 0 0 0 7\n";
        let reply = |status, octets, local_port, exit_code, first_line: &str| Reply {
            status,
            octets,
            local_port,
            exit_code,
            first_line: first_line.into(),
        };
        let expected =
            [reply(200, 3, 40001, 0, "b2"), reply(200, 262_144, 40002, 56, "b1"), reply(0, 0, 0, 7, "")];
        assert_eq!(parse(output).unwrap(), expected);
    }

    #[test]
    fn a_connection_used_twice_is_an_error() {
        let error = parse("b2\n\n@reply 200 3 40001 0 0\n").unwrap_err();
        assert_eq!(error.to_string(), "a request without a connection of its own: @reply 200 3 40001 0 0");
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets_and_each_request_has_its_options() {
        let requests = [
            Request::to(&SERVICES[1], "/big"),
            Request::to(&SERVICES[0], "/").from_port(40001),
            Request::to(&SERVICES[0], "/upload/a").with_file(Path::new("/tmp/a")),
        ];
        let configuration = configure(&requests);
        assert!(configuration.starts_with("url = \"http://[2001:db8:f::1]/big\"\nsilent\n"));
        assert!(configuration.contains("next\nurl = \"http://192.0.2.1/\"\nlocal-port = 40001\nsilent\n"));
        let upload = "next\nurl = \"http://192.0.2.1/upload/a\"\nupload-file = \"/tmp/a\"\nsilent\n";
        assert!(configuration.contains(upload));
    }
}
