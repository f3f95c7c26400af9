//! Where keys may come from, and what the profiles let in.

use lockstep_testkit::{FakeTransport, Reply, assert_only, elsewhere_than};
use serde_json::{Value, json};

use super::forge::{AUDIENCE, Bench, ISSUER, Signers, claims, settings};
use crate::jwt::{Algorithm, IssuerSettings, JwtSettings, Profile};

/// O1. Break: the comparison of places, of `issuer` or of schemes in `Fetch::discovered`.
#[tokio::test]
async fn o1_a_discovery_document_leads_nowhere_but_to_the_issuers_own_host() {
    let signers = Signers::new();
    let mut documents: Vec<Value> =
        elsewhere_than(ISSUER).iter().map(|to| json!({"issuer": ISSUER, "jwks_uri": format!("{to}/keys")})).collect();
    let keys = format!("{ISSUER}/keys");
    documents.extend([
        json!({"issuer": format!("{ISSUER}/"), "jwks_uri": keys}),
        json!({"issuer": "https://evil.test", "jwks_uri": keys}),
        json!({"jwks_uri": keys}),
        json!({"issuer": ISSUER}),
        json!({"issuer": ISSUER, "jwks_uri": "/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": [keys]}),
    ]);
    for document in documents {
        let (told, jwks) = (document.clone(), signers.jwks());
        let transport = FakeTransport::by(move |request| match request.uri().path() {
            "/keys" => Reply::json(200, &jwks),
            _ => Reply::json(200, &told),
        });
        let bench = Bench::new(vec![settings()], JwtSettings::default(), transport);
        let token = signers.token(Algorithm::Es256, &json!({"alg": "ES256", "kid": "p256"}), &claims(bench.now()));
        let refused = bench.verify(&token).await.expect_err(&document.to_string());
        assert_eq!((refused.reason, refused.is_transient()), ("jwt_keys_unavailable", true));
        assert!(!refused.to_string().contains("evil") && !refused.to_string().contains("c4n4ry"), "{refused}");
        assert_eq!(bench.transport.lines(), ["GET /.well-known/openid-configuration"], "{document}");
    }
}

/// O1, O2. Break: the hosts that are listed, or the status in `Fetch::get`.
#[tokio::test]
async fn o1_a_host_that_the_operator_has_listed_may_hold_the_keys() {
    let signers = Signers::new();
    for (hosts, address, found) in [
        (vec!["keys.example.com"], "https://keys.example.com/keys", true),
        (vec!["keys.example.com:8443"], "https://keys.example.com:8443/keys", true),
        (vec!["keys.example.com"], "https://keys.example.com:8443/keys", false),
        (vec!["keys.example.com"], "http://keys.example.com/keys", false),
        (vec!["keys.example.com:80"], "http://keys.example.com/keys", false),
        (vec![], "http://token.example.com:443/keys", false),
        (vec![], "https://token.example.com:443/keys", true),
        (vec![], "https://TOKEN.example.com/keys", true),
    ] {
        let jwks = signers.jwks();
        let transport = FakeTransport::by(move |request| match request.uri().path() {
            "/keys" => Reply::json(200, &jwks),
            _ => Reply::json(200, &json!({"issuer": ISSUER, "jwks_uri": address})),
        });
        let issuer = IssuerSettings { key_hosts: hosts.into_iter().map(str::to_owned).collect(), ..settings() };
        let bench = Bench::new(vec![issuer], JwtSettings::default(), transport);
        let token = signers.token(Algorithm::Es256, &json!({"alg": "ES256", "kid": "p256"}), &claims(bench.now()));
        assert_eq!(bench.verify(&token).await.is_ok(), found, "{address}");
    }
}

