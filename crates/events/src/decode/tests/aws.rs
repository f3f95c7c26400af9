//! EventBridge's events: Secrets Manager's own, those of CloudTrail in every shape seen, and Parameter Store's.

use lockstep_core::{Source, UnixMillis};
use serde_json::{Value, json};

use super::{Accepted, NOW, SourceKind, decoded, decoded_by, lines, reasons, with};
use crate::decode::Reason;

const ARN: &str = "arn:aws:secretsmanager:us-west-2:012345678901:secret:mySecret-a1b2c3";
const VERSION: &str = "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111";

/// The sample of "Secret Label Updated" in AWS's documentation.
pub(super) fn label_updated() -> Value {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "Secret Label Updated",
        "source": "aws.secretsmanager", "account": "012345678901", "time": "2024-02-06T16:43:48Z",
        "region": "us-west-2", "resources": [ARN],
        "detail": { "name": "mySecret", "labelUpdated": "AWSCURRENT", "versionId": VERSION },
    })
}

fn api_call(name: &str, more: Value) -> Value {
    let mut detail = json!({
        "eventSource": "secretsmanager.amazonaws.com", "eventName": name, "awsRegion": "us-west-2",
        "eventType": "AwsApiCall",
    });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "version": "0", "id": "dd5fd657-0000", "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager", "account": "111111111111", "time": "2026-02-06T16:43:48Z",
        "region": "us-west-2", "resources": [], "detail": detail,
    })
}

fn service_event(name: &str, more: Value) -> Value {
    let event = api_call(name, more);
    with(&event, "/detail-type", json!("AWS Service Event via CloudTrail"))
}

fn parameter(detail: Value) -> Value {
    json!({
        "version": "0", "id": "6a7e4feb-b491-4cf7-a9f1-bf3703497718", "detail-type": "Parameter Store Change",
        "source": "aws.ssm", "account": "123456789012", "time": "2017-05-22T16:44:48Z", "region": "us-east-1",
        "resources": ["arn:aws:ssm:us-east-1:123456789012:parameter/MyExampleParameter"], "detail": detail,
    })
}

fn means(event: &Value) -> Vec<String> {
    lines(&decoded(SourceKind::EventBridge, event))
}

/// Break: `contains` as `==`, the fallback to the ARN's name, or the label of `labelled`.
#[test]
fn secrets_managers_own_event_names_the_version_that_the_label_moved_to() {
    let sample = label_updated();
    let of = format!("-> {VERSION} of aws-secrets-manager 012345678901 us-west-2");
    let found = decoded(SourceKind::EventBridge, &sample);
    assert_eq!(lines(&found), [format!("updated mySecret {of}")]);
    let change = &found.changes[0];
    assert_eq!(change.at, UnixMillis::from_rfc3339("2024-02-06T16:43:48Z").unwrap());
    assert!(change.id.starts_with("aws-6a7e8feb-b491-4cf7-a9f1-bf3703467718-"), "{}", change.id);

    // What public code has seen of it.
    let contradicting = with(&sample, "/detail-type", json!("AWS Secrets Manager Secret Label Updated"));
    let contradicting = with(&contradicting, "/detail/labelUpdated", Value::Null);
    let contradicting = with(&contradicting, "/detail/AddedLabels", json!(["AWSCURRENT", "blue"]));
    assert_eq!(means(&contradicting), [format!("updated mySecret {of}"), format!("updated mySecret blue {of}")]);
    assert_eq!(means(&with(&sample, "/detail/labelUpdated", json!("blue"))), [format!("updated mySecret blue {of}")]);
    assert_eq!(means(&with(&sample, "/detail/name", Value::Null)), [format!("updated mySecret {of}")]);
    let managed = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:rds!cluster-0f1e2d-a1b2c3";
    let managed = with(&with(&sample, "/detail/name", Value::Null), "/resources", json!([managed]));
    assert_eq!(
        means(&managed),
        [format!("updated rds!cluster-0f1e2d -> {VERSION} of aws-secrets-manager 222222222222 eu-west-1")]
    );
    // What was current moves with what is.
    let previous = with(&sample, "/detail/labelUpdated", json!("AWSPREVIOUS"));
    assert_eq!(means(&previous), ["unknown mySecret of aws-secrets-manager 012345678901 us-west-2"]);
    for (pointer, value) in [("/detail/labelUpdated", Value::Null), ("/detail", json!({}))] {
        let broken = with(&with(&sample, "/resources", json!([])), pointer, value);
        assert_eq!(means(&broken), ["malformed"], "{pointer}");
    }
}

