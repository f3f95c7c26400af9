//! An assembly over ports in memory: what is missing is said at start, and what is built answers.

#[cfg(feature = "callers")]
mod callers;
#[cfg(all(feature = "dynamodb", feature = "feed", feature = "redis"))]
mod journal;
mod kubernetes;
mod platform;

use std::sync::{Arc, Mutex};

use lockstep_core::{
    Alias, Ask, AuditRecord, AuditSink, Authorizer as _, ErrorKind, Filter, FrontDoor as _, NoExec, Page, Peer,
    Principal, SecretName,
};
use lockstep_testkit::{
    FakeTransport, ManualClock, OneTransport, Reply, TestBindings, TestEnv, TestFiles, TestRandom, TestSigner,
    TokioSpawn,
};

use super::{Ports, TokenOrigin};
use crate::tests::load;

#[derive(Default)]
struct Records(Mutex<Vec<AuditRecord>>);

impl AuditSink for Records {
    fn write(&self, record: &AuditRecord) -> lockstep_core::Result<()> {
        self.0.lock().unwrap().push(record.clone());
        Ok(())
    }
    fn is_ready(&self) -> bool {
        true
    }
    fn lost(&self) -> u64 {
        0
    }
}

struct Bench {
    ports: Ports,
    clock: Arc<ManualClock>,
    files: Arc<TestFiles>,
    transport: Arc<FakeTransport>,
}

fn bench(variables: &[(&str, &str)]) -> Bench {
    let transport = FakeTransport::by(|_| Reply::new(503, ""));
    let clock = ManualClock::new();
    let files = TestFiles::new();
    let ports = Ports {
        clock: clock.clone(),
        transports: Arc::new(OneTransport(transport.clone())),
        #[cfg(feature = "redis")]
        sockets: Arc::new(lockstep_core::NoSockets),
        env: TestEnv::of(variables),
        files: files.clone(),
        random: TestRandom::seeded(1),
        signer: Arc::new(TestSigner),
        bindings: TestBindings::of(&[]),
        exec: Arc::new(NoExec),
        spawn: Arc::new(TokioSpawn),
        audit: Arc::new(Records::default()),
    };
    Bench { ports, clock, files, transport }
}

fn ask(name: &str) -> Ask {
    Ask { alias: None, name: SecretName::parse(name).unwrap(), selector: None, skip_cache: false }
}

const MOCK: &str = "[providers.m]\ntype = \"mock\"\n[providers.m.secrets.\"db/creds\"]\nversions = [\"v1\"]\n";

#[test]
fn what_a_provider_needs_and_has_not_is_said_at_start_with_its_place() {
    for (text, expected) in [
        ("[providers.f]\ntype = \"file\"\npath = \"gone.yaml\"", "lockstep.toml:3:8: `providers.f.path`: "),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"",
            "lockstep.toml:1:1: `providers.v.auth.token`: the variable VAULT_TOKEN is not set, or empty; set it, or name another one",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"approle\", role_id = \"r\", secret_id = { file = \"gone\" } }",
            "lockstep.toml:4:57: `providers.v.auth.secret_id`: ",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"kubernetes\", role = \"r\" }",
            "lockstep.toml:4:8: `providers.v.auth.jwt`: ",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"userpass\", username = \"u\", password = { env = \"PW\" } }",
            "lockstep.toml:4:58: `providers.v.auth.password`: the variable PW is not set, or empty; ",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"cert\" }\ntls = { client_cert = \"gone\", client_key = \"gone\" }",
            "lockstep.toml:5:23: `providers.v.tls.client_cert`: ",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"aws\", region = \"evil.example\" }",
            "lockstep.toml:1:1: `providers.v`: the AWS region is not one; write it like `eu-west-1`",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"aws\", server_id = \"a b\" }",
            "lockstep.toml:1:1: `providers.v`: `server_id` is printable text",
        ),
        ("[providers.a]\ntype = \"aws-secrets-manager\"", "lockstep.toml:1:1: `providers.a`: AWS has no region; "),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"\nauth = { method = \"service-account\", key = { file = \"gone.json\" } }",
            "lockstep.toml:4:44: `providers.g.auth.key`: ",
        ),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"\nauth = { method = \"workload-identity\", audience = \"a\", token = { env = \"OIDC\" } }",
            "lockstep.toml:4:64: `providers.g.auth.token`: the variable OIDC is not set, or empty; set it, or name another one",
        ),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"Acme\"",
            "lockstep.toml:1:1: `providers.g`: `project` is no project of Google Cloud; write its id, such as `acme-prod`",
        ),
        (
            "[providers.a]\ntype = \"aws-parameter-store\"\nregion = \"eu-west-1\"\nroles = [{ arn = \
             \"arn:aws:iam::123456789012:role/r\", external_id = { env = \"GONE\" } }]",
            "lockstep.toml:4:9: `providers.a.roles`: the variable GONE is not set, or empty; set it, or name another one",
        ),
        (
            "[providers.a]\ntype = \"aws-secrets-manager\"\nregions = [\"eu-west-1\", \"cn-north-1\"]",
            "lockstep.toml:1:1: `providers.a`: the AWS regions are of different partitions",
        ),
    ] {
        let config = load(text, &[]).unwrap();
        let problems = config.assemble(&bench(&[]).ports).err().expect(text).to_string();
        assert!(problems.starts_with(expected), "{problems}");
    }
}

