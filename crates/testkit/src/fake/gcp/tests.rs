use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::api::crc32c;
use super::{Google, PROJECT, State};
use crate::ManualClock;

const HOST: &str = "https://secretmanager.googleapis.com";

struct Asked {
    google: Arc<Google>,
    token: String,
}

impl Asked {
    fn new() -> Self {
        let google = Google::new(ManualClock::new());
        let token = google.admin_token();
        Self { google, token }
    }

    fn send(&self, method: &str, url: &str, body: &Value) -> (u16, Value) {
        let request =
            Request::builder().method(method).uri(url).header("authorization", format!("Bearer {}", self.token));
        read(&self.google.answer(&request.body(Bytes::from(body.to_string())).unwrap()))
    }

    fn get(&self, rest: &str) -> (u16, Value) {
        self.send("GET", &format!("{HOST}/v1/projects/{PROJECT}/secrets{rest}"), &Value::Null)
    }
}

fn read(response: &Response<Bytes>) -> (u16, Value) {
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

#[test]
fn the_checksum_is_castagnolis() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(crc32c(b""), 0);
}

#[test]
fn a_value_is_read_by_number_alias_and_latest_under_the_number_of_the_project() {
    let asked = Asked::new();
    assert_eq!((asked.google.put("s", b"one"), asked.google.put("s", b"")), (1, 2));
    asked.google.alias("s", "blue", 1);
    for (version, number, data) in [("1", 1, json!("b25l")), ("blue", 1, json!("b25l")), ("latest", 2, Value::Null)] {
        let (status, answer) = asked.get(&format!("/s/versions/{version}:access"));
        assert_eq!(
            (status, &answer["name"]),
            (200, &json!(format!("projects/123456789012/secrets/s/versions/{number}")))
        );
        assert_eq!(answer["payload"]["data"], data);
        assert!(answer["payload"]["dataCrc32c"].is_string());
    }
    assert_eq!(asked.google.count("access"), 3);
}

/// Break: answer `latest` by `versions.len()`.
#[test]
fn only_a_read_by_number_is_never_behind() {
    let asked = Asked::new();
    asked.google.put("s", b"one");
    asked.google.lag();
    asked.google.put("s", b"two");
    asked.google.alias("s", "blue", 2);
    let status = |rest: &str| asked.get(rest);
    assert!(status("/s/versions/latest:access").1["name"].as_str().unwrap().ends_with("/1"));
    assert!(status("/s/versions/2:access").1["name"].as_str().unwrap().ends_with("/2"));
    assert_eq!(status("/s/versions/blue:access").0, 404);
    assert_eq!(status("/s/versions").1["totalSize"], 1);
    asked.google.settle();
    assert!(status("/s/versions/latest:access").1["name"].as_str().unwrap().ends_with("/2"));
    assert_eq!(status("/s/versions/blue:access").0, 200);
}

