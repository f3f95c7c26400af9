//! Notifications that come in over HTTP: who may send them, and that what they tell of is served anew within the bound.

use std::process::Command;
use std::time::Duration;

use lockstep_core::{Clock as _, UnixMillis};
use lockstep_native::SystemClock;
use lockstep_stories::{CountingProxy, Lockstep, Response, Running, api_key, until};
use lockstep_testkit::{require, servers};
use serde_json::{Value, json};

use crate::aws_account::{Account, config};
use crate::logins::token;

/// How the calls for a value look at the server.
const GET: &str = "secretsmanager.GetSecretValue";
/// The secret of a webhook, and the one that takes over from it.
const OLD: &str = "an-old-secret-of-the-webhook";
const NEW: &str = "a-new-secret-of-the-webhook";
/// The longest that a superseded value may be served.
const BOUND: Duration = Duration::from_secs(2);

const FRESHNESS: &str =
    "[cache]\nttl = \"1h\"\nttl_with_journal = \"1h\"\n[freshness]\njournal = \"memory://\"\nmax_staleness = \"2s\"\n";

fn post(running: &Running, source: &str, headers: &[(&str, &str)], body: &str) -> Response {
    running.bare("POST", &format!("/api/v1/events/{source}"), headers, body.as_bytes())
}

/// What `/metrics` says of this source and result.
fn counted(running: &Running, bearer: &str, source: &str, result: &str) -> u64 {
    let metrics = running.bare("GET", "/metrics", &[("authorization", bearer)], b"").text();
    let start = format!("lockstep_events_total{{source=\"{source}\",result=\"{result}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0)
}

/// A file of secrets, and these sources of notifications.
fn endpoint(more: &str) -> (Running, String) {
    let (key, section) = api_key("app");
    let text = format!(
        "[providers.f]\ntype = \"file\"\npath = \"s.json\"\n[audit]\nsink = {{ file = \"audit.jsonl\" }}\n\
         {FRESHNESS}{section}{more}"
    );
    let home = Lockstep::new(text.as_str(), &[("OLD", OLD), ("NEW", NEW)]);
    home.file("s.json", &json!({ "db": "a value" }).to_string());
    (home.start(), format!("Bearer {key}"))
}

fn refused(running: &Running) -> Vec<String> {
    let text = std::fs::read_to_string(running.home().folder().join("audit.jsonl")).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|record| record["outcome"] == "refused")
        .map(|record| record["policy"].as_str().unwrap().to_owned())
        .collect()
}

/// What a webhook of ours says of a secret of the file.
fn changed(id: &str) -> String {
    json!({ "changes": [{ "provider": "file", "name": "db", "kind": "updated", "id": id }] }).to_string()
}

