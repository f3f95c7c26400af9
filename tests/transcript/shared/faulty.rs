//! A Secrets Manager that fails, in the way that the secret's name says.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// Per name: the status and body of the answer.
const ANSWERS: &[(&str, u16, &str)] = &[
    (
        "fault/denied",
        400,
        r#"{"__type":"AccessDeniedException","Message":"User: \"x\" is not authorized\nto \\ do <this>"}"#,
    ),
    ("fault/throttled", 400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
    ("fault/internal", 500, r#"{"__type":"InternalServiceError","message":"An error occurred on the server side."}"#),
    ("fault/unavailable", 503, r#"{"__type":"ServiceUnavailable","message":"Try again."}"#),
    ("fault/decryption", 400, r#"{"__type":"DecryptionFailure","message":"Can't decrypt with this key."}"#),
    ("fault/invalid-request", 400, r#"{"__type":"InvalidRequestException","message":"Not in this state."}"#),
    (
        "fault/namespaced",
        400,
        r#"{"__type":"com.amazonaws.secretsmanager#ResourceNotFoundException","Message":"Can't find it."}"#,
    ),
    ("fault/no-message", 400, r#"{"__type":"InvalidParameterException"}"#),
    ("fault/untyped", 400, r#"{"message":"What is this?"}"#),
    ("fault/expired", 400, r#"{"__type":"ExpiredTokenException","message":"The security token has expired."}"#),
    ("fault/unknown-key", 400, r#"{"__type":"UnrecognizedClientException","message":"The token is invalid."}"#),
    ("fault/gateway", 502, "<html><body>Bad gateway</body></html>"),
    ("fault/malformed", 200, r#"{"ARN":"arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf","Name":"#),
    ("fault/odd-code", 418, r#"{"__type":"TeapotException","message":"Short and stout."}"#),
];

/// Starts it; gives its port. It ends with this program.
pub(crate) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A broken connection is its caller's business.
            thread::spawn(move || answer(&stream));
        }
    });
    Ok(port)
}

/// One request per connection.
fn answer(stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut asked = String::new();
    reader.take(length).read_to_string(&mut asked)?;
    let found = ANSWERS.iter().find(|(name, ..)| asked.contains(&format!("\"{name}\"")));
    let mut writer = stream;
    match found {
        Some((_, status, body)) => write!(
            writer,
            "HTTP/1.1 {status} Fault\r\nContent-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: \
             00000000-0000-4000-8000-0000000000aa\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
        // Every other name: the answer is cut off.
        None => write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{{\"ARN\":\"arn"),
    }
}
