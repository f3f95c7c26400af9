use lockstep_core::ErrorKind;
use lockstep_testkit::fake::gcp::{AUDIENCE, Google, IMPERSONATED, PROJECT};
use serde_json::{Value, json};

use super::super::{GcpAuth, GcpSecretManager, GcpSettings, GcpSource, GcpTokenType};
use super::{KEY_FILE, World, machine, with_key};

const CREDENTIALS: &str = "/run/credentials.json";

fn key() -> Value {
    serde_json::from_str(&Google::key_file(None)).unwrap()
}

fn external(member: &str, content: Value) -> Value {
    let mut file = json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": { "file": "/run/subject" },
    });
    file[member] = content;
    file
}

fn with(member: &str, content: Value) -> Value {
    let mut file = key();
    file[member] = content;
    file
}

fn impersonated(url: &str) -> Value {
    json!({ "type": "impersonated_service_account", "service_account_impersonation_url": url, "source_credentials": key() })
}

fn pool(audience: &str) -> GcpSource {
    let token = super::file("/run/subject");
    GcpSource::WorkloadIdentity { audience: audience.into(), token, token_type: GcpTokenType::Jwt }
}

/// What a provider says of this file, named by the variable, at its start. Nothing is sent whatever it says.
fn refused(file: &Value) -> Option<(ErrorKind, String)> {
    let world = World::new();
    world.files.write(CREDENTIALS, file.to_string());
    world.env.set("GOOGLE_APPLICATION_CREDENTIALS", CREDENTIALS);
    let settings = GcpSettings { auth: GcpAuth::default(), ..machine() };
    let made = GcpSecretManager::new(&settings, world.ports());
    assert_eq!(world.transport.count(), 0);
    made.err().map(|error| (error.kind(), format!("{error} {error:?}")))
}

/// Break: leave a check of `hosts` out, or compare beginnings.
#[test]
fn o5_a_credentials_file_leads_nowhere_but_to_google() {
    let account = "v1/projects/-/serviceAccounts/secrets@acme-prod.iam.gserviceaccount.com:generateAccessToken";
    for url in [
        "https://evil.example/v1/token",
        "http://sts.googleapis.com/v1/token",
        "https://sts.googleapis.com.evil.example/v1/token",
        "https://evil-sts.googleapis.com/v1/token",
        "https://evilgoogleapis.com/v1/token",
        "https://sts.googleapis.com@evil.example/v1/token",
        "https://sts.googleapis.com:8443/v1/token",
        "https://sts.googleapis.com/v1/token?x=y",
        "https://sts.googleapis.com/v1/token/../../x",
        "https://storage.googleapis.com/v1/token",
        "https://169.254.169.254/v1/token",
        "",
    ] {
        let (kind, said) = refused(&external("token_url", json!(url))).unwrap_or_else(|| panic!("{url} is taken"));
        assert_eq!(kind, ErrorKind::Config, "{url}");
        assert!(url.is_empty() || !said.contains(url), "{said}");
    }
    for host in ["evil.example", "iamcredentials.googleapis.com.evil.example", "iamcredentials.googleapis.com:1", "x@y"]
    {
        let url = format!("https://{host}/{account}");
        for file in [external("service_account_impersonation_url", json!(url)), impersonated(&url)] {
            assert_eq!(refused(&file).unwrap_or_else(|| panic!("{url} is taken")).0, ErrorKind::Config, "{url}");
        }
    }
    // Nor may the account end the path.
    let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.c/../x:generateAccessToken";
    assert_eq!(refused(&impersonated(url)).map(|(kind, _)| kind), Some(ErrorKind::Config));
    let fine = format!("https://iamcredentials.googleapis.com/{account}");
    assert_eq!(refused(&external("service_account_impersonation_url", json!(fine))), None);
    assert_eq!(refused(&impersonated(&fine)), None);
}

/// Break: send the assertion to whatever `token_uri` says.
#[tokio::test]
async fn o5_a_key_is_exchanged_at_google_or_where_the_configuration_says() {
    let world = World::new();
    world.files.write(KEY_FILE, Google::key_file(Some("https://evil.example/token")));
    let error = GcpSecretManager::new(&with_key(false), world.ports()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("token_uri") && !error.message().contains("evil"), "{error}");
    // Whoever rotates the file later comes no further.
    world.files.write(KEY_FILE, Google::key_file(None));
    let provider = world.provider(&with_key(false));
    world.files.write(KEY_FILE, Google::key_file(Some("https://evil.example/token")));
    let error = world.current(&provider, "db").await.unwrap_err();
    assert_eq!((error.kind(), world.transport.count()), (ErrorKind::Config, 0));
    // A key that signs for itself sends nothing there.
    assert!(world.current(&world.provider(&with_key(true)), "db").await.is_ok());
    // And the operator's word counts.
    let settings = GcpSettings { token_endpoint: Some("http://127.0.0.1:1/token".into()), ..with_key(false) };
    assert!(world.current(&world.provider(&settings), "db").await.is_ok());
    let hosts: Vec<_> = world.transport.requests().iter().map(|sent| sent.uri().host().unwrap().to_owned()).collect();
    assert!(hosts.contains(&"127.0.0.1".to_owned()) && !hosts.iter().any(|host| host.contains("evil")), "{hosts:?}");
}

