//! The web server on a backend.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use anyhow::Result;

use crate::host::Host;
use crate::lab::Lab;
use crate::process::Process;
use crate::programs;

/// Octets of `/big`: many segments, so that there is a reply worth keeping off the load balancer.
pub const BIG: usize = 256 * 1024;

/// Starts nginx on a backend. `/` answers with the backend's name, `/again` too and keeps
/// the connection, `/big` with a file that begins with it, and
/// `/upload/NAME` takes files.
///
/// # Errors
/// It is not on this machine or doesn't start.
pub fn start(lab: &Lab, backend: Host) -> Result<Process> {
    let name = backend.name();
    let directory = directory(lab, backend);
    fs::create_dir_all(directory.join("files"))?;
    fs::create_dir_all(directory.join("upload"))?;
    fs::write(directory.join("files/big"), big(name))?;
    let configuration = directory.join("nginx.conf");
    fs::write(&configuration, configure(name))?;

    let mut command = lab.host(backend).command(programs::nginx()?);
    // `-p` is what relative paths of the configuration are relative to; `-e` holds until that is read.
    command.arg("-p").arg(&directory).args(["-e", "stderr", "-c"]).arg(&configuration);
    let log = lab.directory().join(format!("nginx-{name}.log"));
    let mut process = Process::start(&format!("nginx on {name}"), &mut command, log)?;
    process.wait_until_ready(|_| {
        lab.host(backend).enter(|| Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).is_ok()))
    })?;
    Ok(process)
}

/// Where a file is that a backend gives as `/NAME`.
#[must_use]
pub fn file(lab: &Lab, backend: Host, name: &str) -> PathBuf {
    directory(lab, backend).join("files").join(name)
}

/// Where a file is that a backend took as `/upload/NAME`.
#[must_use]
pub fn uploaded(lab: &Lab, backend: Host, name: &str) -> PathBuf {
    directory(lab, backend).join("upload").join(name)
}

fn directory(lab: &Lab, backend: Host) -> PathBuf {
    lab.directory().join(format!("nginx-{}", backend.name()))
}

const PORT: u16 = 80;

/// One process that stays in the foreground, and no path outside its own directory: the defaults are the machine's.
///
/// It listens on every address, because the VIPs come later, with `lb-agent`.
fn configure(name: &str) -> String {
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_timeout 0;
    default_type text/plain;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {{
        listen {PORT};
        listen [::]:{PORT} ipv6only=on;
        root files;
        location = / {{ return 200 \"{name}\\n\"; }}
        location = /again {{
            keepalive_timeout 120;
            keepalive_requests 1000000;
            return 200 \"{name}\\n\";
        }}
        location /upload/ {{ root .; dav_methods PUT; client_max_body_size 0; }}
    }}
}}
"
    )
}

fn big(name: &str) -> Vec<u8> {
    let mut file = format!("{name}\n").into_bytes();
    file.resize(BIG, b'.');
    file
}
