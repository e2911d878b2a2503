//! HTTP/2, and the health service of gRPC.

use std::convert::Infallible;

use axum::http::uri::Authority;
use axum::http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;

use super::*;

/// What the test's server does with a path.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (status, headers, body): (u16, &[(&str, &str)], _) = match path {
        "/busy" => (503, &[], Bytes::new()),
        "/long" => (200, &[], vec![b'.'; 100_000].into()),
        "/grpc.health.v1.Health/Check" => {
            let headers = &[("content-type", "application/grpc"), ("grpc-status", "12")];
            (200, headers, Bytes::new())
        }
        path => {
            let authority = request.uri().authority().map(Authority::as_str).unwrap_or_default();
            (200, &[], format!("{:?} {authority}{path}", request.version()).into())
        }
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Full::new(body)).unwrap())
}

async fn serve_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<()> {
    serve_by(stream, service_fn(answer)).await
}

/// Serves a connection of HTTP/2.
async fn serve_by<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>,
    B: hyper::body::Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let server = http2::Builder::new(TokioExecutor::new());
    server.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

fn http2(path: &'static str, body: &str, tls: Option<Tls>) -> Means {
    let Means::Http(http) = http(body, tls) else { unreachable!() };
    Means::Http2(Http { path: Uri::from_static(path), ..http })
}

#[test]
fn a_request_by_http2() {
    run(async {
        let good = serve(serve_http2).await;
        let old = says("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let deaf = serve(|stream| async move {
            stream.readable().await?;
            std::future::pending().await
        })
        .await;
        let gone = serve(|stream| async move {
            drop(stream);
            Ok(())
        })
        .await;
        for (path, body, address, words) in [
            ("/ok", "", good, "passed after X ms"),
            ("/ok?deep", "HTTP/2.0 web.example/ok", good, "passed after X ms"),
            ("/busy", "", good, "connected, but HTTP 503 after X ms"),
            (
                "/ok",
                "fine",
                good,
                r#"connected, but an unexpected answer "HTTP/2.0 web.example/ok" after X ms"#,
            ),
            ("/long", "end", good, "connected, but nothing expected in the first 65536 octets after X ms"),
            (
                "/ok",
                "",
                old,
                "connected, but HTTP/2: connection error detected: frame with invalid size after X ms",
            ),
            ("/ok", "", closed().await, "connection refused after X ms"),
        ] {
            assert_eq!(check(http2(path, body, None), LONG, address).await, words, "{path}");
        }
        let said = check(http2("/ok", "", None), SHORT, deaf).await;
        assert_eq!(said, "connected, but no whole answer within 300 ms");
        let said = check(http2("/ok", "", None), LONG, gone).await;
        assert!(said.starts_with("connected, but HTTP/2: "), "{said}");
        let mut means = http2("/ok", "", None);
        if let Means::Http2(http) = &mut means {
            http.host = HeaderValue::from_static("not a host");
        }
        let said = check(means, LONG, good).await;
        assert_eq!(said, "the host can't be asked for by HTTP/2 after X ms");
    });
}

#[test]
fn http2_over_tls_has_to_be_agreed_on() {
    run(async {
        let (mut config, roots) = certified("web.example", 4000);
        let tls = || {
            Some(Tls::new(ServerName::try_from("web.example").unwrap(), Some(roots.clone().into())).unwrap())
        };
        let without = serve_tls(config.clone(), serve_http2).await;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let with = serve_tls(config.clone(), serve_http2).await;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let other = serve_tls(config, serve_http2).await;
        for (address, words) in [
            (with, "passed after X ms"),
            (without, "connected, but TLS: the server doesn't offer HTTP/2 (ALPN h2) after X ms"),
            (other, "connected, but TLS: received fatal alert: NoApplicationProtocol after X ms"),
        ] {
            assert_eq!(check(http2("/ok", "", tls()), LONG, address).await, words);
        }
    });
}

/// A check whose time is over leaves no connection behind, nor anything that runs for one.
#[test]
fn a_connection_ends_with_its_check() {
    run(async {
        let (ended, mut ends) = mpsc::unbounded_channel();
        let deaf = serve(move |mut stream| {
            let ended = ended.clone();
            async move {
                while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
                ended.send(()).map_err(io::Error::other)
            }
        })
        .await;
        let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let said = check(http2("/ok", "", None), SHORT, deaf).await;
        assert_eq!(said, "connected, but no whole answer within 300 ms");
        let nothing_is_left = async {
            ends.recv().await.unwrap();
            while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, nothing_is_left).await.unwrap();
    });
}

fn grpc(service: &str, tls: Option<Tls>) -> Means {
    let authority = Authority::from_static("web.example:50051");
    Means::Grpc(Grpc { service: service.into(), authority, tls })
}

#[test]
fn the_health_service_of_grpc() {
    run(async {
        let (reporter, health) = health_reporter();
        reporter.set_service_status("shop", ServingStatus::Serving).await;
        reporter.set_service_status("cart", ServingStatus::NotServing).await;
        reporter.set_service_status("stock", ServingStatus::Unknown).await;
        let health = TowerToHyperService::new(health);
        let server = health.clone();
        let server = serve(move |stream| serve_by(stream, server.clone())).await;
        let other = serve(serve_http2).await;
        let old = says("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        for (service, address, words) in [
            ("", server, "passed after X ms"),
            ("shop", server, "passed after X ms"),
            ("cart", server, "connected, but gRPC health: NOT_SERVING after X ms"),
            ("stock", server, "connected, but gRPC health: UNKNOWN after X ms"),
            ("none", server, "connected, but gRPC status NOT_FOUND: service not registered after X ms"),
            ("", other, "connected, but gRPC status UNIMPLEMENTED after X ms"),
            ("", old, "connected, but HTTP/2: connection error detected: frame with invalid size after X ms"),
            ("", closed().await, "connection refused after X ms"),
        ] {
            assert_eq!(check(grpc(service, None), LONG, address).await, words, "{service}");
        }
        // It changes while the server runs.
        reporter.set_service_status("shop", ServingStatus::NotServing).await;
        let said = check(grpc("shop", None), LONG, server).await;
        assert_eq!(said, "connected, but gRPC health: NOT_SERVING after X ms");

        let (mut config, roots) = certified("web.example", 4000);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let secure = serve_tls(config, move |stream| serve_by(stream, health.clone())).await;
        let tls = Tls::new(ServerName::try_from("web.example").unwrap(), Some(roots.into())).unwrap();
        assert_eq!(check(grpc("", Some(tls)), LONG, secure).await, "passed after X ms");
    });
}
