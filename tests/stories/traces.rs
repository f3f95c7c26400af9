//! Traces, as a collector reads them with OpenTelemetry's own messages: whose they are, what belongs to what, and what a
//! collector that misbehaves costs.

use lockstep_stories::{Collector, CountingProxy, Lockstep, Running, TOKEN, Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, OPENBAO_ROOT, free_port};
use serde_json::{Value, json};

use crate::fake_aws::{self, ENV, ROUTE};
use crate::openbao::Bao;

/// A caller's place in a trace.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const SECRET: &str = "/api/v1/secrets/db/creds";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

/// `[telemetry]` with this endpoint.
fn telemetry(url: &str, more: &str) -> String {
    format!("[telemetry]\nendpoint = \"{url}\"\n{more}\n")
}

/// `lockstep serve` before a hostile AWS, which sends its spans there.
fn serve(upstream: &Upstream, url: &str, more: &str) -> Running {
    let config = crate::aws_account::config(&upstream.url(), &telemetry(url, more));
    Lockstep::serve(
        format!("{config}[providers.aws.upstream]\nbackoff = \"1ms\"\nbreaker_failures = 0\n").as_str(),
        &ENV,
    )
}

/// The only span of this name.
fn one<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    let found: Vec<_> = spans.iter().filter(|span| span["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {spans:#?}");
    found[0]
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

/// What went out to a hostile server as `traceparent`.
fn sent(upstream: &Upstream) -> Vec<String> {
    upstream.seen().iter().map(|seen| seen.header("traceparent").unwrap_or_default().to_owned()).collect()
}

/// What `/metrics` says became of the spans: exported, dropped, rejected.
fn counts(running: &Running) -> [u64; 3] {
    let text = running.get("/metrics").text();
    ["exported", "dropped", "rejected"].map(|outcome| {
        let line = format!("lockstep_spans_total{{outcome=\"{outcome}\"}} ");
        text.lines()
            .find_map(|have| have.strip_prefix(&line))
            .unwrap_or_else(|| panic!("{line}{text}"))
            .parse()
            .unwrap()
    })
}

// Break: `span.of(&limited)` in `Upstream::run`, `span.of(call)` in `Resolver::get`, or `put_into` in `Exchange::call`.
#[test]
fn one_trace_leads_from_the_client_through_the_endpoint_to_openbao() {
    let (bao, collector) = (Bao { url: require!(servers::openbao()) }, require!(Collector::start()));
    let mount = bao.mount("kv", &json!({ "version": "2" }));
    bao.done("POST", &format!("{mount}/data/db/creds"), &json!({ "data": { "value": "s3cret" } }));
    let proxy = CountingProxy::to(&bao.url);
    let config = format!(
        "{}[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\n",
        telemetry(&collector.url(), "service_name = \"region\""),
        proxy.url()
    );
    let running = Lockstep::serve(config.as_str(), &[("VAULT_TOKEN", OPENBAO_ROOT)]);
    let path = format!("/api/v1/secrets/{mount}/db/creds");
    let parent = traceparent("01");
    let fetched = running.get_with(&path, &[("traceparent", &parent)]);
    assert_eq!(fetched.status, 200, "{fetched:?}");
    let spans = collector.trace(TRACE, 3);
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let (server, access, call) =
        (one(&spans, "GET /api/v1/secrets/{name}"), one(&spans, "secrets.get"), one(&spans, "vault get"));
    assert_eq!(server["parent"], CALLER);
    assert_eq!(access["parent"], server["span"]);
    assert_eq!(call["parent"], access["span"]);
    assert_eq!(
        (&server["kind"], &access["kind"], &call["kind"]),
        (&json!("server"), &json!("internal"), &json!("client"))
    );
    for (inner, outer) in [(access, server), (call, access)] {
        assert!(inner["start"].as_u64() >= outer["start"].as_u64() && inner["end"].as_u64() <= outer["end"].as_u64());
    }
    assert_eq!(
        server["attributes"],
        json!({ "http.request.method": "GET", "http.route": "/api/v1/secrets/{name}", "http.response.status_code": 200 })
    );
    assert_eq!(access["attributes"], json!({ "lockstep.provider": "vault", "lockstep.cache": "miss" }));
    assert_eq!(
        call["attributes"],
        json!({ "lockstep.provider": "vault", "lockstep.provider.type": "vault", "lockstep.attempt": 1 })
    );
    for span in &spans {
        assert_eq!((&span["resource"]["service.name"], &span["failed"]), (&json!("region"), &json!(false)), "{span}");
    }
    // W3C's flags, that it is known whether the parent is remote, and that the server's is.
    assert_eq!((server["flags"].as_u64(), call["flags"].as_u64()), (Some(0x301), Some(0x101)));
    // What OpenBao was asked, the look at its mounts and at the token too, says whose attempt it belongs to.
    let outgoing = format!("traceparent: 00-{TRACE}-{}-01", call["span"].as_str().unwrap());
    assert!(proxy.total() > 0);
    assert_eq!(proxy.count(&outgoing), proxy.total());

    // The same again is a hit: nobody is called.
    let other = parent.replace(TRACE, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(running.get_with(&path, &[("traceparent", &other)]).header("cache-status"), "lockstep; hit");
    running.stop();
    let spans = collector.trace("0af7651916cd43dd8448eb211c80319c", 2);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let (server, access) = (one(&spans, "GET /api/v1/secrets/{name}"), one(&spans, "secrets.get"));
    assert_eq!((&server["parent"], &access["parent"]), (&json!(CALLER), &server["span"]));
    assert_eq!(access["attributes"], json!({ "lockstep.provider": "vault", "lockstep.cache": "hit" }));
    let raw = String::from_utf8_lossy(&collector.raw()).into_owned();
    assert!(!raw.contains("creds") && !raw.contains(&mount) && !raw.contains("s3cret"), "a name in a span");
}

// Break: begin the span around `retries.run`, or count attempts anew in each.
#[test]
fn each_attempt_is_a_span_of_its_own_and_goes_out_under_its_own_id() {
    let (upstream, collector) = (Upstream::start(), require!(Collector::start()));
    upstream.on(ROUTE, [fake_aws::down(), fake_aws::value("db/creds", "s3cret")]);
    let running = serve(&upstream, &collector.url(), "");
    assert_eq!(running.get_with(SECRET, &[("traceparent", &traceparent("01"))]).status, 200);
    let spans = collector.trace(TRACE, 4);
    let attempts = named(&spans, "aws-secrets-manager get");
    assert_eq!((attempts.len(), spans.len()), (2, 4), "{spans:#?}");
    let (first, second) = (attempts[0], attempts[1]);
    assert_eq!((&first["failed"], &second["failed"]), (&json!(true), &json!(false)));
    assert_eq!(first["attributes"]["error.type"], "unavailable");
    let numbers = [first, second].map(|attempt| attempt["attributes"]["lockstep.attempt"].as_u64());
    assert_eq!(numbers, [Some(1), Some(2)]);
    let access = one(&spans, "secrets.get");
    assert!(attempts.iter().all(|attempt| attempt["parent"] == access["span"]));
    let outgoing = [first, second].map(|attempt| format!("00-{TRACE}-{}-01", attempt["span"].as_str().unwrap()));
    assert_eq!(sent(&upstream), outgoing);
}

// Break: make a new trace in `Tracer::request` whatever the caller says.
#[test]
fn a_trace_goes_on_through_two_endpoints() {
    let (upstream, collector) = (Upstream::start(), require!(Collector::start()));
    upstream.on(ROUTE, [fake_aws::value("db/creds", "s3cret")]);
    let region = serve(&upstream, &collector.url(), "service_name = \"region\"");
    let config = format!(
        "{}[providers.region]\ntype = \"lockstep\"\naddress = \"http://{}\"\ntoken = {{ env = \"REGION_TOKEN\" }}\n",
        telemetry(&collector.url(), "service_name = \"edge\""),
        region.address
    );
    let edge = Lockstep::serve(config.as_str(), &[("REGION_TOKEN", TOKEN)]);
    assert_eq!(edge.get_with(SECRET, &[("traceparent", &traceparent("01"))]).status, 200);
    let spans = collector.trace(TRACE, 6);
    assert_eq!(spans.len(), 6, "{spans:#?}");
    let of = |service: &str| -> Vec<Value> {
        spans.iter().filter(|span| span["resource"]["service.name"] == service).cloned().collect()
    };
    let (edge, region) = (of("edge"), of("region"));
    let way = [
        one(&edge, "GET /api/v1/secrets/{name}"),
        one(&edge, "secrets.get"),
        one(&edge, "lockstep get"),
        one(&region, "GET /api/v1/secrets"),
        one(&region, "secrets.get"),
        one(&region, "aws-secrets-manager get"),
    ];
    assert_eq!(way[0]["parent"], CALLER);
    for step in way.windows(2) {
        assert_eq!(step[1]["parent"], step[0]["span"], "{step:#?}");
    }
}

// Break: the name of a span in `control` or `batch`, or `below` in `AccessSpan`.
#[test]
fn lists_rotations_batches_and_refusals_have_their_spans() {
    let (upstream, collector) = (Upstream::start(), require!(Collector::start()));
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db/creds-AbCdEf";
    let running = serve(&upstream, &collector.url(), "");
    let ask = |method: &str, path: &str, body: &[u8], answer: Action| {
        upstream.on(ROUTE, [answer]);
        running.send(method, path, &[("traceparent", &traceparent("01"))], body).status
    };
    let list = json!({ "SecretList": [{ "ARN": arn, "Name": "db/creds" }] });
    assert_eq!(ask("GET", "/api/v1/secrets?provider=aws&prefix=db", b"", Action::json(200, &list)), 200);
    let rotated = json!({ "ARN": arn, "Name": "db/creds", "VersionId": "a1b2c3d4-0000-4000-8000-000000000001" });
    assert_eq!(ask("POST", "/api/v1/rotate/db/creds", b"", Action::json(200, &rotated)), 200);
    let batch = br#"{"secrets":[{"name":"db/one"},{"name":"db/two"}]}"#;
    assert_eq!(ask("POST", "/api/v1/secrets:batch", batch, fake_aws::not_found()), 200);
    let refused = running.bare("HUNTER2", SECRET, &[("traceparent", &traceparent("01"))], b"");
    assert_eq!(refused.status, 403);
    assert_eq!(running.bare("GET", SECRET, &[("traceparent", &traceparent("01"))], b"").status, 403);
    running.stop();
    let spans = collector.trace(TRACE, 1);
    let below = |outer: &str, inner: &str| {
        let (outer, inner) = (one(&spans, outer), one(&spans, inner));
        assert_eq!(inner["parent"], outer["span"], "{spans:#?}");
        inner.clone()
    };
    below("GET /api/v1/secrets", "secrets.list");
    below("secrets.list", "aws-secrets-manager list");
    below("POST /api/v1/rotate/{name}", "secrets.rotate");
    below("secrets.rotate", "aws-secrets-manager rotate");
    let many = below("POST /api/v1/secrets:batch", "secrets.get");
    assert_eq!(many["attributes"], json!({ "lockstep.batch.size": 2, "lockstep.batch.failed": 2 }));
    // Refused before it came to a route: no route is named, and no method that somebody has made up.
    assert_eq!(
        one(&spans, "HTTP")["attributes"],
        json!({ "http.request.method": "_OTHER", "http.response.status_code": 403 })
    );
    assert_eq!(
        one(&spans, "GET")["attributes"],
        json!({ "http.request.method": "GET", "http.response.status_code": 403 })
    );
    let raw = String::from_utf8_lossy(&collector.raw()).into_owned();
    assert!(!raw.contains("creds") && !raw.contains("db/") && !raw.contains("HUNTER2"), "a name in a span");
}

// Break: `follow_caller`, `sampled(false)` for what is passed on, or `takes_traces_over`.
#[test]
fn whose_trace_is_taken_is_decided_by_the_caller_or_by_the_ratio() {
    let collector = require!(Collector::start());
    let of_caller = [("traceparent", traceparent("01")), ("traceparent", traceparent("00"))];
    let (sampled, unsampled) = (Some(&of_caller[0]), Some(&of_caller[1]));
    for (more, caller, spans, outgoing) in [
        // The caller decides, whatever the ratio says.
        ("sample_ratio = 0", sampled, 3, "its own id, taken"),
        ("sample_ratio = 1", unsampled, 0, "the caller's, as it came"),
        // Nobody has decided yet.
        ("sample_ratio = 1", None, 3, "a new trace, taken"),
        ("sample_ratio = 0.0", None, 0, "a new trace, not taken"),
        // A caller's trace is not taken over.
        ("[trace]\nenabled = false", sampled, 3, "a new trace, taken"),
        ("sample_ratio = 0\n[trace]\nenabled = false", sampled, 0, "a new trace, not taken"),
    ] {
        let upstream = Upstream::start();
        upstream.on(ROUTE, [fake_aws::value("db/creds", "s3cret")]);
        let before = collector.spans().len();
        let running = serve(&upstream, &collector.url(), more);
        let headers: Vec<_> = caller.into_iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(running.get_with(SECRET, &headers).status, 200);
        running.stop();
        assert_eq!(collector.spans().len() - before, spans, "{more} {caller:?}");
        let sent = sent(&upstream).remove(0);
        let (is_callers, is_taken) = (sent.contains(TRACE), sent.ends_with("-01"));
        let said = match (is_callers, is_taken) {
            (true, true) if !sent.contains(CALLER) => "its own id, taken",
            (true, false) if sent == traceparent("00") => "the caller's, as it came",
            (false, true) => "a new trace, taken",
            (false, false) if sent.ends_with("-00") => "a new trace, not taken",
            _ => "something else",
        };
        assert_eq!(said, outgoing, "{more} {caller:?} {sent}");
    }
}

// Break: leave out `end_spans` in `main`.
#[test]
fn what_waits_at_the_end_is_sent_and_headers_are_read_anew_for_each_batch() {
    let (upstream, collector) = (Upstream::start(), require!(Collector::start()));
    upstream.on(ROUTE, [fake_aws::value("db/creds", "s3cret")]);
    let config = crate::aws_account::config(
        &upstream.url(),
        &telemetry(&collector.url(), "headers = { x-api-key = { file = \"key\" }, x-tenant = { env = \"TENANT\" } }"),
    );
    let home = Lockstep::new(config.as_str(), &[ENV[0], ENV[1], ("TENANT", "acme")]);
    home.file("key", "the-first-key\n");
    let running = home.start();
    assert_eq!(running.get(SECRET).status, 200);
    until("the first batch", || (!collector.spans().is_empty()).then_some(()));
    running.home().file("key", "the-second-key\n");
    assert_eq!(running.get(SECRET).status, 200);
    // The batch still waits for more.
    let said = running.stop().stderr;
    let spans = collector.spans();
    assert_eq!(named(&spans, "secrets.get").len(), 2, "{spans:#?}");
    let requests = collector.requests();
    let header = |at: usize, name: &str| requests[at]["headers"][name].as_str().unwrap_or_default().to_owned();
    let last = requests.len() - 1;
    assert_eq!((header(0, "x-api-key"), header(last, "x-api-key")), ("the-first-key".into(), "the-second-key".into()));
    assert_eq!((header(0, "x-tenant"), requests[0]["path"].as_str()), ("acme".into(), Some("/v1/traces")));
    assert!(!said.contains("-key"), "{said}");
}

// Break: read the variables first in `Config::telemetry`, or put `/v1/traces` behind the address of traces.
#[test]
fn opentelemetrys_own_variables_are_obeyed_where_nothing_is_written() {
    let collector = require!(Collector::start());
    let (url, nowhere) = (collector.url(), "http://127.0.0.1:9");
    let traces = format!("{url}/own/traces");
    let written = telemetry(&url, "service_name = \"written\"");
    for (config, env, path, service) in [
        ("", vec![("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())], Some("/v1/traces"), "lockstep"),
        (
            "",
            vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", nowhere),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.as_str()),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=of%20attributes,team=blue"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20key"),
            ],
            Some("/own/traces"),
            "of attributes",
        ),
        (
            "",
            vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
                ("OTEL_SERVICE_NAME", "of the name"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=of%20attributes"),
            ],
            Some("/v1/traces"),
            "of the name",
        ),
        (
            written.as_str(),
            vec![("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", nowhere), ("OTEL_SERVICE_NAME", "x")],
            Some("/v1/traces"),
            "written",
        ),
        (written.as_str(), vec![("OTEL_SDK_DISABLED", "true")], None, ""),
        ("", vec![("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_EXPORTER", "none")], None, ""),
        (
            "",
            vec![("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_SAMPLER", "parentbased_always_off")],
            None,
            "",
        ),
        ("", vec![], None, ""),
    ] {
        let before = (collector.spans().len(), collector.requests().len());
        let config = format!("{config}[providers.m]\ntype = \"mock\"\n");
        let running = Lockstep::serve(config.as_str(), &env);
        assert_eq!(running.get("/health/live").status, 200);
        running.stop();
        let (spans, requests) = (collector.spans(), collector.requests());
        let Some(path) = path else {
            assert_eq!((spans.len(), requests.len()), before, "{env:?}");
            continue;
        };
        assert_eq!(requests.len(), before.1 + 1, "{env:?}");
        assert_eq!(requests[before.1]["path"], path, "{env:?}");
        assert_eq!(spans[before.0]["resource"]["service.name"], service, "{env:?}");
        if service == "of attributes" {
            assert_eq!(spans[before.0]["resource"]["team"], "blue");
            assert_eq!(requests[before.1]["headers"]["x-api-key"], "a key");
        }
    }
}

// Break: leave `host.tracer` out of `serve`, or out of `config check`.
#[test]
fn what_is_wrong_ends_the_start_and_says_what_to_write() {
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let home = Lockstep::new("[providers.m]\ntype = \"mock\"\n", &env);
    let checked = home.run(&["config", "check"]);
    let started = home.try_start().unwrap_err();
    for ended in [checked, started] {
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let wanted =
            "variable OTEL_EXPORTER_OTLP_PROTOCOL: spans are sent by HTTP in Protobuf alone; write `http/protobuf`";
        assert!(ended.stderr.contains(wanted), "{ended:?}");
    }
}

// Break: wait in `OtlpExporter::take`, or tell the log each time in `tell`.
#[test]
fn a_collector_that_is_gone_or_says_nothing_costs_no_request_and_what_has_no_room_is_counted() {
    let hanging = require!(Collector::start());
    hanging.script(&json!(["hang"]));
    let gone = format!("http://127.0.0.1:{}", free_port().unwrap());
    for (url, said_once) in [(gone.as_str(), "spans were not taken"), (&hanging.url(), "spans are dropped")] {
        let upstream = Upstream::start();
        upstream.on(ROUTE, [fake_aws::value("db/creds", "s3cret")]);
        let running = serve(&upstream, url, "queue = 5\ntimeout = \"10m\"");
        for _ in 0..20 {
            assert_eq!(running.get(SECRET).status, 200);
        }
        let [exported, dropped, rejected] = counts(&running);
        assert_eq!((exported, rejected), (0, 0));
        // The first read has three spans and those after it two; five wait.
        assert_eq!(dropped, 3 + 19 * 2 - 5);
        if url == gone {
            running.until_said(said_once);
        }
        let said = running.stop().stderr;
        for line in ["the queue of spans is full", "spans were not taken in time and are dropped"] {
            assert_eq!(said.matches(line).count(), 1, "{line}: {said}");
        }
        assert_eq!(said.matches("they are sent again until they are").count(), usize::from(url == gone), "{said}");
    }
}

// Break: take any answer for a yes, or send again what was refused.
#[test]
fn what_a_collector_refuses_is_dropped_and_what_it_may_take_later_is_sent_again() {
    let collector = require!(Collector::start());
    for (script, outcome, told) in [
        (json!([400]), [0, 0, 1], "the collector refuses spans"),
        (json!([413]), [0, 0, 1], "the collector refuses spans"),
        (json!([500]), [0, 0, 1], "the collector refuses spans"),
        (json!(["partial"]), [0, 0, 1], "the collector refuses some spans"),
        (json!([503, 429, 200]), [1, 0, 0], "they are sent again until they are"),
    ] {
        collector.script(&script);
        let before = collector.requests().len();
        let config = format!("{}[providers.m]\ntype = \"mock\"\n", telemetry(&collector.url(), ""));
        let running = Lockstep::serve(config.as_str(), &[]);
        assert_eq!(running.get("/health/live").status, 200);
        // What is asked for here has spans of its own, so only the sum of the first batch is known.
        let count = until("an end of the first batch", || {
            let counts = counts(&running);
            (counts != [0, 0, 0]).then_some(counts)
        });
        let which = outcome.iter().position(|count| *count == 1).unwrap();
        assert!(count[which] > 0, "{script} {count:?}");
        running.until_said(told);
        let said = running.stop().stderr;
        assert!(!said.contains("the-words-of-the-collector"), "{said}");
        assert_eq!(said.matches(told).count(), 1, "once per change: {said}");
        let answers: Vec<_> = collector.requests().drain(before..).map(|request| request["answer"].clone()).collect();
        if which == 0 {
            assert!(answers.starts_with(&[json!(503), json!(429), json!(200)]), "{answers:?}");
            assert!(said.contains("the collector takes spans again"), "{said}");
        }
    }
}
