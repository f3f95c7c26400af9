//! What EventBridge, SQS and SNS really deliver, as `lockstep events decode` reads it: a secret is written, and the same
//! Change comes on each of the ways.

use std::io::Write as _;
use std::process::{Command, Stdio};

use lockstep_stories::binary;
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, SigningServer};
use serde_json::Value;

/// Sets the ways up, writes the secret, and prints what has arrived on each: `{"written": …, "ways": {name: body}}`.
const BOTO3: &str = include_str!("notifications.py");

/// What `lockstep events decode` says of a body. It ends with code 0.
fn decode(body: &str) -> Value {
    let mut command = Command::new(binary());
    command.args(["events", "decode", "-", "--json"]).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("no signature was verified"), "{said} {body}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What arrives when a secret of this name is written.
fn arrived(server: &SigningServer, name: &str, ways: &str) -> Value {
    let python = servers::python().unwrap();
    let SigningServer { url, key_id, secret_key } = server;
    let output = Command::new(python).args(["-c", BOTO3, url, key_id, secret_key, name, ways]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one Change of a way, which is about the secret that was written.
fn change<'a>(decoded: &'a Value, name: &str) -> &'a Value {
    let changes = decoded["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{decoded}");
    assert_eq!(changes[0]["name"]["name"], name, "{decoded}");
    &changes[0]
}

/// Break: any envelope, or what an id is made of.
#[test]
fn a_write_is_the_same_change_through_sqs_sns_and_an_api_destination_on_ministack() {
    let server = require!(servers::ministack());
    let name = servers::unique("stories/notified");
    let arrived = arrived(&server, &name, "native");
    let ways = arrived["ways"].as_object().unwrap();
    assert_eq!(ways.len(), 4, "{arrived}");
    let mut seen = Vec::new();
    for (way, source) in [("sqs", "sqs"), ("sns-in-sqs", "sqs"), ("api-destination", "eventbridge")] {
        let decoded = decode(ways[way].as_str().unwrap());
        assert_eq!((&decoded["source"], &decoded["ignored"]), (&source.into(), &Value::Array(Vec::new())), "{way}");
        let change = change(&decoded, &name);
        assert_eq!(change["version"], arrived["version"], "{way}");
        assert_eq!(change["source"]["provider"], "aws-secrets-manager", "{way}");
        let whose = [&change["source"]["region"], &change["source"]["account"]].map(|part| part.as_str().unwrap());
        let arn = arrived["arn"].as_str().unwrap();
        assert!(arn.starts_with(&format!("arn:aws:secretsmanager:{}:{}:secret:{name}-", whose[0], whose[1])), "{arn}");
        seen.push(change.clone());
    }
    assert!(seen.iter().all(|change| *change == seen[0]), "{seen:?}");
    // What SNS wants before it delivers: nothing but Amazon's own host is to be asked.
    let decoded = decode(ways["sns-confirmation"].as_str().unwrap());
    let wanted = decoded["confirm"]["get"].as_str().unwrap();
    assert!(wanted.starts_with("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&"), "{decoded}");
}

#[test]
fn an_event_is_the_same_change_through_sqs_and_sns_on_moto() {
    let url = require!(servers::moto());
    let server = SigningServer { url, key_id: "any".to_owned(), secret_key: "any".to_owned() };
    let name = servers::unique("/stories/notified");
    let arrived = arrived(&server, &name, "put");
    let ways = arrived["ways"].as_object().unwrap();
    assert_eq!(ways.len(), 2, "{arrived}");
    for way in ["sqs", "sns-in-sqs"] {
        let decoded = decode(ways[way].as_str().unwrap());
        let change = change(&decoded, &name);
        assert_eq!((&change["kind"], &change["source"]["region"]), (&"updated".into(), &"us-east-1".into()), "{way}");
    }
}
