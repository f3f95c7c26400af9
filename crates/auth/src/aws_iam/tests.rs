use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep_core::{AwsCaller, ErrorKind, Login, Principal, Timeline};
use lockstep_testkit::{FakeTransport, Gate, ManualClock, Reply, assert_only};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::answer::identity;
use super::*;
use crate::refused::Refused;
use crate::remembered::RememberedSettings;

mod answers;
mod proofs;

/// What is wrong with settings.
type Change = fn(&mut IamSettings);

const SERVER: &str = "https://lockstep.example.com";
const ARN: &str = "arn:aws:sts::123456789012:assumed-role/app/i-0123";
/// The signature, whose text nobody may see again.
const SIGNATURE: &str = "c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4";
const SIGNED: &str = "content-type;host;x-amz-date;x-amz-security-token;x-lockstep-server-id";

fn answer(arn: &str, account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <GetCallerIdentityResult>\n    \
         <Arn>{arn}</Arn>\n    <UserId>AROAEXAMPLE:i-0123</UserId>\n    <Account>{account}</Account>\n  \
         </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>01234567</RequestId>\n  </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n"
    )
}

fn settings() -> IamSettings {
    let accounts = AwsAccounts::parse(["123456789012", "210987654321"]).unwrap();
    IamSettings::new(SERVER, "eu-west-1", accounts)
}

struct Bench {
    clock: Arc<ManualClock>,
    transport: Arc<FakeTransport>,
    login: IamLogin,
}

impl Bench {
    fn new(settings: IamSettings, transport: Arc<FakeTransport>) -> Self {
        let clock = ManualClock::new();
        let timeline = Arc::new(Timeline::new(clock.clone()));
        let login = IamLogin::new(settings, transport.clone(), timeline).unwrap();
        Self { clock, transport, login }
    }

    fn answering(reply: impl Fn() -> Reply + Send + 'static) -> Self {
        Self::new(settings(), FakeTransport::by(move |_| reply()))
    }

    fn good() -> Self {
        Self::answering(|| Reply::new(200, answer(ARN, "123456789012")))
    }

    async fn verify(&self, proof: &str) -> Result<Principal, Refused> {
        self.login.verify(&lockstep_testkit::call(&self.clock), proof.as_bytes()).await
    }
}

/// A proof, to be changed.
#[derive(Clone)]
struct Draft {
    method: Value,
    url: String,
    body: String,
    headers: Value,
}

impl Draft {
    fn new() -> Self {
        Self {
            method: json!("POST"),
            url: "https://sts.eu-west-1.amazonaws.com/".into(),
            body: "Action=GetCallerIdentity&Version=2011-06-15".into(),
            headers: json!({
                "Authorization": [authorization("eu-west-1", SIGNED)],
                "Content-Type": ["application/x-www-form-urlencoded; charset=utf-8"],
                "Content-Length": ["43"],
                "Host": ["sts.eu-west-1.amazonaws.com"],
                "User-Agent": ["aws-sdk-go/1.44"],
                "X-Amz-Date": ["20260101T000000Z"],
                "X-Amz-Security-Token": ["t0k3n"],
                "X-Lockstep-Server-Id": [SERVER],
            }),
        }
    }

    fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.headers[name] = value.into();
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.as_object_mut().unwrap().remove(name);
        self
    }

    fn signing(self, signed: &str) -> Self {
        self.header("Authorization", authorization("eu-west-1", signed))
    }

    fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    fn url(mut self, url: &str) -> Self {
        self.url = url.into();
        self
    }

    fn text(&self) -> String {
        self.with_headers(&self.headers.to_string())
    }

    fn with_headers(&self, headers: &str) -> String {
        json!({
            "iam_http_request_method": self.method,
            "iam_request_url": STANDARD.encode(&self.url),
            "iam_request_body": STANDARD.encode(&self.body),
            "iam_request_headers": STANDARD.encode(headers),
        })
        .to_string()
    }
}

fn authorization(region: &str, signed: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/{region}/sts/aws4_request, SignedHeaders={signed}, \
         Signature={SIGNATURE}"
    )
}

#[tokio::test]
async fn a_proof_is_sent_to_sts_as_it_was_signed_and_names_its_caller() {
    let bench = Bench::good();
    for text in [Draft::new().text(), STANDARD.encode(Draft::new().text()), URL_SAFE_NO_PAD.encode(Draft::new().text())]
    {
        let principal = bench.verify(&text).await.unwrap();
        assert_eq!((&*principal.id, principal.login), (&*format!("iam:{ARN}"), Login::AwsIam));
        let claims = principal.claims.unwrap();
        for (claim, value) in [
            ("arn", ARN),
            ("account", "123456789012"),
            ("role", "arn:aws:iam::123456789012:role/app"),
            ("session", "i-0123"),
            ("user_id", "AROAEXAMPLE:i-0123"),
        ] {
            assert_eq!(claims[claim], value);
        }
    }
    let requests = bench.transport.requests();
    let request = &requests[0];
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("POST", "https://sts.eu-west-1.amazonaws.com/")
    );
    assert_eq!(request.body(), "Action=GetCallerIdentity&Version=2011-06-15");
    let mut names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let sent = ["authorization", "content-type", "host", "x-amz-date", "x-amz-security-token", "x-lockstep-server-id"];
    assert_eq!(names, sent, "and nothing that is left out");
    assert!(!format!("{request:?}").contains(SIGNATURE), "a transport's log shows no signature");
}

