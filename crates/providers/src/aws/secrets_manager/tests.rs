use lockstep_core::{Encoding, Payload, Retry, VersionState};
use serde_json::json;

use super::super::fake::Host;
use super::super::session::SessionSettings;
use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/creds-AbCdEf";
const VERSION: &str = "0a1b2c3d-0000-4000-8000-000000000001";

fn provider(host: &Host) -> SecretsManager {
    SecretsManager::new(host.session(), &SecretsManagerSettings::default()).unwrap()
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn entry(arn: &str, friendly: &str, value: &str) -> serde_json::Value {
    json!({
        "ARN": arn, "Name": friendly, "VersionId": VERSION, "SecretString": value,
        "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_569_534_789.046, "NewMember": {"a": [1]}
    })
}

fn answer(value: &str) -> String {
    entry(ARN, "db/creds", value).to_string()
}

fn exposed(secret: &Secret) -> (&[u8], Encoding) {
    let Payload::Whole(field) = &secret.payload else { panic!("{:?}", secret.payload) };
    (field.value.expose(), field.encoding)
}

#[tokio::test]
async fn a_value_comes_with_its_identity_version_labels_and_time() {
    let host = Host::with_keys();
    host.script.then(200, &answer("hunter2 \"\u{1F511}\" \n"));
    let secret = provider(&host).get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap();
    assert_eq!(exposed(&secret), ("hunter2 \"\u{1F511}\" \n".as_bytes(), Encoding::Text));
    assert_eq!((secret.id.name.as_str(), secret.name.as_str()), (ARN, "db/creds"));
    let scope = secret.id.scope.parts();
    assert_eq!(
        (&*scope.provider, &*scope.account, &*scope.region),
        ("aws-secrets-manager", "123456789012", "eu-west-1")
    );
    assert_eq!(secret.version.unwrap().id.as_ref(), VERSION);
    assert_eq!(secret.labels, [Box::<str>::from("AWSCURRENT")]);
    assert_eq!(secret.created.unwrap().0, 1_569_534_789_046);
    assert_eq!(host.script.sent()[0].json(), json!({"SecretId": "db/creds", "VersionStage": "AWSCURRENT"}));
    assert_eq!(host.script.sent()[0].target(), "secretsmanager.GetSecretValue");
}

#[tokio::test]
async fn a_binary_value_is_decoded() {
    let host = Host::with_keys();
    host.script.then(200, &answer("x").replace(r#""SecretString":"x""#, r#""SecretBinary":"AAEC\/w==""#));
    let secret = provider(&host).get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap();
    assert_eq!(exposed(&secret), (&[0, 1, 2, 255][..], Encoding::Binary));
}

#[tokio::test]
async fn each_selector_sends_what_it_means() {
    let both = format!("{VERSION}:AWSCURRENT");
    for (text, classified, sent) in [
        (VERSION, Selector::Id(VERSION.into()), json!({"SecretId": "db/creds", "VersionId": VERSION})),
        (
            "AWSPENDING",
            Selector::Label("AWSPENDING".into()),
            json!({"SecretId": "db/creds", "VersionStage": "AWSPENDING"}),
        ),
        (
            both.as_str(),
            Selector::Label(both.as_str().into()),
            json!({"SecretId": "db/creds", "VersionId": VERSION, "VersionStage": "AWSCURRENT"}),
        ),
        ("AWSCURRENT", Selector::Current, json!({"SecretId": "db/creds", "VersionStage": "AWSCURRENT"})),
        ("AWSPREVIOUS", Selector::Previous, json!({"SecretId": "db/creds", "VersionStage": "AWSPREVIOUS"})),
        ("a:b", Selector::Label("a:b".into()), json!({"SecretId": "db/creds", "VersionStage": "a:b"})),
    ] {
        let host = Host::with_keys();
        host.script.then(200, &answer("v"));
        let provider = provider(&host);
        let selector = provider.selector(text).unwrap();
        assert_eq!(selector, classified);
        provider.get(&host.call(), &name("db/creds"), &selector).await.unwrap();
        assert_eq!(host.script.sent()[0].json(), sent);
    }
    let host = Host::with_keys();
    host.script.then(200, &answer("v"));
    provider(&host).get(&host.call(), &name("db/creds"), &Selector::Previous).await.unwrap();
    assert_eq!(host.script.sent()[0].json()["VersionStage"], "AWSPREVIOUS");
}

/// Break: leave the comparison with the answer out.
#[tokio::test]
async fn c12_an_answer_of_another_version_is_no_answer() {
    let other = "0a1b2c3d-0000-4000-8000-000000000002";
    for selector in [Selector::Id(other.into()), Selector::Label(format!("{VERSION}:AWSPENDING").into())] {
        let host = Host::with_keys();
        host.script.then(200, &answer("v"));
        let error = provider(&host).get(&host.call(), &name("db/creds"), &selector).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::VersionNotFound, "{selector:?}");
    }
}

#[tokio::test]
async fn the_region_of_an_arn_overrides_the_sessions() {
    let host = Host::with_keys();
    let arn = "arn:aws:secretsmanager:us-east-2:210987654321:secret:a/b-AbCdEf";
    host.script.then(200, &entry(arn, "a/b", "v").to_string());
    let secret = provider(&host).get(&host.call(), &name(arn), &Selector::Current).await.unwrap();
    assert_eq!(host.script.sent()[0].uri, "https://secretsmanager.us-east-2.amazonaws.com/");
    assert!(host.script.sent()[0].headers["authorization"].contains("/us-east-2/secretsmanager/"));
    assert_eq!((&*secret.id.scope.parts().region, &*secret.id.scope.parts().account), ("us-east-2", "210987654321"));
}

#[tokio::test]
async fn a_wrong_arn_is_refused_before_anything_is_sent() {
    for arn in [
        "arn:aws:ssm:eu-west-1:123456789012:parameter/a",
        "arn:aws:secretsmanager:eu-west-1:123456789012:policy:a",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a:b",
    ] {
        let host = Host::with_keys();
        let error = provider(&host).get(&host.call(), &name(arn), &Selector::Current).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{arn}");
    }
}

#[tokio::test]
async fn not_found_and_version_not_found_are_told_apart() {
    for (message, kind) in [
        ("Secrets Manager can't find the specified secret.", ErrorKind::NotFound),
        ("Secrets Manager can't find the specified secret value for staging label: X", ErrorKind::VersionNotFound),
    ] {
        let host = Host::with_keys();
        host.script.then_error("ResourceNotFoundException", message);
        let error = provider(&host).get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap_err();
        assert_eq!((error.kind(), error.upstream_code()), (kind, Some("ResourceNotFoundException")));
        assert_eq!(error.name().unwrap().as_str(), "db/creds");
    }
}

#[tokio::test]
async fn a_missing_version_of_a_secret_that_is_there_is_told_by_its_state() {
    let alive = json!({"ARN": ARN, "Name": "db/creds"}).to_string();
    for (describe, kind) in [(Some(alive), ErrorKind::VersionNotFound), (None, ErrorKind::NotFound)] {
        let host = Host::with_keys();
        host.script.then_error("ResourceNotFoundException", "new words");
        match describe {
            Some(answer) => host.script.then(200, &answer),
            None => host.script.then_error("ResourceNotFoundException", "new words"),
        };
        let error = provider(&host).get(&host.call(), &name("db/creds"), &Selector::Previous).await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

/// Break: leave `explained` out of `get`.
#[tokio::test]
async fn a_deleted_secret_is_told_by_its_state_and_by_words_only_where_that_is_denied() {
    let words = "You can't perform this operation on the secret because it was marked for deletion.";
    let deleted = json!({"ARN": ARN, "Name": "db/creds", "DeletedDate": 1_569_534_789.0}).to_string();
    let alive = json!({"ARN": ARN, "Name": "db/creds"}).to_string();
    for (message, describe, kind) in [
        (words, Some(&deleted), ErrorKind::Deleted),
        ("something new", Some(&deleted), ErrorKind::Deleted),
        (words, None, ErrorKind::Deleted),
        ("something new", None, ErrorKind::Conflict),
        ("something new", Some(&alive), ErrorKind::Conflict),
        (words, Some(&alive), ErrorKind::Conflict),
    ] {
        let host = Host::with_keys();
        host.script.then_error("InvalidRequestException", message);
        match describe {
            Some(answer) => host.script.then(200, answer),
            None => host.script.then_error("AccessDeniedException", ""),
        };
        let error = provider(&host).get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{message} {describe:?}");
        assert_eq!((error.upstream_code(), error.upstream_status()), (Some("InvalidRequestException"), Some(400)));
        assert_eq!(host.script.operations(), ["GetSecretValue", "DescribeSecret"]);
    }
}

/// Break: take `serde_json`'s text into the error, or the answer's.
#[tokio::test]
async fn m1_a_malformed_answer_is_not_quoted() {
    for body in [
        "canary".to_owned(),
        answer("canary").replace("\"ARN\"", "\"Arn\""),
        answer("canary").replace("\"canary\"", "{\"canary\":1}"),
        answer("canary").replace("db/creds\"", "canary/../x\""),
        answer("canary").replace("arn:aws:secretsmanager", "canary"),
        json!({"ARN": ARN, "Name": "canary", "VersionId": "v"}).to_string(),
        answer("canary")[..100].to_owned(),
    ] {
        let host = Host::with_keys();
        host.script.then(200, &body);
        let error = provider(&host).get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

fn wanted(names: &[&str]) -> Vec<(SecretName, Selector)> {
    names.iter().map(|text| (name(text), Selector::Current)).collect()
}

fn arn_of(friendly: &str) -> String {
    format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{friendly}-AbCdEf")
}

fn values(answers: &[Result<Secret>]) -> Vec<std::result::Result<String, ErrorKind>> {
    answers
        .iter()
        .map(|answer| match answer {
            Ok(secret) => Ok(String::from_utf8(exposed(secret).0.to_vec()).unwrap()),
            Err(error) => Err(error.kind()),
        })
        .collect()
}

#[tokio::test]
async fn many_values_are_one_call_whatever_the_order_and_spelling() {
    let host = Host::with_keys();
    let partial = arn_of("c").trim_end_matches("-AbCdEf").to_owned();
    let batch = json!({
        "SecretValues": [entry(&arn_of("c"), "c", "C"), entry(&arn_of("b"), "b", "B"), entry(&arn_of("a"), "a", "A")],
        "Errors": [
            {"SecretId": "gone", "ErrorCode": "ResourceNotFoundException", "Message": "can't find the specified secret."},
            {"SecretId": "no", "ErrorCode": "AccessDeniedException", "Message": "canary"},
        ]
    });
    host.script.then(200, &batch.to_string());
    let arn = arn_of("b");
    let answers = provider(&host).get_many(&host.call(), &wanted(&["a", &arn, "gone", &partial, "no", "a"])).await;
    assert_eq!(
        values(&answers),
        [
            Ok("A".into()),
            Ok("B".into()),
            Err(ErrorKind::NotFound),
            Ok("C".into()),
            Err(ErrorKind::Denied),
            Ok("A".into())
        ]
    );
    assert_eq!(host.script.operations(), ["BatchGetSecretValue"]);
    assert_eq!(host.script.sent()[0].json()["SecretIdList"].as_array().unwrap().len(), 5, "no id twice");
    assert_eq!(answers[2].as_ref().unwrap_err().name().unwrap().as_str(), "gone");
}

#[tokio::test]
async fn twenty_is_the_most_of_one_call_and_pages_are_followed() {
    let host = Host::with_keys();
    let names: Vec<String> = (10..31).map(|n| format!("s{n}")).collect();
    let entries =
        |range: std::ops::Range<usize>| -> Vec<_> { names[range].iter().map(|n| entry(&arn_of(n), n, n)).collect() };
    host.script
        .then(200, &json!({"SecretValues": entries(0..12), "NextToken": "t"}).to_string())
        .then(200, &json!({"SecretValues": entries(12..20)}).to_string())
        .then(200, &entries(20..21)[0].to_string());
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let answers = provider(&host).get_many(&host.call(), &wanted(&asked)).await;
    assert_eq!(values(&answers), names.iter().map(|n| Ok(n.clone())).collect::<Vec<_>>());
    assert_eq!(host.script.operations(), ["BatchGetSecretValue", "BatchGetSecretValue", "GetSecretValue"]);
    assert_eq!(host.script.sent()[1].json()["NextToken"], "t");
}

#[tokio::test]
async fn a_denied_batch_call_is_remembered() {
    let host = Host::with_keys();
    host.script.then_error("AccessDeniedException", "");
    for _ in 0..2 {
        for friendly in ["a", "b"] {
            host.script.then(200, &entry(&arn_of(friendly), friendly, friendly).to_string());
        }
    }
    let provider = provider(&host);
    for _ in 0..2 {
        let answers = provider.get_many(&host.call(), &wanted(&["a", "b"])).await;
        assert_eq!(values(&answers), [Ok("a".into()), Ok("b".into())]);
    }
    let expected = ["BatchGetSecretValue", "GetSecretValue", "GetSecretValue", "GetSecretValue", "GetSecretValue"];
    assert_eq!(host.script.operations(), expected);
}

#[tokio::test]
async fn versions_other_than_the_current_one_and_other_regions_are_asked_apart() {
    let host = Host::with_keys();
    let far = "arn:aws:secretsmanager:us-east-1:123456789012:secret:far-AbCdEf";
    host.script
        .then(200, &json!({"SecretValues": [entry(&arn_of("a"), "a", "A"), entry(&arn_of("b"), "b", "B")]}).to_string())
        .then(200, &entry(far, "far", "F").to_string())
        .then(200, &entry(&arn_of("a"), "a", "P").to_string());
    let mut all = wanted(&["a", far, "b", "a", "arn:aws:ssm:x"]);
    all[3].1 = Selector::Previous;
    let answers = provider(&host).get_many(&host.call(), &all).await;
    assert_eq!(
        values(&answers),
        [Ok("A".into()), Ok("F".into()), Ok("B".into()), Ok("P".into()), Err(ErrorKind::InvalidName)]
    );
    assert_eq!(host.script.sent()[1].uri, "https://secretsmanager.us-east-1.amazonaws.com/");
}

#[tokio::test]
async fn a_failed_batch_is_the_error_of_each_and_no_herd_of_single_reads() {
    let host = Host::with_keys();
    host.script.then_error("ThrottlingException", "Rate exceeded");
    let answers = provider(&host).get_many(&host.call(), &wanted(&["a", "b"])).await;
    assert_eq!(values(&answers), [Err(ErrorKind::Throttled), Err(ErrorKind::Throttled)]);
    assert_eq!(answers[0].as_ref().unwrap_err().retry_hint(), Retry::After(None));
}

#[tokio::test]
async fn a_description_has_everything_but_a_value() {
    let host = Host::with_keys();
    let body = json!({
        "ARN": ARN, "Name": "db/creds", "Description": "the database", "RotationEnabled": true, "CreatedDate": 1.0,
        "LastChangedDate": 2.5, "NextRotationDate": 3.0, "Tags": [{"Key": "team", "Value": "a"}, {"Key": "bare"}],
        "VersionIdsToStages": {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT", "AWSPENDING"]}
    });
    host.script.then(200, &body.to_string());
    let known = provider(&host).describe(&host.call(), &name("db/creds")).await.unwrap();
    assert_eq!(known.version.unwrap().id.as_ref(), "v2");
    assert_eq!(known.description.as_deref(), Some("the database"));
    assert_eq!(known.tags, [("bare".into(), String::new()), ("team".into(), "a".into())].into());
    assert_eq!((known.changed.unwrap().0, known.next_rotation.unwrap().0), (2500, 3000));
    assert_eq!((known.rotation_enabled, known.deleted), (Some(true), None));
}

#[tokio::test]
async fn versions_and_lists_come_in_pages() {
    let host = Host::with_keys();
    let versions = json!({"Versions": [{"VersionId": "v2", "VersionStages": ["AWSCURRENT"]}, {"VersionId": "v1"}], "NextToken": "n"});
    let list = json!({"SecretList": [
        {"ARN": arn_of("db/a"), "Name": "db/a", "SecretVersionsToStages": {"v": ["AWSCURRENT"]}, "Tags": [{"Key": "team", "Value": "x"}]},
        {"ARN": arn_of("db/b"), "Name": "db/b", "Tags": [{"Key": "team", "Value": "y"}, {"Key": "other", "Value": "x"}]},
        {"ARN": arn_of("db/a//b"), "Name": "db/a//b", "Tags": [{"Key": "team", "Value": "x"}]},
        {"ARN": arn_of("other"), "Name": "other", "Tags": [{"Key": "team", "Value": "x"}]},
    ], "NextToken": ""});
    host.script.then(200, &versions.to_string()).then(200, &list.to_string());
    let provider = provider(&host);
    let page = Page { token: Some("t".into()), limit: Some(500) };
    let versions = provider.versions(&host.call(), &name("db/a"), page.clone()).await.unwrap();
    assert_eq!(versions.next.as_deref(), Some("n"));
    assert_eq!(versions.items[0].labels, [Box::<str>::from("AWSCURRENT")]);
    assert_eq!((versions.items.len(), versions.items[1].state), (2, VersionState::Enabled));
    let filter = Filter { tags: vec![("team".into(), Some("x".into()))] };
    let list = provider.list(&host.call(), "db/", &filter, page).await.unwrap();
    assert_eq!(list.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["db/a"]);
    assert_eq!(list.next, None, "an empty token is none");
    assert_eq!(list.items[0].version.as_ref().unwrap().id.as_ref(), "v");
    let sent = host.script.sent();
    assert_eq!(
        sent[0].json(),
        json!({"SecretId": "db/a", "IncludeDeprecated": true, "MaxResults": 100, "NextToken": "t"})
    );
    assert_eq!(
        sent[1].json()["Filters"],
        json!([{"Key": "name", "Values": ["db/"]}, {"Key": "tag-key", "Values": ["team"]}, {"Key": "tag-value", "Values": ["x"]}])
    );
    let error = provider.list(&host.call(), "!db", &Filter::default(), Page::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
}

#[tokio::test]
async fn a_rotation_sends_a_token_and_names_the_new_version() {
    let host = Host::with_keys();
    host.script.then(200, &json!({"ARN": ARN, "Name": "db/creds", "VersionId": "new"}).to_string());
    let rotation = provider(&host).rotate(&host.call(), &name("db/creds")).await.unwrap();
    assert_eq!(rotation.version.unwrap().id.as_ref(), "new");
    let token = host.script.sent()[0].json()["ClientRequestToken"].as_str().unwrap().to_owned();
    assert!(is_uuid(&token) && token.as_bytes()[14] == b'4' && b"89ab".contains(&token.as_bytes()[19]), "{token}");
}

#[tokio::test]
async fn a_refused_rotation_says_why() {
    let state = |extra: serde_json::Value| {
        let mut body = json!({"ARN": ARN, "Name": "db/creds"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body.to_string()
    };
    let pending = json!({"RotationEnabled": true, "VersionIdsToStages": {"a": ["AWSCURRENT"], "b": ["AWSPENDING"]}});
    let settled = json!({"RotationEnabled": true, "VersionIdsToStages": {"a": ["AWSCURRENT", "AWSPENDING"]}});
    for (describe, kind) in [
        (state(json!({"DeletedDate": 1.0})), ErrorKind::Deleted),
        (state(json!({"RotationEnabled": false})), ErrorKind::RotationNotConfigured),
        (state(pending), ErrorKind::RotationInProgress),
        (state(settled), ErrorKind::Conflict),
    ] {
        let host = Host::with_keys();
        host.script.then_error("InvalidRequestException", "?").then(200, &describe);
        let error = provider(&host).rotate(&host.call(), &name("db/creds")).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::Rotate)), "{describe}");
    }
}

#[tokio::test]
async fn a_check_passes_where_only_values_may_be_read() {
    for (code, passes) in [
        ("ResourceNotFoundException", true),
        ("AccessDeniedException", true),
        ("UnrecognizedClientException", false),
        ("ThrottlingException", false),
    ] {
        let host = Host::with_keys();
        host.script.then_error(code, "");
        assert_eq!(provider(&host).check(&host.call()).await.is_ok(), passes, "{code}");
    }
}

#[test]
fn the_scope_tells_sessions_apart_and_holds_no_credential() {
    let host = Host::with_keys();
    let settings = SessionSettings { environment: "production".into(), ..SessionSettings::default() };
    let session = Session::new(&settings, host.ports.clone()).unwrap();
    let provider = SecretsManager::new(session, &SecretsManagerSettings::default()).unwrap();
    let printed = format!("{:?}", provider.scope());
    assert_eq!(provider.scope().parts().environment, "production");
    assert!(!printed.contains("canary") && !printed.contains("AKID"), "{printed}");
}

/// Break: leave the question for the operation out of `check`.
#[tokio::test]
async fn a_check_does_not_take_a_failed_login_for_a_missing_permission() {
    let host = Host::new(&[
        ("AWS_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x"),
    ]);
    host.files.write("/t", "token");
    host.script.then(403, "<Error><Code>AccessDenied</Code><Message>x</Message></Error>");
    let error = provider(&host).check(&host.call()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unauthenticated, Some(Operation::Login)));
    assert!(error.message().contains("trust policy"), "{error}");
}