/// Break: any row of `api_call`.
#[test]
fn a_call_means_the_change_that_it_made() {
    let token = "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE";
    let with_arn = |parameters: Value| json!({ "requestParameters": parameters, "responseElements": { "arn": ARN } });
    let of = "of aws-secrets-manager 012345678901 us-west-2";
    let put = json!({ "secretId": "mySecret", "clientRequestToken": token });
    for (name, more, expected) in [
        ("PutSecretValue", with_arn(put.clone()), vec![format!("updated mySecret -> {token} {of}")]),
        (
            "PutSecretValue",
            with_arn(with(&put, "/versionStages", json!(["AWSPENDING"]))),
            vec![format!("updated mySecret AWSPENDING -> {token} {of}")],
        ),
        (
            "PutSecretValue",
            with_arn(with(&put, "/versionStages", json!(["AWSCURRENT", "blue"]))),
            vec![format!("updated mySecret -> {token} {of}"), format!("updated mySecret blue -> {token} {of}")],
        ),
        // A description may be all that was written: nobody waits for a version that may not come.
        ("UpdateSecret", with_arn(put.clone()), vec![format!("updated mySecret {of}")]),
        (
            "UpdateSecret",
            json!({ "requestParameters": put, "responseElements": { "aRN": ARN, "versionId": token } }),
            vec![format!("updated mySecret -> {token} {of}")],
        ),
        (
            "UpdateSecretVersionStage",
            with_arn(json!({
                "secretId": "mySecret", "versionStage": "AWSCURRENT",
                "moveToVersionId": VERSION, "removeFromVersionId": token,
            })),
            vec![format!("updated mySecret -> {VERSION} {of}")],
        ),
        (
            "UpdateSecretVersionStage",
            with_arn(json!({ "secretId": "mySecret", "versionStage": "blue", "removeFromVersionId": token })),
            vec![format!("updated mySecret blue {of}")],
        ),
        ("UpdateSecretVersionStage", with_arn(json!({ "secretId": "mySecret" })), vec!["malformed".to_owned()]),
        (
            "CreateSecret",
            with_arn(json!({ "name": "mySecret", "clientRequestToken": token })),
            vec![format!("updated mySecret {of}")],
        ),
        (
            "DeleteSecret",
            with_arn(json!({ "secretId": "mySecret", "recoveryWindowInDays": 7 })),
            vec![format!("deleted mySecret {of}")],
        ),
        (
            "DeleteSecret",
            with_arn(json!({ "secretId": "mySecret", "forceDeleteWithoutRecovery": true })),
            vec![format!("destroyed mySecret {of}")],
        ),
        ("RestoreSecret", with_arn(json!({ "secretId": "mySecret" })), vec![format!("unknown mySecret {of}")]),
    ] {
        assert_eq!(means(&api_call(name, more.clone())), expected, "{name} {more}");
    }
}

/// Break: take one of the read calls for a change, or leave the look at `errorCode` out.
#[test]
fn a_call_that_reads_fails_or_changes_no_value_means_nothing() {
    let asked = json!({ "requestParameters": { "secretId": ARN }, "responseElements": null });
    for (name, reason) in [
        ("GetSecretValue", Reason::NoNews),
        ("BatchGetSecretValue", Reason::NoNews),
        ("DescribeSecret", Reason::NoNews),
        ("ListSecrets", Reason::NoNews),
        ("ListSecretVersionIds", Reason::NoNews),
        ("RotateSecret", Reason::NoNews),
        ("CancelRotateSecret", Reason::NoNews),
        ("TagResource", Reason::NoNews),
        ("PutResourcePolicy", Reason::NoNews),
        ("ReplicateSecretToRegions", Reason::NoNews),
        ("SomethingNew", Reason::UnknownEvent),
    ] {
        assert_eq!(reasons(&decoded(SourceKind::EventBridge, &api_call(name, asked.clone()))), [reason], "{name}");
    }
    for code in ["errorCode", "errorMessage"] {
        let failed =
            with(&api_call("PutSecretValue", asked.clone()), &format!("/detail/{code}"), json!("AccessDenied"));
        assert_eq!(reasons(&decoded(SourceKind::EventBridge, &failed)), [Reason::FailedCall]);
    }
}

