//! One connection after the other: read a request, do what the script says.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::action::{Action, End};
use super::{Seen, Shared};
use crate::host::locked;

/// The longest request head that is read.
const HEAD_BYTES: usize = 1 << 20;

#[expect(clippy::disallowed_methods, reason = "the server of a test has no Call to spawn with")]
pub(super) fn accept(listener: TcpListener, shared: Arc<Shared>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = {
                let mut connections = locked(&shared.connections);
                *connections += 1;
                *connections - 1
            };
            locked(&shared.open).insert(number);
            let mut dropped = shared.dropped.subscribe();
            let shared = shared.clone();
            tokio::spawn(async move {
                tokio::select! {
                    // How a connection ends is the client's affair.
                    _ = serve(stream, number, &shared) => {}
                    _ = dropped.changed() => {}
                }
                locked(&shared.open).remove(&number);
                shared.ended.notify_waiters();
            });
        }
    })
}

async fn serve(mut stream: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    let mut unread = Vec::new();
    while let Some(seen) = read(&mut stream, &mut unread, number).await? {
        let Action { bytes, end, gate } = shared.take(seen);
        if let Some(gate) = gate {
            gate.passed().await;
        }
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        match end {
            End::KeepAlive => {}
            End::Close => return stream.shutdown().await,
            End::Stall => {
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                return Ok(());
            }
            End::Repeat(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
        }
    }
    Ok(())
}

/// The next request of the connection; `None` when the client has closed it or sends no HTTP.
async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>, connection: usize) -> io::Result<Option<Seen>> {
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if unread.len() > HEAD_BYTES || stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = unread.drain(..head_end + 4).collect();
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    while unread.len() < length {
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    let body = unread.drain(..length).collect();
    Ok(Some(Seen { method: method.to_owned(), target: target.to_owned(), headers, body, connection }))
}
