//! Settings that come from variables: `LOCKSTEP__…`, the short ones, and those of the AWS extension.

use super::*;

#[test]
fn a_variable_overrides_the_text_and_every_default() {
    let text = "[cache]\nttl = \"1m\"\n[providers.aws-eu]\ntype = \"mock\"\n[[routes]]\nmatch = \"**\"\nproviders = [\"aws-eu\"]";
    let config = load(
        text,
        &[
            ("LOCKSTEP__CACHE__TTL", "2m"),
            ("LOCKSTEP__CACHE__MAX_ENTRIES", "7"),
            ("LOCKSTEP__CACHE__JITTER", "false"),
            ("LOCKSTEP__PROVIDERS__AWS_EU__TTL", "3s"),
            ("LOCKSTEP__ROUTES__0__TTL", "4s"),
            ("LOCKSTEP__ROUTES__1__MATCH", "x"),
            ("LOCKSTEP__ROUTES__1__PROVIDERS", "aws-eu"),
            ("LOCKSTEP__AUTH__ALLOW", r#"["db/**", "x"]"#),
            ("LOCKSTEP__AUDIT__SINK", r#"{ "file": "a.log" }"#),
            ("LOCKSTEP__LISTEN__TOKEN__ENV", "MY_TOKEN"),
            ("LOCKSTEP_PREFETCH", "db/a, aws-eu://b#c"),
            ("LOCKSTEP_JOURNAL", "memory://"),
            ("LOCKSTEP__PROVIDERS__V__TYPE", "vault"),
            ("LOCKSTEP__PROVIDERS__V__ADDRESS", r#"["https://a:8200", "https://b:8200"]"#),
            ("LOCKSTEP__PROVIDERS__V__AUTH", r#"{ "method": "token", "token": { "env": "T" } }"#),
            ("LOCKSTEP__PROVIDERS__M", r#"{ "type": "mock", "ttl": "5s" }"#),
        ],
    )
    .unwrap();
    let json = config.to_json();
    for (pointer, expected) in [
        ("/cache/ttl", "\"2m\""),
        ("/cache/max_entries", "7"),
        ("/cache/jitter", "false"),
        ("/providers/aws-eu/ttl", "\"3s\""),
        ("/routes/0/ttl", "\"4s\""),
        ("/routes/1/providers", r#"["aws-eu"]"#),
        ("/auth/allow", r#"["db/**","x"]"#),
        ("/audit/sink/file", "\"a.log\""),
        ("/listen/token/env", "\"MY_TOKEN\""),
        ("/prefetch", r#"["db/a","aws-eu://b#c"]"#),
        ("/freshness/journal", "\"memory://\""),
        ("/providers/v/address", r#"["https://a:8200","https://b:8200"]"#),
        ("/providers/v/auth/token/env", "\"T\""),
        ("/providers/m/ttl", "\"5s\""),
    ] {
        assert_eq!(json.pointer(pointer).map(ToString::to_string).as_deref(), Some(expected), "{pointer}");
    }
}

#[test]
fn a_wrong_override_is_named_by_its_variable() {
    for (name, value, expected) in [
        (
            "LOCKSTEP__CACHE__TLL",
            "5m",
            "variable LOCKSTEP__CACHE__TLL: `cache.tll`: there is no such key; did you mean `ttl`?",
        ),
        (
            "LOCKSTEP__CACHE__MAX_ENTRIES",
            "many",
            "variable LOCKSTEP__CACHE__MAX_ENTRIES: `cache.max_entries`: write a whole number, not negative",
        ),
        ("LOCKSTEP__CACHE", "x", "variable LOCKSTEP__CACHE: `cache`: this text is written here; write a table"),
        (
            "LOCKSTEP____X",
            "x",
            "variable LOCKSTEP____X: write `LOCKSTEP__SECTION__KEY`, for example `LOCKSTEP__CACHE__TTL`",
        ),
        (
            "LOCKSTEP__ROUTES__9__TTL",
            "5m",
            "variable LOCKSTEP__ROUTES__9__TTL: `routes.9.ttl`: `9` is no item of this list; write a number from 0 to 1",
        ),
        (
            "SECRETS_MANAGER_TTL",
            "soon",
            "variable SECRETS_MANAGER_TTL: write a whole number from 0 to 300, or unset it",
        ),
        (
            "PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL",
            "loud",
            "variable PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL: write one of debug, info, warn, error, none, or unset it",
        ),
    ] {
        assert_eq!(without_document(&[(name, value)]).expect_err(name).to_string(), expected);
    }
}

#[test]
fn the_variables_of_the_aws_extension_are_honoured_where_nothing_is_written() {
    let config = without_document(&[
        ("SECRETS_MANAGER_TTL", "60"),
        ("SSM_PARAMETER_STORE_TTL", "900"),
        ("SECRETS_MANAGER_TIMEOUT_MILLIS", "1500"),
        ("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "3000"),
        ("PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", "12"),
        ("PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL", "WARN"),
        ("PARAMETERS_SECRETS_EXTENSION_MAX_CONNECTIONS", "3"),
    ])
    .unwrap();
    let json = config.to_json();
    for (pointer, expected) in [
        ("/providers/aws/ttl", "\"1m\""),
        ("/providers/aws/upstream/timeout", "\"1500ms\""),
        ("/providers/ssm/ttl", "\"5m\""),
        ("/listen/address", "\"127.0.0.1:3000\""),
        ("/cache/max_entries", "12"),
        ("/log/level", "\"warn\""),
    ] {
        assert_eq!(json.pointer(pointer).map(ToString::to_string).as_deref(), Some(expected), "{pointer}");
    }
    assert_eq!(config.notes(), ["SSM_PARAMETER_STORE_TTL is out of AWS's range from 0 to 300; 300 is used"]);
}

#[test]
fn a_cache_that_aws_switches_off_is_off() {
    for variable in
        [("PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", "FALSE"), ("PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", "0")]
    {
        let config = without_document(&[variable]).unwrap();
        assert!(config.settings().cache.ttl.is_zero() && config.settings().cache.ttl_with_journal.is_zero());
        assert!(
            config
                .settings()
                .providers
                .values()
                .all(|provider| provider.common().ttl.is_some_and(crate::Period::is_zero))
        );
    }
}

#[test]
fn what_is_written_comes_before_the_variables_of_the_aws_extension() {
    let text = "[listen]\naddress = \"127.0.0.1:1\"\n[providers.m]\ntype = \"mock\"";
    let config = load(
        text,
        &[("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "3000"), ("SECRETS_MANAGER_TTL", "60"), ("AWS_REGION", "x")],
    )
    .unwrap();
    assert_eq!(config.settings().listen.address.port(), 1);
    // R2: what is not configured is not there.
    assert_eq!(config.settings().providers.len(), 1);
}
