//! The description, made from the tables that the code answers from.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use lockstep_core::{Alias, Error, ErrorKind};
use serde_json::{Map, Value, json};

use super::schemas;
use crate::problem::problem_of;
use crate::refusal;
use crate::routes::{Methods, Row, Spelling, TABLE, Where};

/// Where `cargo xtask schema` wants the description written.
const WRITE: &str = "LOCKSTEP_WRITE_OPENAPI";

/// What a listener answers by itself: it has read no further than the head, or not even that.
const OF_THE_LISTENER: [(u16, &str); 2] = [(413, "too_large"), (408, "timeout")];
/// A head that is longer than `listen.max_header_bytes`: there is no request yet that a document could be about.
const LONG_HEAD: u16 = 431;

/// One route of the native API.
struct Operation {
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<&'static str>,
    answer: Value,
    /// Failures that only some routes have.
    failures: &'static [u16],
}

/// What any request may meet: it is not understood, not let in, too much, or nobody can answer it now.
const ANY: [u16; 9] = [400, 401, 403, 429, 500, 502, 503, 504, 508];
/// What may be said of one secret.
const OF_A_SECRET: &[u16] = &[404, 409, 410, 501];

/// Status and code of every problem that there is.
fn problems() -> BTreeSet<(u16, &'static str)> {
    let alias = Alias::parse("a").unwrap();
    let errors = ErrorKind::ALL.into_iter().flat_map(|kind| {
        let error = Error::new(kind, "x");
        [problem_of(&error), problem_of(&error.from_provider(&alias))]
    });
    let refusals = refusal::every().into_iter().map(|refusal| refusal.problem().0);
    let told = errors.chain(refusals).map(|problem| (problem.status.as_u16(), problem.code));
    told.chain(OF_THE_LISTENER).collect()
}

fn parameter(name: &str, place: &str, description: &str, schema: &Value) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "description": description, "schema": schema });
    if place == "path" {
        parameter["required"] = json!(true);
    }
    parameter
}

fn query(name: &str, description: &str, schema: &Value) -> Value {
    parameter(name, "query", description, schema)
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn header(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "schema": schema })
}

fn pages() -> [Value; 2] {
    let limits = crate::ApiLimits::default();
    [
        query(
            "page",
            "`next` of the page before; it means something to the provider alone.",
            &json!({ "type": "string", "minLength": 1 }),
        ),
        query(
            "limit",
            "How many items a page may have; a provider may give fewer.",
            &json!({ "type": "integer", "minimum": 1, "maximum": limits.page_items }),
        ),
    ]
}

