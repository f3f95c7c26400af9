use lockstep_core::Payload;
use serde_json::json;

use super::super::fake::Host;
use super::*;

fn provider(host: &Host) -> ParameterStore {
    ParameterStore::new(host.session(), &ParameterStoreSettings::default()).unwrap()
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn parameter(friendly: &str, version: u64, value: &str, selector: Option<&str>) -> serde_json::Value {
    let mut parameter = json!({
        "Name": friendly, "Type": "SecureString", "Value": value, "Version": version,
        "LastModifiedDate": 1_569_534_789.046, "DataType": "text",
        "ARN": format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{}", friendly.trim_start_matches('/')),
    });
    if let Some(selector) = selector {
        parameter["Selector"] = selector.into();
    }
    parameter
}

fn one(friendly: &str, version: u64, value: &str, selector: Option<&str>) -> String {
    json!({"Parameter": parameter(friendly, version, value, selector)}).to_string()
}

fn value(secret: &Secret) -> String {
    let Payload::Whole(field) = &secret.payload else { panic!("{:?}", secret.payload) };
    field.value.expose_text().unwrap().to_owned()
}

#[tokio::test]
async fn a_value_comes_with_its_identity_version_and_attributes() {
    let host = Host::with_keys();
    host.script.then(200, &one("/prod/db", 3, "hunter2", None));
    let secret = provider(&host).get(&host.call(), &name("/prod/db"), &Selector::Current).await.unwrap();
    assert_eq!(value(&secret), "hunter2");
    assert_eq!((secret.id.name.as_str(), secret.name.as_str()), ("/prod/db", "/prod/db"));
    assert_eq!((&*secret.id.scope.parts().account, &*secret.id.scope.parts().region), ("123456789012", "eu-west-1"));
    assert_eq!(secret.version.as_ref().unwrap().order, Some(3));
    let attributes: Vec<_> = secret.attributes.iter().map(|(key, text)| (*key, &**text)).collect();
    assert_eq!(
        attributes,
        [
            ("ARN", "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db"),
            ("DataType", "text"),
            ("LastModifiedDate", "2019-09-26T21:53:09.046Z"),
            ("Type", "SecureString"),
            ("Version", "3"),
        ]
    );
    assert_eq!(host.script.sent()[0].json(), json!({"Name": "/prod/db", "WithDecryption": true}));
}

#[tokio::test]
async fn an_undecrypted_read_is_another_secret() {
    let host = Host::with_keys();
    host.script.then(200, &one("/a", 1, "ciphertext", None));
    let settings = ParameterStoreSettings { decrypt: false, ..ParameterStoreSettings::default() };
    let plain = ParameterStore::new(host.session(), &settings).unwrap();
    let secret = plain.get(&host.call(), &name("/a"), &Selector::Current).await.unwrap();
    assert_eq!(host.script.sent()[0].json()["WithDecryption"], false);
    assert_eq!(secret.id.scope.parts().transform, "undecrypted");
    assert_ne!(plain.scope(), provider(&host).scope());
}

#[test]
fn digits_are_versions_and_the_rest_are_labels() {
    let host = Host::with_keys();
    let provider = provider(&host);
    assert_eq!(provider.selector("3").unwrap(), Selector::Id("3".into()));
    assert_eq!(provider.selector("007").unwrap(), Selector::Id("7".into()));
    assert_eq!(provider.selector("prod-1").unwrap(), Selector::Label("prod-1".into()));
    for bad in ["0", "99999999999999999999999", "a:b", "a/b", ""] {
        assert_eq!(provider.selector(bad).unwrap_err().kind(), ErrorKind::InvalidReference, "{bad}");
    }
}

#[tokio::test]
async fn each_selector_is_a_suffix_of_the_name() {
    let arn = "arn:aws:ssm:us-east-2:123456789012:parameter/a";
    for (asked, selector, sent) in [
        ("/a", Selector::Id("3".into()), "/a:3"),
        ("/a", Selector::Label("prod".into()), "/a:prod"),
        (arn, Selector::Id("3".into()), "arn:aws:ssm:us-east-2:123456789012:parameter/a:3"),
    ] {
        let host = Host::with_keys();
        host.script.then(200, &one("/a", 3, "v", Some(":3")));
        let secret = provider(&host).get(&host.call(), &name(asked), &selector).await.unwrap();
        assert_eq!(host.script.sent()[0].json()["Name"], sent);
        assert_eq!(secret.labels.is_empty(), selector.is_pinned());
        assert_eq!(host.script.sent()[0].uri.contains("us-east-2"), asked == arn);
    }
}

/// Break: allow `:` in a name; `a:3` is then remembered as a spelling of the current version.
#[tokio::test]
async fn c12_a_version_can_not_hide_in_the_name() {
    for text in ["a:3", "/a:prod", "arn:aws:ssm:eu-west-1:123456789012:parameter/a:3"] {
        let host = Host::with_keys();
        let provider = provider(&host);
        let error = provider.get(&host.call(), &name(text), &Selector::Current).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{text}");
        assert!(error.message().contains('@'), "{error}");
        let wanted = [(name(text), Selector::Current), (name(text), Selector::Id("1".into()))];
        assert!(provider.get_many(&host.call(), &wanted).await.iter().all(Result::is_err));
    }
}

/// Break: the comparison of versions in `checked`.
#[tokio::test]
async fn c12_an_answer_of_another_version_is_no_answer() {
    let host = Host::with_keys();
    host.script.then(200, &one("/a", 4, "v", None));
    let error = provider(&host).get(&host.call(), &name("/a"), &Selector::Id("3".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::VersionNotFound);
}

#[tokio::test]
async fn a_missing_label_of_a_parameter_that_is_there_is_told_by_the_parameter() {
    for (there, kind) in [(true, ErrorKind::VersionNotFound), (false, ErrorKind::NotFound)] {
        let host = Host::with_keys();
        host.script.then_error("ParameterNotFound", "");
        if there {
            host.script.then(200, &one("/a", 1, "v", None))
        } else {
            host.script.then_error("ParameterNotFound", "")
        };
        let error = provider(&host).get(&host.call(), &name("/a"), &Selector::Label("x".into())).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(host.script.sent()[1].json(), json!({"Name": "/a", "WithDecryption": false}));
    }
}

#[tokio::test]
async fn the_previous_version_is_the_one_before_the_current() {
    let host = Host::with_keys();
    host.script.then(200, &one("/a", 3, "new", None)).then(200, &one("/a", 2, "old", Some(":2")));
    let secret = provider(&host).get(&host.call(), &name("/a"), &Selector::Previous).await.unwrap();
    assert_eq!(value(&secret), "old");
    let sent = host.script.sent();
    assert_eq!(sent[0].json(), json!({"Name": "/a", "WithDecryption": false}));
    assert_eq!(sent[1].json(), json!({"Name": "/a:2", "WithDecryption": true}));

    let host = Host::with_keys();
    host.script.then(200, &one("/a", 1, "only", None));
    let error = provider(&host).get(&host.call(), &name("/a"), &Selector::Previous).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::VersionNotFound);
}

#[tokio::test]
async fn a_reference_to_secrets_manager_has_no_version_of_its_own() {
    let host = Host::with_keys();
    let mut body = json!({"Parameter": parameter("/aws/reference/secretsmanager/x", 0, "v", None)});
    body["Parameter"]["SourceResult"] = r#"{"ARN":"a","SecretString":"canary"}"#.into();
    host.script.then(200, &body.to_string());
    let asked = name("/aws/reference/secretsmanager/x");
    let secret = provider(&host).get(&host.call(), &asked, &Selector::Current).await.unwrap();
    assert_eq!(secret.version, None);
    assert_eq!(&*secret.attributes["SourceResult"], r#"{"ARN":"a"}"#);
    assert!(!format!("{secret:?}").contains("canary"));
}

#[tokio::test]
async fn many_values_are_one_call_with_their_selectors() {
    let host = Host::with_keys();
    host.script.then(
        200,
        &json!({
            "Parameters": [
                parameter("/a", 5, "A5", None),
                parameter("/a", 3, "A3", Some(":3")),
                parameter("/b", 2, "B2", Some(":prod")),
            ],
            "InvalidParameters": ["/gone"],
        })
        .to_string(),
    );
    let wanted = [
        (name("/b"), Selector::Label("prod".into())),
        (name("/gone"), Selector::Current),
        (name("/a"), Selector::Current),
        (name("/a"), Selector::Id("3".into())),
        (name("arn:aws:ssm:eu-west-1:123456789012:parameter/a"), Selector::Current),
    ];
    let answers = provider(&host).get_many(&host.call(), &wanted).await;
    let values: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(value).map_err(Error::kind)).collect();
    let expected = [Ok("B2"), Err(ErrorKind::NotFound), Ok("A5"), Ok("A3"), Ok("A5")];
    assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
    assert_eq!(host.script.operations(), ["GetParameters"]);
}

#[tokio::test]
async fn ten_is_the_most_of_one_call_and_an_invalid_version_is_asked_apart() {
    let host = Host::with_keys();
    let names: Vec<String> = (10..21).map(|n| format!("/p{n}")).collect();
    let parameters: Vec<_> = names[..9].iter().map(|n| parameter(n, 1, n, None)).collect();
    host.script
        .then(200, &json!({"Parameters": parameters, "InvalidParameters": ["/p19:9"]}).to_string())
        .then_error("ParameterVersionNotFound", "")
        .then(200, &one("/p20", 1, "last", None));
    let mut wanted: Vec<_> = names.iter().map(|n| (name(n), Selector::Current)).collect();
    wanted[9].1 = Selector::Id("9".into());
    let answers = provider(&host).get_many(&host.call(), &wanted).await;
    assert_eq!(answers[9].as_ref().unwrap_err().kind(), ErrorKind::VersionNotFound);
    assert_eq!(value(answers[10].as_ref().unwrap()), "last");
    assert_eq!(host.script.operations(), ["GetParameters", "GetParameter", "GetParameter"]);
}

#[tokio::test]
async fn a_denied_batch_is_remembered_only_when_no_single_read_is_denied() {
    let wanted = [(name("/a"), Selector::Current), (name("/b"), Selector::Current)];
    let host = Host::with_keys();
    host.script
        .then_error("AccessDeniedException", "")
        .then(200, &one("/a", 1, "v", None))
        .then_error("AccessDeniedException", "")
        .then(200, &json!({"Parameters": [parameter("/a", 1, "v", None), parameter("/b", 1, "v", None)]}).to_string());
    let first = provider(&host);
    first.get_many(&host.call(), &wanted).await;
    first.get_many(&host.call(), &wanted).await;
    assert_eq!(host.script.operations(), ["GetParameters", "GetParameter", "GetParameter", "GetParameters"]);

    let host = Host::with_keys();
    host.script.then_error("AccessDeniedException", "");
    for _ in 0..2 {
        host.script.then(200, &one("/a", 1, "v", None)).then(200, &one("/b", 1, "v", None));
    }
    let second = provider(&host);
    second.get_many(&host.call(), &wanted).await;
    second.get_many(&host.call(), &wanted).await;
    let expected = ["GetParameters", "GetParameter", "GetParameter", "GetParameter", "GetParameter"];
    assert_eq!(host.script.operations(), expected);
}

#[tokio::test]
async fn lists_and_descriptions_never_read_a_value() {
    let host = Host::with_keys();
    let described = json!({"Parameters": [{"Name": "/a/b", "Version": 2, "Description": "d", "LastModifiedDate": 1.0},
        {"Name": "/a/./c", "Version": 1}, {"Name": "/other", "Version": 1}], "NextToken": "n"});
    let empty = json!({"Parameters": [], "NextToken": "more"});
    host.script.then(200, &described.to_string()).then(200, &empty.to_string()).then(200, &described.to_string());
    let provider = provider(&host);
    let filter = Filter { tags: vec![("team".into(), Some("x".into())), ("any".into(), None)] };
    let page = Page { token: None, limit: Some(99) };
    let list = provider.list(&host.call(), "/a/", &filter, page).await.unwrap();
    assert_eq!((list.items.len(), list.next.as_deref()), (1, Some("n")));
    assert_eq!(list.items[0].version.as_ref().unwrap().order, Some(2));
    let known = provider.describe(&host.call(), &name("/a/b")).await.unwrap();
    assert_eq!(known.description.as_deref(), Some("d"));
    assert_eq!(host.script.operations(), ["DescribeParameters", "DescribeParameters", "DescribeParameters"]);
    assert_eq!(
        host.script.sent()[0].json(),
        json!({"MaxResults": 50, "ParameterFilters": [
            {"Key": "Name", "Option": "BeginsWith", "Values": ["/a/"]},
            {"Key": "tag:team", "Option": "Equals", "Values": ["x"]},
            {"Key": "tag:any"},
        ]})
    );
}

#[tokio::test]
async fn an_arn_is_described_by_the_names_that_it_may_mean() {
    for (arn, values) in [
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/a/b", json!(["/a/b"])),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/a", json!(["a", "/a"])),
    ] {
        let host = Host::with_keys();
        host.script.then(200, r#"{"Parameters":[]}"#);
        let error = provider(&host).describe(&host.call(), &name(arn)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(host.script.sent()[0].json()["ParameterFilters"][0]["Values"], values);
    }
}

#[tokio::test]
async fn versions_are_read_without_decryption() {
    let host = Host::with_keys();
    let history = json!({"Parameters": [{"Name": "/a", "Version": 1, "Value": "canary", "Labels": ["old"]}, {"Name": "/a", "Version": 2, "Value": "canary"}]});
    host.script.then(200, &history.to_string());
    let versions = provider(&host).versions(&host.call(), &name("/a"), Page::default()).await.unwrap();
    assert_eq!(versions.items.iter().map(|item| item.version.order).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(versions.items[0].labels, [Box::<str>::from("old")]);
    assert!(!format!("{versions:?}").contains("canary"));
    assert_eq!(host.script.sent()[0].json(), json!({"Name": "/a", "WithDecryption": false}));
}

#[tokio::test]
async fn rotation_is_not_something_it_can_do() {
    let host = Host::with_keys();
    let provider = provider(&host);
    assert!(!provider.capabilities().rotate);
    assert_eq!(provider.rotate(&host.call(), &name("/a")).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_check_passes_where_only_values_may_be_read() {
    for (code, passes) in
        [("ParameterNotFound", true), ("AccessDeniedException", true), ("ExpiredTokenException", false)]
    {
        let host = Host::with_keys();
        host.script.then_error(code, "");
        assert_eq!(provider(&host).check(&host.call()).await.is_ok(), passes, "{code}");
    }
}
