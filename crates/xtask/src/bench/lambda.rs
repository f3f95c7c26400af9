//! The least of Lambda's Extensions API that keeps an extension running: it registers, and its first event never comes.
//!
//! The stories in `tests/` run under AWS's own emulator; this stands in for it only where a cached read is measured.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use crate::failure::{Doing as _, Outcome};

/// A listening API; it ends with this program.
pub(super) struct RuntimeApi {
    port: u16,
}

impl RuntimeApi {
    pub(super) fn start() -> Outcome<Self> {
        let what = || "can't start the stand-in for the Extensions API".to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(what)?;
        let port = listener.local_addr().doing(what)?.port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A broken connection is its caller's business.
                thread::spawn(move || answer(&stream));
            }
        });
        Ok(Self { port })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` holds.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Answers the requests of one connection; waiting for an event lasts until the caller hangs up.
fn answer(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut start = String::new();
        if reader.read_line(&mut start)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            let header = header.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        if start.contains("/extension/event/next") {
            // Blocks until the extension ends: it sends nothing more on this connection.
            return reader.read_until(0, &mut Vec::new()).map(drop);
        }
        let body = r#"{"functionName":"bench","functionVersion":"$LATEST","handler":"bench"}"#;
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 00000000-0000-4000-8000-000000000001\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}
