//! Plain HTTP/1.1 over a socket: what a client library would not send can be sent, and every byte that came back is seen.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType};

use crate::PATIENCE;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (in lower case), or nothing at all.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(header, _)| header == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// A member of the body by its JSON pointer, as text; nothing when it is not there.
    pub fn member(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

/// One connection, for tests that need it open.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    /// The last request was a HEAD: its answer has a length and no body.
    bodiless: bool,
}

impl Connection {
    /// Opens it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Opens it from another address of this machine.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_from(source: [u8; 4], address: SocketAddr) -> io::Result<Self> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
        rustix::net::connect(&socket, &address)?;
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new(), bodiless: false })
    }

    /// Sends these bytes, whatever they are.
    ///
    /// # Errors
    /// What the system says, a closed connection first of all.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.bodiless = bytes.as_ref().starts_with(b"HEAD ");
        self.stream.write_all(bytes.as_ref())
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// `UnexpectedEof` when the connection was closed without a whole one; `WouldBlock` when nothing came for long.
    pub fn receive(&mut self) -> io::Result<Response> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, head.clone()))?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        if self.bodiless {
            return Ok(response);
        }
        if let Ok(length) = response.header("content-length").parse::<usize>() {
            while self.unread.len() < length {
                self.more()?;
            }
            response.body = self.unread.drain(..length).collect();
        } else if !(status == 204 || status == 304) {
            // Without a length the answer ends with its connection; the server writes no chunks.
            while self.more().is_ok() {}
            response.body = std::mem::take(&mut self.unread);
        }
        Ok(response)
    }

    /// Waits until the other side closes, and gives what it said before.
    ///
    /// # Errors
    /// When it stays open.
    pub fn closed(mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(self.unread),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(self.unread),
                Err(error) => return Err(error),
            }
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.unread.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }
}
