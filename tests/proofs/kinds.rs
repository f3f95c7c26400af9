//! Every kind of failure, produced by a server, a file or a mock, as `lockstep get` and `lockstep serve`
//! tell it: one table, `kinds.txt`, compared whole. The new one is left in [`NEW`]: read every message before you
//! copy it over.
//!
//! What differs from run to run (ports, folders) is replaced; nothing else.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};

use lockstep_core::ErrorKind;
use lockstep_stories::{Lockstep, Upstream};
use lockstep_testkit::fake::Action;
use lockstep_testkit::fake::gcp::Google;
use serde_json::{Value, json};

use crate::backends::{
    AWS_LOGIN, BARE, Cloud, VAULT_LOGIN, aws, aws_error, aws_secret, kubeconfig, kv2, vault, vault_token,
};

/// Where the table that was found is left.
const NEW: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/kinds.txt");

/// One way to a failure.
struct Way {
    kind: ErrorKind,
    /// What happens, in words.
    how: &'static str,
    behind: Behind,
    /// What the command is asked for.
    verb: &'static [&'static str],
    /// What the endpoint is asked for.
    method: &'static str,
    path: &'static str,
}

/// Who fails.
enum Behind {
    /// Secrets Manager, answering everything like this.
    SecretsManager(Vec<Action>),
    /// Parameter Store, answering everything like this.
    ParameterStore(Vec<Action>),
    /// Vault, answering `kv/a` like this.
    Vault(Action),
    /// Vault, with these keys of its upstream stack.
    Stacked(Action, &'static str),
    /// Secrets Manager at an address that nobody answers.
    Nobody,
    /// Secrets Manager over TLS at a server that speaks none.
    Plain(SocketAddr),
    /// A provider of another cloud, answering like this.
    Cloud(Cloud, Vec<(&'static str, Action)>),
    /// A mock that is told to.
    Mock,
    /// This configuration, with a file of secrets.
    Config(&'static str),
}

const FILE: &str = "[providers.file]\ntype = \"file\"\npath = \"s.yaml\"\n";
const SLOW: &str = "[providers.m]\ntype = \"mock\"\n[providers.m.upstream]\nattempts = 1\ntimeout = \"20ms\"\n\
                    [providers.m.secrets.a]\ndelay = \"1h\"\n";
const NOT_ALLOWED: &str = "[providers.file]\ntype = \"file\"\npath = \"s.yaml\"\n[auth]\nallow = [\"db/**\"]\n";
const GET_KV: (&[&str], &str) = (&["get", "kv/a"], "/api/v1/secrets/kv/a");
const GET_A: (&[&str], &str) = (&["get", "a"], "/api/v1/secrets/a");

fn read(kind: ErrorKind, how: &'static str, behind: Behind) -> Way {
    let (verb, path) = match behind {
        Behind::Vault(_) | Behind::Stacked(..) => GET_KV,
        _ => GET_A,
    };
    Way { kind, how, behind, verb, method: "GET", path }
}

fn ask(kind: ErrorKind, how: &'static str, behind: Behind, verb: &'static [&'static str], path: &'static str) -> Way {
    Way { kind, how, behind, verb, method: "GET", path }
}

fn rotate(kind: ErrorKind, how: &'static str, behind: Behind) -> Way {
    Way { kind, how, behind, verb: &["rotate", "a"], method: "POST", path: "/api/v1/rotate/a" }
}

fn secrets_manager(status: u16, code: &str, message: &str) -> Behind {
    Behind::SecretsManager(vec![aws_error(status, code, message)])
}

/// At least one way to each kind, in the order of [`ErrorKind::ALL`].
fn ways() -> Vec<Way> {
    use Behind::{Config, Mock, Nobody, ParameterStore, Plain, SecretsManager, Stacked, Vault};
    use Cloud::{Azure, Endpoint, Google, Kubernetes};
    let cloud = |cloud: Cloud, action: Action| Behind::Cloud(cloud, vec![("*", action)]);
    let azure = |status, code: &str, inner: &str| {
        let body = json!({ "error": { "code": code, "message": "no", "innererror": { "code": inner } } });
        cloud(Azure, Action::json(status, &body))
    };
    let google = |status: u16, code: &str, message: &str| {
        let body = json!({ "error": { "code": status, "status": code, "message": message } });
        cloud(Google, Action::json(status, &body))
    };
    let oauth = |of: Cloud, code: &str| {
        let answer = Action::json(if code == "invalid_client" { 401 } else { 400 }, &json!({ "error": code }));
        Behind::Cloud(of, vec![(of.login(), answer)])
    };
    let cluster = |status: u16, reason: &str| {
        let body = json!({ "kind": "Status", "status": "Failure", "reason": reason, "code": status });
        cloud(Kubernetes, Action::json(status, &body))
    };
    let endpoint = |status, code: &str| cloud(Endpoint, Action::json(status, &json!({ "code": code })));
    let refused = "InvalidRequestException";
    let rotating = |stages: Value, enabled: bool| {
        let mut secret = aws_secret("a", "x");
        secret["VersionIdsToStages"] = stages;
        secret["RotationEnabled"] = json!(enabled);
        SecretsManager(vec![aws_error(400, refused, "You can't."), Action::json(200, &secret)])
    };
    vec![
        read(
            ErrorKind::Config,
            "Vault has nothing mounted there",
            Vault(Action::json(
                404,
                &json!({ "errors": ["no handler for route \"kv/data/a\". route entry not found."] }),
            )),
        ),
        read(
            ErrorKind::Config,
            "AWS does not know the operation",
            secrets_manager(400, "UnknownOperationException", ""),
        ),
        read(ErrorKind::Config, "the endpoints ask each other in a circle", endpoint(508, "circle")),
        read(ErrorKind::Config, "what answers is no vault of Azure", cloud(Azure, Action::answer(404, "<html>"))),
        read(
            ErrorKind::InvalidName,
            "Secrets Manager refuses the name",
            secrets_manager(400, "ValidationException", ""),
        ),
        ask(
            ErrorKind::InvalidName,
            "the name has an empty segment",
            Config(FILE),
            &["get", "a//b"],
            "/api/v1/secrets/a//b",
        ),
        ask(
            ErrorKind::InvalidReference,
            "no provider has the alias",
            Config(FILE),
            &["get", "nope://a"],
            "/api/v1/secrets/a?provider=nope",
        ),
        ask(
            ErrorKind::InvalidReference,
            "the label is none of Parameter Store",
            ParameterStore(vec![Action::answer(500, "")]),
            &["get", "a@b c"],
            "/api/v1/secrets/a?version=b%20c",
        ),
        read(
            ErrorKind::Unauthenticated,
            "AWS does not know the key",
            secrets_manager(400, "UnrecognizedClientException", ""),
        ),
        read(ErrorKind::Unauthenticated, "Vault asks for a login", Vault(Action::answer(401, ""))),
        read(ErrorKind::Unauthenticated, "Entra refuses the client secret", oauth(Azure, "invalid_client")),
        read(ErrorKind::Unauthenticated, "Key Vault sends us to another authority", {
            let challenge = "Bearer authorization=\"https://login.evil.test/t\", resource=\"https://vault.azure.net\"";
            cloud(Azure, Action::with_headers(401, &[("www-authenticate", challenge)], ""))
        }),
        read(ErrorKind::Unauthenticated, "Google refuses the assertion", oauth(Google, "invalid_grant")),
        read(ErrorKind::Unauthenticated, "Kubernetes refuses the token", cluster(401, "Unauthorized")),
        read(ErrorKind::Unauthenticated, "another endpoint refuses the token", endpoint(403, "bad_token")),
        read(ErrorKind::Denied, "AWS denies", secrets_manager(400, "AccessDeniedException", "User is not authorized")),
        read(
            ErrorKind::Denied,
            "AWS denies the KMS key",
            secrets_manager(400, "AccessDeniedException", "Access to KMS is not allowed"),
        ),
        read(ErrorKind::Denied, "Vault denies", Vault(Action::json(403, &json!({ "errors": ["permission denied"] })))),
        read(ErrorKind::Denied, "Azure denies by role", azure(403, "Forbidden", "ForbiddenByRbac")),
        read(ErrorKind::Denied, "Azure's firewall denies", azure(403, "Forbidden", "ForbiddenByFirewall")),
        read(ErrorKind::Denied, "Google denies", google(403, "PERMISSION_DENIED", "Permission denied on resource.")),
        read(ErrorKind::Denied, "Kubernetes denies", cluster(403, "Forbidden")),
        read(ErrorKind::Denied, "our own rules deny", Config(NOT_ALLOWED)),
        read(
            ErrorKind::NotFound,
            "Secrets Manager has no such secret",
            secrets_manager(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
        ),
        read(
            ErrorKind::NotFound,
            "Parameter Store has no such parameter",
            ParameterStore(vec![aws_error(400, "ParameterNotFound", "")]),
        ),
        read(ErrorKind::NotFound, "Vault has no such secret", Vault(Action::json(404, &json!({ "errors": [] })))),
        ask(ErrorKind::NotFound, "the file has no such secret", Config(FILE), &["get", "b"], "/api/v1/secrets/b"),
        read(ErrorKind::NotFound, "Azure has no such secret", azure(404, "SecretNotFound", "")),
        read(ErrorKind::NotFound, "Google has no such secret", google(404, "NOT_FOUND", "Secret [a] not found.")),
        read(ErrorKind::NotFound, "Kubernetes has no such Secret", cluster(404, "NotFound")),
        read(ErrorKind::NotFound, "another endpoint has no such secret", endpoint(404, "not_found")),
        ask(
            ErrorKind::VersionNotFound,
            "the secret has no such label",
            secrets_manager(
                400,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret value for staging label: blue",
            ),
            &["get", "a@blue"],
            "/api/v1/secrets/a?version=blue",
        ),
        ask(
            ErrorKind::VersionNotFound,
            "the value has no such key",
            Config(FILE),
            &["get", "creds#pasword"],
            "/api/v1/secrets/creds?key=pasword",
        ),
        read(
            ErrorKind::Deleted,
            "the secret is scheduled for deletion",
            secrets_manager(
                400,
                refused,
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
        ),
        read(
            ErrorKind::Deleted,
            "the version is deleted",
            Vault(Action::json(404, &kv2(&Value::Null, "2026-01-02T00:00:00Z", false))),
        ),
        read(ErrorKind::Deleted, "Azure keeps the deleted secret", {
            let gone = json!({ "id": "https://kv.vault.azure.net/secrets/a", "deletedDate": 1_760_000_000 });
            let missing = json!({ "error": { "code": "SecretNotFound", "message": "no" } });
            Behind::Cloud(
                Azure,
                vec![("*", Action::json(404, &missing)), ("GET /deletedsecrets/a", Action::json(200, &gone))],
            )
        }),
        read(ErrorKind::Destroyed, "the version is destroyed", Vault(Action::json(404, &kv2(&Value::Null, "", true)))),
        read(
            ErrorKind::Destroyed,
            "Google's version is destroyed",
            google(400, "FAILED_PRECONDITION", "Secret Version [a] is in DESTROYED state."),
        ),
        read(ErrorKind::Decrypt, "the KMS key is disabled", secrets_manager(400, "DecryptionFailure", "")),
        read(
            ErrorKind::Decrypt,
            "Google's key is disabled",
            google(400, "FAILED_PRECONDITION", "The cryptoKey version is not enabled."),
        ),
        read(ErrorKind::Conflict, "another service manages the secret", secrets_manager(400, refused, "You can't.")),
        rotate(
            ErrorKind::RotationInProgress,
            "a rotation is under way",
            rotating(json!({ "v1": ["AWSCURRENT"], "v2": ["AWSPENDING"] }), true),
        ),
        rotate(
            ErrorKind::RotationNotConfigured,
            "the secret has no rotation",
            rotating(json!({ "v1": ["AWSCURRENT"] }), false),
        ),
        read(ErrorKind::Disabled, "Azure's version is disabled", azure(403, "Forbidden", "SecretDisabled")),
        read(
            ErrorKind::Disabled,
            "Google's version is disabled",
            google(400, "FAILED_PRECONDITION", "Secret Version [a] is in DISABLED state."),
        ),
        read(ErrorKind::Throttled, "AWS limits the rate", secrets_manager(400, "ThrottlingException", "Rate exceeded")),
        read(ErrorKind::Throttled, "Vault limits the rate", Vault(Action::retry_after(429, 7))),
        read(ErrorKind::QuotaExceeded, "a quota is used up", secrets_manager(400, "LimitExceededException", "")),
        read(
            ErrorKind::Unavailable,
            "Vault is sealed",
            Vault(Action::json(503, &json!({ "errors": ["Vault is sealed"] }))),
        ),
        read(ErrorKind::Unavailable, "AWS has a fault", SecretsManager(vec![Action::answer(500, "")])),
        ask(ErrorKind::Timeout, "the provider does not answer", Config(SLOW), &["get", "a"], "/api/v1/secrets/a"),
        read(ErrorKind::Timeout, "Vault gives up", Vault(Action::answer(408, ""))),
        read(ErrorKind::Network, "nobody listens", Nobody),
        read(ErrorKind::Network, "the connection breaks", SecretsManager(vec![Action::close()])),
        read(ErrorKind::Tls, "the other side speaks no TLS", Plain(plain())),
        read(ErrorKind::Malformed, "AWS answers with a page", SecretsManager(vec![Action::answer(200, "<html>")])),
        read(ErrorKind::Malformed, "Vault answers with a page", Vault(Action::answer(200, "<html>"))),
        read(
            ErrorKind::Malformed,
            "the endpoint redirects",
            SecretsManager(vec![Action::redirect(302, "http://127.0.0.1:1/")]),
        ),
        read(ErrorKind::TooLarge, "Vault's answer has no end", Vault(Action::endless(200))),
        ask(
            ErrorKind::Unsupported,
            "a file keeps one version",
            Config(FILE),
            &["get", "a@3"],
            "/api/v1/secrets/a?version=3",
        ),
        rotate(ErrorKind::Unsupported, "a file can't rotate", Config(FILE)),
        ask(
            ErrorKind::Unsupported,
            "the value is no JSON",
            Config(FILE),
            &["get", "a#key"],
            "/api/v1/secrets/a?key=key",
        ),
        read(
            ErrorKind::CircuitOpen,
            "Vault failed before (the command alone: the mock is told to)",
            Stacked(Action::answer(500, ""), "breaker_failures = 1\n"),
        ),
        read(ErrorKind::Internal, "the mock is told to", Mock),
    ]
}

/// A server that answers in HTTP before it is asked, once to the command and once to the endpoint.
fn plain() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().take(2) {
            // Whoever goes away first has read enough.
            let _ = client.and_then(|mut client| client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    address
}

/// An environment.
type Variables = Vec<(&'static str, Cow<'static, str>)>;

/// What to run, and what must stay alive meanwhile.
fn stage(way: &Way) -> (Option<Upstream>, String, Variables) {
    let aws_login = || AWS_LOGIN.map(|(name, value)| (name, value.into())).to_vec();
    let vault_login = || VAULT_LOGIN.map(|(name, value)| (name, value.into())).to_vec();
    let upstream = Upstream::start();
    let url = upstream.url();
    match &way.behind {
        Behind::SecretsManager(actions) => {
            upstream.on("POST /", actions.clone());
            (Some(upstream), aws("secrets-manager", &url, BARE), aws_login())
        }
        Behind::ParameterStore(actions) => {
            upstream.on("POST /", actions.clone());
            (Some(upstream), aws("parameter-store", &url, BARE), aws_login())
        }
        Behind::Vault(action) => {
            upstream.on("*", [action.clone()]).on("GET /v1/auth/token/lookup-self", [vault_token()]);
            (Some(upstream), vault(&url, BARE), vault_login())
        }
        Behind::Stacked(action, stack) => {
            upstream.on("*", [action.clone()]).on("GET /v1/auth/token/lookup-self", [vault_token()]);
            (Some(upstream), vault(&url, &format!("attempts = 1\n{stack}")), vault_login())
        }
        Behind::Cloud(cloud, script) => {
            let granted =
                Action::json(200, &json!({ "access_token": "t", "expires_in": 3599, "token_type": "Bearer" }));
            upstream.on(cloud.login(), [granted]);
            for (route, action) in script {
                upstream.on(route, [action.clone()]);
            }
            let env = [("AZURE_CLIENT_SECRET", "x".into()), ("AZURE_AUTHORITY_HOST", url.clone().into())];
            (Some(upstream), cloud.config(&url), [&env[..], &[("TOKEN", "x".into()), ("SERVER", url.into())]].concat())
        }
        Behind::Plain(address) => {
            let url = format!("https://{address}");
            (None, aws("secrets-manager", &url, BARE), aws_login())
        }
        // Port 1 is nobody's.
        Behind::Nobody => (None, aws("secrets-manager", "http://127.0.0.1:1", BARE), aws_login()),
        Behind::Mock => (None, mock(way.kind), Vec::new()),
        Behind::Config(config) => (None, (*config).to_owned(), Vec::new()),
    }
}

fn mock(kind: ErrorKind) -> String {
    format!(
        "[providers.mock]\ntype = \"mock\"\n[providers.mock.upstream]\n{BARE}[providers.mock.secrets.a]\nerror = \"{}\"\n",
        kind.code()
    )
}

fn home(config: &str, env: &Variables) -> Lockstep {
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, &**value)).collect();
    let config = format!("{config}\n[audit]\nsink = \"none\"\n");
    // The table of audit comes last, so that a configuration may end in a table of its own.
    let home = Lockstep::new(config.as_str(), &env);
    home.file("key.json", &Google::key_file(None));
    if let Some((_, server)) = env.iter().find(|(name, _)| *name == "SERVER") {
        home.file("kubeconfig", &kubeconfig(server));
    }
    home.file("s.yaml", "a: x\ncreds: '{\"password\":\"x\"}'\n");
    home
}

/// Folders and ports replaced.
fn steady(text: &str, home: &str) -> String {
    let text = text.replace(home, "HOME");
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("127.0.0.1:PORT");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

fn told(way: &Way) -> String {
    let (upstream, config, env) = stage(way);
    let (for_command, for_serve) = match way.behind {
        // One command makes one call, and no breaker opens before it.
        Behind::Stacked(..) if way.kind == ErrorKind::CircuitOpen => (home(&mock(way.kind), &env), home(&config, &env)),
        _ => (home(&config, &env), home(&config, &env)),
    };
    let verb: &[&str] = if way.kind == ErrorKind::CircuitOpen { &["get", "a"] } else { way.verb };
    let output = for_command.run(verb);
    assert_eq!(output.stdout, "", "{}", way.how);
    let folder = for_command.folder().to_str().unwrap().to_owned();
    let mut text = String::new();
    let _ = writeln!(text, "{} · {}", way.kind.code(), way.how);
    let _ = writeln!(text, "  lockstep {} -> exit {}", verb.join(" "), output.code.unwrap());
    for line in steady(output.stderr.trim_end(), &folder).lines() {
        let _ = writeln!(text, "    {line}");
    }
    if let Behind::SecretsManager(actions) = &way.behind {
        // The command has used up the sequence.
        upstream.as_ref().unwrap().on("POST /", actions.clone());
    }
    let running = for_serve.start();
    if way.kind == ErrorKind::CircuitOpen {
        assert_eq!(running.get(way.path).member("/code"), "unavailable");
    }
    let response = running.send(way.method, way.path, &[], b"");
    let _ = writeln!(text, "  {} {} -> {} {}", way.method, way.path, response.status, response.member("/code"));
    let _ = writeln!(text, "    {}: {}", response.member("/title"), steady(&response.member("/detail"), &folder));
    for (header, value) in &response.headers {
        // An open breaker says how long it stays so, which is less with every moment.
        if header == "retry-after" && way.kind != ErrorKind::CircuitOpen {
            let _ = writeln!(text, "    {header}: {value}");
        }
    }
    text
}

/// O6, too: not one word of a server is in the table.
///
/// Break: any message of an error, any row of `problem_of` or of the command's exit codes.
#[test]
fn every_kind_of_failure_is_told_as_the_table_says() {
    let ways = ways();
    for kind in ErrorKind::ALL {
        assert!(ways.iter().any(|way| way.kind == kind), "{kind:?} has no way to it");
    }
    assert!(ways.is_sorted_by_key(|way| way.kind), "the ways stand in the order of the kinds");
    let found: Vec<_> = ways.iter().map(told).collect();
    let found = found.join("\n");
    // To be looked through, and copied over the old one.
    std::fs::write(NEW, &found).unwrap();
    let expected = include_str!("kinds.txt");
    for (found, expected) in found.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(found.trim_end(), expected.trim_end(), "the new table is {NEW}");
    }
    assert_eq!(found, expected, "the new table is {NEW}");
}

/// The exit code of each kind that the table has, and the status, go together: what the caller can mend is not 3.
///
/// Break: `exit_code` of the command, or `problem_of`.
#[test]
fn exit_codes_and_statuses_of_the_table_agree() {
    for block in include_str!("kinds.txt").split("\n\n") {
        let line = |after: &str| {
            let line = block.lines().find_map(|line| line.split_once(after));
            line.unwrap_or_else(|| panic!("{block}")).1.to_owned()
        };
        let kind = ErrorKind::ALL.into_iter().find(|kind| block.starts_with(&format!("{} ·", kind.code()))).unwrap();
        let exit: u8 = line("-> exit ").parse().unwrap();
        assert_eq!(exit == 3, kind.is_transient(), "{block}");
        assert!(block.contains("\n    error: "), "{block}");
        let status = block.lines().filter_map(|line| line.strip_prefix("  ")).find(|line| line.contains("/api/v1/"));
        let status: u16 = status.and_then(|line| line.split(' ').rev().nth(1)).unwrap().parse().unwrap();
        assert!(exit != 3 || status >= 500, "{block}");
    }
}
