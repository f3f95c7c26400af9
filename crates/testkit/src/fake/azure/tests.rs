//! The fake is strict: what the service refuses, it refuses.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;

fn ask(vault: &AzureVault, method: &str, target: &str, token: Option<&str>, body: &str) -> (u16, Value) {
    let host =
        if target.contains("oauth2") { "https://login.microsoftonline.com" } else { "https://kv.vault.azure.net" };
    let mut request = Request::builder().method(method).uri(format!("{host}{target}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let kind = if target.contains("oauth2") { "application/x-www-form-urlencoded" } else { "application/json" };
    let answer = vault.answer(request.header("content-type", kind).body(Bytes::from(body.to_owned())).unwrap());
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
}

fn login(vault: &AzureVault, fields: &str) -> (u16, Value) {
    ask(vault, "POST", &format!("/{TENANT}/oauth2/v2.0/token"), None, fields)
}

fn token(vault: &AzureVault) -> String {
    let fields = format!(
        "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret=c4n4ry~client.secret\
         &scope=https%3A%2F%2Fvault.azure.net%2F.default"
    );
    let (status, body) = login(vault, &fields);
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn what_the_service_refuses_it_refuses() {
    let clock = ManualClock::new();
    let vault = AzureVault::new(clock.clone());
    let token = token(&vault);
    vault.put("Db", &json!({ "value": "v" }));
    for (method, target, body, status, code) in [
        ("GET", "/secrets/db?api-version=7.4", "", 200, ""),
        ("GET", "/secrets/DB/?api-version=7.4", "", 200, ""),
        ("GET", "/secrets/db", "", 400, "BadParameter"),
        ("GET", "/secrets/db?api-version=1.0", "", 400, "BadParameter"),
        ("GET", "/secrets/db?api-version=7.4&api-version=7.4", "", 400, "BadParameter"),
        ("GET", "/secrets/d_b?api-version=7.4", "", 400, "BadParameter"),
        ("GET", "/secrets/d%2Fb?api-version=7.4", "", 400, "BadParameter"),
        ("GET", "/secrets/none?api-version=7.4", "", 404, "SecretNotFound"),
        ("GET", "/secrets/db/0123?api-version=7.4", "", 404, "SecretNotFound"),
        ("GET", "/secrets?api-version=7.4&maxresults=26", "", 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.4&$skiptoken=abcd", "", 400, "BadParameter"),
        ("PUT", "/secrets/new?api-version=7.4", "{}", 400, "BadParameter"),
        ("PUT", "/secrets/new?api-version=7.4", "no json", 400, "BadParameter"),
        ("POST", "/secrets/db?api-version=7.4", "", 405, "MethodNotAllowed"),
    ] {
        let (got, answer) = ask(&vault, method, target, Some(&token), body);
        assert_eq!((got, answer["error"]["code"].as_str().unwrap_or_default()), (status, code), "{method} {target}");
    }
    assert_eq!(ask(&vault, "GET", "/secrets/db?api-version=7.4", None, "").0, 401);
    assert_eq!(ask(&vault, "GET", "/secrets/db?api-version=7.4", Some("other"), "").0, 401);
    clock.advance(Duration::from_secs(3599));
    assert_eq!(ask(&vault, "GET", "/secrets/db?api-version=7.4", Some(&token), "").0, 401, "it has ended");
}

#[test]
fn a_deleted_name_is_taken_until_it_is_purged() {
    let vault = AzureVault::new(ManualClock::new());
    let token = token(&vault);
    vault.put("db", &json!({ "value": "v" }));
    vault.operate(Method::DELETE, "/secrets/db", &Value::Null);
    let (status, body) = ask(&vault, "PUT", "/secrets/DB?api-version=7.4", Some(&token), r#"{"value":"w"}"#);
    assert_eq!((status, &body["error"]["innererror"]["code"]), (409, &json!("ObjectIsDeletedButRecoverable")));
    vault.operate(Method::POST, "/deletedsecrets/db/recover", &Value::Null);
    vault.operate(Method::DELETE, "/secrets/db", &Value::Null);
    vault.operate(Method::DELETE, "/deletedsecrets/db", &Value::Null);
    vault.put("db", &json!({ "value": "w" }));
}

#[test]
fn a_login_that_shows_nothing_or_something_else_is_refused() {
    let vault = AzureVault::new(ManualClock::new());
    let scope = "scope=https%3A%2F%2Fvault.azure.net%2F.default";
    let id = format!("client_id={CLIENT_ID}");
    for (fields, status, code) in [
        (format!("grant_type=client_credentials&{id}&{scope}&client_secret=wrong"), 401, "invalid_client"),
        (format!("grant_type=client_credentials&{id}&{scope}"), 401, "invalid_client"),
        (format!("grant_type=client_credentials&{id}&scope=https%3A%2F%2Fx&client_secret=s"), 400, "invalid_scope"),
        (format!("grant_type=password&{id}&{scope}"), 400, "unsupported_grant_type"),
        (format!("grant_type=client_credentials&client_id=x&{scope}"), 400, "unauthorized_client"),
        (format!("grant_type=client_credentials&{id}&{id}&{scope}"), 400, "invalid_request"),
        (
            format!(
                "grant_type=client_credentials&{id}&{scope}&client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3A\
                 params%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
            ),
            401,
            "invalid_client",
        ),
    ] {
        let (got, body) = login(&vault, &fields);
        assert_eq!((got, body["error"].as_str().unwrap()), (status, code), "{fields}");
    }
}
