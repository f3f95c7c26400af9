//! Callers that log in: what each one shows, what is refused, and that a refusal looks the same whatever was wrong.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use http::{Method, Request};
use lockstep_api::{ApiParts, TABLE};
use lockstep_auth::{
    Algorithm, ApiKeyHash, ApiKeySettings, ApiKeys, AwsAccounts, Callers, CertificateLogin, CertificateMatch,
    CertificateRule, IssuerSettings, JwtLogin, JwtSettings, KeySource,
};
use lockstep_core::{AwsCaller, FrontDoor as _, Outcome, Peer};
use lockstep_testkit::clock::START;
use lockstep_testkit::{FakeTransport, Gate, OneTransport, Reply};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::house::{House, TOKEN, bare, build, method_of, path_of, said, with};

const ISSUER: &str = "https://token.example.com";
const AUDIENCE: &str = "https://lockstep.example.com";
const URI: &str = "spiffe://acme/ns/prod/sa/api";
/// Forty-three `A`s, which nobody should have for a secret.
const HASH: &str = "sha256:0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a";

/// An issuer, a key of an API, a certificate and an account of AWS.
struct World {
    signer: Ed25519KeyPair,
    key: String,
    certificate: Arc<[u8]>,
    /// Where the issuer's keys are asked for, when they are not at hand.
    transport: Arc<FakeTransport>,
}

impl World {
    fn new() -> Self {
        Self::asking([])
    }

    /// Its issuer answers like this.
    fn asking(replies: impl IntoIterator<Item = Reply>) -> Self {
        let signer = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let signing = rcgen::KeyPair::generate().unwrap();
        let mut asked = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        asked.subject_alt_names.push(rcgen::SanType::URI(URI.try_into().unwrap()));
        (asked.not_before, asked.not_after) = (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(2100, 1, 1));
        Self {
            signer: Ed25519KeyPair::from_pkcs8(signer.as_ref()).unwrap(),
            key: format!("lks_billing_{}", "A".repeat(43)),
            certificate: Arc::from(&**asked.self_signed(&signing).unwrap().der()),
            transport: FakeTransport::in_order(replies),
        }
    }

    fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.signer.public_key());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k", "x": x }] })
            .to_string()
    }

    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let now = START.seconds();
        let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "app", "iat": now, "exp": now + 600 });
        change(&mut claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": "k" })), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signer.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn house(&self) -> House {
        self.house_with(KeySource::Static(self.jwks()))
    }

    fn house_with(&self, keys: KeySource) -> House {
        build(|parts| parts.callers = self.callers(parts, keys))
    }

    fn callers(&self, parts: &mut ApiParts, keys: KeySource) -> Callers {
        let mut issuer = IssuerSettings::new("it", ISSUER, AUDIENCE);
        (issuer.keys, issuer.algorithms) = (keys, vec![Algorithm::EdDsa]);
        let transports = OneTransport(self.transport.clone());
        let timeline = parts.resolver.timeline().clone();
        let hash = ApiKeyHash::parse(HASH, None).unwrap();
        let key = ApiKeySettings {
            id: "billing".into(),
            name: "billing".into(),
            hashes: vec![hash],
            tags: [("team".to_owned(), "money".to_owned())].into(),
        };
        let rule = CertificateRule { name: "api".into(), matches: CertificateMatch::parse(URI).unwrap(), issuer: None };
        Callers {
            jwt: Some(JwtLogin::new(vec![issuer], JwtSettings::default(), &transports, timeline).unwrap()),
            keys: Some(ApiKeys::new(vec![key]).unwrap()),
            certificates: Some(CertificateLogin::new(vec![rule]).unwrap()),
            aws_accounts: Some(AwsAccounts::parse(["123456789012"]).unwrap()),
            ..std::mem::take(&mut parts.callers)
        }
    }
}

fn peer() -> Peer {
    Peer { address: Some("192.0.2.7:5000".into()), ..Peer::default() }
}

fn aws_peer(account: &str) -> Peer {
    let caller = AwsCaller {
        account_id: account.into(),
        caller_id: "AIDAEXAMPLE".into(),
        user_arn: format!("arn:aws:iam::{account}:user/alice").into(),
        user_id: "AIDAEXAMPLE".into(),
        principal_org_id: None,
    };
    Peer { aws: Some(Arc::new(caller)), ..peer() }
}

fn bearer(token: &str) -> Request<bytes::Bytes> {
    with(bare(Method::GET, "/api/v1/secrets/db/creds"), &[("authorization", &format!("Bearer {token}"))])
}