/// The signature that GitHub would send.
fn signed(secret: &str, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = ring::hmac::sign(&key, body.as_bytes());
    tag.as_ref().iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// C10, E8 from a real bus to a cached value: nobody polls, and nothing waits for a TTL. Break: leave the append out of
/// `events::answer`.
#[test]
fn what_eventbridge_tells_of_is_served_anew_within_the_bound_and_nobody_polls() {
    let account = require!(Account::at_ministack());
    let python = require!(servers::python());
    let server = require!(servers::ministack());
    let name = servers::unique("stories/told");
    account.create(&name, "first");
    let proxy = CountingProxy::to(account.url());
    let ((bus, of_bus), (app, of_app)) = (api_key("bus"), api_key("app"));
    let more = format!("{FRESHNESS}[events.bus]\ntype = \"eventbridge\"\nsenders = [\"key:bus\"]\n{of_bus}{of_app}");
    let running = Lockstep::serve(config(&proxy.url(), &more).as_str(), &account.env());
    let endpoint = format!("http://{}/api/v1/events/bus", running.address);
    let output = Command::new(python)
        .args(["-c", include_str!("notified.py"), &server.url, &server.key_id, &server.secret_key, &name, &endpoint])
        .arg(format!("Bearer {bus}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let bearer = format!("Bearer {app}");
    let read = || {
        let answer = running.bare("GET", &format!("/api/v1/secrets/{name}"), &[("authorization", &bearer)], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.member("/value")
    };
    assert_eq!(read(), "first");
    let before = proxy.count(GET);
    account.put(&name, "second");
    until("the notification", || (counted(&running, &bearer, "bus", "changed") > 0).then_some(()));
    let clock = SystemClock::new();
    let told = clock.monotonic();
    until("the second value", || {
        let asked = clock.monotonic();
        let value = read();
        assert!(value == "second" || asked < told + BOUND, "the old value after the bound");
        (value == "second").then_some(())
    });
    for _ in 0..50 {
        assert_eq!(read(), "second");
    }
    assert_eq!(proxy.count(GET), before + 1, "{}", running.said());
    // Who is let in is not yet who may deliver.
    let refused = post(&running, "bus", &[("authorization", &bearer)], "{}");
    assert_eq!((refused.status, refused.member("/code")), (403, "denied".to_owned()));
    assert_eq!(post(&running, "bus", &[], "{}").status, 401);
}

/// E5. Break: verify after `decode`, take any of the secrets out, or parse the body before it is verified.
#[test]
fn e5_a_webhook_is_taken_with_its_signature_over_the_body_as_it_came_and_with_either_secret() {
    let (running, bearer) =
        endpoint("[events.hook]\ntype = \"github\"\nsecrets = [{ env = \"OLD\" }, { env = \"NEW\" }]\n");
    let body = changed("1");
    for secret in [OLD, NEW] {
        let answer = post(&running, "hook", &[("x-hub-signature-256", &signed(secret, &body))], &body);
        assert_eq!((answer.status, answer.json()), (200, json!({ "changes": 1, "ignored": {} })), "{secret}");
    }
    let elsewhere =
        json!({ "changes": [{ "provider": "vault", "name": "db", "kind": "updated", "id": "2" }] }).to_string();
    let answer = post(&running, "hook", &[("x-hub-signature-256", &signed(NEW, &elsewhere))], &elsewhere);
    assert_eq!((answer.status, answer.json()), (200, json!({ "changes": 0, "ignored": { "foreign": 1 } })));
    let nothing = "{\"changes\": 7}";
    let answer = post(&running, "hook", &[("x-hub-signature-256", &signed(NEW, nothing))], nothing);
    assert_eq!((answer.status, answer.member("/code")), (400, "invalid_parameter".to_owned()));

    let spaced = body.replace(':', ": ");
    let good = signed(NEW, &body);
    let of_another = signed("another-secret-of-somebody-else", &body);
    let refusals = [
        (vec![], &body, "signature_missing"),
        (vec![("x-hub-signature-256", good.as_str())], &spaced, "signature_wrong"),
        (vec![("x-hub-signature-256", of_another.as_str())], &body, "signature_wrong"),
        (vec![("x-hub-signature-256", "sha256=00")], &body, "signature_malformed"),
        (vec![("x-hub-signature-256", good.as_str()); 2], &body, "signature_doubled"),
    ];
    for (headers, body, reason) in &refusals {
        let answer = post(&running, "hook", headers, body);
        assert_eq!((answer.status, answer.member("/code")), (401, "unauthenticated".to_owned()), "{reason}");
        assert!(refused(&running).contains(&(*reason).to_owned()), "{reason}");
    }
    // A credential that is let in elsewhere signs nothing, and an unknown place is none.
    assert_eq!(post(&running, "hook", &[("authorization", &bearer)], &body).status, 401);
    assert_eq!(post(&running, "other", &[("authorization", &bearer)], &body).status, 404);
    assert_eq!(post(&running, "other", &[], &body).status, 401);
    assert_eq!(running.bare("GET", "/api/v1/events/hook", &[("authorization", &bearer)], b"").status, 405);
    assert_eq!(counted(&running, &bearer, "hook", "changed"), 2);
    assert_eq!(counted(&running, &bearer, "hook", "foreign"), 1);
    let text = std::fs::read_to_string(running.home().folder().join("audit.jsonl")).unwrap();
    assert!(text.contains("\"event:hook\"") && !text.contains(NEW), "{text}");
}

/// Break: take sources without a journal, or a webhook with a short secret.
#[test]
fn e5_what_could_not_be_verified_or_kept_ends_the_start() {
    let hook =
        |secret: &str| format!("{FRESHNESS}[events.hook]\ntype = \"github\"\nsecrets = [{{ env = \"{secret}\" }}]\n");
    for (text, expected) in [
        (hook("EMPTY"), "events.hook"),
        (hook("SHORT"), "shorter than 16 bytes"),
        (hook("MISSING"), "MISSING"),
        (hook("OLD").replace("journal = \"memory://\"\n", ""), "write `freshness.journal`"),
        (
            hook("OLD").replace("memory://\"", "https://lockstep.example.com\"\njournal_token = { env = \"OLD\" }"),
            "let notifications go to that endpoint",
        ),
        (format!("{FRESHNESS}[events.hook]\ntype = \"github\"\nsecrets = []\n"), "1 to 4 secrets"),
        (format!("{FRESHNESS}[events.a]\ntype = \"sns\"\ntopics = []\n"), "name the topics"),
        (format!("{FRESHNESS}[events.a]\ntype = \"eventbridge\"\nsenders = []\n"), "write `senders`"),
        (
            format!("{FRESHNESS}[events.a]\ntype = \"pubsub\"\nsenders = [\"key:a\"]\nsubscriptions = []\n"),
            "name the subscriptions",
        ),
        (
            format!("{FRESHNESS}[events.a]\ntype = \"event-grid\"\nsenders = [\"key:a\"]\ntopics = []\n"),
            "name the vaults",
        ),
        (format!("{FRESHNESS}[events.a]\ntype = \"sqs\"\n"), "`sqs` is not known"),
    ] {
        let text = format!("[providers.f]\ntype = \"file\"\npath = \"s.json\"\n{text}");
        let home = Lockstep::new(text.as_str(), &[("OLD", OLD), ("EMPTY", ""), ("SHORT", "short")]);
        home.file("s.json", "{}");
        let ended = home.try_start().err().unwrap_or_else(|| panic!("it started: {text}"));
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{expected}: {}", ended.stderr);
    }
}

/// E3. Break: answer a validation before `expects_azure`, or let OPTIONS be answered for any origin.
#[test]
fn e3_event_grid_is_answered_for_its_topic_its_origin_and_its_sender_alone() {
    let (key, of_key) = api_key("azure");
    let topic = "/subscriptions/1/resourceGroups/g/providers/Microsoft.KeyVault/vaults/acme";
    let (running, bearer) = endpoint(&format!(
        "[events.azure]\ntype = \"event-grid\"\nsenders = [\"key:azure\"]\ntopics = [\"{topic}\"]\n\
         subscriptions = [\"lockstep\"]\n{of_key}"
    ));
    let azure = format!("Bearer {key}");
    let validation = |topic: &str| {
        json!([{ "id": "1", "topic": topic, "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
                 "data": { "validationCode": "the-code" } }])
        .to_string()
    };
    let send = |credential: &str, subscription: &str, body: &str| {
        post(&running, "azure", &[("authorization", credential), ("aeg-subscription-name", subscription)], body)
    };
    let answer = send(&azure, "LOCKSTEP", &validation(topic));
    assert_eq!((answer.status, answer.json()), (200, json!({ "validationResponse": "the-code" })));
    for (credential, subscription, topic, status) in [
        (azure.as_str(), "other", topic, 200),
        (azure.as_str(), "lockstep", "/subscriptions/2", 200),
        (bearer.as_str(), "lockstep", topic, 403),
        ("Bearer nothing", "lockstep", topic, 401),
    ] {
        let answer = send(credential, subscription, &validation(topic));
        assert_eq!(answer.status, status, "{subscription} {topic}");
        assert!(!answer.text().contains("the-code"), "{}", answer.text());
    }
    assert_eq!(post(&running, "azure", &[], &validation(topic)).status, 401);
    let ask =
        |origin: &str| running.bare("OPTIONS", "/api/v1/events/azure", &[("webhook-request-origin", origin)], b"");
    let agreed = ask("eventgrid.azure.net");
    assert_eq!((agreed.status, agreed.header("webhook-allowed-origin")), (200, "eventgrid.azure.net"));
    for origin in ["eventgrid.azure.net.evil.example", "evil.example", ""] {
        let answer = ask(origin);
        assert_eq!((answer.status, answer.header("webhook-allowed-origin")), (403, ""), "{origin}");
    }
}

/// E4. Break: take `senders` for a hint, or leave the subscription out of `Accepted`.
#[test]
fn e4_a_push_of_pub_sub_counts_with_its_token_its_account_and_its_subscription() {
    let issuer = require!(servers::oidc());
    let audience = "https://lockstep.example.com/events";
    let pusher = "push@acme.iam.gserviceaccount.com";
    let subscription = "projects/acme/subscriptions/lockstep";
    let (running, app) = endpoint(&format!(
        "[providers.gcp]\ntype = \"gcp-secret-manager\"\nproject = \"acme\"\nauth = {{ method = \"metadata\" }}\n\
         [events.gcp]\ntype = \"pubsub\"\nsenders = [\"jwt:google:{pusher}\"]\nsubscriptions = [\"{subscription}\"]\n\
         [auth.jwt.google]\ntype = \"oidc\"\nissuer = \"{issuer}\"\naudiences = [\"{audience}\"]\nsubject = [\"email\"]\n\
         required = {{ email_verified = [\"true\"] }}\n"
    ));
    let bearer = |audience: &str, email: &str, verified: bool| {
        let claims = json!({ "email": email, "email_verified": verified });
        format!("Bearer {}", token(&issuer, &format!("aud={audience}&sub=1&claims={claims}")))
    };
    let push = |subscription: &str, id: &str| {
        let attributes = json!({ "eventType": "SECRET_VERSION_ADD", "secretId": "projects/acme/secrets/db",
                                 "versionId": "projects/acme/secrets/db/versions/7" });
        json!({ "subscription": subscription, "message": { "messageId": id, "attributes": attributes, "data": "" } })
            .to_string()
    };
    let send = |credential: &str, body: &str| {
        let answer = post(&running, "gcp", &[("authorization", credential)], body);
        (answer.status, answer.json())
    };
    let good = bearer(audience, pusher, true);
    let expected = (200, json!({ "changes": 1, "ignored": {} }));
    assert_eq!(send(&good, &push(subscription, "1")), expected);
    // Delivered twice, it is the same Change: the journal keeps one.
    assert_eq!(send(&good, &push(subscription, "1")), expected);
    let (status, said) = send(&good, &push("projects/acme/subscriptions/other", "2"));
    assert_eq!((status, said), (200, json!({ "changes": 0, "ignored": { "unexpected": 1 } })));
    for (credential, status) in [
        (bearer("https://elsewhere.example.com", pusher, true), 401),
        (bearer(audience, pusher, false), 401),
        (bearer(audience, "push@other.iam.gserviceaccount.com", true), 403),
        (app, 403),
    ] {
        assert_eq!(send(&credential, &push(subscription, "3")).0, status);
    }
}

/// E7: whoever may deliver gains a refetch per window, however much is delivered, and no value changes. Break: look into the
/// journal at each access (`is_recent`), answer `Lagging` where no version was announced, or a `LAG_MEMORY` of zero.
#[test]
fn e7_ten_thousand_notifications_of_one_name_cost_a_refetch_per_window() {
    let account = require!(Account::at_moto());
    let name = servers::unique("stories/flooded");
    account.create(&name, "the value");
    let (key, section) = api_key("app");
    let bearer = format!("Bearer {key}");
    for is_versioned in [false, true] {
        let proxy = CountingProxy::to(account.url());
        let more = format!("{FRESHNESS}[events.hook]\ntype = \"github\"\nsecrets = [{{ env = \"HOOK\" }}]\n{section}");
        let env = [&account.env()[..], &[("HOOK", NEW)]].concat();
        let running = Lockstep::serve(config(&proxy.url(), &more).as_str(), &env);
        let read = || {
            let answer = running.bare("GET", &format!("/api/v1/secrets/{name}"), &[("authorization", &bearer)], b"");
            assert_eq!((answer.status, answer.member("/value")), (200, "the value".to_owned()), "{}", answer.text());
        };
        read();
        let (clock, before) = (SystemClock::new(), proxy.count(GET));
        let begun = clock.monotonic();
        for delivery in 0..10 {
            let now = clock.wall();
            let changes: Vec<_> = (0..1000)
                .map(|number| {
                    let at = UnixMillis(now.0 - number).to_rfc3339();
                    let mut change =
                        json!({ "provider": "aws-secrets-manager", "name": name, "kind": "updated", "at": at,
                                "id": format!("{delivery}-{number}") });
                    if is_versioned {
                        change["version"] = json!(format!("{delivery:08x}-0000-4000-8000-{number:012x}"));
                    }
                    change
                })
                .collect();
            let body = json!({ "changes": changes }).to_string();
            let answer = post(&running, "hook", &[("x-hub-signature-256", &signed(NEW, &body))], &body);
            assert_eq!(answer.json()["changes"], 1000, "{}", answer.text());
            for _ in 0..20 {
                read();
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let windows = clock.monotonic().saturating_sub(begun).as_millis() / (BOUND.as_millis() / 2) + 2;
        let calls = (proxy.count(GET) - before) as u128;
        // A version that nobody has looks like a replica that lags: a refetch asks up to three times then.
        let most = if is_versioned { 3 * windows } else { windows };
        assert!((1..=most).contains(&calls), "{calls} calls in {windows} windows, {is_versioned}");
    }
}
