//! The endpoint that others than this machine call: over TLS, with logins. What holds on a local listener holds here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use lockstep_core::{Limits, MAX_MEMBERS, Pem, TlsProfile, Transport, Transports as _};
use lockstep_native::{HttpTransports, LocalFiles, SystemClock, TransportSettings};
use lockstep_stories::{Lockstep, Running};
use lockstep_testkit::{TestEnv, require, server_certificate, servers};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::limits::many_files;
use crate::logins::token;

const AUDIENCE: &str = "https://lockstep.example.com";
const VALUE: &str = "a-value-for-who-logs-in";

/// `serve` for everybody, and one client that trusts its certificate.
struct Endpoint {
    running: Running,
    client: Arc<dyn Transport>,
    runtime: Runtime,
    key: String,
    hash: String,
}

/// What was answered.
struct Said {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Endpoint {
    fn start(more: &str, listen: &str) -> Self {
        let made = Lockstep::new(None, &[]).run(&["key", "app", "--json"]);
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        let (key, hash) = (made["key"].as_str().unwrap().to_owned(), made["hash"].as_str().unwrap().to_owned());
        let config = format!(
            "[providers.f]\ntype = \"file\"\npath = \"s.json\"\n[aws]\nsecrets_manager = \"f\"\n\
             [audit]\nsink = {{ file = \"audit.jsonl\" }}\n\
             [listen]\nallow_remote = true\nallowed_hosts = [\"lockstep.example.com\"]\n\
             tls = {{ cert_file = \"server.pem\", key_file = \"server.key\" }}\n{listen}\n\
             [auth.keys.app]\nhashes = [{{ hash = \"{hash}\" }}]\n{more}"
        );
        let home = Lockstep::new(config.as_str(), &[]);
        home.file("s.json", &json!({ "db": VALUE }).to_string());
        let (certificate, private) = server_certificate("localhost");
        home.file("server.pem", &certificate);
        home.file("server.key", &private);
        let running = home.start();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (clock, env) = (Arc::new(SystemClock::new()), TestEnv::of(&[]));
        let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &*env, TransportSettings::default());
        let ca = Some(Pem::File(running.home().folder().join("server.pem").into_boxed_path()));
        let client = transports.build(&TlsProfile { ca, client: None }).unwrap();
        Self { running, client, runtime, key, hash }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Said {
        let mut request =
            Request::builder().method(method).uri(format!("https://localhost:{}{path}", self.running.address.port()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
        let said = self.runtime.block_on(self.client.send(request.body(Bytes::new()).unwrap(), limits)).unwrap();
        let (parts, body) = said.into_parts();
        Said {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    fn get(&self, path: &str, credential: &str) -> Said {
        self.send("GET", path, &[("authorization", credential)])
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.running.home().folder().join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Break: any arm of `Callers::at_once`, `token: false` on a row, or the host's check.
#[test]
fn l1_c2_l4_l6_l7_what_is_refused_to_this_machine_is_refused_to_everybody() {
    let endpoint = Endpoint::start("", "");
    let bearer = endpoint.bearer();
    assert_eq!(endpoint.get("/api/v1/secrets/db", &bearer).status, 200);
    let wrong = format!("Bearer lks_app_{}", "A".repeat(43));
    for path in
        ["/api/v1/secrets/db", "/v1/db", "/secretsmanager/get?secretId=db", "/metrics", "/nowhere", "/api/v1/secrets"]
    {
        for (case, headers) in [
            ("none", vec![]),
            ("wrong", vec![("authorization", wrong.as_str())]),
            ("twice", vec![("authorization", bearer.as_str()), ("x-vault-token", endpoint.key.as_str())]),
            ("basic", vec![("authorization", "Basic YTpi")]),
        ] {
            let said = endpoint.send("GET", path, &headers);
            assert_eq!(said.status, 401, "{path} {case}");
            assert!(said.headers.contains_key("www-authenticate") && !said.body.contains(VALUE), "{path} {case}");
        }
    }
    let with =
        |more: (&'static str, &'static str)| endpoint.send("GET", "/v1/db", &[("authorization", &bearer), more]).status;
    for (more, status) in [
        // L4: another host, and a browser's page.
        (("host", "evil.test"), 403),
        (("host", "lockstep.example.com"), 200),
        (("origin", "https://evil.test"), 403),
        (("sec-fetch-site", "cross-site"), 403),
        // M5: what a proxy adds is ignored, and never believed.
        (("x-forwarded-for", "1.2.3.4"), 200),
        (("forwarded", "for=1.2.3.4"), 200),
    ] {
        assert_eq!(with(more), status, "{more:?}");
    }
    // L6, L7: methods, and paths that can be read in two ways.
    for (method, path, status) in [
        ("POST", "/v1/db", 405),
        ("PUT", "/api/v1/secrets/db", 405),
        ("GET", "/v1/..%2Fdb", 400),
        ("GET", "/v1/%2e%2e/ping", 400),
        ("GET", "/v1/a%2Fb", 400),
    ] {
        assert_eq!(endpoint.send(method, path, &[("authorization", &bearer)]).status, status, "{method} {path}");
    }
    for record in endpoint.audit() {
        // M5: the peer is the socket's.
        assert!(!record["peer"].as_str().unwrap_or("127.0.0.1").starts_with("1.2.3.4"), "{record}");
    }
}

/// T1. Break: `alone` in `Config::authorizer`, or in `AllowList::decide`.
#[test]
fn t1_without_policies_a_login_reads_and_changes_nothing() {
    let endpoint = Endpoint::start("", "");
    let bearer = endpoint.bearer();
    assert_eq!(endpoint.get("/api/v1/secrets/db", &bearer).status, 200);
    let rotated = endpoint.send("POST", "/api/v1/rotate/db", &[("authorization", &bearer)]);
    assert_eq!(rotated.status, 403, "{}", rotated.body);
    assert!(endpoint.audit().iter().any(|record| record["action"] == "rotate"
        && record["policy"] == "allow-list: it takes a policy to let a login rotate or invalidate"));
}

/// C14 and M6. Break: fold hits where callers log in, or write a path as it is.
#[test]
fn c14_m6_every_hit_has_its_own_record_and_no_path_breaks_a_line() {
    let endpoint = Endpoint::start("", "");
    for _ in 0..5 {
        assert_eq!(endpoint.get("/v1/db", &endpoint.bearer()).status, 200);
    }
    for path in ["/v1/a%0Ab", "/v1/%1b[31m", "/%3Cscript%3E"] {
        endpoint.get(path, &endpoint.bearer());
    }
    let audit = endpoint.audit();
    let hits = audit.iter().filter(|record| record["outcome"] == "released" && record["cached"] == true);
    assert_eq!(hits.clone().count(), 4);
    assert!(hits.clone().all(|record| record["count"] == 1 && record["principal"] == "key:app"));
    let raw = std::fs::read(endpoint.running.home().folder().join("audit.jsonl")).unwrap();
    assert!(raw.iter().all(|byte| *byte == b'\n' || (b' '..=b'~').contains(byte)));
}

/// L8 and L11, under the default cap. Break: wait for a handshake on the accepting task, or `make_room` in `admit`.
#[test]
fn l8_l11_two_thousand_callers_who_never_finish_a_handshake_leave_the_next_one_answered() {
    if !many_files(4500) {
        return;
    }
    let endpoint = Endpoint::start("", "header_timeout = \"10m\"\nidle_timeout = \"1h\"");
    let mut slow: Vec<_> = (0..2000).map(|_| endpoint.running.connect()).collect();
    // Some have begun: the first bytes of a handshake's record.
    for connection in slow.iter_mut().step_by(3) {
        // The first of them have made room for the last.
        let _ = connection.send([0x16, 0x03, 0x01]);
    }
    for _ in 0..10 {
        assert_eq!(endpoint.get("/api/v1/secrets/db", &endpoint.bearer()).status, 200);
    }
    for path in ["/health/live", "/health/ready", "/ping"] {
        let said = endpoint.send("GET", path, &[]);
        assert_eq!(said.status, 200);
        assert!(!said.body.contains("db") && !said.body.contains(VALUE));
    }
    let metrics = endpoint.get("/metrics", &endpoint.bearer());
    assert!(metrics.status == 200 && !metrics.body.contains(VALUE) && !metrics.body.contains("\"db\""));
}

/// M1 on the new paths. Break: put a credential into `Refused::detail`, an error, or the log.
#[test]
fn m1_no_credential_that_was_shown_stands_in_the_log_the_audit_or_an_answer() {
    let issuer = require!(servers::oidc());
    let endpoint = Endpoint::start(
        &format!(
            "[auth.jwt.mock]\ntype = \"oidc\"\nissuer = \"{issuer}\"\naudiences = [\"{AUDIENCE}\"]\n[auth.aws_iam]\n\
             accounts = [\"123456789012\"]\nserver_id = \"it\"\nregions = [\"eu-west-1\"]\n[log]\nlevel = \"trace\"\n"
        ),
        "",
    );
    let good = token(&issuer, &format!("aud={AUDIENCE}&sub=app"));
    let foreign = token(&issuer, "aud=https://other.example.com&sub=canary-subject");
    let broken = format!("{good}x");
    let shown = [
        format!("Bearer {good}"),
        format!("Bearer {foreign}"),
        format!("Bearer {broken}"),
        endpoint.bearer(),
        format!("Bearer lks_app_{}", "canarycanary".repeat(4).split_at(43).0),
        "Bearer canary-of-a-token".to_owned(),
        "Basic canary-of-basic".to_owned(),
        "Lockstep-IAM eyJjYW5hcnkiOiJvZi1hLXByb29mIn0=".to_owned(),
    ];
    let mut said = String::new();
    for credential in &shown {
        for path in ["/api/v1/secrets/db", "/v1/missing"] {
            let answer = endpoint.get(path, credential);
            if answer.status != 200 {
                said.push_str(&answer.body);
            }
        }
    }
    said.push_str(&std::fs::read_to_string(endpoint.running.home().folder().join("audit.jsonl")).unwrap());
    let Endpoint { running, key, hash, .. } = endpoint;
    said.push_str(&running.stop().stderr);
    assert!(said.contains("jwt_wrong_audience") && said.contains("token_unknown"), "the log says what was wrong");
    let secrets = shown.iter().flat_map(|credential| credential.split([' ', '.'])).filter(|part| part.len() > 12);
    for secret in secrets.chain([key.as_str(), hash.as_str(), VALUE, "canary"]) {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
