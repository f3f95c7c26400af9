//! What a rotation sends, and what it makes of the answers.

use serde_json::json;

use super::super::super::fake::Host;
use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db/app-AbCdEf";
const TOKEN: &str = "0a1b2c3d-0000-4000-8000-000000000001";
const OLD: &str = "0a1b2c3d-0000-4000-8000-000000000002";

fn client(host: &Host) -> RotationSecrets {
    RotationSecrets::new(host.session(), &ServiceSettings::default()).unwrap()
}

fn entry(token: &str, value: &serde_json::Value) -> String {
    let mut entry = json!({ "ARN": ARN, "Name": "db/app", "VersionId": token, "VersionStages": ["AWSPENDING"] });
    entry.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    entry.to_string()
}

/// Break: any member of the requests, the region of the ARN, or a label in `RotatedSecret`.
#[tokio::test]
async fn a_rotation_reads_labels_and_values_and_writes_in_the_region_of_the_arn() {
    let host = Host::with_keys();
    let described = json!({ "ARN": ARN, "Name": "db/app", "RotationEnabled": true,
        "VersionIdsToStages": { TOKEN: ["AWSPENDING"], OLD: ["AWSCURRENT"] } });
    let value = json!({ "SecretString": "c4n4ry-value" });
    host.script.then(200, &described.to_string()).then(200, &entry(TOKEN, &value)).then(200, "{}").then(200, "{}");
    let (client, call) = (client(&host), host.call());
    let secret = client.describe(&call, ARN).await.unwrap();
    assert_eq!(
        (secret.name.as_str(), secret.rotation_enabled, secret.account().unwrap()),
        ("db/app", Some(true), "123456789012")
    );
    assert_eq!((secret.current(), secret.is_pending(TOKEN), secret.is_current(TOKEN)), (Some(OLD), true, false));
    assert_eq!((secret.labels("other"), secret.is_pending("other")), (None, false));
    let read = client.value(&call, ARN, Staged::Pending(TOKEN)).await.unwrap();
    assert_eq!(read.expose(), b"c4n4ry-value");
    let rotation_token = SecretValue::from("c4n4ry-token");
    client.put_pending(&call, ARN, TOKEN, &read, Some(&rotation_token)).await.unwrap();
    client.make_current(&call, ARN, TOKEN, Some(OLD)).await.unwrap();
    let sent = host.script.sent();
    assert!(sent.iter().all(|sent| sent.uri == "https://secretsmanager.eu-central-1.amazonaws.com/"), "{sent:?}");
    let expected = [
        ("secretsmanager.DescribeSecret", json!({ "SecretId": ARN })),
        ("secretsmanager.GetSecretValue", json!({ "SecretId": ARN, "VersionId": TOKEN, "VersionStage": "AWSPENDING" })),
        (
            "secretsmanager.PutSecretValue",
            json!({ "SecretId": ARN, "ClientRequestToken": TOKEN, "SecretString": "c4n4ry-value",
                "VersionStages": ["AWSPENDING"], "RotationToken": "c4n4ry-token" }),
        ),
        (
            "secretsmanager.UpdateSecretVersionStage",
            json!({ "SecretId": ARN, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": OLD, "MoveToVersionId": TOKEN }),
        ),
    ];
    let sent: Vec<_> = sent.iter().map(|sent| (sent.target().to_owned(), sent.json())).collect();
    assert_eq!(sent, expected.map(|(target, body)| (target.to_owned(), body)));
}

/// Break: any refusal of `value` or `describe`, or the second try of `send`.
#[tokio::test]
async fn what_is_no_text_of_the_version_asked_for_is_refused_and_fresh_credentials_are_tried_once() {
    let host = Host::with_keys();
    let (client, call) = (client(&host), host.call());
    host.script.then(200, &entry(OLD, &json!({ "SecretString": "c4n4ry" })));
    let refused = client.value(&call, ARN, Staged::Pending(TOKEN)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::VersionNotFound);
    host.script.then(200, &entry(OLD, &json!({ "SecretBinary": "YWJj" })));
    assert_eq!(client.value(&call, ARN, Staged::Current).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let deleted = json!({ "ARN": ARN, "Name": "db/app", "DeletedDate": 1_700_000_000.0 });
    host.script.then(200, &deleted.to_string());
    assert_eq!(client.describe(&call, ARN).await.unwrap_err().kind(), ErrorKind::Deleted);
    host.script.then_error("ResourceExistsException", "c4n4ry").then_error("ExpiredTokenException", "c4n4ry");
    let value = SecretValue::from("c4n4ry");
    let conflict = client.put_pending(&call, ARN, TOKEN, &value, None).await.unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    assert!(!format!("{conflict} {conflict:?}").contains("c4n4ry"), "{conflict:?}");
    host.script.then_error("ExpiredTokenException", "c4n4ry");
    assert_eq!(client.describe(&call, ARN).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(host.script.sent().len(), 6, "the second try is the last");
}

/// The deputy's account is told from an ARN alone. Break: leave out `starts_with("secret:")`, or answer `None` for a name.
#[test]
fn the_account_of_what_is_no_whole_arn_of_a_secret_is_not_known() {
    assert_eq!(RotationSecrets::account_of(ARN).unwrap(), "123456789012");
    for wrong in
        ["db/app", "arn:aws:ssm:eu-west-1:123456789012:secret:a", "arn:aws:secretsmanager:eu-west-1:123456789012:x"]
    {
        assert_eq!(RotationSecrets::account_of(wrong).unwrap_err().kind(), ErrorKind::InvalidName, "{wrong}");
    }
}