/// The operation of a row; `None` for those of the AWS surface, which AWS describes.
fn operation(row: &Row) -> Option<Operation> {
    let provider =
        || query("provider", "The alias of the provider to ask; else the routes decide.", &schemas::provider());
    let version = || query("version", "An id, a label, `current` or `previous`.", &schemas::version());
    let key = || {
        query(
            "key",
            "One part of the value: a top-level JSON key, or a JSON Pointer when it begins with `/`.",
            &schemas::key(),
        )
    };
    let named = |id, by_query, more: Vec<Value>, answer, failures| {
        let text = "The name of the secret. As a path it may have slashes, which most clients escape: then send it as `?name=`.";
        let name = if matches!(row.path, Spelling::Rest(_)) {
            parameter("name", "path", text, &schemas::segment())
        } else {
            let mut name = query("name", "The name of the secret.", &schemas::name());
            name["required"] = json!(true);
            name
        };
        let id = if matches!(row.path, Spelling::Rest(_)) { id } else { by_query };
        (id, [vec![name, provider()], more].concat(), answer, failures)
    };
    let released = || {
        json!({
            "description": "The value, and what is known of it.",
            "headers": {
                "ETag": header("Changes with the version, never with what the value is.", &json!({ "type": "string" })),
                "Age": header("Seconds since it was read at its provider.", &whole_number()),
                "Cache-Status": header("Whether the cache answered (RFC 9211).", &json!({ "type": "string" })),
                "Lockstep-Cursor": header("How far the journal had been read; only with a journal.", &json!({ "type": "string" })),
                "X-Request-Id": header("Names this request in the audit and the log.", &json!({ "type": "string" })),
            },
            "content": content("Secret"),
        })
    };
    let plain = |description: &str, schema: &str| json!({ "description": description, "content": content(schema) });
    let (summary, body, (id, parameters, answer, failures)) = match row.to {
        Where::Secret => {
            ("Read one secret", None, named("readSecret", "", vec![version(), key()], released(), OF_A_SECRET))
        }
        Where::Secrets => {
            let mut parameters = vec![
                query(
                    "name",
                    "Read this one secret instead, by a name that may have slashes; with `version` and `key`.",
                    &schemas::name(),
                ),
                query("prefix", "What the names begin with.", &json!({ "type": "string", "maxLength": 1024 })),
                query(
                    "tag",
                    "`name` or `name=value`; all of them must fit.",
                    &json!({ "type": "array", "maxItems": 20, "items": { "type": "string", "minLength": 1, "pattern": "^[^=]" } }),
                ),
                provider(),
                version(),
                key(),
            ];
            parameters.extend(pages());
            let mut answer = released();
            answer["description"] = json!("Names, and what is known of them; with `name`, one secret.");
            answer["content"]["application/json"]["schema"] = json!({ "oneOf": [
                { "$ref": "#/components/schemas/SecretList" }, { "$ref": "#/components/schemas/Secret" },
            ] });
            ("List secrets, or read one", None, ("listSecrets", parameters, answer, OF_A_SECRET))
        }
        Where::Batch => {
            let answer = plain("A result for each, in the order asked for.", "BatchAnswer");
            ("Read many secrets", Some("BatchRequest"), ("readSecrets", Vec::new(), answer, &[413, 408][..]))
        }
        Where::Metadata => {
            let answer = plain("What is known of it; never a value.", "Metadata");
            (
                "Describe a secret",
                None,
                named("describeSecret", "describeSecretByName", Vec::new(), answer, OF_A_SECRET),
            )
        }
        Where::Versions => {
            let answer = plain("Its versions; never a value.", "VersionList");
            (
                "List the versions of a secret",
                None,
                named("listVersions", "listVersionsByName", pages().into(), answer, OF_A_SECRET),
            )
        }
        Where::Rotate => {
            let answer = plain("The rotation has begun, or is done.", "Rotation");
            ("Ask for a rotation", None, named("rotateSecret", "rotateSecretByName", Vec::new(), answer, OF_A_SECRET))
        }
        Where::ReportStale => {
            let answer = plain(
                "What became of the report; read the secret again, unless it is `recent` or `leased`.",
                "Reported",
            );
            let failures = &[404, 409, 410, 501, 413, 408][..];
            (
                "Say that a value no longer works",
                Some("Report"),
                named("reportStale", "reportStaleByName", Vec::new(), answer, failures),
            )
        }
        Where::Invalidate => {
            let answer = plain("How many cached values were dropped.", "Invalidated");
            ("Drop what is cached", Some("InvalidateRequest"), ("invalidate", Vec::new(), answer, &[404, 413, 408][..]))
        }
        #[cfg(feature = "events")]
        Where::Events => {
            let answer = plain("What became of it; to Event Grid, the code that it asks for.", "Delivered");
            let text = "What the configuration calls this source of notifications.";
            let source = parameter("source", "path", text, &schemas::segment());
            ("Deliver a notification", Some("Notification"), ("deliver", vec![source], answer, &[404, 413, 408][..]))
        }
        #[cfg(feature = "changes")]
        Where::Changes => {
            let parameters = vec![
                query(
                    "after",
                    "Where to go on: the `cursor` of the answer before. Without it, the newest there are.",
                    &json!({ "type": "string", "pattern": r"^[0-9]{1,19}\.[0-9]{1,19}$" }),
                ),
                query(
                    "limit",
                    "How many changes at most.",
                    &json!({ "type": "integer", "minimum": 1, "maximum": crate::native::MAX_CHANGES }),
                ),
                query(
                    "wait",
                    "Seconds to wait for the next change; at a function, 0 alone.",
                    &json!({ "type": "integer", "minimum": 0, "maximum": crate::native::MAX_WAIT }),
                ),
            ];
            let answer = plain("What has changed, as far as the caller may see it; never a value.", "Changes");
            ("Read the journal", None, ("readChanges", parameters, answer, &[404][..]))
        }
        Where::Metrics => {
            let text = json!({ "description": "The numbers, as Prometheus reads them.", "content": { "text/plain": { "schema": { "type": "string" } } } });
            ("Read the metrics", None, ("readMetrics", Vec::new(), text, &[404][..]))
        }
        Where::Live => ("Whether the process runs", None, ("live", Vec::new(), plain("It does.", "Live"), &[][..])),
        Where::Ready => {
            let answer = plain("Requests can be served.", "Ready");
            ("Whether requests can be served", None, ("ready", Vec::new(), answer, &[][..]))
        }
        Where::OpenApi => {
            let answer = json!({ "description": "This description.", "content": { "application/json": { "schema": { "type": "object" } } } });
            ("Read this description", None, ("describeApi", Vec::new(), answer, &[][..]))
        }
        _ => return None,
    };
    Some(Operation { id, summary, parameters, body, answer, failures })
}