/// Break: any check of the fake.
#[test]
fn what_google_refuses_is_refused_as_google_does() {
    let asked = Asked::new();
    asked.google.put("s", b"one");
    asked.google.put("s", b"two");
    asked.google.put("s", b"three");
    asked.google.set_state("s", 2, State::Disabled);
    asked.google.set_state("s", 1, State::Destroyed);
    let base = format!("{HOST}/v1/projects/{PROJECT}/secrets");
    let regional = "https://secretmanager.europe-west3.rep.googleapis.com/v1/projects/acme-prod";
    let long = "QUFB".repeat(21_846);
    for (method, url, body, status, code) in [
        ("GET", format!("{base}/s/versions/2:access"), Value::Null, 400, "FAILED_PRECONDITION"),
        ("GET", format!("{base}/s/versions/1:access"), Value::Null, 400, "FAILED_PRECONDITION"),
        ("GET", format!("{base}/s/versions/9:access"), Value::Null, 404, "NOT_FOUND"),
        ("GET", format!("{base}/s/versions/0:access"), Value::Null, 404, "NOT_FOUND"),
        ("GET", format!("{base}/none/versions/latest:access"), Value::Null, 404, "NOT_FOUND"),
        ("GET", format!("{HOST}/v1/projects/other/secrets/s"), Value::Null, 403, "PERMISSION_DENIED"),
        (
            "GET",
            format!("{HOST}/v1/projects/{PROJECT}/locations/europe-west3/secrets/s"),
            Value::Null,
            400,
            "INVALID_ARGUMENT",
        ),
        ("GET", format!("{regional}/secrets/s"), Value::Null, 400, "INVALID_ARGUMENT"),
        ("GET", format!("{regional}/locations/europe-west3/secrets/s"), Value::Null, 404, "NOT_FOUND"),
        ("GET", format!("{base}?filter=size%3E1"), Value::Null, 400, "INVALID_ARGUMENT"),
        ("GET", format!("{base}?pageToken=x"), Value::Null, 400, "INVALID_ARGUMENT"),
        ("POST", format!("{base}?secretId=s"), json!({ "replication": {} }), 409, "ALREADY_EXISTS"),
        ("POST", format!("{base}?secretId=a.b"), json!({ "replication": {} }), 400, "INVALID_ARGUMENT"),
        ("POST", format!("{base}?secretId=a"), json!({}), 400, "INVALID_ARGUMENT"),
        (
            "POST",
            format!("{base}/s:addVersion"),
            json!({ "payload": { "data": "b25l", "dataCrc32c": "1" } }),
            400,
            "INVALID_ARGUMENT",
        ),
        ("POST", format!("{base}/s:addVersion"), json!({ "payload": { "data": long } }), 400, "INVALID_ARGUMENT"),
        ("POST", format!("{base}/s/versions/1:enable"), json!({}), 400, "FAILED_PRECONDITION"),
        (
            "PATCH",
            format!("{base}/s?updateMask=versionAliases"),
            json!({ "versionAliases": { "blue": "9" } }),
            400,
            "INVALID_ARGUMENT",
        ),
    ] {
        let (answered, said) = asked.send(method, &url, &body);
        assert_eq!((answered, &said["error"]["status"]), (status, &json!(code)), "{method} {url}");
    }
}

#[test]
fn no_token_a_wrong_one_and_one_without_the_scope_are_told_apart() {
    let mut asked = Asked::new();
    asked.google.put("s", b"one");
    let good = asked.token.clone();
    for (token, status, reason) in
        [("", 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"), ("a.b.c", 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"), (&good, 200, "")]
    {
        token.clone_into(&mut asked.token);
        let (answered, said) = asked.get("/s/versions/1:access");
        assert_eq!(answered, status, "{token}");
        assert_eq!(said["error"]["details"][0]["reason"].as_str().unwrap_or_default(), reason, "{token}");
    }
    let request = Request::get(format!("{HOST}/v1/projects/{PROJECT}/secrets/s")).body(Bytes::new()).unwrap();
    assert_eq!(read(&asked.google.answer(&request)).0, 401);
}

#[test]
fn pages_and_filters_are_those_of_the_reference() {
    let asked = Asked::new();
    for (id, team) in [("a-1", "blue"), ("a-2", "green"), ("b-1", "blue")] {
        asked.google.create(id, &[("team", team)]);
    }
    let names = |rest: &str| {
        let (_, answer) = asked.get(rest);
        let names: Vec<String> = answer["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|secret| secret["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect();
        (names.join(" "), answer["nextPageToken"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(names("?pageSize=2"), ("a-1 a-2".to_owned(), "2".to_owned()));
    assert_eq!(names("?pageSize=2&pageToken=2"), ("b-1".to_owned(), String::new()));
    assert_eq!(names("?filter=name%3Aa-+AND+labels.team%3Dblue").0, "a-1");
    assert_eq!(names("?filter=labels.team%3A%2A").0, "a-1 a-2 b-1");
}