/// The sample of AWS's sample repository, and the other places that the secret's name was seen in.
///
/// Break: leave a pointer of `ANSWERED` or `ASKED` out, or the look at the resources.
#[test]
fn the_end_of_a_rotation_is_found_wherever_its_secret_is_named() {
    let arn = "arn:aws:secretsmanager:us-west-2:012345678901:secret:Appuser-pyodbc-WoDpmU";
    let found = "rotated Appuser-pyodbc of aws-secrets-manager 012345678901 us-west-2";
    for more in [
        json!({ "additionalEventData": { "SecretId": arn }, "requestParameters": null, "responseElements": null }),
        json!({ "additionalEventData": { "secretId": arn } }),
        json!({ "serviceEventDetails": { "secretId": arn } }),
        json!({ "serviceEventDetails": { "SecretId": arn } }),
        json!({ "responseElements": { "arn": arn } }),
        json!({ "responseElements": { "aRN": arn } }),
        json!({ "responseElements": { "ARN": arn } }),
        json!({ "resources": [{ "ARN": arn }] }),
        // A name beside it does not come before it.
        json!({ "serviceEventDetails": { "secretId": "other" }, "resources": [{ "ARN": arn }] }),
        json!({ "requestParameters": { "secretId": "other" }, "responseElements": { "name": "x", "arn": arn } }),
    ] {
        assert_eq!(means(&service_event("RotationSucceeded", more.clone())), [found], "{more}");
    }
    let listed = with(&service_event("RotationSucceeded", json!({})), "/resources", json!([arn]));
    assert_eq!(means(&listed), [found]);
    // A plain name is of the account and region that the event is of.
    let here = "rotated db/app of aws-secrets-manager 111111111111 us-west-2";
    for more in [
        json!({ "requestParameters": { "secretId": "db/app" } }),
        json!({ "requestParameters": { "name": "db/app" } }),
        json!({ "responseElements": { "name": "db/app" } }),
    ] {
        assert_eq!(means(&service_event("RotationSucceeded", more.clone())), [here], "{more}");
    }
    // Nobody knows whether a caller's ARN was whole.
    let asked = service_event("RotationSucceeded", json!({ "requestParameters": { "secretId": arn } }));
    let partial = "rotated Appuser-pyodbc-WoDpmU of aws-secrets-manager 012345678901 us-west-2";
    assert_eq!(means(&asked), [found, partial]);
    assert_eq!(means(&service_event("RotationSucceeded", json!({}))), ["malformed"]);
    let elsewhere = json!({ "requestParameters": { "secretId": "arn:aws:s3:eu-west-1:012345678901:secret:x" } });
    assert_eq!(means(&service_event("RotationSucceeded", elsewhere)), ["malformed"]);
}

#[test]
fn what_the_service_does_by_itself_is_a_change_only_when_it_is_done() {
    let of = json!({ "additionalEventData": { "SecretId": ARN } });
    let gone = "unknown mySecret of aws-secrets-manager 012345678901 us-west-2";
    for (name, expected) in [
        ("RotationStarted", "no_news"),
        ("RotationAbandoned", "no_news"),
        ("TestRotationSucceeded", "no_news"),
        ("RotationFailed", "rotation_failed"),
        ("StartSecretVersionDelete", "no_news"),
        ("EndSecretVersionDelete", gone),
        ("SecretVersionDeletion", gone),
        ("SomethingNew", "unknown_event"),
    ] {
        assert_eq!(means(&service_event(name, of.clone())), [expected], "{name}");
    }
    // What failed carries its error, and is told on by name.
    let failed =
        with(&service_event("RotationFailed", of), "/detail/errorMessage", json!("Error when executing lambda"));
    let found = decoded(SourceKind::EventBridge, &failed);
    assert_eq!((reasons(&found), found.failed.len()), (vec![Reason::RotationFailed], 1), "{found:?}");
}

