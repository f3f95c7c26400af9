//! One request over one connection, byte by byte: no HTTP client stands in between to tidy it up.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Far beyond any answer; a subject that hangs is to be told from one that is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0 when the connection was closed without an answer.
    pub(crate) status: u16,
    /// The value of `Content-Type`.
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
}

/// Sends the bytes to a loopback port and reads until the other side closes; ask for `Connection: close`.
pub(crate) fn exchange(port: u16, request: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // Whoever refuses a request before it has read its body may reset the connection after the answer.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        outcome => drop(outcome?),
    }
    parse(&bytes)
}

/// The bytes of a request; `headers` without line ends.
pub(crate) fn request(method: &str, target: &str, headers: &[String], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("Connection: close\r\n\r\n");
    text.push_str(body);
    text.into_bytes()
}

fn parse(bytes: &[u8]) -> io::Result<Answer> {
    if bytes.is_empty() {
        return Ok(Answer::default());
    }
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| invalid("the answer is not UTF-8"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| invalid("the answer's head has no end"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| invalid("the answer has no status"))?;
    let mut answer = Answer { status, content_type: None, body: body.to_owned() };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-type") {
            answer.content_type = Some(value.trim().to_owned());
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(invalid("the answer comes in chunks, which are not read here"));
        }
    }
    Ok(answer)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
