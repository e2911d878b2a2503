//! Connections that are kept, and asked again and again: who breaks one, or moves it, is seen.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::service::{SERVICES, Service};
use crate::wait;

/// A connection to nginx.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// The name of the backend that has it.
    pub backend: String,
}

impl Connection {
    /// Connects from the namespace of this thread, and asks who answers.
    ///
    /// # Errors
    /// Nobody does.
    pub fn open(service: &Service) -> Result<Connection> {
        let stream = TcpStream::connect_timeout(&(service.vip, 80).into(), wait::PATIENCE)?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream: BufReader::new(stream), backend: String::new() };
        connection.backend = connection.ask()?;
        Ok(connection)
    }

    /// The name of the backend that answers.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn ask(&mut self) -> Result<String> {
        self.stream.get_mut().write_all(b"GET /again HTTP/1.1\r\nHost: vip\r\n\r\n")?;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the connection was closed");
            }
        }
        line.clear();
        self.stream.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

/// Opens so many connections, to all services, and asks each ten times a second at most until that is enough; those that
/// some backends have are only kept. Returns the number of requests, and the backends that had connections.
///
/// # Errors
/// A connection is broken, or moved to another backend.
pub fn ask_until(
    enough: &AtomicBool,
    connections: usize,
    silent: &[&str],
) -> Result<(usize, BTreeSet<String>)> {
    let services = SERVICES.iter().cycle().take(connections);
    let mut connections = services.map(Connection::open).collect::<Result<Vec<_>>>()?;
    let homes = connections.iter().map(|connection| connection.backend.clone()).collect();
    let mut asked = 0;
    while !enough.load(Ordering::Relaxed) {
        for (number, connection) in connections.iter_mut().enumerate() {
            let home = connection.backend.clone();
            if silent.contains(&home.as_str()) {
                continue;
            }
            let place = || format!("connection {number} to {home}, request {asked}");
            let answer = connection.ask().with_context(place)?;
            ensure!(answer == home, "{}: {answer} answers", place());
            asked += 1;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok((asked, homes))
}