/// The other side of the refusals below: each way in works, and the audit says who it was.
#[tokio::test]
async fn every_login_lets_its_callers_in_and_the_audit_names_them() {
    let world = World::new();
    let certified = Peer { certificate: Some(world.certificate.clone()), ..peer() };
    let nothing = bare(Method::GET, "/api/v1/secrets/db/creds");
    let signed = with(nothing.clone(), &[("authorization", "AWS4-HMAC-SHA256 Credential=x")]);
    let header = with(nothing.clone(), &[("x-aws-parameters-secrets-token", &world.key)]);
    for (peer, request, who) in [
        (peer(), bearer(&world.token(|_| {})), "jwt:it:app"),
        (peer(), bearer(&world.key), "key:billing"),
        (peer(), header, "key:billing"),
        (peer(), bearer(TOKEN), "local"),
        (certified.clone(), nothing.clone(), "cert:api"),
        // What is in a header is what its sender means.
        (certified, bearer(&world.key), "key:billing"),
        (aws_peer("123456789012"), signed, "iam:arn:aws:iam::123456789012:user/alice"),
        (aws_peer("123456789012"), nothing.clone(), "iam:arn:aws:iam::123456789012:user/alice"),
        (Peer { uid: Some(1000), ..Peer::default() }, nothing, "uid:1000"),
    ] {
        let house = world.house();
        let said = house.send_from(&peer, request).await;
        assert_eq!(said.status, 200, "{who}: {}", said.body);
        let audit = house.audit();
        assert_eq!((&*audit[0].principal, audit[0].outcome), (who, Outcome::Released));
        assert_eq!(audit[0].peer, peer.address);
    }
}

/// L1 and C2 where callers log in. Break: any arm of `Callers::at_once`, or let `shown` take the first of two.
#[tokio::test]
async fn l1_c2_a_bad_credential_gets_nobody_in_by_any_route_and_every_refusal_looks_the_same() {
    let world = World::new();
    let old = world.token(|claims| claims["exp"] = json!(START.seconds() - 600));
    let other = world.token(|claims| claims["aud"] = json!("https://other.example.com"));
    let good = format!("Bearer {}", world.token(|_| {}));
    let (old, other) = (format!("Bearer {old}"), format!("Bearer {other}"));
    let wrong_key = format!("Bearer lks_billing_{}", "B".repeat(43));
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("credential_missing", &[]),
        ("token_unknown", &[("authorization", "Bearer wrong")]),
        ("token_unknown", &[("authorization", "Bearer ")]),
        ("token_unknown", &[("authorization", "Basic YTpi")]),
        ("token_unknown", &[("authorization", TOKEN)]),
        ("token_unknown", &[("authorization", "AWS4-HMAC-SHA256 Credential=x")]),
        ("jwt_expired", &[("authorization", &old)]),
        ("jwt_wrong_audience", &[("authorization", &other)]),
        ("jwt_malformed", &[("authorization", "Bearer a.b.c")]),
        ("key_unknown", &[("authorization", &wrong_key)]),
        ("key_malformed", &[("authorization", "Bearer lks_billing")]),
        ("iam_not_configured", &[("authorization", "Lockstep-IAM e30=")]),
        ("credential_doubled", &[("authorization", &good), ("authorization", &good)]),
        ("credential_doubled", &[("authorization", &good), ("x-vault-token", TOKEN)]),
        ("credential_doubled", &[("authorization", "Lockstep-IAM e30="), ("x-vault-token", TOKEN)]),
        ("credential_doubled", &[("authorization", "AWS4-HMAC-SHA256 x"), ("x-vault-token", TOKEN)]),
    ];
    for row in TABLE.iter().filter(|row| row.token) {
        // A value is at hand: who may not have it gets it neither from the cache nor from the provider.
        let mut looks = Vec::new();
        for (reason, headers) in cases {
            let house = world.house();
            assert_eq!(house.send_from(&peer(), bearer(&world.key)).await.status, 200);
            let (before, written) = (house.calls(), house.audit().len());
            let said = house.send_from(&peer(), with(bare(method_of(row), &path_of(row)), headers)).await;
            assert_eq!(said.status, 401, "{row:?} {headers:?}");
            assert_eq!(said.header("www-authenticate"), Some("Bearer realm=\"lockstep\""));
            assert_eq!(house.calls(), before, "a provider was called");
            let audit = house.audit();
            let record = &audit[written];
            assert_eq!(
                (record.action, record.policy.as_deref(), record.outcome),
                ("login", Some(*reason), Outcome::Refused)
            );
            assert_eq!((&*record.principal, audit.len()), ("unknown", written + 1));
            let look = if row.aws {
                said.body.clone()
            } else {
                let mut json = said.json();
                json["request_id"] = Value::Null;
                json.to_string()
            };
            assert!(!look.contains(reason), "{look}");
            looks.push(look);
        }
        looks.dedup();
        assert_eq!(looks.len(), 1, "{row:?}: {looks:?}");
    }
}

