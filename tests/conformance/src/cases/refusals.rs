//! What is refused, each with its status and code.

use serde_json::json;

use crate::endpoint::{Endpoint, Said, Stop, Verdict, component, holds, same};
use crate::seed::{ABSENT, JSON, TEXT};

/// More than an endpoint takes for a body unless it is told to (`max_body_bytes`, 256 KiB).
const TOO_LARGE: usize = 1 << 20;

pub(super) fn absent(endpoint: &Endpoint) -> Verdict {
    for route in ["secrets", "metadata", "versions"] {
        endpoint.get(endpoint.path(route, ABSENT))?.problem(404, "not_found")?;
    }
    Ok(())
}

pub(super) fn absent_version(endpoint: &Endpoint) -> Verdict {
    let id = "00000000-0000-4000-8000-000000000000";
    endpoint.get(format!("{}?version={id}", endpoint.path("secrets", TEXT.name)))?.problem(404, "version_not_found")?;
    Ok(())
}

pub(super) fn absent_provider(endpoint: &Endpoint) -> Verdict {
    let (status, code) = if endpoint.told().hides_denied { (404, "not_found") } else { (400, "invalid_reference") };
    let target = format!("{}?provider=no-such-provider", endpoint.path("secrets", TEXT.name));
    endpoint.get(target)?.problem(status, code)?;
    endpoint
        .get(format!("{}?provider=NOT%20ONE", endpoint.path("secrets", TEXT.name)))?
        .problem(400, "invalid_reference")?;
    Ok(())
}

pub(super) fn bad_names(endpoint: &Endpoint) -> Verdict {
    for name in
        ["", "/", "a//b", "a/", "a/../b", "./a", "a\\b", "a\u{0}b", "a\u{202e}b", "%2e%2e/a", "a./b", " a", "e\u{301}"]
    {
        for route in ["secrets", "metadata", "versions"] {
            let said = endpoint.get(format!("/api/v1/{route}?name={}", component(name)))?;
            said.problem(400, "invalid_name")?;
        }
    }
    let long = "x".repeat(2049);
    let body = json!({ "name": long });
    endpoint.post("/api/v1/invalidate", &body)?.problem(400, "invalid_name")?;
    Ok(())
}

fn is_no_path(endpoint: &Endpoint, written: &[&str]) -> Verdict {
    for written in written {
        let target = endpoint.path("secrets", TEXT.name).replace("/text", written);
        endpoint.get(&*target)?.problem(400, "invalid_target").map_err(|stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("{target}: {why}")),
            other @ (Stop::Unanswered(_) | Stop::Skipped(_)) => other,
        })?;
    }
    Ok(())
}

pub(super) fn bad_paths(endpoint: &Endpoint) -> Verdict {
    let written =
        ["/%2e%2e/text", "/x/../text", "/.%2ftext", "/te%5Cxt", "/te%2573t", "/text;x=1", "/te%00xt", "/te%zzxt"];
    is_no_path(endpoint, &written)
}

pub(super) fn hiding_escapes(endpoint: &Endpoint) -> Verdict {
    is_no_path(endpoint, &["%2Ftext", "/te%ffxt"])
}

pub(super) fn parameters(endpoint: &Endpoint) -> Verdict {
    let path = endpoint.path("secrets", JSON.name);
    for query in ["?verison=1", "?key=user&key=port", "?provider=a&provider=b", "?name=x", "?__proto__=1"] {
        endpoint.get(format!("{path}{query}"))?.problem(400, "invalid_parameter")?;
    }
    for query in ["?version=", "?version=%00", "?provider=%2F"] {
        endpoint.get(format!("{path}{query}"))?.problem(400, "invalid_reference")?;
    }
    for query in ["?limit=0", "?limit=-1", "?limit=many", "?limit=1000000", "?page=", "?tag=%3Dx", "?tags=x"] {
        endpoint.get(format!("/api/v1/secrets{query}"))?.problem(400, "invalid_parameter")?;
    }
    for route in ["metadata", "versions"] {
        endpoint.get(format!("/api/v1/{route}"))?.problem(400, "invalid_parameter")?;
        endpoint.get(format!("{}?key=user", endpoint.path(route, JSON.name)))?.problem(400, "invalid_parameter")?;
    }
    Ok(())
}

pub(super) fn unknown_parameters(endpoint: &Endpoint) -> Verdict {
    let refused = |said: Said| said.problem(400, "invalid_parameter").map(drop);
    for route in ["secrets", "metadata", "versions"] {
        refused(endpoint.get(format!("{}?x=1", endpoint.path(route, TEXT.name)))?)?;
        let name = component(&endpoint.name(TEXT.name));
        refused(endpoint.get(format!("/api/v1/{route}?name={name}&x=1"))?)?;
    }
    refused(endpoint.get("/api/v1/secrets?x=1")?)?;
    let name = endpoint.name(TEXT.name);
    for (target, body) in [
        (endpoint.path("report-stale", TEXT.name), json!({ "version": "1" })),
        ("/api/v1/secrets:batch".to_owned(), json!({ "secrets": [{ "name": name }] })),
        ("/api/v1/invalidate".to_owned(), json!({ "name": name })),
    ] {
        refused(endpoint.post(&format!("{target}?x=1"), &body)?)?;
    }
    refused(endpoint.send(&endpoint.ask("POST", format!("{}?x=1", endpoint.path("rotate", TEXT.name))))?)
}

