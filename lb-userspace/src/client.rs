//! Asks lbd.

mod error;
mod lines;
mod tls;

use std::path::{Path, PathBuf};

use axum::http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

pub use error::Error;
pub use lines::Lines;
pub use tls::Tls;

/// An lbd, wherever it is. Each question has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Socket(PathBuf),
    Tls(Tls),
}

impl Client {
    /// The one whose unix socket this is.
    #[must_use]
    pub fn on_socket(path: &Path) -> Self {
        Client { way: Way::Socket(path.to_path_buf()) }
    }

    /// The one at the end of this way.
    #[must_use]
    pub const fn over_tls(way: Tls) -> Self {
        Client { way: Way::Tls(way) }
    }

    /// What `GET path` answers.
    ///
    /// # Errors
    /// lbd can't be reached or refuses: says what to do.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// What `POST path` answers to a question.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<Q: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<T, Error> {
        self.ask(Method::POST, path, Some(question)).await
    }

    /// What a path answers to a question, if there is one.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn ask<Q: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        question: Option<&Q>,
    ) -> Result<T, Error> {
        let (_connection, body) = self.send(method, path, question).await?;
        understand(&whole(body).await?)
    }

    /// The lines that `GET path` begins to answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn lines(&self, path: &str) -> Result<Lines, Error> {
        let (connection, body) = self.send(Method::GET, path, None::<&()>).await?;
        Ok(Lines::new(connection, body))
    }

    async fn send<Q: Serialize>(
        &self,
        method: Method,
        path: &str,
        question: Option<&Q>,
    ) -> Result<(Connection, Incoming), Error> {
        let octets = question.map(serde_json::to_vec).transpose().map_err(|_| Error::Garbled)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.host())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(octets.unwrap_or_default().into()))
            .map_err(|_| Error::Garbled)?;
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await.map_err(Error::Cut)?;
        let status = response.status();
        if !status.is_success() {
            return Err(Error::refused(status, &whole(response.into_body()).await?));
        }
        Ok((connection, response.into_body()))
    }

    fn host(&self) -> &str {
        match &self.way {
            Way::Socket(_) => "lbd",
            Way::Tls(way) => &way.authority,
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        match &self.way {
            Way::Socket(path) => {
                let unreachable = |cause| Error::NoSocket { socket: path.clone(), cause };
                speak(UnixStream::connect(path).await.map_err(unreachable)?).await
            }
            Way::Tls(way) => {
                let unreachable = |cause| Error::NoTls { authority: way.authority.clone(), cause };
                speak(way.connect().await.map_err(unreachable)?).await
            }
        }
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Connection, Error> {
    let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Cut)?;
    tokio::spawn(connection);
    Ok(requests)
}

/// Keeps an answer coming.
type Connection = http1::SendRequest<Full<Bytes>>;

/// A name as a part of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

async fn whole(body: Incoming) -> Result<Bytes, Error> {
    Ok(body.collect().await.map_err(Error::Cut)?.to_bytes())
}

fn understand<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(answer).map_err(|_| Error::Garbled)
}
