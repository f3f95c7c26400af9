//! Who is behind Lockstep while it is walked through, and the broken answers that they give.

use std::collections::BTreeSet;

use lockstep_stories::{TOKEN, Upstream};
use lockstep_testkit::fake::Action;
use serde_json::{Value, json};

use super::{CANARY, KEY, SESSION, VAULT_TOKEN};
use crate::backends::{BARE, aws, aws_parameter, aws_secret, kv2, vault, vault_token};

/// Answers by route.
pub(super) type Script = Vec<(&'static str, Action)>;

/// A provider, and what it needs.
pub(super) struct Backend {
    pub(super) name: &'static str,
    pub(super) config: String,
    /// The name of its secret.
    pub(super) secret: &'static str,
    /// The provider behind both services of AWS.
    pub(super) alias: &'static str,
    /// Variables and files of its login.
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) files: Vec<(&'static str, String)>,
    /// What must never be said, beside what is common: what it logs in with, and what it is given for that.
    pub(super) credentials: Vec<String>,
    pub(super) upstream: Option<Upstream>,
    pub(super) good: Script,
    pub(super) bad: Vec<Script>,
    /// The same of the login: the token in hand is refused, and what answers the next login is broken. The route of the
    /// login is the last one.
    pub(super) bad_logins: Vec<Script>,
}

impl Backend {
    /// One without a server, or whose login is that of the environment.
    pub(super) fn of(name: &'static str, alias: &'static str, secret: &'static str, config: String) -> Self {
        Self {
            name,
            config,
            secret,
            alias,
            env: Vec::new(),
            files: Vec::new(),
            credentials: Vec::new(),
            upstream: None,
            good: Vec::new(),
            bad: Vec::new(),
            bad_logins: Vec::new(),
        }
    }

    /// The environment: every login that a provider takes from there by itself, and its own.
    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        let mut all = vec![
            ("AWS_TOKEN", TOKEN),
            ("AWS_ACCESS_KEY_ID", "AKIAPROOFS"),
            ("AWS_SECRET_ACCESS_KEY", KEY),
            ("AWS_SESSION_TOKEN", SESSION),
            ("VAULT_TOKEN", VAULT_TOKEN),
        ];
        all.extend(self.env.iter().map(|(name, value)| (*name, value.as_str())));
        all
    }

    /// How often the route of this broken login was asked.
    pub(super) fn logins(&self, bad: &Script) -> usize {
        let login = bad.last().map_or("", |(route, _)| route);
        self.upstream.as_ref().map_or(0, |upstream| upstream.count(login))
    }

    /// What was shown to the server as a login, signatures of what was signed for it too.
    pub(super) fn shown(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for seen in self.upstream.iter().flat_map(|upstream| upstream.seen()) {
            let is_login = |name: &str| {
                matches!(name, "authorization" | "x-vault-token" | "x-aws-parameters-secrets-token")
                    || name.starts_with("x-vault-inline-auth-parameter")
            };
            for (_, value) in seen.headers.iter().filter(|(name, _)| is_login(name)) {
                all.extend(value.split([' ', ',', '=']).map(str::to_owned));
            }
            let body = String::from_utf8_lossy(&seen.body).into_owned();
            let members = ["assertion=", "client_secret=", "\"password\":\"", "\"jwt\":\"", "\"secret_id\":\""];
            let after = members.iter().filter_map(|member| body.split_once(member));
            let found = after.filter_map(|(_, rest)| rest.split(['&', '"']).next());
            // The signature of a JWT is like no other.
            all.extend(found.filter_map(|text| text.rsplit('.').next()).map(str::to_owned));
        }
        all.retain(|text| text.len() >= 20 && !text.starts_with("AKIA") && !text.contains(';'));
        all
    }
}

