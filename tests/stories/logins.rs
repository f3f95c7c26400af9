//! Who is let in where others than this machine call: each login as its own servers and clients have it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use lockstep_core::{Clock as _, Limits, MAX_MEMBERS, Pem, TlsProfile, Transports as _};
use lockstep_native::{HttpTransports, LocalFiles, SystemClock, TransportSettings};
use lockstep_stories::{CountingProxy, Lockstep, Running, TOKEN};
use lockstep_testkit::{TestEnv, client_certificate, require, server_certificate, servers};
use serde_json::{Value, json};

use crate::cluster::Cluster;

const AUDIENCE: &str = "https://lockstep.example.com";
const VALUE: &str = "a-value-that-was-logged-in-for";

/// `serve` over one secret, with these callers.
fn endpoint(auth: &str) -> Lockstep {
    let config = format!(
        "[providers.f]\ntype = \"file\"\npath = \"s.json\"\n[audit]\nsink = {{ file = \"audit.jsonl\" }}\n{auth}"
    );
    let home = Lockstep::new(config.as_str(), &[]);
    home.file("s.json", &json!({ "db": VALUE }).to_string());
    home
}

fn read(running: &Running, credential: &str) -> (u16, Value) {
    let said = running.bare("GET", "/api/v1/secrets/db", &[("authorization", credential)], b"");
    (said.status, said.json())
}

/// Who was asked for, in the order of the audit: principal, outcome and policy.
fn audited(running: &Running) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(running.home().folder().join("audit.jsonl")).unwrap();
    let line = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        (word("principal"), word("outcome"), word("policy"))
    };
    text.lines().map(line).filter(|(principal, ..)| !principal.is_empty()).collect()
}

fn assert_let_in(running: &Running, credential: &str, principal: &str) {
    let (status, body) = read(running, credential);
    assert_eq!(status, 200, "{body} {}", running.said());
    assert_eq!(body["value"], VALUE);
    let last = audited(running).pop().unwrap();
    assert_eq!((last.0.as_str(), last.1.as_str()), (principal, "released"));
}

fn assert_turned_away(running: &Running, credential: &str, reason: &str) {
    let (status, body) = read(running, credential);
    assert_eq!((status, &body["code"]), (401, &json!("unauthenticated")), "{body}");
    let last = audited(running).pop().unwrap();
    assert_eq!((last.0.as_str(), last.1.as_str(), last.2.as_str()), ("unknown", "refused", reason));
}

