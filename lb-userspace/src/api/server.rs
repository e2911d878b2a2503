//! Takes connections and answers what is asked on them.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;
use tracing::warn;

use super::access::{Peer, Policy};
use super::bounds::{BOUNDS, Bounds};
use super::places::{Place, Places, Source};
use super::socket::Socket;
use super::tls::{self, Tls};
use super::{guard, peer};
use crate::config;

/// Pause after the kernel refused a connection: it has no file descriptors left, as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// When nothing comes from a client over TCP, it is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Said to those who find no place, by hand: nothing is read of what they ask.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    content-length: 81\r\nconnection: close\r\n\r\n\
    {\"error\":\"too many connections; end some of them, or try again in a few seconds\"}";

/// The API, ready to be served.
pub struct Server {
    socket: Socket,
    tls: Option<(StdTcpListener, Arc<Tls>)>,
    policy: Policy,
    bounds: Bounds,
}

impl Server {
    /// Listens on the socket and, if configured, over TCP.
    ///
    /// # Errors
    /// A group doesn't exist, a certificate can't be used, or somebody else listens there.
    pub async fn bind(config: &config::Api) -> Result<Self> {
        Server::bind_with(config, BOUNDS).await
    }

    /// The same, with other bounds.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn bind_with(config: &config::Api, bounds: Bounds) -> Result<Self> {
        let policy = Policy::of(config)?;
        let tls = match &config.tls {
            Some(config) => Some((tls::listen(config.listen)?, Arc::new(Tls::read(config)?))),
            None => None,
        };
        let socket = Socket::bind(&config.socket, policy.has_groups()).await?;
        Ok(Server { socket, tls, policy, bounds })
    }

    /// Serves requests until this is dropped, on a thread of its own: nobody who asks holds up the daemon.
    ///
    /// # Errors
    /// The thread can't be started, or the kernel takes a socket away.
    pub async fn serve(self, router: Router) -> Result<()> {
        let Server { mut socket, tls, policy, bounds } = self;
        let router = guard::around(router, Arc::new(policy), bounds);
        let listener = socket.take_listener().context("the API is served already")?;
        let (report, ended) = oneshot::channel();
        let work = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let served = match runtime {
                Ok(runtime) => runtime.block_on(serve(listener, tls, router, bounds)),
                Err(error) => Err(error.into()),
            };
            // Nobody waits for it any more when lbd is ending.
            let _ = report.send(served);
        };
        thread::Builder::new().name("api".into()).spawn(work).context("starting a thread for the API")?;
        // The socket is removed when this is dropped.
        ended.await.context("the API's thread has ended")?
    }
}

async fn serve(
    listener: StdUnixListener,
    tls: Option<(StdTcpListener, Arc<Tls>)>,
    router: Router,
    bounds: Bounds,
) -> Result<()> {
    let listener = UnixListener::from_std(listener)?;
    if let Some((listener, tls)) = tls {
        tokio::spawn(tls::reread_at_hangup(tls.clone()));
        tokio::spawn(serve_tcp(TcpListener::from_std(listener)?, tls, router.clone(), bounds));
    }
    let places = Places::new(bounds.connections, bounds.connections_of_user);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(local(stream, places.clone(), router.clone(), bounds))),
            Err(error) => pause(&error).await,
        }
    }
}

async fn serve_tcp(listener: TcpListener, tls: Arc<Tls>, router: Router, bounds: Bounds) {
    let places = Places::new(bounds.connections, bounds.connections_of_address);
    loop {
        match listener.accept().await {
            // Who finds no place isn't worth a handshake.
            Ok((stream, address)) => {
                if let Some(place) = places.take(Source::Address(address.ip())) {
                    tokio::spawn(remote(stream, place, tls.clone(), router.clone(), bounds));
                }
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &io::Error) {
    warn!("the API can't take a connection: {error}; trying again");
    sleep(PAUSE).await;
}

async fn local(mut stream: UnixStream, places: Places, router: Router, bounds: Bounds) {
    // Who is gone already has no credentials.
    let Ok(peer) = peer::of(&stream) else { return };
    let user = match &peer {
        Peer::Local { user, .. } => *user,
        Peer::Remote { .. } => return,
    };
    match places.take(Source::User(user)) {
        Some(_place) => answer(stream, peer, router, bounds).await,
        None => drop(timeout(bounds.write, stream.write_all(NO_PLACE.as_bytes())).await),
    }
}

async fn remote(stream: TcpStream, _place: Place, tls: Arc<Tls>, router: Router, bounds: Bounds) {
    // A connection without this ends as well, only later.
    let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    // Those who have no certificate of ours, or don't get done, are told by TLS or not at all.
    if let Ok(Ok((stream, names))) = timeout(bounds.handshake, tls.accept(stream)).await {
        answer(stream, Peer::Remote { names }, router, bounds).await;
    }
}

/// Answers what is asked on a connection, until it ends or takes longer than it may.
async fn answer(stream: impl AsyncRead + AsyncWrite, peer: Peer, router: Router, bounds: Bounds) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(bounds.write));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let router = router.clone();
        async move {
            let answer: Result<Response, _> = router.oneshot(request.map(Body::new)).await;
            answer.map(IntoResponse::into_response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header)
        .max_buf_size(bounds.header_octets.max(8192))
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    // What goes wrong on a connection is its client's.
    let _ = connection.await;
}
