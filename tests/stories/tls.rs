//! The endpoint over TLS, as Node's own HTTP/2 client sees it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use lockstep_stories::{Lockstep, Running, TOKEN};
use lockstep_testkit::server_certificate;
use serde_json::{Value, json};

const CONFIG: &str = r#"
[providers.f]
type = "file"
path = "s.json"
[aws]
secrets_manager = "f"
[audit]
sink = "none"
[listen]
tls = { cert_file = "server.pem", key_file = "server.key" }
"#;

fn endpoint(certificate: &(String, String)) -> Running {
    let home = Lockstep::new(CONFIG, &[]);
    home.file("s.json", r#"{ "db": "value" }"#);
    replace(&home, certificate);
    home.start()
}

fn replace(home: &Lockstep, (certificate, key): &(String, String)) {
    home.file("server.pem", certificate);
    home.file("server.key", key);
}

/// `http2_load.mjs` under way.
struct Load {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Load {
    fn start(servers: &[&Running], ca: &str) -> Self {
        let urls: Vec<_> =
            servers.iter().map(|server| format!("https://localhost:{}", server.address.port())).collect();
        let told = json!({
            "servers": urls,
            "ca": ca,
            "path": "/api/v1/secrets/db",
            "headers": { "x-aws-parameters-secrets-token": TOKEN },
        });
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/stories/http2_load.mjs");
        let mut child = Command::new("node")
            .args([script, &told.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Waits for so many answers more.
    fn more(&mut self, hundreds: usize) {
        for _ in 0..hundreds {
            assert!(self.line()["lost"].is_null());
        }
    }

    fn end(mut self) -> Value {
        drop(self.child.stdin.take());
        loop {
            let line = self.line();
            if !line["lost"].is_null() {
                assert!(self.child.wait().unwrap().success());
                return line;
            }
        }
    }
}

/// Break: `refresh` in `renew`, `graceful_shutdown` of HTTP/2, or `Wish::Finish` at the end of the listener.
#[test]
fn a_replaced_certificate_and_a_stop_lose_no_request_of_200_a_second() {
    let (old, new) = (server_certificate("localhost"), server_certificate("localhost"));
    let (first, second) = (endpoint(&old), endpoint(&old));
    let mut load = Load::start(&[&first, &second], &format!("{}{}", old.0, new.0));
    load.more(3);
    for server in [&first, &second] {
        replace(server.home(), &new);
        server.until_said("the certificate was replaced");
    }
    load.more(3);
    let output = first.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    load.more(3);
    let said = load.end();
    assert_eq!(said["lost"], json!([]), "{said}");
    assert_eq!(said["certificates"].as_array().unwrap().len(), 2, "{said}");
}

/// L5. Break: `allow_remote` in `listener_settings`, or the check of `allowed_hosts`.
#[test]
fn l5_beyond_this_machine_nothing_is_answered_without_tls_and_for_no_other_host() {
    let open = CONFIG.replace("[listen]\ntls", "[listen]\naddress = \"0.0.0.0:0\"\nallow_remote = true\n#");
    let refused = Lockstep::new(open.as_str(), &[]).run(&["serve"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("needs TLS"), "{refused:?}");
    let certificate = server_certificate("localhost");
    let running = endpoint(&certificate);
    // Whoever speaks plain HTTP there gets no answer at all.
    let mut connection = running.connect();
    connection.send("GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert!(connection.receive().is_err());
}
