use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Action, HttpServer, Served, gzip_bomb};
use crate::Gate;

async fn connect(server: &HttpServer) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

async fn ask(stream: &mut TcpStream, target: &str, body: &str) {
    let length = body.len();
    let request = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
}

async fn some(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset connection is an end, too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

const HELLO: &str = "HTTP/1.1 200 Scripted\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn it_follows_its_script_and_counts_on_one_connection() {
    let server = HttpServer::start().await;
    server.on("POST /a", [Action::answer(200, "hello"), Action::answer(500, "")]);
    let mut stream = connect(&server).await;
    ask(&mut stream, "/a?x=1", "body").await;
    assert_eq!(some(&mut stream, HELLO.len()).await, HELLO);
    for _ in 0..2 {
        ask(&mut stream, "/a", "").await;
        assert!(some(&mut stream, 44).await.starts_with("HTTP/1.1 500"));
    }
    assert_eq!((server.count("POST /a"), server.count("GET /a"), server.total()), (3, 0, 3));
    assert_eq!(server.connections(), 1);
    assert_eq!((server.seen()[0].target.as_str(), server.seen()[0].body.as_slice()), ("/a?x=1", b"body".as_slice()));
    assert_eq!(server.seen()[0].header("host"), Some("x"));
}

#[tokio::test]
async fn it_cuts_lies_and_talks_nonsense() {
    let server = HttpServer::start().await;
    server
        .on("POST /cut", [Action::answer(200, "hello").cut_after(HELLO.len() - 2)])
        .on("POST /lie", [Action::lying(200, 1000, "hello")])
        .on("POST /nonsense", [Action::nonsense("HTTP/9 oops")])
        .on("POST /close", [Action::close()]);
    for (target, expected) in [
        ("/cut", &HELLO[..HELLO.len() - 2]),
        ("/lie", "HTTP/1.1 200 Scripted\r\ncontent-length: 1000\r\n\r\nhello"),
        ("/nonsense", "HTTP/9 oops"),
        ("/close", ""),
    ] {
        let mut stream = connect(&server).await;
        ask(&mut stream, target, "").await;
        assert_eq!(rest(&mut stream).await, expected, "{target}");
    }
}

#[tokio::test]
async fn it_holds_back_and_drops_connections() {
    let server = HttpServer::start().await;
    let gate = Gate::new();
    server.on("*", [Action::answer(200, "hello").behind(&gate), Action::stall()]);
    let mut stream = connect(&server).await;
    ask(&mut stream, "/held", "").await;
    server.until_seen(1).await;
    gate.open();
    assert_eq!(some(&mut stream, HELLO.len()).await, HELLO);
    ask(&mut stream, "/stalled", "").await;
    server.until_seen(2).await;
    server.drop_connections().await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_client_leaves() {
    let server = HttpServer::start().await;
    server.on("*", [Action::endless(200)]);
    let mut stream = connect(&server).await;
    ask(&mut stream, "/", "").await;
    assert!(some(&mut stream, 1 << 20).await.contains("1000\r\nxxxx"));
}

#[test]
fn a_bomb_is_small() {
    let bomb = gzip_bomb(16 << 20);
    assert!(bomb.len() < 120 << 10, "{}", bomb.len());
    assert_eq!(&bomb[..3], [0x1f, 0x8b, 8]);
}

/// Break: leave the certificate's name out in `Certificate::make`.
#[tokio::test]
async fn a_fake_is_served_plain_and_with_tls() {
    let echo = |request: Request<Bytes>| Response::new(Bytes::from(request.uri().path().to_owned()));
    let plain = Served::plain(Arc::new(echo)).await;
    let mut stream = TcpStream::connect(plain.url().trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /plain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("/plain"), "{text}");
    let tls = Served::tls(Arc::new(echo)).await;
    assert!(tls.url().starts_with("https://localhost:"));
    assert!(tls.ca_pem().contains("BEGIN CERTIFICATE"));
}
