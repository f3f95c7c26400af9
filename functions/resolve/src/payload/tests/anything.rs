//! What is no event, and whatever else may come: nothing breaks, and a path and a query are read as they were meant.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::events::{at, event, refused, set, taken};
use super::*;

/// Break: leave `kind` or `elb` out of the look in `take`.
#[test]
fn what_is_no_request_is_refused_and_nothing_of_it_is_shown() {
    let canary = "canary-4711";
    let with = |form, name: &str, value: Value| {
        let mut event = event(form);
        set(&mut event, name, value);
        event
    };
    let others = [
        json!(null),
        json!(canary),
        json!([canary]),
        json!({}),
        json!({ "name": canary, "requestContext": canary }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": canary }] }),
        json!({ "version": "0", "source": "aws.secretsmanager", "detail-type": "x", "detail": { "secret": canary } }),
        json!({ "version": "2.0", "method": "GET", "path": "/x", "headers": {}, "requestContext": { "region": "x" } }),
        // A WebSocket API, a load balancer, and authorizers of both APIs.
        json!({ "requestContext": { "connectionId": "c", "eventType": "CONNECT", "domainName": "x" }, "headers": {} }),
        with(Form::RestApi, "/requestContext/elb", json!({ "targetGroupArn": "arn" })),
        with(Form::RestApi, "/type", json!("REQUEST")),
        with(Form::HttpApi, "/type", json!("REQUEST")),
        with(Form::RestApi, "/multiValueHeaders", Value::Null),
        with(Form::HttpApi, "/version", json!("3.0")),
    ];
    for event in others {
        let reason = refused(&event);
        assert_eq!(reason, OTHER, "{event}");
        assert!(!format!("{reason:?}").contains(canary));
    }
    assert_eq!(refused(&with(Form::RestApi, "/version", json!("1.0"))), FORMAT_1);
    for (form, name, value) in [
        (Form::FunctionUrl, "/rawPath", json!("my/path")),
        (Form::FunctionUrl, "/rawPath", json!("https://evil.example/")),
        (Form::FunctionUrl, "/rawPath", json!("")),
        (Form::FunctionUrl, "/rawPath", json!("*")),
        (Form::FunctionUrl, "/rawPath", Value::Null),
        (Form::FunctionUrl, "/headers/x-canary", json!("a\r\nb")),
        (Form::FunctionUrl, "/headers/no name", json!(canary)),
        (Form::FunctionUrl, "/requestContext/http/method", json!("GET /")),
        (Form::RestApi, "/httpMethod", json!("")),
        (Form::RestApi, "/path", json!("my/path")),
    ] {
        assert_eq!(refused(&with(form, name, value.clone())), BROKEN, "{name} {value}");
    }
    // A path that begins with two slashes names no host.
    let twice = taken(&at(Form::FunctionUrl, "//evil.example/x")).request;
    assert_eq!((twice.uri().authority(), twice.uri().path()), (None, "//evil.example/x"));
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z-]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place in a value that can be written to.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return };
    for (name, value) in members {
        let place = format!("{at}/{name}");
        places(value, &place, found);
        found.push(place);
    }
}

proptest! {
    /// Break: an index, or an `unwrap`, anywhere in `take`.
    #[test]
    fn no_json_breaks_it(text in ".{0,64}", value in any_json()) {
        let _ = take(&text);
        let _ = take(&value.to_string());
    }

    /// A documented event with something else in one of its places becomes a request that can be answered, or none.
    #[test]
    fn no_change_of_an_event_breaks_it(form in prop::sample::select(&FORMS[..]), place in any::<prop::sample::Index>(), value in any_json()) {
        let mut event = event(form);
        let mut found = Vec::new();
        places(&event, "", &mut found);
        set(&mut event, &found[place.index(found.len())], value);
        if let Ok(Taken { request, .. }) = take(&event.to_string()) {
            prop_assert!(request.uri().path().starts_with('/') && request.uri().authority().is_none());
        }
    }

    /// L7: decoding what was made of a path gives the path, once. Break: any other set of characters in `DECODED_PATH`.
    #[test]
    fn l7_a_path_that_was_decoded_is_decoded_to_itself(rest in "(.|%[0-9A-F]{2}|[?#%]){0,16}") {
        let path = format!("/{rest}");
        let Taken { request, .. } = taken(&at(Form::HttpApi, &path));
        prop_assert_eq!(percent_decode_str(request.uri().path()).decode_utf8().unwrap(), path.as_str());
        prop_assert_eq!(request.uri().query(), None);
    }

    /// L7: a path that was sent in a URL is the same here. Break: escape a percent sign of it.
    #[test]
    fn l7_a_path_that_was_not_decoded_stays_as_it_was_sent(rest in "([a-zA-Z0-9/._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,24}") {
        let path = format!("/{rest}");
        for form in [Form::FunctionUrl, Form::RestApi] {
            let Taken { request, .. } = taken(&at(form, &path));
            prop_assert_eq!(request.uri().path(), path.as_str());
        }
    }

    /// Break: leave `&`, `=`, `+` or `%` out of `FORM`.
    #[test]
    fn l7_a_decoded_query_is_read_as_it_was(pairs in prop::collection::vec(("\\PC{0,8}", "\\PC{0,8}"), 1..4)) {
        let mut event = event(Form::RestApi);
        let mut many = serde_json::Map::new();
        for (name, value) in &pairs {
            many.entry(name).or_insert(json!([])).as_array_mut().unwrap().push(value.as_str().into());
        }
        set(&mut event, "/multiValueQueryStringParameters", many);
        let Taken { request, .. } = taken(&event);
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().map(Cow::into_owned).unwrap();
        let mut read: Vec<(String, String)> = request.uri().query().unwrap().split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (decode(name), decode(value))
        }).collect();
        let mut expected = pairs;
        read.sort();
        expected.sort();
        prop_assert_eq!(read, expected);
    }
}