/// Break: any row of `changed` or `policy_action`.
#[test]
fn parameter_store_tells_the_name_and_what_was_done() {
    let of = "of aws-parameter-store 123456789012 us-east-1";
    let detail = |operation: &str, name: &str| json!({ "operation": operation, "name": name, "type": "String" });
    for (operation, name, expected) in [
        ("Update", "MyExampleParameter", format!("updated MyExampleParameter {of}")),
        ("Create", "/db/password", format!("updated /db/password {of}")),
        ("Delete", "/db/password", format!("deleted /db/password {of}")),
        ("LabelParameterVersion", "a", format!("unknown a {of}")),
        ("Frobnicate", "a", "unknown_event".to_owned()),
    ] {
        assert_eq!(means(&parameter(detail(operation, name))), [expected], "{operation}");
    }
    let refused = with(&parameter(detail("Update", "a")), "/detail/exception", json!("no such image"));
    assert_eq!(means(&refused), ["failed_call"]);
    assert_eq!(means(&with(&parameter(detail("Update", "a")), "/detail/name", Value::Null)), ["malformed"]);

    // Whose it is, its own ARN says.
    let elsewhere =
        json!(["arn:aws:kms:eu-west-1:222222222222:key/x", "arn:aws:ssm:eu-west-1:111111111111:parameter/a"]);
    let elsewhere = with(&parameter(detail("Update", "a")), "/resources", elsewhere);
    assert_eq!(means(&elsewhere), ["updated a of aws-parameter-store 111111111111 eu-west-1"]);
    for name in [json!(""), json!("  "), json!("x".repeat(4097)), json!(7)] {
        let unnamed = with(&parameter(detail("Update", "a")), "/detail/name", name);
        assert_eq!(means(&unnamed), ["malformed"]);
    }

    let policy = |kind: &str, status: &str| {
        let detail = json!({ "policy-type": kind, "parameter-name": "a", "action-status": status });
        with(&parameter(detail), "/detail-type", json!("Parameter Store Policy Action"))
    };
    assert_eq!(means(&policy("Expiration", "Success")), [format!("deleted a {of}")]);
    assert_eq!(means(&policy("Expiration", "Failed")), ["no_news"]);
    assert_eq!(means(&policy("ExpirationNotification", "Success")), ["no_news"]);
    assert_eq!(means(&policy("NoChangeNotification", "Success")), ["no_news"]);
    assert_eq!(means(&policy("Other", "Success")), ["unknown_event"]);
}

/// Break: the look at `source`, or its comparison to the letter.
#[test]
fn only_amazons_own_sources_are_read() {
    let sample = label_updated();
    for source in ["acme.secretsmanager", "AWS.secretsmanager", "aws.secretsmanager.evil", "aws.s3"] {
        assert_eq!(means(&with(&sample, "/source", json!(source))), ["unknown_shape"], "{source}");
    }
    assert_eq!(means(&with(&sample, "/source", json!("aws.ssm"))), ["unknown_event"]);
    let other = with(&api_call("PutSecretValue", json!({})), "/detail/eventSource", json!("kms.amazonaws.com"));
    assert_eq!(means(&other), ["unknown_shape"]);
    for pointer in ["/id", "/source", "/detail-type"] {
        assert_eq!(means(&with(&sample, pointer, Value::Null)), ["unknown_shape"], "{pointer}");
    }
}

/// Break: the look at `knows` in `Gathered::change`.
#[test]
fn e8_an_event_of_a_foreign_account_or_region_is_ignored_and_counted() {
    let known = |account: &str, region: &str| Accepted {
        sources: Some(vec![Source {
            provider: "aws-secrets-manager".into(),
            account: account.into(),
            region: region.into(),
        }]),
        ..Accepted::default()
    };
    let body = label_updated().to_string();
    let means = |accepted: &Accepted| {
        let headers = http::HeaderMap::new();
        lines(&decoded_by(SourceKind::EventBridge, &headers, body.as_bytes(), accepted))
    };
    let found = format!("updated mySecret -> {VERSION} of aws-secrets-manager 012345678901 us-west-2");
    assert_eq!(means(&known("012345678901", "us-west-2")), [found.as_str()]);
    assert_eq!(means(&known("", "us-west-2")), [found.as_str()]);
    for foreign in [known("999999999999", "us-west-2"), known("012345678901", "eu-west-1")] {
        assert_eq!(means(&foreign), ["foreign"]);
    }
    // What the envelope says does not count against the secret's own ARN.
    let disguised = with(&label_updated(), "/account", json!("999999999999")).to_string();
    let accepted = known("999999999999", "us-west-2");
    let headers = http::HeaderMap::new();
    let found = decoded_by(SourceKind::EventBridge, &headers, disguised.as_bytes(), &accepted);
    assert_eq!(lines(&found), ["foreign"]);
}

#[test]
fn a_time_to_come_does_not_make_a_change_the_newest_for_ever() {
    let forged = with(&label_updated(), "/time", json!("9999-01-01T00:00:00Z"));
    assert_eq!(decoded(SourceKind::EventBridge, &forged).changes[0].at, NOW);
}