/// Break: `required` or `subject` of the profile that a row is about.
#[tokio::test]
async fn a_profile_lets_in_whom_it_means_and_nobody_else() {
    let tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
    let github = Profile::GitHubActions { owner: "acme".into() };
    let google = Profile::Google { emails: vec!["*@acme.iam.gserviceaccount.com".into()] };
    let aws = Profile::AwsWebIdentity { issuer: "https://abc.example.com".into(), account: "123456789012".into() };
    let kubernetes = Profile::Kubernetes { issuer: "https://cluster.example.com".into() };
    let entra = Profile::Entra { tenant: tenant.into(), version: crate::EntraVersion::V2 };
    let access = Profile::CloudflareAccess { team: "acme".into() };
    let robot = "api@acme.iam.gserviceaccount.com";
    let rows: [(&Profile, Value, Result<&str, &str>); 14] = [
        (
            &github,
            json!({"sub": "repo:acme/shop:ref:refs/heads/main", "repository_owner": "acme"}),
            Ok("jwt:it:repo:acme/shop:ref:refs/heads/main"),
        ),
        (&github, json!({"sub": "repo:evil/shop:ref:x", "repository_owner": "evil"}), Err("jwt_claim_refused")),
        (&github, json!({"sub": "repo:acme/shop:ref:x"}), Err("jwt_claim_missing")),
        (
            &google,
            json!({"sub": "1", "email": robot, "email_verified": true}),
            Ok("jwt:it:api@acme.iam.gserviceaccount.com"),
        ),
        (&google, json!({"sub": "1", "email": robot, "email_verified": false}), Err("jwt_claim_refused")),
        (&google, json!({"sub": "1", "email": "a@evil.test", "email_verified": true}), Err("jwt_claim_refused")),
        (&aws, json!({"sub": "arn:aws:iam::123456789012:role/app"}), Ok("jwt:it:arn:aws:iam::123456789012:role/app")),
        (&aws, json!({"sub": "arn:aws:iam::999999999999:role/app"}), Err("jwt_claim_refused")),
        (&kubernetes, json!({"sub": "system:serviceaccount:a:b"}), Ok("jwt:it:system:serviceaccount:a:b")),
        (&kubernetes, json!({"sub": "admin"}), Err("jwt_claim_refused")),
        (&entra, json!({"sub": "x", "oid": "an-id", "tid": tenant}), Ok("jwt:it:an-id")),
        (&entra, json!({"sub": "x", "oid": "an-id", "tid": "other"}), Err("jwt_claim_refused")),
        (&access, json!({"sub": "x", "type": "app", "email": "a+b@acme.com"}), Ok("jwt:it:email:a%2Bb@acme.com")),
        (&access, json!({"sub": "", "type": "app", "common_name": "k.access"}), Ok("jwt:it:common_name:k.access")),
    ];
    let signers = Signers::new();
    for (profile, more, expected) in rows {
        let issuer = profile.settings("it", AUDIENCE).unwrap();
        let (name, jwks) = (issuer.issuer.clone(), signers.jwks());
        let own = name.clone();
        let transport = FakeTransport::by(move |request| {
            if request.uri().path().ends_with("openid-configuration") {
                return Reply::json(200, &json!({"issuer": own, "jwks_uri": format!("{own}/keys")}));
            }
            Reply::json(200, &jwks)
        });
        let bench = Bench::new(vec![issuer], JwtSettings::default(), transport);
        let mut claims = more.clone();
        claims["iss"] = json!(name);
        claims["aud"] = json!([AUDIENCE]);
        claims["exp"] = json!(bench.now().seconds() + 60);
        let token = signers.token(Algorithm::Rs256, &json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"}), &claims);
        let outcome = bench.verify(&token).await;
        let told = outcome.as_ref().map(|principal| &*principal.id).map_err(|refused| refused.reason);
        assert_eq!(told, expected, "{profile:?} {more}");
        assert_only(
            &bench.transport,
            &[
                "https://token.actions.githubusercontent.com",
                "https://www.googleapis.com",
                "https://abc.example.com",
                "https://cluster.example.com",
                "https://login.microsoftonline.com",
                "https://acme.cloudflareaccess.com",
            ],
        );
    }
}

/// Break: any check of `KeySettings::check`.
#[test]
fn how_keys_are_kept_is_checked() {
    use std::time::Duration;

    use lockstep_core::{ErrorKind, Timeline};
    let good = crate::KeySettings::default();
    for (keys, says) in [
        (crate::KeySettings { cooldown: Duration::from_millis(999), ..good }, "too short"),
        (crate::KeySettings { fetch_time: Duration::ZERO, ..good }, "no time"),
        (crate::KeySettings { max_age: Duration::ZERO, ..good }, "write an age"),
        (crate::KeySettings { max_age: Duration::from_hours(25), ..good }, "write an age"),
    ] {
        let timeline = std::sync::Arc::new(Timeline::new(lockstep_testkit::ManualClock::new()));
        let transports = lockstep_testkit::OneTransport(FakeTransport::in_order([]));
        let login = JwtSettings { keys, ..JwtSettings::default() };
        let error = crate::JwtLogin::new(vec![settings()], login, &transports, timeline).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.message().contains(says), "{error}");
    }
}

#[test]
fn an_issuer_that_is_there_twice_is_a_mistake() {
    use lockstep_core::{ErrorKind, Timeline};
    let (one, mut other) = (settings(), settings());
    for (name, issuer) in [("ci", "https://other.example.com"), ("cd", ISSUER)] {
        (other.name, other.issuer) = (name.into(), issuer.into());
        let timeline = std::sync::Arc::new(Timeline::new(lockstep_testkit::ManualClock::new()));
        let transports = lockstep_testkit::OneTransport(FakeTransport::in_order([]));
        let issuers = vec![one.clone(), other.clone()];
        let error = crate::JwtLogin::new(issuers, JwtSettings::default(), &transports, timeline).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