pub(super) fn no_query(endpoint: &Endpoint) -> Verdict {
    endpoint.get(format!("{}?key=%ff", endpoint.path("secrets", JSON.name)))?.problem(400, "invalid_target").map(drop)
}

pub(super) fn bodies(endpoint: &Endpoint) -> Verdict {
    let name = endpoint.name(TEXT.name);
    for (target, bodies) in [
        (
            "/api/v1/secrets:batch",
            vec![
                String::new(),
                "{".to_owned(),
                "[]".to_owned(),
                "null".to_owned(),
                r#"{"secrets":{}}"#.to_owned(),
                r#"{"secrets":[{}]}"#.to_owned(),
                r#"{"secrets":[{"name":7}]}"#.to_owned(),
                json!({ "secrets": [{ "name": name, "extra": 1 }] }).to_string(),
                json!({ "secrets": [{ "name": name }], "extra": 1 }).to_string(),
                format!(r#"{{"secrets":[{{"name":"{name}"}}]}} trailing"#),
            ],
        ),
        (
            "/api/v1/invalidate",
            vec![
                String::new(),
                "{}".to_owned(),
                json!({ "name": name, "prefix": name }).to_string(),
                json!({ "name": null }).to_string(),
                json!({ "names": [name] }).to_string(),
            ],
        ),
    ] {
        for body in bodies {
            endpoint.send(&endpoint.ask("POST", target).bytes(body))?.problem(400, "invalid_parameter")?;
        }
        endpoint.post(&format!("{target}?x=1"), &json!({}))?.problem(400, "invalid_parameter")?;
        let no_utf8 = endpoint.ask("POST", target).bytes([b'"', 0xff, b'"'].to_vec());
        endpoint.send(&no_utf8)?.problem(400, "invalid_parameter")?;
    }
    Ok(())
}

pub(super) fn get_with_body(endpoint: &Endpoint) -> Verdict {
    let ask = endpoint.ask("GET", endpoint.path("secrets", TEXT.name)).bytes("{}");
    endpoint.send(&ask)?.problem(400, "body_not_allowed")?;
    Ok(())
}

pub(super) fn too_large(endpoint: &Endpoint) -> Verdict {
    let body = json!({ "secrets": [{ "name": "x".repeat(TOO_LARGE) }] });
    let said = endpoint.post("/api/v1/secrets:batch", &body)?;
    same("status", said.status, 413)
}

pub(super) fn methods(endpoint: &Endpoint) -> Verdict {
    let reads = ["secrets", "metadata", "versions"].map(|route| endpoint.path(route, TEXT.name));
    let open = ["/api/v1/secrets", "/metrics", "/health/live", "/health/ready"].map(str::to_owned);
    for target in reads.into_iter().chain(open) {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let said = endpoint.send(&endpoint.ask(method, &*target))?;
            said.problem(405, "method_not_allowed")?;
            same(&target, said.header("allow"), "GET, HEAD")?;
        }
    }
    let writes = [endpoint.path("rotate", TEXT.name), "/api/v1/secrets:batch".into(), "/api/v1/invalidate".into()];
    for target in writes {
        for method in ["GET", "PUT", "DELETE"] {
            let said = endpoint.send(&endpoint.ask(method, &*target))?;
            said.problem(405, "method_not_allowed")?;
            same(&target, said.header("allow"), "POST")?;
        }
    }
    Ok(())
}

pub(super) fn routes(endpoint: &Endpoint) -> Verdict {
    for target in ["/api/v1/nowhere", "/api/v2/secrets/x", "/api/", "/health/", "/health/other"] {
        endpoint.get(target)?.problem(404, "no_such_route")?;
    }
    same("outside of the API", endpoint.get("/nowhere")?.status, 404)
}

pub(super) fn request_ids(endpoint: &Endpoint) -> Verdict {
    let with = |id: &str| endpoint.ask("GET", endpoint.path("secrets", ABSENT)).with("x-request-id", id);
    let given = "conformance-1_2.3:4";
    let said = endpoint.send(&with(given))?;
    same("the id", said.header("x-request-id"), given)?;
    same("the document's", &said.problem(404, "not_found")?["request_id"], &json!(given))?;
    for bad in ["a b", "<script>", &"x".repeat(129)] {
        let said = endpoint.send(&with(bad))?;
        holds("it is replaced", said.header("x-request-id") != bad)?;
        said.problem(404, "not_found")?;
    }
    let ids = [endpoint.get("/health/live")?, endpoint.get("/health/live")?];
    let ids = ids.map(|said| said.header("x-request-id").to_owned());
    holds("each request has its own", !ids[0].is_empty() && ids[0] != ids[1])
}
