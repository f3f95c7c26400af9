//! Rotations on their way into the journal: EventBridge, a queue, the function under AWS's own emulator, a table, and two
//! instances that read it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lockstep_core::Clock as _;
use lockstep_native::SystemClock;
use lockstep_stories::{CountingProxy, Lockstep, Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, RedisServer, SigningServer, unique};
use serde_json::{Value, json};

use crate::function::Function;

const PROGRAM: &str = "lockstep-on-rotation";
const GET: &str = "secretsmanager.GetSecretValue";
/// The longest that a superseded value may be served.
const BOUND: Duration = Duration::from_secs(2);

fn aws(python: &Path, server: &SigningServer, what: &[&str]) -> String {
    let script = include_str!("on_rotation.py");
    let arguments = ["-c", script, &server.url, &server.key_id, &server.secret_key];
    let output = Command::new(python).args(arguments).args(what).output().unwrap();
    assert!(output.status.success(), "{what:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// C10, C11, E7, E8 through a real bus, queue and table. Nobody polls the provider, and no TTL ends within the test.
/// Break: leave the append out of `Function::take`, or answer a batch without `item_failures`.
#[test]
fn c10_what_a_queue_hands_to_the_function_is_served_anew_by_every_instance_within_the_bound() {
    let emulator = require!(servers::lambda_emulator());
    let (server, python) = (require!(servers::ministack()), require!(servers::python()));
    let name = unique("stories/queued");
    aws(&python, &server, &["make", &name, "first"]);
    let journal = format!("dynamodb://{}", name.replace('/', "-"));
    let environment = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &*server.url),
        ("AWS_ACCESS_KEY_ID", &*server.key_id),
        ("AWS_SECRET_ACCESS_KEY", &*server.secret_key),
    ];
    let instance = || {
        let proxy = CountingProxy::to(&server.url);
        let config = format!(
            "[providers.aws]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
             [cache]\nttl = \"300s\"\nttl_with_journal = \"300s\"\nrefresh_ahead = \"0\"\n\
             [freshness]\njournal = \"{journal}\"\nmax_staleness = \"2s\"\n",
            proxy.url()
        );
        (Lockstep::serve(config.as_str(), &environment), proxy)
    };
    let instances = [instance(), instance()];
    for (running, _) in &instances {
        assert_eq!(running.value(&name), "first");
    }

    let function =
        Function::deploy_program(PROGRAM, &emulator, &[&environment[..], &[("LOCKSTEP_JOURNAL", &journal)]].concat());
    aws(&python, &server, &["put", &name, "second"]);
    let batch: Value = serde_json::from_str(&aws(&python, &server, &["receive", &name])).unwrap();
    assert!(batch["Records"][0].is_object(), "the queue was told nothing");
    let told = function.invoke(&batch);
    assert_eq!(told, json!({ "batchItemFailures": [] }), "{}", function.log());
    let clock = SystemClock::new();
    let appended = clock.monotonic();
    for (running, _) in &instances {
        until("the second value", || {
            let asked = clock.monotonic();
            let value = running.value(&name);
            assert!(value == "second" || asked < appended + BOUND, "the old value after the bound");
            (value == "second").then_some(())
        });
    }

    // E7: what comes again is the same change. E8: what is somebody else's, or junk, changes nothing; junk is named, so
    // that it gets to the dead-letter queue.
    let mut again = batch.clone();
    let mut junk = batch["Records"][0].clone();
    (junk["messageId"], junk["body"]) = (json!("junk"), json!("no notification"));
    again["Records"].as_array_mut().unwrap().push(junk);
    assert_eq!(function.invoke(&again), json!({ "batchItemFailures": [{ "itemIdentifier": "junk" }] }));
    let event: Value = serde_json::from_str(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(function.invoke(&event), json!(null), "a rule may invoke the function itself");
    let topic = json!({ "Records": [{ "EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:000000000000:t",
        "Message": event.to_string(), "Timestamp": "2026-01-01T00:00:00.000Z",
    } }] });
    assert_eq!(function.invoke(&topic), json!(null), "and so may a topic");
    for (event, kind) in [(json!({}), "Lockstep.NoNotification"), (json!({ "detail-type": 7 }), "Lockstep.Unreadable")]
    {
        let refused = function.invoke(&event);
        assert_eq!(refused["errorType"], kind, "{refused}");
    }
    std::thread::sleep(BOUND);
    for (running, proxy) in &instances {
        assert_eq!(running.value(&name), "second");
        assert_eq!(proxy.count(GET), 2, "one call for each of the two values: {}", running.said());
    }
    let audited = function.audited();
    assert!(audited.iter().any(|record| record["action"] == "event" && record["outcome"] == "released"), "{audited:?}");
    assert!(!function.log().contains("second"), "no value gets that far");
}