/// Break: `remembered.put`, its time, or `end`.
#[tokio::test]
async fn a_proof_is_looked_at_once_a_minute_and_never_past_its_end() {
    let mut settings = settings();
    settings.max_age = Duration::from_secs(90);
    let bench = Bench::new(settings, FakeTransport::by(|_| Reply::new(200, answer(ARN, "123456789012"))));
    let proof = Draft::new().text();
    for (pause, asked) in [(0, 1), (59, 1), (1, 2), (29, 2)] {
        bench.clock.advance(Duration::from_secs(pause));
        assert!(bench.verify(&proof).await.is_ok());
        assert_eq!(bench.transport.count(), asked, "after {pause} s more");
    }
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.verify(&proof).await.unwrap_err().reason, "iam_expired");
}

/// Break: `Place::take`.
#[tokio::test]
async fn who_sends_many_proofs_makes_us_ask_a_few_times_at_once_and_not_more() {
    let gate = Gate::new();
    let held = gate.clone();
    let transport = FakeTransport::by(move |_| Reply::new(200, answer(ARN, "123456789012")).behind(&held));
    let mut settings = settings();
    settings.max_in_flight = 2;
    settings.remembered = RememberedSettings { entries: 0, ..RememberedSettings::default() };
    let bench = Bench::new(settings, transport);
    let proof = Draft::new().text();
    let opened = async {
        bench.transport.until_sent(2).await;
        let refused = bench.verify(&proof).await.unwrap_err();
        assert_eq!((refused.reason, refused.is_transient()), ("iam_sts_unavailable", true));
        gate.open();
    };
    let ((one, other), ()) =
        futures_util::future::join(futures_util::future::join(bench.verify(&proof), bench.verify(&proof)), opened)
            .await;
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(bench.transport.count(), 2);
    assert!(bench.verify(&proof).await.is_ok(), "their places are free again");
}

#[tokio::test]
async fn the_global_endpoint_is_asked_where_the_operator_says_so() {
    let mut settings = settings();
    settings.global = true;
    let bench = Bench::new(settings, FakeTransport::by(|_| Reply::new(200, answer(ARN, "123456789012"))));
    let proof = Draft::new()
        .header("Host", "sts.amazonaws.com")
        .header("Authorization", authorization("us-east-1", SIGNED))
        .url("https://sts.amazonaws.com/");
    assert!(bench.verify(&proof.text()).await.is_ok());
    assert_only(&bench.transport, &["https://sts.amazonaws.com"]);
}

#[test]
fn wrong_settings_say_what_to_write() {
    let rows: [(Change, &str); 7] = [
        (|s| s.server_id = String::new(), "id of this server"),
        (|s| s.server_id = "a b".into(), "id of this server"),
        (|s| s.regions.clear(), "no region"),
        (|s| s.regions.push("eu-west-1.evil.test".into()), "no region of AWS"),
        (|s| s.max_age = Duration::from_mins(16), "15 minutes"),
        (|s| s.remembered.time = Duration::from_hours(1), "15 minutes"),
        (|s| s.max_in_flight = 0, "at least 1"),
    ];
    for (change, says) in rows {
        let mut settings = settings();
        change(&mut settings);
        let timeline = Arc::new(Timeline::new(ManualClock::new()));
        let error = IamLogin::new(settings, FakeTransport::in_order([]), timeline).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.message().contains(says), "{error}");
    }
    for accounts in [&[][..], &["*"], &["12345678901"], &["1234567890123"], &["123456789012", ""]] {
        assert_eq!(AwsAccounts::parse(accounts).unwrap_err().kind(), ErrorKind::Config, "{accounts:?}");
    }
}

/// Break: the comparison of the two ids, or the accounts.
#[test]
fn what_lambda_has_found_out_is_held_to_the_same_rules() {
    let accounts = AwsAccounts::parse(["123456789012"]).unwrap();
    let good = AwsCaller {
        account_id: "123456789012".into(),
        caller_id: "AROAEXAMPLE:i-0123".into(),
        user_arn: ARN.into(),
        user_id: "AROAEXAMPLE:i-0123".into(),
        principal_org_id: Some("o-abc".into()),
    };
    let principal = accounts.principal(&good).unwrap();
    assert_eq!((&*principal.id, principal.login), (&*format!("iam:{ARN}"), Login::AwsIam));
    assert_eq!(principal.claims.unwrap()["organization"], "o-abc");
    let good = || good.clone();
    for (bad, reason) in [
        (AwsCaller { account_id: "999999999999".into(), ..good() }, "iam_identity_malformed"),
        (AwsCaller { caller_id: "AIDAOTHER".into(), ..good() }, "iam_identity_malformed"),
        (AwsCaller { caller_id: "".into(), user_id: "".into(), ..good() }, "iam_identity_malformed"),
        (AwsCaller { user_arn: "arn:aws:iam::123456789012:root".into(), ..good() }, "iam_identity_refused"),
        (
            AwsCaller {
                account_id: "210987654321".into(),
                user_arn: "arn:aws:iam::210987654321:user/a".into(),
                ..good()
            },
            "iam_wrong_account",
        ),
    ] {
        assert_eq!(accounts.principal(&bad).unwrap_err().reason, reason, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), xml in "(<(/)?(GetCallerIdentityRes(ponse|ult)|Arn|Account|UserId)>|[a-z:&<>]){0,12}", arn in "arn:aws:(sts|iam)::[0-9]{12}:[a-z/*]{0,20}") {
        let bench = Bench::good();
        let now = lockstep_testkit::clock::START;
        let endpoints = [endpoint::Endpoint::of("eu-west-1").unwrap()];
        prop_assert!(proof::Proof::parse(&bytes, &settings(), &endpoints, now).is_err());
        let _ = identity(&bytes);
        let _ = identity(xml.as_bytes());
        let _ = identity(answer(&arn, "123456789012").as_bytes());
        prop_assert_eq!(bench.transport.count(), 0);
    }
}