/// Break: in `Callers::at_once`, look at the connection too when a token was not accepted.
#[tokio::test]
async fn a_bad_credential_never_falls_through_to_a_good_one() {
    let world = World::new();
    let good = [
        Peer { certificate: Some(world.certificate.clone()), ..peer() },
        aws_peer("123456789012"),
        Peer { uid: Some(1000), ..Peer::default() },
    ];
    for peer in &good {
        for token in ["wrong", "a.b.c", "lks_billing_x", ""] {
            let house = world.house();
            assert_eq!(house.send_from(peer, bearer(token)).await.status, 401, "{peer:?} {token}");
            assert_eq!(house.calls(), 0);
        }
    }
    // A certificate that no rule is about is not made good by anything else that the connection says.
    let signing = rcgen::KeyPair::generate().unwrap();
    let stranger = rcgen::CertificateParams::new(vec!["x.test".to_owned()]).unwrap().self_signed(&signing).unwrap();
    for last in good {
        let peer = Peer { certificate: Some(Arc::from(&**stranger.der())), ..last };
        let house = world.house();
        assert_eq!(house.send_from(&peer, bare(Method::GET, "/api/v1/secrets/db/creds")).await.status, 401);
        assert_eq!(house.audit()[0].policy.as_deref(), Some("cert_unknown"));
    }
    for (peer, reason) in
        [(aws_peer("999999999999"), "iam_wrong_account"), (Peer { uid: Some(1), ..peer() }, "credential_missing")]
    {
        let house = world.house();
        assert_eq!(house.send_from(&peer, bare(Method::GET, "/api/v1/secrets/db/creds")).await.status, 401);
        assert_eq!(house.audit()[0].policy.as_deref(), Some(reason));
    }
}

/// Break: answer 401 to every refusal of a login.
#[tokio::test]
async fn a_login_that_cannot_be_judged_now_is_503_and_not_401() {
    let world = World::asking([Reply::new(500, "")]);
    let house = world.house_with(KeySource::Url("https://token.example.com/keys".into()));
    let said = house.send_from(&peer(), bearer(&world.token(|_| {}))).await;
    assert_eq!((said.status, said.header("retry-after")), (503, Some("1")));
    assert_eq!(said.header("www-authenticate"), None);
    assert_eq!(said.json()["code"], "login_unavailable");
    assert_eq!(house.audit()[0].action, "login");
}

/// L8. Break: `_place` in `Api::login`, or count it among the requests of those who are known.
#[tokio::test]
async fn l8_logins_that_wait_for_somebody_take_a_place_each_and_one_more_is_turned_away() {
    let gate = Gate::new();
    let world = World::new();
    let keys = Reply::new(200, world.jwks()).behind(&gate);
    let world = World { transport: FakeTransport::in_order([keys]), ..world };
    let house = build(|parts| {
        parts.limits.under_way = 1;
        parts.callers = world.callers(parts, KeySource::Url("https://token.example.com/keys".into()));
    });
    let (here, token) = (peer(), world.token(|_| {}));
    let mut waiting = Box::pin(house.api.call(&here, bearer(&token)));
    assert!((&mut waiting).now_or_never().is_none());
    let turned = Box::pin(house.send_from(&here, bearer(&token))).now_or_never().expect("it is told at once");
    assert_eq!((turned.status, turned.header("retry-after")), (503, Some("1")));
    // Whoever is known has places of its own.
    let known =
        with(bare(Method::GET, "/api/v1/secrets/db/creds"), &[("authorization", &format!("Bearer {}", world.key))]);
    assert_eq!(house.send_from(&here, known).await.status, 200);
    gate.open();
    assert_eq!(said(waiting.await).status, 200);
    assert_eq!(house.send_from(&here, bearer(&token)).await.status, 200);
}

/// The first request with a token waits for its issuer's keys; the next one with it is answered at once. Break: never ask
/// `verify_at_once`.
#[tokio::test]
async fn a_token_that_was_verified_is_known_again_without_waiting() {
    let mut world = World::new();
    world.transport = FakeTransport::in_order([Reply::new(200, world.jwks())]);
    let house = world.house_with(KeySource::Url("https://token.example.com/keys".into()));
    let token = world.token(|_| {});
    let head = |token: &str| bearer(token).into_parts().0;
    let early = lockstep_core::FrontDoor::at_once(&*house.api, &peer(), &head(&token));
    assert!(early.is_none(), "it can't be known yet");
    assert!(house.audit().is_empty(), "what is not decided leaves no trace");
    assert_eq!(house.send_from(&peer(), bearer(&token)).await.status, 200);
    let answer = lockstep_core::FrontDoor::at_once(&*house.api, &peer(), &head(&token));
    assert_eq!(answer.map(|answer| answer.status().as_u16()), Some(200));
    assert_eq!(world.transport.count(), 1);
    // It ends with its own end.
    house.clock.advance(Duration::from_secs(700));
    assert_eq!(house.send_from(&peer(), bearer(&token)).await.status, 401);
}

/// What everybody may have needs no login, and a bad one there harms nobody.
#[tokio::test]
async fn health_asks_nobody_who_they_are() {
    let world = World::new();
    for path in ["/ping", "/health/live", "/health/ready"] {
        let asked = with(bare(Method::GET, path), &[("authorization", "Bearer wrong")]);
        assert_eq!(world.house().send_from(&peer(), asked).await.status, 200, "{path}");
    }
}
