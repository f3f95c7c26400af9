//! `[telemetry]` and OpenTelemetry's variables: what is wrong with them, and which of them counts.

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Env, Files, Pem, Sampling};
use lockstep_testkit::{TestEnv, TestFiles};

use super::{load, problems};
use crate::{Problems, Telemetry};

const MOCK: &str = "[providers.m]\ntype = \"mock\"\n";

fn telemetry(text: &str, variables: &[(&str, &str)]) -> Result<Option<Telemetry>, Problems> {
    let config = load(&format!("{MOCK}{text}"), variables).unwrap();
    let files = TestFiles::new();
    files.write("key", "from-the-file\n");
    let (env, files) = (TestEnv::of(variables) as Arc<dyn Env>, files as Arc<dyn Files>);
    config.telemetry(&env, &files)
}

fn open(text: &str, variables: &[(&str, &str)]) -> Telemetry {
    telemetry(text, variables).unwrap().unwrap()
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318");

/// Break: a check in `checks::telemetry`, or `visit_f64` of `Ratio`.
#[test]
fn a_mistake_in_the_telemetry_says_what_to_write_instead() {
    for (entry, expected) in [
        (
            "endpoint = \"http://collector:4318\"",
            "lockstep.toml:4:12: `telemetry.endpoint`: `http://` to another machine would send secrets in the clear; \
             write `https://`, or add `insecure = true` if that is what you want",
        ),
        (
            "sample_ratio = 1.5",
            "lockstep.toml:4:16: `telemetry.sample_ratio`: write a number from 0 to 1, such as `0.1`",
        ),
        (
            "sample_ratio = \"all\"",
            "lockstep.toml:4:16: `telemetry.sample_ratio`: a string is written here; write a number from 0 to 1, such as \
             `0.1`",
        ),
        ("queue = 0", "lockstep.toml:4:9: `telemetry.queue`: 0 is out of range; write from 1 to 1000000"),
        ("timeout = \"11m\"", "lockstep.toml:4:11: `telemetry.timeout`: 11m is out of range; write from 10ms to 10m"),
        (
            "headers = { authorization = \"hunter2\" }",
            "lockstep.toml:4:29: `telemetry.headers.authorization`: a secret never stands in the configuration; put it \
             into a variable or a file, and write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
        (
            "headers = { Host = { env = \"X\" } }",
            "lockstep.toml:4:20: `telemetry.headers.Host`: this is no header that can be sent; write for example \
             `authorization`",
        ),
        (
            "service_name = \"\"",
            "lockstep.toml:4:16: `telemetry.service_name`: the name is empty; write for example `lockstep`",
        ),
        (
            "tls = { client_cert = \"c.pem\" }",
            "lockstep.toml:4:7: `telemetry.tls`: a client certificate needs its key; write both or neither",
        ),
        (
            "collector = \"x\"",
            "lockstep.toml:4:1: `telemetry.collector`: there is no such key; write one of `enabled`, `endpoint`, \
             `headers`, `insecure`, `queue`, `sample_ratio`, `service_name`, `timeout`, `tls`",
        ),
    ] {
        assert_eq!(problems(&format!("{MOCK}[telemetry]\n{entry}"), &[]), expected, "{entry}");
    }
}

/// Break: leave a `wrong` out of `Variables`.
#[test]
fn a_wrong_variable_is_named_and_its_value_is_not() {
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "write `http/protobuf` and the collector's address"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "write `http/protobuf` and the collector's address"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c4n4ry:4318", "or in LOCKSTEP__TELEMETRY__INSECURE"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://u:c4n4ry@collector", "remove the user and password"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "c4n4ry", "write headers as `name=value`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,content-length=c4n4ry", "write headers as `name=value`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=c4n4ry%0ab", "write headers as `name=value`"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "c4n4ry", "write milliseconds from 10 to 600000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "write milliseconds from 10 to 600000"),
        ("OTEL_RESOURCE_ATTRIBUTES", "c4n4ry", "write attributes as `key=value`"),
        ("OTEL_TRACES_SAMPLER", "c4n4ry", "write `parentbased_traceidratio` with OTEL_TRACES_SAMPLER_ARG"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "write `otlp` or `none`"),
    ] {
        let said = telemetry("", &[ENDPOINT, (name, value)]).err().unwrap_or_else(|| panic!("{name}")).to_string();
        assert!(said.starts_with(&format!("variable {name}: ")) && said.contains(expected), "{said}");
        assert!(!said.contains("c4n4ry"), "{said}");
    }
    let variables = [ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    let said = telemetry("", &variables).err().unwrap().to_string();
    assert_eq!(said, "variable OTEL_TRACES_SAMPLER_ARG: write a number from 0 to 1, such as `0.1`");
    // What is switched off is not looked at.
    for off in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
        assert!(telemetry("", &[ENDPOINT, ("OTEL_TRACES_SAMPLER", "x"), off]).unwrap().is_none());
    }
}

/// Break: `is_written` in `Config::telemetry`, one after the other.
#[test]
fn what_is_written_comes_before_a_variable_and_a_variable_before_a_default() {
    let plain = open("", &[ENDPOINT]);
    assert_eq!(plain.address, "https://collector:4318/v1/traces");
    assert_eq!((plain.queue, plain.timeout), (2048, Duration::from_secs(10)));
    assert_eq!(plain.sampling, Sampling { follow_caller: true, ratio: 1.0 });
    assert!((plain.headers)().unwrap().is_empty());
    // The one of traces alone is the whole address.
    let whole = [ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/own/traces")];
    assert_eq!(open("", &whole).address, "https://other/own/traces");

    let variables = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-api-key=of%20traces"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=of-all"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "roots.pem"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_SERVICE_NAME", "of-the-variable"),
        ("KEY", "of-the-configuration"),
    ];
    let of_variables = open("", &variables);
    assert_eq!(of_variables.timeout, Duration::from_millis(1500));
    assert_eq!(of_variables.sampling, Sampling { follow_caller: false, ratio: 0.25 });
    assert_eq!(of_variables.tls.ca, Some(Pem::File(std::path::Path::new("roots.pem").into())));
    let headers = (of_variables.headers)().unwrap();
    assert!(headers["x-api-key"] == "of traces" && headers["x-api-key"].is_sensitive());
    assert!(of_variables.resource.contains(&("service.name".to_owned(), "of-the-variable".to_owned())));

    let written = open(
        "[telemetry]\nendpoint = \"https://written/otlp/\"\ntimeout = \"2s\"\nsample_ratio = 0.5\nservice_name = \"w\"\n\
         headers = { x-api-key = { env = \"KEY\" }, x-other = { file = \"key\" } }\ntls = { ca_file = \"own.pem\" }\n",
        &variables,
    );
    assert_eq!(written.address, "https://written/otlp/v1/traces");
    assert_eq!(written.timeout, Duration::from_secs(2));
    assert_eq!(written.sampling, Sampling { follow_caller: true, ratio: 0.5 });
    assert_eq!(written.tls.ca, Some(Pem::File(std::path::Path::new("own.pem").into())));
    let headers = (written.headers)().unwrap();
    assert_eq!(headers["x-api-key"], "of-the-configuration");
    assert_eq!(headers["x-other"], "from-the-file");
    assert!(headers.values().all(http::HeaderValue::is_sensitive));
    assert!(written.resource.contains(&("service.name".to_owned(), "w".to_owned())));

    let by_override = [ENDPOINT, ("LOCKSTEP__TELEMETRY__SAMPLE_RATIO", "0.125")];
    let ratio = load(MOCK, &by_override).unwrap().settings().telemetry.sample_ratio.get();
    assert!((ratio - 0.125).abs() < f64::EPSILON);

    assert!(telemetry("", &[]).unwrap().is_none(), "nobody has named a collector");
    assert!(telemetry("[telemetry]\nenabled = false", &[ENDPOINT]).unwrap().is_none());
    let enabled = "[telemetry]\nenabled = true\n";
    assert!(telemetry(enabled, &[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_some());
}

/// Break: read the credential at the first batch alone.
#[test]
fn a_credential_that_can_not_be_read_is_told_at_the_start() {
    let text = "[telemetry]\nendpoint = \"https://c\"\nheaders = { x-api-key = { env = \"KEY\" } }";
    let said = telemetry(text, &[]).err().unwrap().to_string();
    assert!(said.starts_with("lockstep.toml:5:25: `telemetry.headers.x-api-key`: ") && said.contains("KEY"), "{said}");
    let said = telemetry(text, &[("KEY", "two\nlines-c4n4ry")]).err().unwrap().to_string();
    assert!(said.contains("a line break or another control character") && !said.contains("c4n4ry"), "{said}");
}