/// Break: any arm of `file::read`.
#[test]
fn a_credentials_file_that_is_not_taken_says_what_to_write() {
    let source = |content: Value| external("credential_source", content);
    for (file, kind, word) in [
        (source(json!({ "url": "http://evil.example/c4n4ry" })), ErrorKind::Config, "nothing was sent"),
        (source(json!({ "file": "/x", "url": "http://evil.example" })), ErrorKind::Config, "nothing was sent"),
        (source(json!({ "executable": { "command": "c4n4ry" } })), ErrorKind::Config, "nothing was sent"),
        (source(json!({ "certificate": {} })), ErrorKind::Config, "nothing was sent"),
        (source(json!({ "environment_id": "aws1" })), ErrorKind::Unsupported, "AWS"),
        (source(json!({})), ErrorKind::Unauthenticated, "lacks a member"),
        (source(json!({ "file": "/x", "format": { "type": "json" } })), ErrorKind::Unauthenticated, "lacks a member"),
        (source(json!({ "file": "/x", "format": { "type": "xml" } })), ErrorKind::Unauthenticated, "lacks a member"),
        (external("audience", json!("")), ErrorKind::Unauthenticated, "lacks a member"),
        (json!({ "type": "authorized_user", "refresh_token": "c4n4ry" }), ErrorKind::Config, "person"),
        (json!({ "type": "c4n4ry" }), ErrorKind::Config, "no kind"),
        (json!({ "private_key": "c4n4ry" }), ErrorKind::Unauthenticated, "at `type`"),
        (json!("c4n4ry"), ErrorKind::Unauthenticated, "shape"),
        (with("client_email", json!("c4n4ry")), ErrorKind::Unauthenticated, "lacks a member"),
        (with("private_key", json!(17)), ErrorKind::Unauthenticated, "lacks a member"),
        (with("private_key_id", Value::Null), ErrorKind::Unauthenticated, "lacks a member"),
        (with("universe_domain", json!("c4n4ry.example")), ErrorKind::Config, "universe_domain"),
    ] {
        let (answered, said) = refused(&file).unwrap_or_else(|| panic!("{file} is taken"));
        assert_eq!(answered, kind, "{file}");
        assert!(said.contains(word) && !said.contains("c4n4ry"), "{said}");
    }
    assert_eq!(refused(&key()), None);
}

#[test]
fn a_key_that_is_none_says_which_login_the_file_is_for() {
    for (file, word) in
        [(external("x", json!(1)), "workload-identity"), (json!({ "type": "authorized_user" }), "`key`")]
    {
        let world = World::new();
        world.files.write(KEY_FILE, file.to_string());
        let error = GcpSecretManager::new(&with_key(true), world.ports()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(word), "{error}");
    }
}

/// Break: a check of `GcpSettings::check` or `url`.
#[test]
fn settings_that_make_no_address_say_what_to_write() {
    let set = |change: fn(&mut GcpSettings)| {
        let mut settings = machine();
        change(&mut settings);
        settings
    };
    for (settings, word) in [
        (GcpSettings::new(""), "project"),
        (GcpSettings::new("a/../b"), "project"),
        (GcpSettings::new("Acme"), "project"),
        (set(|settings| settings.location = Some("eu/x".into())), "location"),
        (set(|settings| settings.location = Some(String::new())), "location"),
        (set(|settings| settings.universe_domain = Some("evil.example/x".into())), "universe_domain"),
        (set(|settings| settings.endpoint = Some("secretmanager".into())), "endpoint"),
        (set(|settings| settings.endpoint = Some("https://u:c4n4ry@host".into())), "endpoint"),
        (set(|settings| settings.endpoint = Some("https://host/path".into())), "endpoint"),
        (set(|settings| settings.token_endpoint = Some("ftp://host/token".into())), "token_endpoint"),
        (set(|settings| settings.iam_endpoint = Some("https://host?x".into())), "iam_endpoint"),
        (set(|settings| settings.auth.impersonate = Some("a@b/../c".into())), "impersonate"),
        (set(|settings| settings.auth.source = pool("https://iam.googleapis.com/projects/1")), "audience"),
    ] {
        let world = World::new();
        let error = GcpSecretManager::new(&settings, world.ports()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{settings:?}");
        assert!(error.message().contains(word) && !error.message().contains("c4n4ry"), "{error}");
    }
    let fine = set(|settings| settings.auth.impersonate = Some(IMPERSONATED.into()));
    assert!(GcpSecretManager::new(&fine, World::new().ports()).is_ok());
    assert!(GcpSecretManager::new(&GcpSettings::new(format!("example.com:{PROJECT}")), World::new().ports()).is_ok());
}

/// Break: let an empty file of the default login be the metadata server's business.
#[tokio::test]
async fn a_credentials_file_that_is_missing_is_said_at_the_first_login() {
    let world = World::new();
    world.env.set("GOOGLE_APPLICATION_CREDENTIALS", CREDENTIALS);
    let provider = world.provider(&GcpSettings { auth: GcpAuth::default(), ..machine() });
    let error = world.current(&provider, "db").await.unwrap_err();
    assert_eq!((error.kind(), world.transport.count()), (ErrorKind::Unauthenticated, 0));
    assert!(error.message().contains(CREDENTIALS), "{error}");
    world.files.write(CREDENTIALS, key().to_string());
    assert!(world.current(&provider, "db").await.is_ok());
}