/// A token of the OIDC server, by its own token endpoint.
pub(crate) fn token(issuer: &str, form: &str) -> String {
    let address = issuer.strip_prefix("http://").unwrap().parse().unwrap();
    let mut connection = lockstep_stories::Connection::open(address).unwrap();
    let body = format!("grant_type=client_credentials&{form}");
    let request = format!(
        "POST /token HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: \
         {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    connection.send(request).unwrap();
    connection.receive().unwrap().member("/access_token")
}

/// Break: `jwt` in `Callers::wait_for`.
#[test]
fn tokens_of_a_real_oidc_server_log_in_and_what_is_wrong_with_one_stands_in_the_audit_alone() {
    let issuer = require!(servers::oidc());
    let running = endpoint(&format!(
        "[auth.jwt.mock]\ntype = \"oidc\"\nissuer = \"{issuer}\"\naudiences = [\"{AUDIENCE}\"]\n\
         required = {{ team = [\"pay*\"] }}\n"
    ))
    .start();
    let audience = format!("aud={AUDIENCE}");
    let bearer = |form: &str| format!("Bearer {}", token(&issuer, form));
    let good = bearer(&format!("{audience}&sub=app&claims={{\"team\":\"payments\"}}"));
    assert_let_in(&running, &good, "jwt:mock:app");
    assert_let_in(&running, &good, "jwt:mock:app");
    let claims = "claims={\"team\":\"payments\"}";
    for (form, reason) in [
        (format!("{audience}&sub=app"), "jwt_claim_missing"),
        (format!("{audience}&sub=app&claims={{\"team\":\"sales\"}}"), "jwt_claim_refused"),
        (format!("aud=https://other.example.com&sub=app&{claims}"), "jwt_wrong_audience"),
        (format!("{audience}&sub=app&lifetime=-600&{claims}"), "jwt_expired"),
    ] {
        assert_turned_away(&running, &bearer(&form), reason);
    }
    // The signature of another token of the same issuer.
    let (head, _) = good.rsplit_once('.').unwrap();
    let other = bearer(&format!("{audience}&sub=root&{claims}"));
    let (_, signature) = other.rsplit_once('.').unwrap();
    assert_turned_away(&running, &format!("{head}.{signature}"), "jwt_bad_signature");
    // The token of this machine is none where others log in.
    assert_turned_away(&running, &format!("Bearer {TOKEN}"), "token_unknown");
    let stopped = running.stop();
    assert!(stopped.stderr.contains("callers log in as `[auth]` says"), "{}", stopped.stderr);
    assert!(!stopped.stderr.contains("token-of-the-stories"), "{}", stopped.stderr);
}

/// What anybody can send: a token of this issuer with a key id that nobody knows, and no signature.
fn made_up(issuer: &str, kid: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (head, claims) =
        (json!({ "alg": "RS256", "typ": "JWT", "kid": kid }), json!({ "iss": issuer, "aud": AUDIENCE }));
    format!("{}.{}.AAAA", part(head), part(claims))
}

/// An endpoint for this issuer's tokens, and the proxy by which it fetches the keys.
fn behind_proxy(issuer: &str) -> (Running, CountingProxy) {
    let proxy = CountingProxy::to(issuer);
    let home = endpoint(&format!(
        "[auth.jwt.mock]\ntype = \"oidc\"\nissuer = \"{issuer}\"\nkeys_url = \"{}/jwks\"\n\
         audiences = [\"{AUDIENCE}\"]\n",
        proxy.url()
    ));
    (home.start(), proxy)
}

/// E10 through the whole endpoint. Break: `is_cooling` is never true.
#[test]
fn e10_ten_thousand_made_up_key_ids_cost_one_fetch_of_keys_per_cooldown() {
    let issuer = require!(servers::oidc());
    let (running, proxy) = behind_proxy(&issuer);
    let good = format!("Bearer {}", token(&issuer, &format!("aud={AUDIENCE}&sub=app")));
    assert_let_in(&running, &good, "jwt:mock:app");
    assert_eq!(proxy.total(), 1);
    let clock = SystemClock::new();
    let begun = clock.monotonic();
    let mut connection = running.connect();
    for kid in 0..10_000 {
        let token = made_up(&issuer, &format!("kid-{kid}"));
        let request =
            format!("GET /api/v1/secrets/db HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
        connection.send(request).unwrap();
        assert_eq!(connection.receive().unwrap().status, 401);
    }
    let cooldowns = clock.monotonic().saturating_sub(begun).as_secs() / 30 + 1;
    let fetched = u64::try_from(proxy.total()).unwrap();
    assert!(fetched <= 1 + cooldowns, "{fetched} fetches in {cooldowns} cooldowns");
    assert_let_in(&running, &good, "jwt:mock:app");
}

/// Break: look at the login before the length in the listener.
#[test]
fn a_body_of_100_megabytes_is_refused_before_any_login() {
    let issuer = require!(servers::oidc());
    let (running, proxy) = behind_proxy(&issuer);
    let good = token(&issuer, &format!("aud={AUDIENCE}&sub=app"));
    let head = format!(
        "POST /api/v1/secrets:batch HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {good}\r\ncontent-length: \
         104857600\r\n\r\n"
    );
    assert_eq!(running.raw(head).status, 413);
    // No key was asked for, so no signature was looked at.
    assert_eq!(proxy.total(), 0);
    assert_let_in(&running, &format!("Bearer {good}"), "jwt:mock:app");
    assert_eq!(proxy.total(), 1);
}

/// Break: `Profile::Kubernetes` takes any subject.
#[test]
fn tokens_of_a_real_kube_apiserver_log_in() {
    let cluster = Cluster::of(require!(servers::kubernetes()));
    cluster.open_discovery();
    let namespace = cluster.namespace();
    let good = cluster.account_token(&namespace, "api", AUDIENCE);
    let other = cluster.account_token(&namespace, "api", "https://other.example.com");
    let running = endpoint(&format!(
        "[auth.jwt.cluster]\ntype = \"kubernetes\"\nissuer = \"https://kubernetes.default.svc\"\n\
         keys_url = \"{}/openid/v1/jwks\"\naudiences = [\"{AUDIENCE}\"]\ntls = {{ ca_file = \"{}\" }}\n",
        cluster.url(),
        cluster.ca_file().display()
    ))
    .start();
    let who = format!("jwt:cluster:system:serviceaccount:{namespace}:api");
    assert_let_in(&running, &format!("Bearer {good}"), &who);
    assert_turned_away(&running, &format!("Bearer {other}"), "jwt_wrong_audience");
}

/// Break: leave the server's id out of what a proof has to sign.
#[test]
fn identities_of_aws_log_in_with_what_botocore_signs_and_an_sts_that_checks_signatures_confirms() {
    let (sts, python) = (require!(servers::moto_auth()), require!(servers::python()));
    let running = endpoint(&format!(
        "[auth.aws_iam]\naccounts = [\"123456789012\"]\nserver_id = \"lockstep.example.com\"\n\
         regions = [\"eu-west-1\"]\nendpoint = \"{}\"\n",
        sts.url
    ))
    .start();
    let proof = |server: &str, region: &str, secret: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/stories/iam_proof.py");
        let output = Command::new(&python).args([script, server, region, &sts.key_id, secret]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        format!("Lockstep-IAM {}", String::from_utf8(output.stdout).unwrap().trim())
    };
    let good = proof("lockstep.example.com", "eu-west-1", &sts.secret_key);
    assert_let_in(&running, &good, "iam:arn:aws:iam::123456789012:user/tests");
    assert_turned_away(&running, &proof("other.example.com", "eu-west-1", &sts.secret_key), "iam_wrong_server");
    assert_turned_away(&running, &proof("lockstep.example.com", "us-east-1", &sts.secret_key), "iam_wrong_endpoint");
    assert_turned_away(&running, &proof("lockstep.example.com", "eu-west-1", "another-secret"), "iam_refused_by_sts");
}

/// Asks over TLS with a client certificate, or without one.
fn read_over_tls(running: &Running, ca: &Path, client: Option<(&Path, &Path)>) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (clock, env) = (Arc::new(SystemClock::new()), TestEnv::of(&[]));
        let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &*env, TransportSettings::default());
        let pem = |path: &Path| Pem::File(path.into());
        let profile = TlsProfile { ca: Some(pem(ca)), client: client.map(|(cert, key)| (pem(cert), pem(key))) };
        let transport = transports.build(&profile).unwrap();
        let request = Request::get(format!("https://localhost:{}/api/v1/secrets/db", running.address.port()));
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
        transport.send(request.body(Bytes::new()).unwrap(), limits).await.unwrap().status().as_u16()
    })
}