/// What is answered to a failure, by its status.
fn failures(problems: &BTreeSet<(u16, &'static str)>) -> Value {
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (status, code) in problems {
        failures.entry(status.to_string()).or_default().push(format!("`{code}`"));
    }
    let answer = |(status, codes): (String, Vec<String>)| {
        let mut answer = json!({
            "description": codes.join(", "),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        let header = match status.as_str() {
            "401" => Some(("WWW-Authenticate", header("How to log in.", &json!({ "type": "string" })))),
            "429" | "503" => Some(("Retry-After", header("Seconds to wait.", &whole_number()))),
            _ => None,
        };
        if let Some((name, header)) = header {
            answer["headers"] = json!({ name: header });
        }
        (status, answer)
    };
    let mut answers: Map<_, _> = failures.into_iter().map(answer).collect();
    let long = "The head of the request is longer than the listener takes; send a long name in a batch.";
    answers.insert(LONG_HEAD.to_string(), json!({ "description": long }));
    answers.into()
}

fn whole_number() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+$" })
}

/// The ways to log in.
fn logins() -> Vec<Value> {
    ["bearer", "awsToken", "awsIdentity", "certificate"].map(|scheme| json!({ scheme: [] })).into()
}

/// The question of a sender whether it may deliver (CloudEvents, HTTP 1.1 Web Hooks for Event Delivery, section 4), beside
/// what is said of a delivery to the same source. Who asks needs no login; where there is no such source, it does.
#[cfg(feature = "events")]
fn consent(delivery: &Value) -> Value {
    let origin = json!({
        "name": "WebHook-Request-Origin", "in": "header", "required": true,
        "description": "Who would deliver.", "schema": { "type": "string" },
    });
    let mut responses = delivery["responses"].clone();
    responses["200"] = json!({
        "description": "It may.",
        "headers": {
            "WebHook-Allowed-Origin": header("Who may: the one that asked.", &json!({ "type": "string" })),
            "WebHook-Allowed-Rate": header("How many deliveries a minute.", &whole_number()),
        },
    });
    json!({
        "operationId": "mayDeliver",
        "summary": "Ask whether a sender may deliver",
        "parameters": [delivery["parameters"][0], origin],
        "responses": responses,
        "security": [],
    })
}

/// The row's place in the description: its path and its methods.
fn write(row: &Row, paths: &mut Map<String, Value>) {
    let Some(operation) = operation(row) else { return };
    let path = match row.path {
        Spelling::Exact(path) => path.to_owned(),
        Spelling::Rest(start) => {
            let rest = operation.parameters.iter().find(|parameter| parameter["in"] == "path");
            format!("{start}{{{}}}", rest.and_then(|rest| rest["name"].as_str()).unwrap())
        }
        Spelling::Prefix => return,
    };
    let mut responses = Map::new();
    responses.insert("200".to_owned(), operation.answer);
    if matches!(row.to, Where::Secret | Where::Secrets) {
        responses
            .insert("304".to_owned(), json!({ "description": "`If-None-Match` names the version that is current." }));
    }
    let open = [400, 403, 429];
    let any: &[u16] = if row.token { &ANY } else { &open };
    for status in any.iter().chain(&[LONG_HEAD]).chain(operation.failures) {
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    }
    if row.to == Where::Ready {
        let mut answer = responses["200"].clone();
        answer["description"] = json!("No provider answers.");
        responses.insert("503".to_owned(), answer);
    }
    let mut described = json!({ "operationId": operation.id, "summary": operation.summary, "responses": responses });
    if !operation.parameters.is_empty() {
        described["parameters"] = operation.parameters.into();
    }
    if let Some(body) = operation.body {
        described["requestBody"] = json!({ "required": true, "content": content(body) });
    }
    if !row.token {
        described["security"] = json!([]);
    }
    let methods = paths.entry(path).or_insert_with(|| json!({}));
    match row.methods {
        // HEAD follows from GET (RFC 9110, 9.3.2): `info` says so once, and no operation says it again.
        Methods::Get | Methods::GetHead => methods["get"] = described,
        Methods::Post => methods["post"] = described,
        #[cfg(feature = "events")]
        Methods::PostOptions => {
            methods["options"] = consent(&described);
            let mut security = logins();
            // A source whose deliveries are signed looks at no login.
            security.push(json!({}));
            described["security"] = security.into();
            methods["post"] = described;
        }
        #[cfg(feature = "vault-surface")]
        Methods::GetList => {}
    }
}

fn description() -> Value {
    let problems = problems();
    let codes: BTreeSet<_> = problems.iter().map(|(_, code)| *code).collect();
    let codes: Vec<_> = codes.into_iter().collect();
    let mut paths = Map::new();
    for row in TABLE {
        write(row, &mut paths);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lockstep",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Secrets for code that runs at the edge. Failures are problem documents (RFC 9457) with a stable `code`. Where there is GET there is HEAD: the same without a body.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:2773", "description": "A local listener" }],
        "security": logins(),
        "paths": paths,
        "components": {
            "schemas": schemas::all(&codes),
            "responses": failures(&problems),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "The local token, an API key, or a signed token (JWT)." },
                "awsToken": { "type": "apiKey", "in": "header", "name": "X-Aws-Parameters-Secrets-Token", "description": "The local token, as AWS's clients send it." },
                "awsIdentity": { "type": "http", "scheme": "lockstep-iam", "description": "A signed GetCallerIdentity request." },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

/// Members sorted: builds differ in whether serde_json keeps their order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Break: any line of the file, any row of the table, any code or status of a problem.
#[test]
#[expect(clippy::disallowed_methods, reason = "the task that writes the file says where to")]
fn what_is_checked_in_is_what_the_tables_say() {
    let made = format!("{:#}\n", sorted(description()));
    if let Ok(path) = std::env::var(WRITE) {
        std::fs::write(path, &made).unwrap();
    }
    assert!(made == super::DESCRIPTION, "crates/api/openapi.json is not current: run `cargo xtask schema`");
}

/// HEAD is told of once, for all of them. Break: leave a row's arm out of `operation`, or `options` out of `write`.
#[test]
fn every_route_of_the_native_api_is_described_once() {
    let described = description();
    let paths = described["paths"].as_object().unwrap();
    let native: Vec<_> = TABLE.iter().filter(|row| !row.aws).collect();
    assert_eq!(paths.len(), native.len());
    for row in native {
        let path = match row.path {
            Spelling::Exact(path) | Spelling::Rest(path) => path,
            Spelling::Prefix => unreachable!(),
        };
        let found = paths.iter().find(|(described, _)| described.split('{').next() == Some(path));
        let methods = found.map(|(_, methods)| methods).unwrap();
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let described = methods[method.as_str().to_lowercase()].is_object();
            assert_eq!(described, row.methods.allow(&method), "{method} {row:?}");
        }
        let has_head = row.methods.allow(&Method::HEAD);
        assert!(methods["head"].is_null() && has_head == methods["get"].is_object(), "{row:?}");
    }
    let mut ids: Vec<_> = paths
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
}

/// Break: leave `{}` out of the logins of a delivery, or `security` out of a route that is open.
#[test]
fn what_needs_no_login_says_so_and_nothing_else_does() {
    let described = description();
    let paths = described["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let (is_events, is_health) = (path.starts_with("/api/v1/events/"), path.starts_with("/health/"));
            let expected = match method.as_str() {
                "options" => json!([]),
                "post" if is_events => [logins(), vec![json!({})]].concat().into(),
                _ if is_health => json!([]),
                _ => Value::Null,
            };
            assert_eq!(operation["security"], expected, "{method} {path}");
        }
    }
}

/// Break: a status in `ANY` or in an operation's failures that no problem has.
#[test]
fn every_status_of_a_failure_has_a_problem_and_every_problem_a_status() {
    let problems = problems();
    let described = description();
    let mut told = BTreeSet::new();
    for methods in described["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            for status in operation["responses"].as_object().unwrap().keys() {
                told.insert(status.parse::<u16>().unwrap());
            }
        }
    }
    for (status, code) in &problems {
        // A method that a route does not take is no operation that could be described.
        let described = told.contains(status) || *status == StatusCode::METHOD_NOT_ALLOWED.as_u16();
        assert!(described, "{status} {code}");
    }
    for status in told.iter().filter(|status| **status >= 400 && **status != LONG_HEAD) {
        assert!(problems.iter().any(|(of, _)| of == status), "{status}");
    }
}
