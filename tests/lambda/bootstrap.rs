//! A Lambda function on the Runtime API: it reads its secrets in the first statement of its init, and again in each
//! invocation, with no retry and no pause. Its answer tells what came of every read.
//!
//! The standard library alone, so that the stories can compile this one file into a static program.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let init = read_all();
    let runtime = variable("AWS_LAMBDA_RUNTIME_API");
    loop {
        let (_, head, _) = exchange(&runtime, "GET", "/2018-06-01/runtime/invocation/next", "", "")?;
        let handler = read_all();
        let id = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("lambda-runtime-aws-request-id").then(|| value.trim().to_owned())
        });
        let path = format!("/2018-06-01/runtime/invocation/{}/response", id.unwrap_or_default());
        let answer = format!(r#"{{"init":{init},"handler":{handler}}}"#);
        exchange(&runtime, "POST", &path, "", &answer)?;
    }
}

/// Reads each path of `STORY_PATHS`. A JSON array: the status line and the body of each answer, or what went wrong.
fn read_all() -> String {
    let address = format!("127.0.0.1:{}", variable("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"));
    let token = format!("X-Aws-Parameters-Secrets-Token: {}\r\n", variable("AWS_SESSION_TOKEN"));
    let mut all = String::from("[");
    for path in variable("STORY_PATHS").split_whitespace() {
        if all.len() > 1 {
            all.push(',');
        }
        let (status, body) = match exchange(&address, "GET", path, &token, "") {
            Ok((200, _, body)) => (200, body),
            // The text of a refusal is no JSON.
            Ok((status, _, body)) => (status, format!("{body:?}")),
            Err(error) => (0, format!("\"{:?}\"", error.kind())),
        };
        // Writing to a String can't fail.
        let _ = write!(all, r#"{{"status":{status},"body":{body}}}"#);
    }
    all.push(']');
    all
}

/// One request on a connection of its own: status, head and body of the answer.
fn exchange(address: &str, method: &str, path: &str, headers: &str, body: &str) -> io::Result<(u16, String, String)> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n\
         {body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    Ok((status, head.to_owned(), body.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "a function of the stories; no shipped code is here")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