/// Break: answer before the append, or swallow its error.
#[test]
fn e7_what_the_journal_did_not_take_is_left_to_its_sender() {
    let emulator = require!(servers::lambda_emulator());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &*format!("http://{nobody}")),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "story"),
        ("LOCKSTEP_JOURNAL", "dynamodb://journal"),
    ];
    let function = Function::deploy_program(PROGRAM, &emulator, &variables);
    let change = json!({
        "id": "6a7e8feb", "detail-type": "Parameter Store Change", "source": "aws.ssm", "account": "123456789012",
        "region": "us-east-1", "time": "2026-05-22T16:44:48Z", "detail": { "operation": "Update", "name": "/db/password" },
    });
    let failed = function.invoke(&change);
    assert_eq!(failed["errorType"], "Lockstep.Network", "{failed}\n{}", function.log());
    for (config, expected) in [
        ("[freshness]\njournal = \"memory://\"\n", "ends with this sandbox"),
        (
            "[freshness]\njournal = \"https://lockstep.example.com\"\njournal_token = { env = \"AWS_REGION\" }\n",
            "is read, and not written",
        ),
    ] {
        let variables = [("AWS_REGION", "us-east-1"), ("LOCKSTEP_CONFIG_CONTENT", config)];
        let function = Function::deploy_program(PROGRAM, &emulator, &variables);
        let ended = function.invoke(&change).to_string() + &function.log();
        assert!(ended.contains(expected), "{ended}");
    }
}

/// Who wants to know is told: of a rotation, of one that failed, and of one that is overdue. Break: leave out `tell` in
/// `Function::take`, `failed` in the decoder, or the schedule.
#[test]
fn subscribers_are_told_of_what_was_rotated_failed_or_is_overdue_and_whoever_is_away_stops_nothing() {
    let emulator = require!(servers::lambda_emulator());
    let redis_folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(require!(servers::redis()), redis_folder.path(), &[]);
    let (subscriber, aws) = (Upstream::start(), Upstream::start());
    subscriber.on("POST /signed", [Action::json(503, &json!({})), Action::json(200, &json!({}))]);
    let listed = json!({ "SecretList": [
        { "Name": "late", "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:late-AbCdEf",
          "RotationEnabled": true, "NextRotationDate": 1_700_000_000.0 },
        { "Name": "in-time", "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:in-time-AbCdEf",
          "RotationEnabled": true, "NextRotationDate": 4_000_000_000.0 },
    ] });
    aws.on("POST /", [Action::json(200, &listed)]);
    let config = format!(
        "[freshness]\njournal = \"redis://127.0.0.1:{}/told\"\n\
         [providers.aws]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
         [notify.audit]\ntype = \"standard-webhooks\"\nurl = {{ env = \"SIGNED\" }}\nsecret = {{ env = \"KEY\" }}\n\
         [notify.people]\ntype = \"slack\"\nurl = {{ env = \"PEOPLE\" }}\non = [\"failed\", \"overdue\"]\n",
        redis.port(),
        aws.url(),
    );
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "story"),
        ("SIGNED", &*format!("{}/signed", subscriber.url())),
        ("PEOPLE", &*format!("{}/people/canary-of-the-address", subscriber.url())),
        ("KEY", key),
        ("LOCKSTEP_CONFIG_CONTENT", &*config),
    ];
    let function = Function::deploy_program(PROGRAM, &emulator, &variables);
    let event = |name: &str| {
        json!({
            "id": name, "detail-type": "AWS Service Event via CloudTrail", "source": "aws.secretsmanager",
            "account": "123456789012", "region": "us-east-1", "time": "2026-05-22T16:44:48Z",
            "detail": { "eventSource": "secretsmanager.amazonaws.com", "eventName": name, "eventTime": "2026-05-22T16:44:48Z",
                "additionalEventData": { "SecretId": "arn:aws:secretsmanager:us-east-1:123456789012:secret:db/creds-AbCdEf" } },
        })
    };
    let sent = |target: &str| -> Vec<Value> {
        let seen = subscriber.seen();
        let seen = seen.iter().filter(|seen| seen.target == target);
        seen.map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect()
    };
    assert_eq!(function.invoke(&event("RotationSucceeded")), json!(null), "{}", function.log());
    // What was refused once was sent once more, and is the same.
    let told = sent("/signed");
    assert!(told.len() == 2 && told[0]["data"] == told[1]["data"], "{told:?}");
    assert_eq!(
        (&told[1]["type"], &told[1]["data"]["changes"][0]["name"]),
        (&json!("secret.rotated"), &json!("db/creds"))
    );
    let headers: Vec<_> = subscriber.seen().iter().map(|seen| seen.header("webhook-id").map(str::to_owned)).collect();
    assert!(headers[0].is_some() && headers[0] == headers[1], "{headers:?}");
    // Nobody answers at Slack's place: it is said in the log, and nothing fails.
    let mut failed = event("RotationFailed");
    failed["detail"]["errorMessage"] = json!("Error when executing lambda during createSecret step");
    assert_eq!(function.invoke(&failed), json!(null));
    assert!(sent("/people/canary-of-the-address")[0]["text"].as_str().unwrap().contains("*Rotation failed*"));
    let scheduled = json!({ "id": "s", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} });
    assert_eq!(function.invoke(&scheduled), json!(null));
    let people = sent("/people/canary-of-the-address");
    let overdue = people.last().unwrap()["text"].as_str().unwrap();
    assert!(overdue.contains("*Rotation overdue*\n• `late` of") && !overdue.contains("in-time"), "{overdue}");
    let log = function.log();
    assert!(
        log.contains("a subscriber was not told") && !log.contains("canary-of-the-address") && !log.contains(key),
        "{log}"
    );
}
