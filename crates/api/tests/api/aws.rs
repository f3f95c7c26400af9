//! The AWS drop-in surface, byte by byte.

use http::Method;
use lockstep_core::{Encoding, Error, ErrorKind, Field, Payload, Selector, UnixMillis, Version};

use crate::house::{ID, alias, bare, build, house, name, request};

const CREDS: &str = concat!(
    r#"{"ARN":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/creds-AbCdEf","Name":"db/creds","#,
    r#""VersionId":"0cd9f0b6-1111-2222-3333-444455556666","#,
    r#""SecretString":"{\"user\":\"app\",\"password\":\"hun\\\"ter2\"}","VersionStages":["AWSCURRENT"],"#,
    r#""CreatedDate":"1569534789.046"}"#
);

#[tokio::test]
async fn a_secret_is_answered_as_the_agent_answers_it() {
    for target in [
        "/secretsmanager/get?secretId=db/creds",
        "/secretsmanager/get?secretId=db%2Fcreds",
        "/secretsmanager/get?secretId=db%2Fcreds&versionStage=AWSCURRENT&refreshNow=FALSE",
        "/v1/db/creds",
        "/v1/db/creds?refreshNow=true",
    ] {
        let said = house().get(target).await;
        assert_eq!((said.status, &*said.body), (200, CREDS), "{target}");
        assert!(said.header("content-type").is_none(), "{target}");
        assert_eq!(said.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_binary_secret_and_one_without_anything_else() {
    let house = house();
    assert_eq!(house.get("/v1/bin").await.body, r#"{"Name":"bin","VersionId":"3","SecretBinary":"AP8B"}"#);
    assert_eq!(house.get("/v1/plain").await.body, r#"{"Name":"plain","SecretString":"just text"}"#);
}

#[tokio::test]
async fn fields_become_one_json_object() {
    let house = house();
    let field = |text: &str, encoding| Field { value: text.into(), encoding };
    house.shelf.put_with("kv", move |_| {
        let fields = [("port", field("5432", Encoding::Json)), ("user", field("a\"b", Encoding::Text))];
        let payload = Payload::Fields(fields.into_iter().map(|(name, field)| (name.into(), field)).collect());
        let id = lockstep_core::CanonicalId { scope: lockstep_core::Scope::default(), name: name("kv") };
        Ok(lockstep_core::Secret::new(id, name("kv"), payload))
    });
    let said = house.get("/v1/kv").await;
    assert_eq!(said.body, r#"{"Name":"kv","SecretString":"{\"port\":5432,\"user\":\"a\\\"b\"}"}"#);
}

#[tokio::test]
async fn ids_and_stages_reach_the_provider_as_one_selector() {
    let cases = [
        ("", Selector::Current),
        ("?versionStage=AWSCURRENT", Selector::Current),
        ("?versionStage=AWSPREVIOUS", Selector::Previous),
        ("?versionStage=AWSPENDING", Selector::Label("AWSPENDING".into())),
        (&*format!("?versionId={ID}"), Selector::Id(ID.into())),
        (&*format!("?versionId={ID}&versionStage=AWSCURRENT"), Selector::Id(format!("{ID}:AWSCURRENT").into())),
    ];
    for (query, expected) in cases {
        let house = house();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
        let kept = seen.clone();
        house.shelf.put_with("x", move |selector| {
            *kept.lock().unwrap() = Some(selector.clone());
            Err(Error::new(ErrorKind::NotFound, "x"))
        });
        house.get(&format!("/v1/x{query}")).await;
        assert_eq!(seen.lock().unwrap().take(), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn a_second_read_is_a_hit_and_refresh_now_is_not() {
    let house = house();
    let first = house.get("/v1/db/creds").await;
    let second = house.get("/secretsmanager/get?secretId=db/creds").await;
    assert_eq!(first.header("cache-status"), Some("lockstep; fwd=miss"));
    assert_eq!(second.header("cache-status"), Some("lockstep; hit"));
    assert_eq!(house.calls(), 1);
    for value in ["true", "1", "TRUE"] {
        house.get(&format!("/v1/db/creds?refreshNow={value}")).await;
    }
    assert_eq!(house.calls(), 4);
}

/// Break: keep what another surface has written (`Kept::by`), or keep it beyond its secret.
#[tokio::test]
async fn a_body_that_is_kept_is_what_was_written_and_goes_with_its_version() {
    let house = house();
    let first = house.get("/v1/db/creds").await.body;
    for _ in 0..3 {
        assert_eq!(house.get("/v1/db/creds").await.body, first);
    }
    let native = house.get("/api/v1/secrets/db/creds?provider=aws").await;
    assert_eq!(native.header("cache-status"), Some("lockstep; hit"));
    assert!(native.body.contains(r#""encoding":"utf-8""#), "{}", native.body);
    for _ in 0..3 {
        let again = house.get("/api/v1/secrets/db/creds?provider=aws").await;
        assert_eq!((&again.body, again.header("etag")), (&native.body, native.header("etag")));
    }
    house.shelf.put("db/creds", || Payload::text("another"), |_| {});
    house.get("/v1/db/creds?refreshNow=true").await;
    for target in ["/v1/db/creds", "/api/v1/secrets/db/creds?provider=aws"] {
        for _ in 0..3 {
            assert!(house.get(target).await.body.contains(r#""another""#), "{target}");
        }
    }
}

#[tokio::test]
async fn wrong_parameters_have_the_agents_words() {
    let role = "arn:aws:iam::123456789012:role/Reader";
    let cases = [
        ("/secretsmanager/get".to_owned(), "missing parameter secretId"),
        ("/secretsmanager/get?secretId=".to_owned(), "missing parameter secretId"),
        ("/secretsmanager/get?versionId=x".to_owned(), "missing parameter secretId"),
        ("/secretsmanager/get?secretId=x&refreshNow=123".to_owned(), "invalid refreshNow value"),
        ("/v1/x?refreshNow=".to_owned(), "invalid refreshNow value"),
        ("/v1/".to_owned(), "missing secret ID"),
        ("/v1/?versionId=x&abc=1".to_owned(), "missing secret ID"),
        (
            "/v1/x?roleArn=garbage".to_owned(),
            "invalid roleArn format, expected arn:<partition>:iam::<account>:role/<name>",
        ),
        (format!("/v1/x?roleArn={role}"), "roleArn is not allowed: list the role in the configuration"),
        ("/systemsmanager/parameters/get".to_owned(), "missing parameter name"),
        ("/systemsmanager/parameters/get/?name=x&version=1&label=a".to_owned(), "version and label exclude each other"),
        ("/systemsmanager/parameters/get?name=x&version=one".to_owned(), "invalid version value"),
        ("/systemsmanager/parameters/get?name=x&withDecryption=yes".to_owned(), "invalid withDecryption value"),
    ];
    for (target, text) in cases {
        let house = house();
        let said = house.get(&target).await;
        assert_eq!((said.status, &*said.body), (400, text), "{target}");
        assert!(said.header("content-type").is_none());
        assert_eq!(house.calls(), 0);
    }
}

#[tokio::test]
async fn a_listed_role_reads_through_its_own_provider() {
    let role = "arn:aws:iam::123456789012:role/Reader";
    let house = build(|parts| {
        parts.aws.as_mut().unwrap().roles.insert(role.into(), alias("ssm-raw"));
    });
    house.sealed.put("x", || Payload::text("of the role"), |_| {});
    let said = house.get(&format!("/v1/x?roleArn={role}")).await;
    assert_eq!(said.body, r#"{"Name":"x","SecretString":"of the role"}"#);
}

#[tokio::test]
async fn names_and_versions_that_aws_would_not_take_are_validation_errors() {
    for target in [
        "/v1/a//b",
        "/secretsmanager/get?secretId=a%00b",
        "/secretsmanager/get?secretId=../x",
        "/v1/x?versionId=",
        "/v1/x?versionStage=a%3Ab",
        "/systemsmanager/parameters/get?name=x&label=1st",
    ] {
        let house = house();
        let said = house.get(target).await;
        assert_eq!(said.status, 400, "{target}");
        assert_eq!(said.json()["__type"], "ValidationException", "{target}");
        assert_eq!(house.calls(), 0);
    }
}

#[tokio::test]
async fn failures_keep_the_providers_status_and_code_and_our_words() {
    let house = house();
    house.shelf.fail("gone", Error::new(ErrorKind::NotFound, "no \"such\"").upstream("ResourceNotFoundException", 400));
    house.shelf.fail("slow", Error::new(ErrorKind::Timeout, "no answer in 5 s"));
    house.shelf.fail("cut", Error::new(ErrorKind::Network, "the connection broke"));
    house.shelf.fail("fault", Error::new(ErrorKind::Internal, "a bug"));
    house.shelf.fail("denied", Error::new(ErrorKind::Denied, "not allowed").upstream("AccessDeniedException", 400));
    let cases = [
        ("gone", 400, r#"{"__type":"ResourceNotFoundException","message":"no \"such\""}"#),
        ("slow", 504, r#"{"__type":"TimeoutError","message":"no answer in 5 s"}"#),
        ("cut", 502, r#"{"__type":"ConnectionError","message":"the connection broke"}"#),
        ("fault", 500, r#"{"__type":"InternalFailure"}"#),
        ("denied", 400, r#"{"__type":"AccessDeniedException","message":"not allowed"}"#),
    ];
    for (name, status, body) in cases {
        let said = house.get(&format!("/v1/{name}")).await;
        assert_eq!((said.status, &*said.body), (status, body), "{name}");
    }
    let own = house.get("/v1/forbidden/x").await;
    assert_eq!((own.status, &own.json()["__type"]), (403, &"AccessDeniedException".into()));
}

#[tokio::test]
async fn a_parameter_is_answered_as_the_extension_answers_it() {
    let house = house();
    house.shelf.put(
        "/app/db",
        || Payload::text("s3cr\"et"),
        |secret| {
            secret.version = Some(Version::number(7));
            secret.created = Some(UnixMillis(1_664_478_901_106));
            for (name, text) in [
                ("ARN", "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db"),
                ("Type", "SecureString"),
                ("DataType", "text"),
                ("LastModifiedDate", "1664478901.106"),
            ] {
                secret.attributes.insert(name, text.into());
            }
        },
    );
    let expected = concat!(
        r#"{"Parameter":{"ARN":"arn:aws:ssm:eu-west-1:123456789012:parameter/app/db","DataType":"text","#,
        r#""LastModifiedDate":"2022-09-29T19:15:01.106Z","Name":"/app/db","Selector":null,"SourceResult":null,"#,
        r#""Type":"SecureString","Value":"s3cr\"et","Version":7},"ResultMetadata":{}}"#
    );
    for path in ["/systemsmanager/parameters/get", "/systemsmanager/parameters/get/"] {
        let said = house.get(&format!("{path}?name=%2Fapp%2Fdb&withDecryption=true")).await;
        assert_eq!((said.status, &*said.body), (200, expected), "{path}");
    }
}

#[tokio::test]
async fn an_undecrypted_parameter_is_another_secret() {
    let house = house();
    house.shelf.put("p", || Payload::text("open"), |_| {});
    house.sealed.put("p", || Payload::text("sealed"), |_| {});
    let path = "/systemsmanager/parameters/get?name=p";
    for (query, value) in [("", "sealed"), ("&withDecryption=false", "sealed"), ("&withDecryption=1", "open")] {
        let said = house.get(&format!("{path}{query}")).await;
        assert_eq!(said.json()["Parameter"]["Value"], value, "{query}");
        assert!(said.json()["Parameter"]["Version"].is_number());
    }
}

#[tokio::test]
async fn a_missing_parameter_is_told_in_parameter_stores_words() {
    let said = house().get("/systemsmanager/parameters/get?name=nope&withDecryption=true").await;
    assert_eq!((said.status, &said.json()["__type"]), (400, &"ParameterNotFound".into()));
}

#[tokio::test]
async fn ping_and_unknown_paths_are_the_agents() {
    let said = house().send(bare(Method::GET, "/ping")).await;
    assert_eq!((said.status, &*said.body), (200, "healthy"));
    let said = house().send(request(Method::HEAD, "/ping")).await;
    assert_eq!(said.status, 405);
    let said = house().get("/nowhere").await;
    assert_eq!((said.status, &*said.body), (404, "Not found"));
}

#[tokio::test]
async fn another_prefix_and_no_surface_at_all() {
    let house = build(|parts| parts.aws.as_mut().unwrap().path_prefix = "/secrets/".into());
    assert_eq!(house.get("/secrets/plain").await.status, 200);
    assert_eq!(house.get("/v1/plain").await.status, 404);
    let house = build(|parts| parts.aws = None);
    let said = house.get("/v1/plain").await;
    assert_eq!((said.status, &said.json()["code"]), (404, &"no_such_route".into()));
}

/// Break: put any provider behind a service that has none.
#[tokio::test]
async fn a_service_without_a_provider_is_not_found_as_the_agent_says_it() {
    let house = build(|parts| {
        let surface = parts.aws.as_mut().unwrap();
        (surface.parameter_store, surface.parameter_store_encrypted) = (None, None);
    });
    for query in ["", "?name=p", "?name=p&withDecryption=true", "?unknown=1"] {
        let said = house.get(&format!("/systemsmanager/parameters/get{query}")).await;
        assert_eq!((said.status, &*said.body), (404, "Not found"), "{query}");
    }
    assert_eq!(house.get("/v1/plain").await.status, 200);
    let house = build(|parts| parts.aws.as_mut().unwrap().parameter_store_encrypted = None);
    assert_eq!(house.get("/systemsmanager/parameters/get?name=plain").await.status, 404);
    assert_eq!(house.get("/systemsmanager/parameters/get?name=plain&withDecryption=true").await.status, 200);
    let house = build(|parts| parts.aws.as_mut().unwrap().secrets_manager = None);
    for path in ["/v1/plain", "/secretsmanager/get?secretId=plain", "/secretsmanager/get"] {
        assert_eq!(house.get(path).await.status, 404, "{path}");
    }
    assert_eq!(house.calls(), 0, "nobody was asked");
}

#[tokio::test]
async fn the_callers_request_id_comes_back_and_no_other() {
    let mut sent = request(Method::GET, "/v1/plain");
    sent.headers_mut().insert("x-request-id", "abc-1".parse().unwrap());
    let house = house();
    assert_eq!(house.send(sent).await.header("x-request-id"), Some("abc-1"));
    assert_eq!(house.audit()[0].request_id.to_string(), "abc-1");
    assert_eq!(house.get("/v1/plain").await.header("x-request-id"), None);
}