/// Break: any `given` in `assembly/providers/azure.rs`, or the look for the file that the environment names.
#[test]
fn a_login_at_azure_that_lacks_something_says_what_to_write_and_where() {
    const VAULT: &str = "[providers.k]\ntype = \"azure-key-vault\"\nvault = \"kv1\"\n";
    const ID: (&str, &str) = ("AZURE_CLIENT_ID", "app");
    const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "t");
    const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "c4n4ry");
    const TOKEN: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/gone/token");
    let secret = "auth = { method = \"client-secret\" }";
    let certificate = "auth = { method = \"client-certificate\", certificate = { file = \"gone.pem\" } }";
    let workload = "auth = { method = \"workload-identity\" }";
    for (keys, variables, expected) in [
        ("", &[][..], ""),
        ("", &[ID, TENANT, SECRET], ""),
        (secret, &[ID, TENANT, SECRET], ""),
        (
            secret,
            &[ID, TENANT],
            "lockstep.toml:4:8: `providers.k.auth.client_secret`: the variable AZURE_CLIENT_SECRET is not set, or empty; set it, \
             or name another one",
        ),
        (
            secret,
            &[ID, SECRET],
            "lockstep.toml:1:1: `providers.k`: `tenant` is missing; write it, or set the variable AZURE_TENANT_ID",
        ),
        (
            secret,
            &[TENANT, SECRET],
            "lockstep.toml:1:1: `providers.k`: `client_id` of `auth` is missing; write it, or set the variable \
             AZURE_CLIENT_ID",
        ),
        (certificate, &[ID, TENANT], "lockstep.toml:4:55: `providers.k.auth.certificate`: there is no file gone.pem"),
        (
            workload,
            &[ID, TENANT],
            "lockstep.toml:1:1: `providers.k`: `token` of `auth` is missing; write it, or set the variable \
             AZURE_FEDERATED_TOKEN_FILE",
        ),
        (
            workload,
            &[ID, TENANT, TOKEN],
            "lockstep.toml:1:1: `providers.k`: the environment names a file for the login at Azure: there is no file /gone/token",
        ),
        (
            "",
            &[ID, SECRET],
            "lockstep.toml:1:1: `providers.k`: AZURE_CLIENT_SECRET is set, and AZURE_TENANT_ID is not; set it, or \
             write `auth` for another way to log in",
        ),
        (
            "",
            &[ID, TENANT, TOKEN],
            "lockstep.toml:1:1: `providers.k`: the environment names a file for the login at Azure: there is no file \
             /gone/token, or write `auth` for another way to log in",
        ),
        ("tenant = \"a/b\"", &[ID, SECRET], "lockstep.toml:1:1: `providers.k`: `tenant` is the tenant's id"),
        ("cloud = \"china\"\naddress = \"https://kv1.vault.azure.net\"", &[], "`cloud = \"public\"`"),
    ] {
        let text = format!("{VAULT}{keys}");
        let text = if keys.contains("address") { text.replace("vault = \"kv1\"\n", "") } else { text };
        let problems = load(&text, &[]).unwrap().assemble(&bench(variables).ports).err();
        let problems = problems.map_or_else(String::new, |problems| problems.to_string());
        assert!(problems.contains(expected) && problems.is_empty() == expected.is_empty(), "{text}: {problems}");
        assert!(!problems.contains("c4n4ry"), "{problems}");
    }
}

