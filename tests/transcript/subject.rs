//! Who is asked: `lockstep serve` without a configuration, or the extension beside a stand-in for Lambda's Extensions API.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use lockstep_stories::{Lockstep, PATIENCE};
use lockstep_testkit::servers::{Running, free_port};

use crate::shared::faulty;
use crate::shared::script::Upstream;
use crate::shared::world::{Login, REGION, TOKEN};

/// Which of ours.
pub(crate) enum Kind {
    Serve,
    /// The program.
    Extension(PathBuf),
}

impl Kind {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Extension(_) => "extension",
        }
    }
}

/// A running one. It ends with this value.
pub(crate) struct Subject {
    port: u16,
    /// Held for its end.
    _running: Process,
}

#[expect(dead_code, reason = "held for its end")]
enum Process {
    Serve(lockstep_stories::Running),
    Extension(Running),
}

impl Subject {
    pub(crate) fn start(kind: &Kind, upstream: Upstream, moto: u16, login: &Login) -> Self {
        let upstream = match upstream {
            Upstream::Moto => moto,
            Upstream::Down => free_port().unwrap(),
            Upstream::Faulty => faulty::start().unwrap(),
        };
        let upstream = format!("http://127.0.0.1:{upstream}");
        let env = [
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", login.key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", login.secret_key.as_str()),
            ("AWS_SESSION_TOKEN", login.session_token.as_str()),
            ("AWS_TOKEN", TOKEN),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", upstream.as_str()),
        ];
        match kind {
            Kind::Serve => {
                let running = Lockstep::serve(None, &env);
                Self { port: running.address.port(), _running: Process::Serve(running) }
            }
            Kind::Extension(program) => {
                let port = free_port().unwrap();
                let mut command = Command::new(program);
                command.env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::null());
                command.env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", extensions_api()));
                command.env("AWS_LAMBDA_FUNCTION_NAME", "transcript");
                command.env("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", port.to_string());
                let mut running = Running::start(&mut command).unwrap();
                running.listening(port, PATIENCE).unwrap();
                Self { port, _running: Process::Extension(running) }
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// The least of the Extensions API that keeps an extension running: it registers, and its first event never comes.
fn extensions_api() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A broken connection is its caller's business.
            thread::spawn(move || answer(&stream));
        }
    });
    port
}

fn answer(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let (mut head, mut length) = (String::new(), 0);
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
            head.push_str(&line);
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        if head.contains("/extension/event/next") {
            // Lasts until the extension ends: it sends nothing more on this connection.
            return reader.read_until(0, &mut Vec::new()).map(drop);
        }
        let body = r#"{"functionName":"transcript","functionVersion":"$LATEST","handler":"handler"}"#;
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 00000000-0000-4000-8000-000000000001\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}
