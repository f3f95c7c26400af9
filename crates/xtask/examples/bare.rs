//! The bare server that `cargo xtask bench hit` measures the extension against: hyper, the same checks on a request, the
//! same lookup, and nothing else. Every answer is ready-made.
//!
//! `bare PORT` serves; `bare nothing` ends at once and is the empty process that start times are measured over.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

type Answer = Response<Full<Bytes>>;

struct Shelf {
    digest: [u8; 32],
    host: String,
    secrets: HashMap<String, Bytes>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_default();
    if port == "nothing" {
        return Ok(());
    }
    let port: u16 = port.parse()?;
    let token = std::env::vars().find(|(name, _)| name == "AWS_TOKEN").map(|(_, value)| value).unwrap_or_default();
    let secrets = (0..1000).map(|index| (format!("bench/s{index:04}"), body(index))).collect();
    let host = format!("127.0.0.1:{port}");
    let shelf = Arc::new(Shelf { digest: Sha256::digest(&token).into(), host, secrets });
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve(port, shelf))
}

async fn serve(port: u16, shelf: Arc<Shelf>) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await?;
                let shelf = shelf.clone();
                tokio::task::spawn_local(async move {
                    let service = service_fn(|request| {
                        let answer = answer(&request, &shelf);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    // A caller who hangs up is no news.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
        .await
}

/// In the extension's order: forwarded 400, host and origin 403, token 403, method 405, route 404.
fn answer(request: &Request<Incoming>, shelf: &Shelf) -> Answer {
    let headers = request.headers();
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip", "via", "upgrade"]
    {
        if headers.contains_key(name) {
            return refuse(StatusCode::BAD_REQUEST);
        }
    }
    let host = headers.get(http::header::HOST).is_some_and(|host| host.as_bytes() == shelf.host.as_bytes());
    if !host || headers.contains_key(http::header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return refuse(StatusCode::FORBIDDEN);
    }
    if request.uri().path() == "/ping" {
        return Response::new(Full::new(Bytes::from_static(b"healthy")));
    }
    let given = headers.get("x-aws-parameters-secrets-token").map_or(&b""[..], |value| value.as_bytes());
    let given: [u8; 32] = Sha256::digest(given).into();
    if !bool::from(given.ct_eq(&shelf.digest)) {
        return refuse(StatusCode::FORBIDDEN);
    }
    if request.method() != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED);
    }
    if request.uri().path() != "/secretsmanager/get" {
        return refuse(StatusCode::NOT_FOUND);
    }
    let name = request.uri().query().and_then(|query| query.strip_prefix("secretId=")).unwrap_or_default();
    match shelf.secrets.get(name) {
        Some(body) => Response::new(Full::new(body.clone())),
        None => refuse(StatusCode::NOT_FOUND),
    }
}

fn refuse(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// As long as a real answer.
fn body(index: usize) -> Bytes {
    Bytes::from(format!(
        "{{\"ARN\":\"arn:aws:secretsmanager:us-east-1:123456789012:secret:bench/s{index:04}-AbCdEf\",\
         \"Name\":\"bench/s{index:04}\",\"VersionId\":\"00000000-0000-4000-8000-0000{index:08}\",\
         \"SecretString\":\"{{\\\"user\\\":\\\"app\\\",\\\"password\\\":\\\"{index:032}\\\"}}\",\
         \"VersionStages\":[\"AWSCURRENT\"],\"CreatedDate\":\"1795304039\"}}"
    ))
}