/// Break: leave out the `inspect` of the GCP provider's start.
#[test]
fn a_credentials_file_that_cant_be_used_is_said_at_start_and_nothing_is_sent() {
    let url = r#"{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://sts.googleapis.com/v1/token","credential_source":{"url":"http://c4n4ry"}}"#;
    let hostile = r#"{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://c4n4ry/v1/token","credential_source":{"file":"t"}}"#;
    let default = "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"";
    let key = format!("{default}\nauth = {{ method = \"service-account\", key = {{ file = \"adc.json\" }} }}");
    for (text, file, expected) in [
        (default, url, "the credentials file wants to fetch its token from a URL"),
        (default, hostile, "`token_url` of the credentials file is not one of Google's own addresses"),
        (default, r#"{"type":"authorized_user"}"#, "the credentials file is of a person"),
        (default, "c4n4ry", "the credentials file is no JSON (line 1, column 1); write the one that Google made"),
        (&key, url, "`key` is no key but a file for workload identity; write `method = \"workload-identity\"`"),
    ] {
        let bench = bench(&[("GOOGLE_APPLICATION_CREDENTIALS", "adc.json")]);
        bench.files.write("adc.json", file);
        let problems = load(text, &[]).unwrap().assemble(&bench.ports).err().expect(file).to_string();
        assert!(problems.starts_with(&format!("lockstep.toml:1:1: `providers.g`: {expected}")), "{problems}");
        assert!(!problems.contains("c4n4ry") && bench.transport.requests().is_empty(), "{problems}");
    }
}

#[tokio::test]
async fn nothing_is_sent_at_start_where_nothing_is_configured() {
    let bench = bench(&[("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]);
    let config = load("", &[]).unwrap();
    let assembly = config.assemble(&bench.ports).unwrap();
    config.endpoint(&bench.ports, &assembly).unwrap();
    assert!(bench.transport.requests().is_empty());
    assert!(assembly.warnings.iter().any(|warning| warning.contains("there is no promise")), "{:?}", assembly.warnings);
    let with_journal = load("[freshness]\njournal = \"memory://\"", &[]).unwrap().assemble(&bench.ports).unwrap();
    assert!(with_journal.warnings.is_empty(), "{:?}", with_journal.warnings);
}

/// Break: compare nothing of a session but its settings, or make one for each provider.
#[tokio::test]
async fn providers_that_assume_the_same_roles_share_one_login() {
    let mut bench = bench(&[("AWS_ACCESS_KEY_ID", "KEYS"), ("AWS_SECRET_ACCESS_KEY", "b")]);
    let transport = FakeTransport::by(|request| {
        let form = String::from_utf8_lossy(request.body());
        let Some(id) = ["APP", "DATA"].into_iter().find(|id| form.contains(&format!("role%2F{id}&"))) else {
            return Reply::new(400, r#"{"__type":"ResourceNotFoundException"}"#);
        };
        Reply::new(
            200,
            format!(
                "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t\
                 </SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
            ),
        )
    });
    bench.ports.transports = Arc::new(OneTransport(transport.clone()));
    let (app, data) = ("arn:aws:iam::123456789012:role/APP", "arn:aws:iam::123456789012:role/DATA");
    let one = format!("region = \"eu-west-1\"\nrole = \"{app}\"\n");
    let two = format!("region = \"eu-west-1\"\nroles = [{{ arn = \"{app}\" }}, {{ arn = \"{data}\" }}]\n");
    let text = format!(
        "[providers.a]\ntype = \"aws-secrets-manager\"\n{one}[providers.b]\ntype = \"aws-secrets-manager\"\n{two}\
         [providers.c]\ntype = \"aws-secrets-manager\"\n{two}"
    );
    let assembly = load(&text, &[]).unwrap().assemble(&bench.ports).unwrap();
    let call = lockstep_testkit::call(&bench.clock);
    for alias in ["a", "b", "c"] {
        let ask = Ask { alias: Some(Alias::parse(alias).unwrap()), ..ask("db/creds") };
        assert!(assembly.resolver.get(&call, &Principal::new("test"), &ask).await.is_err());
    }
    let signer = |request: &http::Request<bytes::Bytes>| {
        let text = request.headers()["authorization"].to_str().unwrap().to_owned();
        text.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
    };
    let signers: Vec<_> = transport.requests().iter().map(signer).collect();
    // The keys and the first role log in once each, before the reads of `a` and of `b` and `c`.
    assert_eq!(signers, ["KEYS", "APP", "APP", "DATA", "DATA"]);
}

#[tokio::test]
async fn the_assembled_resolver_answers_and_obeys_the_allow_list() {
    let bench = bench(&[]);
    let who = Principal::new("test");
    let call = lockstep_testkit::call(&bench.clock);
    let open = load(MOCK, &[]).unwrap().assemble(&bench.ports).unwrap();
    let answer = open.resolver.get(&call, &who, &ask("db/creds")).await.unwrap();
    assert_eq!(answer.alias, Alias::parse("m").unwrap());
    let closed = load(&format!("{MOCK}[auth]\nallow = [\"api/**\"]"), &[]).unwrap().assemble(&bench.ports).unwrap();
    let error = closed.resolver.get(&call, &who, &ask("db/creds")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let none = load("[auth]\nallow = []", &[]).unwrap().allow_list().unwrap();
    let resource = lockstep_core::Resource { provider: &answer.alias, name: "db/creds", tags: None };
    assert!(!none.decide(&who, lockstep_core::Action::Get, resource).allowed);
}

/// T1. Break: `ruled_as` of the twin in `providers::build`.
#[tokio::test]
async fn t1_what_rules_say_of_a_parameter_store_holds_for_its_view_that_does_not_decrypt() {
    let bench = bench(&[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")]);
    let text = "[providers.ssm]\ntype = \"aws-parameter-store\"\nregion = \"eu-west-1\"\nupstream.attempts = 0\nupstream.throttled_attempts = 0\n[auth]\nallow = [\"ssm://app/**\"]";
    let resolver = load(text, &[]).unwrap().assemble(&bench.ports).unwrap().resolver;
    let (who, call) = (Principal::new("test"), lockstep_testkit::call(&bench.clock));
    for alias in ["ssm", "ssm-encrypted"] {
        let of = |name: &str| Ask { alias: Alias::parse(alias).ok(), ..ask(name) };
        let before = bench.transport.requests().len();
        assert_eq!(resolver.get(&call, &who, &of("prod/db")).await.unwrap_err().kind(), ErrorKind::Denied, "{alias}");
        assert_eq!(bench.transport.requests().len(), before, "{alias}");
        // It is asked for, and the fake answers nothing.
        assert_ne!(resolver.get(&call, &who, &of("app/db")).await.unwrap_err().kind(), ErrorKind::Denied, "{alias}");
        assert_ne!(bench.transport.requests().len(), before, "{alias}");
    }
}

/// L1, as far as the configuration goes: break the order in `token.rs`.
#[tokio::test]
async fn l1_the_token_is_the_configured_one_else_the_variables_else_made() {
    let (long, other) = ("0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff");
    let env = format!("{MOCK}[listen]\ntoken = {{ env = \"MINE\" }}");
    let file = format!("{MOCK}[listen]\ntoken = {{ file = \"token\" }}");
    let named = format!("{MOCK}[aws]\nssrf_env_variables = [\"OTHER\"]");
    for (text, origin, accepted, refused) in [
        (env.as_str(), TokenOrigin::Variable("MINE".into()), long, other),
        (&file, TokenOrigin::File("token".into()), long, other),
        (MOCK, TokenOrigin::Variable("AWS_SESSION_TOKEN".into()), other, long),
        (&named, TokenOrigin::Variable("OTHER".into()), long, other),
    ] {
        let bench = bench(&[("MINE", long), ("OTHER", long), ("AWS_SESSION_TOKEN", other)]);
        bench.files.write("token", format!("{long}\n"));
        let config = load(text, &[]).unwrap();
        let assembly = config.assemble(&bench.ports).unwrap();
        let endpoint = config.endpoint(&bench.ports, &assembly).unwrap();
        assert_eq!(endpoint.token.as_ref(), Some(&origin));
        assert!(endpoint.made_token.is_none());
        assert_eq!(status(&endpoint, accepted).await, 200, "{origin:?}");
        assert_eq!(status(&endpoint, refused).await, 403, "{origin:?}");
    }
    let bench = bench(&[]);
    let config = load(MOCK, &[]).unwrap();
    let endpoint = config.endpoint(&bench.ports, &config.assemble(&bench.ports).unwrap()).unwrap();
    let made = endpoint.made_token.as_ref().unwrap().expose_text().unwrap().to_owned();
    assert_eq!(endpoint.token, Some(TokenOrigin::Made));
    assert_eq!((status(&endpoint, &made).await, status(&endpoint, long).await), (200, 403));
}

#[test]
fn a_token_that_is_named_and_not_there_is_never_replaced_by_another() {
    let bench = bench(&[("AWS_TOKEN", "0123456789abcdef0123456789abcdef")]);
    for token in ["{ env = \"GONE\" }", "{ file = \"gone\" }"] {
        let config = load(&format!("{MOCK}[listen]\ntoken = {token}"), &[]).unwrap();
        let assembly = config.assemble(&bench.ports).unwrap();
        let problems = config.endpoint(&bench.ports, &assembly).err().expect(token).to_string();
        assert!(problems.starts_with("lockstep.toml:6:9: `listen.token`: "), "{problems}");
    }
}

/// Break: make an alias up where no provider stands behind a service.
#[test]
fn a_service_of_aws_stands_on_a_provider_or_is_not_there() {
    let surface = |text: &str| {
        let surface = load(text, &[]).unwrap().aws_surface().unwrap().unwrap();
        [surface.secrets_manager, surface.parameter_store, surface.parameter_store_encrypted]
            .map(|alias| alias.map(|alias| alias.to_string()))
    };
    let some = |alias: &str| Some(alias.to_owned());
    let store = "[providers.p]\ntype = \"aws-parameter-store\"";
    for (text, expected) in [
        ("", [some("aws"), some("ssm"), some("ssm-encrypted")]),
        (MOCK, [None, None, None]),
        (&format!("{MOCK}[aws]\nsecrets_manager = \"m\"\nparameter_store = \"m\""), [some("m"), some("m"), None]),
        (store, [None, some("p"), some("p-encrypted")]),
        (&format!("{store}\ndecrypt = false"), [None, None, some("p")]),
    ] {
        assert_eq!(surface(text), expected, "{text}");
    }
}

async fn status(endpoint: &super::Endpoint, token: &str) -> u16 {
    let request = http::Request::get("/api/v1/secrets/db/creds")
        .header("host", "127.0.0.1:2773")
        .header("x-aws-parameters-secrets-token", token)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(bytes::Bytes::new())
        .unwrap();
    let peer = Peer { address: Some("127.0.0.1:1".into()), ..Peer::default() };
    endpoint.call(&peer, request).await.status().as_u16()
}

/// Break: leave `template` or `reach` out of the `Mount` in `providers::build`.
#[tokio::test]
async fn a_template_makes_the_names_and_a_list_leads_back_to_them() {
    let text = "[context]\nenvironment = \"prod\"\n[providers.m]\ntype = \"mock\"\n\
                name_template = \"{environment}/{key}\"\nonly = { names = [\"prod/app/**\"] }\n\
                [providers.m.secrets]\n\"prod/app/db\" = { versions = [\"one\"] }\n\"prod/other\" = { versions = [\"two\"] }\n";
    let bench = bench(&[]);
    let assembly = load(text, &[]).unwrap().assemble(&bench.ports).unwrap();
    let (resolver, call, who) = (assembly.resolver, lockstep_testkit::call(&bench.clock), Principal::new("local"));
    assert!(resolver.get(&call, &who, &ask("app/db")).await.is_ok());
    assert_eq!(resolver.get(&call, &who, &ask("other")).await.unwrap_err().kind(), ErrorKind::Denied);
    let listed = resolver.list(&call, &who, None, "", &Filter::default(), Page::default()).await.unwrap();
    let names: Vec<_> = listed.items.iter().map(|item| item.metadata.name.as_str()).collect();
    assert_eq!(names, ["app/db"], "it goes by the name that it can be asked for, and nothing else is shown");
}

/// Break: `misses_nothing` of `KubernetesChanges`, or ask the outer provider instead of the source in `providers::build`.
#[test]
fn only_what_hears_of_every_change_is_kept_for_longer_also_when_it_is_recorded() {
    let text = format!(
        "[freshness]\njournal = \"memory://\"\n[providers.k]\ntype = \"kubernetes\"\nnamespace = \"team\"\n\
         address = \"https://k\"\nauth = {{ method = \"token\", token = {{ env = \"T\" }} }}\nwatch = true\n\
         [providers.k-taped]\ntype = \"record\"\nof = \"k\"\nfile = \"t\"\nkey = {{ env = \"KEY\" }}\n\
         [providers.f]\ntype = \"file\"\npath = \"s.json\"\n\
         [providers.f-taped]\ntype = \"record\"\nof = \"f\"\nfile = \"u\"\nkey = {{ env = \"KEY\" }}\n{MOCK}"
    );
    let bench = bench(&[("T", "t"), ("KEY", KEY)]);
    bench.files.write("s.json", "{}");
    let built = super::providers::build(&load(&text, &[]).unwrap(), &bench.ports, &super::Uncounted).unwrap();
    let journaled: Vec<_> = built.mounts.iter().map(|mount| (mount.alias.as_str(), mount.journaled)).collect();
    let expected = [("f", true), ("f-taped", true), ("k", false), ("k-taped", false), ("m", false)];
    assert_eq!(journaled, expected);
    assert!(built.sources.contains_key(&Alias::parse("k-taped").unwrap()), "it is watched all the same");
}

/// Break: ask a replay for its capabilities in `providers::build`.
#[test]
fn a_bound_by_tags_needs_no_recording_at_start() {
    let text = "[providers.tape]\ntype = \"replay\"\nfile = \"later\"\nkey = { env = \"KEY\" }\nonly = { tags = [\"live\"] }\n";
    load(text, &[]).unwrap().assemble(&bench(&[("KEY", KEY)]).ports).map(drop).unwrap();
    let dry = format!("{MOCK}[providers.dry]\ntype = \"dry-run\"\nof = \"m\"\nonly = {{ tags = [\"live\"] }}\n");
    let problems = load(&dry, &[]).unwrap().assemble(&bench(&[]).ports).err().unwrap().to_string();
    assert!(problems.contains("leave `only.tags` out"), "{problems}");
}

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const SIMULATED: &str = "[providers.taped]\ntype = \"record\"\nof = \"m\"\nfile = \"t.lockstep\"\nkey = { env = \"KEY\" }\n\
                         [providers.tape]\ntype = \"replay\"\nfile = \"t.lockstep\"\nkey = { env = \"KEY\" }\n\
                         [providers.dry]\ntype = \"dry-run\"\nof = \"m\"\n\
                         [[providers.dry.placeholders]]\nmatch = \"db/*\"\ntext = \"stand-in\"\n";

/// Break: hand `make` the outer alias, or leave the placeholders out.
#[tokio::test]
async fn one_provider_is_asked_recorded_replayed_and_rehearsed_in_one_configuration() {
    let bench = bench(&[("KEY", KEY)]);
    let config = load(&format!("{MOCK}{SIMULATED}"), &[]).unwrap();
    let assembly = config.assemble(&bench.ports).unwrap();
    for what in ["is recorded", "is a replay", "is a dry run"] {
        assert!(assembly.warnings.iter().any(|warning| warning.contains(what)), "{what}: {:?}", assembly.warnings);
    }
    let call = lockstep_testkit::call(&bench.clock);
    for (alias, expected) in [("m", "v1"), ("taped", "v1"), ("tape", "v1"), ("dry", "stand-in")] {
        let ask = Ask { alias: Some(Alias::parse(alias).unwrap()), ..ask("db/creds") };
        let answer = assembly.resolver.get(&call, &Principal::new("test"), &ask).await.unwrap();
        let lockstep_core::Payload::Whole(field) = &answer.secret.payload else { panic!("it has fields") };
        assert_eq!(field.value.expose_text(), Some(expected), "{alias}");
    }
}

/// Break: leave the key out of `needs`.
#[test]
fn the_key_of_a_recording_is_there_at_start_and_is_one() {
    let text = format!("{MOCK}{SIMULATED}");
    let problems = load(&text, &[]).unwrap().assemble(&bench(&[]).ports).err().unwrap().to_string();
    assert!(problems.contains("`providers.taped.key`: the variable KEY is not set"), "{problems}");
    assert!(problems.contains("`providers.tape.key`: the variable KEY is not set"), "{problems}");
    let problems = load(&text, &[]).unwrap().assemble(&bench(&[("KEY", "c4n4ry")]).ports).err().unwrap().to_string();
    assert!(problems.contains("openssl rand -base64 32") && !problems.contains("c4n4ry"), "{problems}");
}

/// L1. Break: leave `x-vault-token` out of `Config::token_headers`, or build a second `Api` with callers of its own.
#[cfg(feature = "vault-surface")]
#[tokio::test]
async fn l1_the_listener_for_vaults_clients_is_another_door_of_the_same_endpoint() {
    let bench = bench(&[]);
    let text = "[providers.m]\ntype = \"mock\"\nsecrets = { \"app/db/creds\" = { versions = [\"hunter2\"] } }\n[vault]\nenabled = true\n\
                mounts = { secret = { provider = \"m\", prefix = \"app/\" } }\n[aws]\nssrf_headers = [\"X-Other\"]\n";
    let config = load(text, &[]).unwrap();
    let endpoint = config.endpoint(&bench.ports, &config.assemble(&bench.ports).unwrap()).unwrap();
    let token = endpoint.made_token.as_ref().unwrap().expose_text().unwrap().to_owned();
    let door = endpoint.vault().unwrap();
    let peer = Peer { address: Some("127.0.0.1:1".into()), ..Peer::default() };
    for (token, status, holds) in [(&*token, 200, "hunter2"), ("wrong", 403, "permission denied")] {
        let request = http::Request::get("/v1/secret/data/db/creds")
            .header("host", "127.0.0.1:8200")
            .header("x-vault-token", token)
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = door.call(&peer, request).await;
        assert_eq!(answer.status().as_u16(), status);
        assert!(String::from_utf8_lossy(answer.body()).contains(holds), "{answer:?}");
    }
    let off = load(&text.replace("enabled = true", "enabled = false"), &[]).unwrap();
    let endpoint = off.endpoint(&bench.ports, &off.assemble(&bench.ports).unwrap()).unwrap();
    assert!(endpoint.vault().is_none());
}