/// Break: give `Peer` no certificate in `accept`, or take one that no rule is about.
#[test]
fn certificates_that_the_tls_listener_has_verified_log_in() {
    let (server, known, stranger) =
        (server_certificate("localhost"), client_certificate("api.acme.internal"), client_certificate("other"));
    let home = endpoint(
        "[listen]\ntls = { cert_file = \"server.pem\", key_file = \"server.key\", client_ca_file = \"clients.pem\" }\n\
         [auth.certificates.api]\nany_of = [\"dns:api.acme.internal\"]\n",
    );
    for (name, (certificate, key)) in [("server", &server), ("known", &known), ("stranger", &stranger)] {
        home.file(&format!("{name}.pem"), certificate);
        home.file(&format!("{name}.key"), key);
    }
    home.file("clients.pem", &format!("{}{}", known.0, stranger.0));
    let running = home.start();
    let path = |name: &str| running.home().folder().join(name);
    let (ca, cert, key) = (path("server.pem"), path("known.pem"), path("known.key"));
    assert_eq!(read_over_tls(&running, &ca, Some((&cert, &key))), 200);
    assert_eq!(audited(&running).pop().unwrap().0, "cert:api");
    let (cert, key) = (path("stranger.pem"), path("stranger.key"));
    assert_eq!(read_over_tls(&running, &ca, Some((&cert, &key))), 401);
    assert_eq!(audited(&running).pop().unwrap().2, "cert_unknown");
    assert_eq!(read_over_tls(&running, &ca, None), 401);
    assert_eq!(audited(&running).pop().unwrap().2, "credential_missing");
}

/// From making a key to logging in with it; the old one works until its end while the new one is handed out.
#[test]
fn an_api_key_is_made_by_the_command_and_logs_in_until_it_ends() {
    let maker = Lockstep::new(None, &[]);
    let make = || {
        let made = maker.run(&["key", "billing", "--json"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        (made["key"].as_str().unwrap().to_owned(), made["hash"].as_str().unwrap().to_owned())
    };
    let ((old, old_hash), (new, new_hash), (over, over_hash)) = (make(), make(), make());
    let key = |hashes: &str| format!("[auth.keys.billing]\nhashes = [{hashes}]\n");
    let two = format!("{{ hash = \"{old_hash}\", expires = \"2099-01-01T00:00:00Z\" }}, {{ hash = \"{new_hash}\" }}");
    let running = endpoint(&key(&two)).start();
    assert_let_in(&running, &format!("Bearer {old}"), "key:billing");
    assert_let_in(&running, &format!("Bearer {new}"), "key:billing");
    assert_turned_away(&running, &format!("Bearer {over}"), "key_unknown");
    let ended = format!("{{ hash = \"{over_hash}\", expires = \"2020-01-01T00:00:00Z\" }}");
    assert_turned_away(&endpoint(&key(&ended)).start(), &format!("Bearer {over}"), "key_expired");
}