/// AWS, Vault with a token, a file and a mock.
pub(super) fn backends() -> Vec<Backend> {
    let mut all = Vec::new();
    for (name, kind, secret, good) in [
        ("Secrets Manager", "secrets-manager", "canary", aws_secret("canary", CANARY)),
        ("Parameter Store", "parameter-store", "/canary", aws_parameter("/canary", CANARY)),
    ] {
        let upstream = Upstream::start();
        all.push(Backend {
            bad: broken(&good, CANARY).into_iter().map(|action| vec![("POST /", action)]).collect(),
            good: vec![("POST /", Action::json(200, &good))],
            ..Backend::of(name, "aws", secret, aws(kind, &upstream.url(), BARE))
        });
        all.last_mut().unwrap().upstream = Some(upstream);
    }
    let upstream = Upstream::start();
    let good = kv2(&json!({ "value": CANARY }), "", false);
    let mut history = json!({ "data": {
        "current_version": 1, "created_time": "2026-01-01T00:00:00Z", "updated_time": "2026-01-01T00:00:00Z",
        "custom_metadata": {}, "versions": { "1": {
            "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false,
        } },
    } });
    history["data"]["keys"] = json!(["canary"]);
    history["data"]["data"] = good["data"]["data"].clone();
    all.push(Backend {
        bad: broken(&good, CANARY)
            .into_iter()
            .map(|action| vec![("*", action.clone()), ("GET /v1/kv/data/canary", action)])
            .collect(),
        good: vec![
            ("*", Action::json(200, &history)),
            ("GET /v1/kv/data/canary", Action::json(200, &good)),
            ("GET /v1/auth/token/lookup-self", vault_token()),
        ],
        ..Backend::of("Vault", "vault", "kv/canary", vault(&upstream.url(), BARE))
    });
    all.last_mut().unwrap().upstream = Some(upstream);
    let file = "[providers.file]\ntype = \"file\"\npath = \"s.json\"\npoll = \"10ms\"\n".to_owned();
    all.push(Backend::of("file", "file", "canary", file));
    let mock = format!(
        "[providers.mock]\ntype = \"mock\"\n[providers.mock.secrets.canary]\nversions = [{}]\nrotations = [{0}]\n",
        json!(CANARY)
    );
    all.push(Backend::of("mock", "mock", "canary", mock));
    all
}

/// Answers that hold this, as they carry it, and are none, or say that something failed.
pub(super) fn broken(good: &Value, carried: &str) -> Vec<Action> {
    let text = good.to_string();
    let canary = json!(carried).to_string();
    let object = text.replace(&canary, &format!("{{\"inner\":{canary}}}"));
    let number = text.replace(&canary, &format!("[{canary},1e2]"));
    let named = text.replace("canary\"", &format!("{}\"", canary.trim_matches('"')));
    let time = text
        .replace("2026-01-01T00:00:00Z", canary.trim_matches('"'))
        .replace("1760000000.5", &canary)
        .replace("1760000000", &canary);
    let twice = format!("{}{text}", &text[..text.len() / 2]);
    let complaint = json!({
        "__type": "InternalFailure", "message": carried, "Message": carried, "errors": [carried], "warnings": [carried],
        "error": carried, "error_description": carried, "reason": carried, "code": carried, "detail": carried, "request_id": carried,
    });
    // As Azure and Google say it.
    let nested = json!({ "error": { "code": carried, "message": carried, "status": carried, "innererror": carried } });
    let status = |status: u16| Action::json(status, &complaint);
    vec![
        Action::answer(200, format!("<html>{carried}</html>")),
        Action::answer(200, &text.as_bytes()[..text.len() - 3]),
        Action::answer(200, object),
        Action::answer(200, number),
        Action::answer(200, named),
        Action::answer(200, time),
        Action::answer(200, twice),
        Action::answer(200, canary.as_bytes()),
        Action::with_headers(200, &[("content-encoding", "gzip")], &text),
        Action::lying(200, 1 << 20, &text),
        Action::nonsense(format!("{carried}\r\n\r\n{text}")),
        Action::with_headers(302, &[("location", &format!("http://127.0.0.1:1/{KEY}"))], carried),
        status(400),
        status(401),
        status(403),
        status(404),
        status(405),
        status(413),
        status(429),
        status(500),
        status(503),
        Action::answer(500, carried),
        Action::json(403, &nested),
        Action::json(500, &nested),
        Action::with_headers(401, &[("www-authenticate", &format!("Bearer authorization=\"https://{KEY}\""))], carried),
    ]
}
