//! O1: addresses that a credentials file or an answer names.

use http::Response;
use lockstep_core::{ErrorKind, Filter, Page, Provider as _};
use lockstep_testkit::fake::gcp::Google;
use lockstep_testkit::{FakeTransport, Reply, assert_only, call, elsewhere_than};
use serde_json::{Value, json};

use super::super::{GcpAuth, GcpSecretManager, GcpSettings, GcpSource};
use super::{World, file, machine, with_key};

const API: &str = "https://secretmanager.googleapis.com";
const OAUTH: &str = "https://oauth2.googleapis.com";
const STS: &str = "https://sts.googleapis.com";
const IAM: &str = "https://iamcredentials.googleapis.com";
const METADATA: &str = "http://metadata.google.internal";
const ACCOUNT: &str = "v1/projects/-/serviceAccounts/secrets@acme-prod.iam.gserviceaccount.com:generateAccessToken";

fn pool(token_url: &str) -> Value {
    json!({
        "type": "external_account",
        "audience": lockstep_testkit::fake::gcp::AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": token_url,
        "credential_source": { "file": "/run/subject" },
    })
}

/// Break: any check of `Hosts`, or take an address of the file as it is.
#[tokio::test]
async fn o1_an_address_that_a_credentials_file_names_is_never_followed_elsewhere() {
    let mut files = Vec::new();
    for to in elsewhere_than(OAUTH) {
        files.push(serde_json::from_str(&Google::key_file(Some(&format!("{to}/token")))).unwrap());
    }
    for to in elsewhere_than(STS) {
        files.push(pool(&format!("{to}/v1/token")));
        let mut fetched = pool(&format!("{STS}/v1/token"));
        fetched["credential_source"] = json!({ "url": format!("{to}/subject") });
        files.push(fetched);
    }
    for to in elsewhere_than(IAM) {
        let mut file = pool(&format!("{STS}/v1/token"));
        file["service_account_impersonation_url"] = json!(format!("{to}/{ACCOUNT}"));
        files.push(file.clone());
        let key: Value = serde_json::from_str(&Google::key_file(None)).unwrap();
        files.push(json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url": file["service_account_impersonation_url"],
            "source_credentials": key,
        }));
        let host = to.rsplit('/').next().unwrap();
        let mut file = key;
        file["universe_domain"] = json!(host);
        files.push(file);
    }
    let path = "/run/credentials.json";
    for written in files {
        // Refused at start, and also when it is written there later.
        for later in [false, true] {
            let world = World::new();
            world.files.write("/run/subject", "subject-c4n4ry");
            // A key that signs by itself asks nobody for a token, so that is switched off.
            let source = if written["type"] == "service_account" {
                GcpSource::ServiceAccount { key: file(path), self_signed: false }
            } else {
                world.env.set("GOOGLE_APPLICATION_CREDENTIALS", path);
                GcpSource::Default
            };
            let settings = GcpSettings { auth: GcpAuth { source, impersonate: None }, ..machine() };
            if !later {
                world.files.write(path, written.to_string());
            }
            let error = match GcpSecretManager::new(&settings, world.ports()) {
                Err(error) if !later => error,
                Ok(provider) if later => {
                    world.files.write(path, written.to_string());
                    world.current(&provider, "db").await.unwrap_err()
                }
                other => panic!("{later} {written}: {:?}", other.err()),
            };
            assert_eq!(error.kind(), ErrorKind::Config, "{written}");
            assert!(!format!("{error:?}").contains("evil"), "{error:?}");
            assert_eq!(world.transport.count(), 0, "{written}");
        }
    }
}

/// Break: follow a `Location`.
#[tokio::test]
async fn o1_an_address_that_an_answer_names_is_never_followed_elsewhere() {
    for to in elsewhere_than(API) {
        for status in [301, 302, 303, 307, 308] {
            for from in [API, OAUTH, IAM, METADATA] {
                let world = World::new();
                let (google, location) = (world.google.clone(), format!("{to}/v1/token"));
                let transport = FakeTransport::by(move |request| {
                    let host = from.rsplit('/').next();
                    if request.uri().host() == host {
                        let answer = Response::builder().status(status).header("location", &location);
                        // The metadata server says that it is Google's, whatever it says else.
                        return Reply::Answer(
                            answer.header("metadata-flavor", "Google").body(bytes::Bytes::new()).unwrap(),
                        );
                    }
                    Reply::Answer(google.answer(request))
                });
                let mut settings = if from == METADATA { machine() } else { with_key(false) };
                settings.auth.impersonate = (from == IAM).then(|| lockstep_testkit::fake::gcp::IMPERSONATED.to_owned());
                let mut ports = world.ports();
                ports.transport = transport.clone();
                let provider = GcpSecretManager::new(&settings, ports).unwrap();
                assert!(world.current(&provider, "db").await.is_err(), "{from} {status} {to}");
                let listed = provider.list(&call(&world.clock), "", &Filter::default(), Page::default()).await;
                assert!(listed.is_err(), "{from} {status} {to}");
                let login = if from == METADATA { METADATA } else { OAUTH };
                let was_asked = |request: &http::Request<bytes::Bytes>| request.uri().to_string().starts_with(from);
                assert!(transport.requests().iter().any(was_asked), "{from} was not asked");
                let impersonated = if from == IAM { IAM } else { API };
                assert_only(&transport, &[API, login, impersonated]);
            }
        }
    }
}
