//! Who is let in, as it is configured: what is wrong is said at start, and what is right gets its callers in.

use http::Request;
use lockstep_core::{AuditHits, FrontDoor as _, Peer};

use super::{MOCK, bench};
use crate::tests::load;

const HASH: &str = "sha256:0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a";

/// What is wrong with these callers, when they are put together.
fn wrong(auth: &str) -> String {
    let text = format!("{MOCK}{auth}");
    let config = match load(&text, &[]) {
        Ok(config) => config,
        Err(problems) => return problems.to_string(),
    };
    let bench = bench(&[]);
    let assembly = config.assemble(&bench.ports).unwrap();
    match config.endpoint(&bench.ports, &assembly) {
        Ok(_) => "nothing".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn what_is_wrong_with_callers_is_said_at_start_with_its_place_and_what_to_write() {
    let mut unexpected = Vec::new();
    for (auth, place, says) in [
        ("[auth.jwt.x]\ntype = \"github\"", "lockstep.toml:6:8: `auth.jwt.x.type`", "write one of `aws-web-identity`"),
        ("[auth.jwt.x]\ntype = \"github-actions\"\naudiences = [\"a\"]", "lockstep.toml:5:1: `auth.jwt.x`", "missing"),
        (
            "[auth.jwt.x]\ntype = \"github-actions\"\nowner = \"*\"\naudiences = [\"a\"]",
            "lockstep.toml:5:1: `auth.jwt.x`",
            "write it like `acme`",
        ),
        (
            "[auth.jwt.x]\ntype = \"oidc\"\nissuer = \"https://a.test\"\naudiences = []",
            "lockstep.toml",
            "there is no audience",
        ),
        (
            "[auth.jwt.x]\ntype = \"oidc\"\nissuer = \"https://a.test\"\naudiences = [\"a\"]\nalgorithms = [\"none\"]",
            "lockstep.toml:5:1: `auth.jwt.x`",
            "`none` is no algorithm",
        ),
        (
            "[auth.jwt.x]\ntype = \"oidc\"\nissuer = \"http://a.test\"\naudiences = [\"a\"]",
            "lockstep.toml:5:7: `auth.jwt`",
            "`x`",
        ),
        (
            "[auth.jwt.x]\ntype = \"oidc\"\nissuer = \"https://a.test\"\naudiences = [\"a\"]\nleeway = \"2m\"",
            "lockstep.toml:9:10: `auth.jwt.x.leeway`",
            "write from 0s to 1m",
        ),
        (
            "[auth.jwt.x]\ntype = \"oidc\"\nissuer = \"https://a.test\"\naudiences = [\"a\"]\nkeys_file = \"k.json\"",
            "lockstep.toml:5:1: `auth.jwt.x`",
            "k.json",
        ),
        (
            "[auth.jwt.x]\ntype = \"oidc\"\nissuer = \"https://a.test\"\naudiences = [\"a\"]\nkeys_file = \"k\"\n\
             keys_url = \"https://a.test/k\"",
            "lockstep.toml:9:13: `auth.jwt.x.keys_file`",
            "named twice",
        ),
        ("[auth.keys.b]\nhashes = []", "lockstep.toml:5:7: `auth.keys`", "has no hash"),
        (
            "[auth.keys.b]\nhashes = [{ hash = \"lks_b_secret\" }]",
            "lockstep.toml:5:1: `auth.keys.b`",
            "never the key itself",
        ),
        (
            &format!("[auth.keys.b]\nhashes = [{{ hash = \"{HASH}\", expires = \"soon\" }}]"),
            "lockstep.toml:5:1: `auth.keys.b`",
            "2027-01-31T00:00:00Z",
        ),
        ("[auth.aws_iam]\naccounts = [\"*\"]", "lockstep.toml:5:1: `auth.aws_iam`", "123456789012"),
        (
            "[auth.aws_iam]\naccounts = [\"123456789012\"]\nregions = [\"eu-west-1\"]",
            "lockstep.toml:5:1: `auth.aws_iam`",
            "write `server_id` too",
        ),
        (
            "[auth.aws_iam]\naccounts = [\"123456789012\"]\nserver_id = \"a\"",
            "lockstep.toml:5:1: `auth.aws_iam`",
            "there is no region",
        ),
        (
            "[auth.aws_iam]\naccounts = [\"123456789012\"]\nserver_id = \"a\"\nregions = [\"eu-west-1\"]\n\
             endpoint = \"http://sts.test\"",
            "lockstep.toml:9:12: `auth.aws_iam.endpoint`",
            "https",
        ),
        ("[auth.certificates.c]\nany_of = []", "lockstep.toml:5:1: `auth.certificates.c`", "any_of"),
        ("[auth.certificates.c]\nany_of = [\"*\"]", "lockstep.toml:5:1: `auth.certificates.c`", "names no certificate"),
        (
            "[auth.certificates.c]\nany_of = [\"dns:a.test\"]\n[listen]\ntls = { cert_file = \"a\", key_file = \"b\" }",
            "lockstep.toml:5:7: `auth.certificates`",
            "client_ca_file",
        ),
    ] {
        let said = wrong(auth);
        if !said.starts_with(place) || !said.contains(says) || said.contains("lks_b_secret") {
            unexpected.push(format!("{auth}\n-> {said}"));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n\n"));
}

/// L1. Break: in `local_token`, go on to the variables where callers log in.
#[tokio::test]
async fn l1_where_callers_log_in_no_token_is_made_and_none_is_taken_from_a_variable() {
    let text = format!("{MOCK}[auth.keys.b]\nhashes = [{{ hash = \"{HASH}\" }}]\n");
    let session = ("AWS_SESSION_TOKEN", "the-session-of-this-function");
    let (config, bench) = (load(&text, &[]).unwrap(), bench(&[session]));
    let assembly = config.assemble(&bench.ports).unwrap();
    let endpoint = config.endpoint(&bench.ports, &assembly).unwrap();
    assert_eq!(endpoint.token, None);
    assert!(endpoint.made_token.is_none());
    let key = format!("lks_b_{}", "A".repeat(43));
    for (token, status) in [(session.1, 401), (key.as_str(), 200)] {
        let request = Request::get("/api/v1/secrets/db/creds").header("host", "localhost");
        let request = request.header("authorization", format!("Bearer {token}")).body(bytes::Bytes::new()).unwrap();
        let answer = endpoint.call(&Peer::default(), request).await;
        assert_eq!(answer.status(), status);
    }
}

/// C14. Break: `has_logins` in `audit_hits`.
#[test]
fn c14_where_callers_log_in_hits_are_audited_one_by_one_unless_something_else_is_written() {
    let key = format!("[auth.keys.b]\nhashes = [{{ hash = \"{HASH}\" }}]\n");
    for (text, full) in [
        (String::new(), false),
        (key.clone(), true),
        (format!("{key}[audit]\nhits = \"summary\"\n"), false),
        ("[audit]\nhits = \"full\"\n".to_owned(), true),
    ] {
        let config = load(&format!("{MOCK}{text}"), &[]).unwrap();
        assert_eq!(config.audit_hits() == AuditHits::Full, full, "{text}");
    }
}

#[test]
fn callers_are_shown_as_they_were_written_and_no_file_is_read_for_it() {
    let text = format!(
        "{MOCK}[auth.jwt.gh]\ntype = \"github-actions\"\nowner = \"acme\"\naudiences = [\"a\"]\nkeys_file = \"k.json\"\n\
         [auth.keys.b]\nhashes = [{{ hash = \"{HASH}\" }}]\n"
    );
    let shown = load(&text, &[]).unwrap().to_toml();
    for part in ["type = \"github-actions\"", "owner = \"acme\"", "keys_file = \"k.json\"", HASH] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(load(&shown, &[]).unwrap().to_toml(), shown);
}
