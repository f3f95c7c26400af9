//! What a person sees who has written something wrong, and what holds where nothing is written.

mod aws;
mod listen;
mod reach;
#[cfg(feature = "rotation")]
mod rotators;
mod simulation;
#[cfg(feature = "otlp")]
mod telemetry;
mod variables;
#[cfg(feature = "vault-surface")]
mod vault_surface;

use std::collections::BTreeMap;
use std::path::Path;

use lockstep_core::Env;

use crate::{Config, Document, Format, Problems};

pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Env for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned().filter(|value| !value.is_empty())
    }
}

pub(crate) fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let variables = Variables::new(variables);
    let document = Document { name: "lockstep.toml", format: Format::Either, text, folder: Path::new("") };
    Config::load(Some(document), &variables, &variables.names())
}

fn without_document(variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let variables = Variables::new(variables);
    Config::load(None, &variables, &variables.names())
}

fn problems(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).expect_err(text).to_string()
}

#[test]
fn a_mistake_is_shown_with_its_place_and_what_to_write_instead() {
    for (text, expected) in [
        ("[cache]\ntll = \"5m\"", "lockstep.toml:2:1: `cache.tll`: there is no such key; did you mean `ttl`?"),
        ("\n[cahce]\n", "lockstep.toml:2:2: `cahce`: there is no such key; did you mean `cache`?"),
        (
            "[cache]\nttl = 300",
            "lockstep.toml:2:7: `cache.ttl`: this has no unit; write a duration up to 30 days with its unit, such as \
             \"250ms\", \"30s\", \"5m\" or \"1h\"",
        ),
        ("[cache]\nttl = \"25h\"", "lockstep.toml:2:7: `cache.ttl`: 25h is out of range; write from 0s to 1d"),
        (
            "[cache]\nmax_bytes = \"32MB\"",
            "lockstep.toml:2:13: `cache.max_bytes`: this can't be read; write a size up to 16GiB with its unit, such \
             as \"512KiB\" or \"32MiB\"",
        ),
        (
            "[cache]\nmax_entries = 0",
            "lockstep.toml:2:15: `cache.max_entries`: 0 is out of range; write from 1 to 1000000",
        ),
        ("[cache]\nmax_entries = -1", "lockstep.toml:2:15: `cache.max_entries`: write a whole number, not negative"),
        ("[cache]\njitter = \"yes\"", "lockstep.toml:2:10: `cache.jitter`: write `true` or `false`"),
        ("cache = 1", "lockstep.toml:1:9: `cache`: a number is written here; write a table"),
        (
            "[providers.a]\ntype = \"valt\"",
            "lockstep.toml:2:8: `providers.a.type`: `valt` is not known; did you mean `vault`?",
        ),
        (
            "[providers.a]\nregion = \"eu-west-1\"",
            "lockstep.toml:1:1: `providers.a`: `type` is missing; write one of `type = \"aws-secrets-manager\"`, `type \
             = \"aws-parameter-store\"`, `type = \"gcp-secret-manager\"`, `type = \"vault\"`, `type = \"lockstep\"`, `type = \"cloudflare-secrets-store\"`, `type = \"azure-key-vault\"`, `type = \"kubernetes\"`, `type = \"file\"`, `type = \"mock\"`, `type = \"record\"`, `type = \"replay\"`, `type = \"dry-run\"`",
        ),
        ("[providers.a]\ntype = \"file\"", "lockstep.toml:1:1: `providers.a`: `path` is missing; add it"),
        (
            "[providers.a]\ntype = \"file\"\npath = \"s.yaml\"\npoll = \"1ms\"",
            "lockstep.toml:4:8: `providers.a.poll`: 1ms is out of range; write from 10ms to 1h",
        ),
        (
            "[providers.A]\ntype = \"mock\"",
            "lockstep.toml:1:12: `providers.A`: a provider's alias is 1 to 63 lower-case letters, digits, `-` and `_`, \
             beginning with a letter, such as `aws`",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"http://vault.internal\"",
            "lockstep.toml:3:11: `providers.v.address`: `http://` to another machine would send secrets in the clear; \
             write `https://`, or add `insecure = true` if that is what you want",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"approle\" }",
            "lockstep.toml:4:8: `providers.v.auth`: `role_id` is missing; add it",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"",
            "lockstep.toml:1:1: `providers.k`: `vault` is missing; write the name of a vault, or its `address`",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"\nvault = \"kv1\"\naddress = \"https://kv1.vault.azure.net\"",
            "lockstep.toml:4:11: `providers.k.address`: the vault is named twice; write either `vault` or `address`",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"\naddress = \"http://kv1.vault.azure.net\"",
            "lockstep.toml:3:11: `providers.k.address`: `http://` to another machine would send secrets in the clear; \
             write `https://`, or add `insecure = true` if that is what you want",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"\nvault = \"kv1\"\ncloud = \"chine\"",
            "lockstep.toml:4:9: `providers.k.cloud`: `chine` is not known; did you mean `china`?",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"\nvault = \"kv1\"\nauth = { method = \"client-secrets\" }",
            "lockstep.toml:4:19: `providers.k.auth.method`: `client-secrets` is not known; did you mean `client-secret`?",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"\nvault = \"kv1\"\nauth = { method = \"client-secret\", client_secret = \"hunter2\" }",
            "lockstep.toml:4:52: `providers.k.auth.client_secret`: a secret never stands in the configuration; put it \
             into a variable or a file, and write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
        (
            "[providers.k]\ntype = \"azure-key-vault\"\nvault = \"kv1\"\nauth = { method = \"managed-identity\", client_id = \"a\", object_id = \"b\" }",
            "lockstep.toml:4:8: `providers.k.auth`: an identity is named in more than one way; write one of \
             `client_id`, `object_id` and `msi_res_id`",
        ),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"",
            "lockstep.toml:1:1: `providers.g`: `project` is missing; add it",
        ),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"\nauth = { method = \"service-acount\" }",
            "lockstep.toml:4:19: `providers.g.auth.method`: `service-acount` is not known; did you mean \
             `service-account`?",
        ),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"\nauth = { method = \"workload-identity\" }",
            "lockstep.toml:4:8: `providers.g.auth`: `audience` is missing; add it",
        ),
        (
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"\ntoken_endpoint = \"http://tokens/x\"",
            "lockstep.toml:4:18: `providers.g.token_endpoint`: `http://` to another machine would send secrets in the \
             clear; write `https://`, or add `insecure = true` if that is what you want",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = [\"https://a\", \"http://b\"]",
            "lockstep.toml:3:25: `providers.v.address.1`: `http://` to another machine would send secrets in the clear; \
             write `https://`, or add `insecure = true` if that is what you want",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = [\"https://a\", \"https://a/\"]",
            "lockstep.toml:3:25: `providers.v.address.1`: this address stands there twice; remove one",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = []",
            "lockstep.toml:3:11: `providers.v.address`: a cluster has from 1 to 16 nodes; write as many addresses",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = 7",
            "lockstep.toml:3:11: `providers.v.address`: a number is written here; write an address such as \
             `\"https://vault.internal:8200\"`, or a list of them",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"jwt\", jwt = { env = \"J\" }, inline = true }",
            "lockstep.toml:1:1: `providers.v.mounts`: with `inline` the server can't be asked what is mounted where; \
             write for example `mounts = { secret = \"kv2\" }`",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"aws\", inline = true }",
            "lockstep.toml:4:26: `providers.v.auth.inline`: there is no such key; write one of `mount`, `profile`, `region`, \
             `role`, `server_id`",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"cert\" }",
            "lockstep.toml:1:1: `providers.v.tls`: the method `cert` shows a client certificate; write `client_cert` and \
             `client_key`",
        ),
        (
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = { method = \"token\", token = { env = \"T\" }, creation_path = \"auth/token/create\" }",
            "lockstep.toml:4:67: `providers.v.auth.creation_path`: only what is wrapped has one; write `wrapped = true` \
             too, or remove this",
        ),
        (
            "[[routes]]\nmatch = \"**\"\nproviders = [\"vualt\"]\n[providers.vault]\ntype = \"mock\"",
            "lockstep.toml:3:14: `routes.0.providers.0`: there is no provider `vualt`; did you mean `vault`?",
        ),
        (
            "[[routes]]\nmatch = \"db**\"\nproviders = [\"a\"]\n[providers.a]\ntype = \"mock\"",
            "lockstep.toml:2:9: `routes.0.match`: `**` stands for whole segments; write `db/**` or `**/db`, or one \
             `*` for a part of a segment",
        ),
        (
            "[freshness]\njournal = \"durable-object://t\"",
            "lockstep.toml:2:11: `freshness.journal`: a journal of the kind `durable-object` is not in this program; write \
             `dynamodb://TABLE` or `redis://HOST:PORT/NAME` or `rediss://…` or `https://…` of another endpoint or \
             `memory://`, or leave `journal` out and rely on the TTL",
        ),
        (
            "[freshness]\njournal = \"kafka://t\"",
            "lockstep.toml:2:11: `freshness.journal`: this kind of journal is not known; write `dynamodb://TABLE` \
             or `redis://HOST:PORT/NAME` or `rediss://…` or `https://…` of another endpoint or `memory://`",
        ),
        (
            "[freshness]\njournal = \"dynamodb://no\"",
            "lockstep.toml:2:11: `freshness.journal`: the name of a table has 3 to 255 letters, digits, `_`, `.` and `-`; \
             write `dynamodb://TABLE`",
        ),
        (
            "[freshness]\njournal = \"dynamodb://table?zone=1\"",
            "lockstep.toml:2:11: `freshness.journal`: only `?region=` may follow the name of a table",
        ),
        (
            "[freshness]\njournal = \"redis://u:p@host\"",
            "lockstep.toml:2:11: `freshness.journal`: a password never stands in the configuration; write \
             `freshness.journal_token`, and the user alone here",
        ),
        (
            "[freshness]\njournal = \"redis:///name\"",
            "lockstep.toml:2:11: `freshness.journal`: a journal in Redis has a host, and perhaps a port and a name; write \
             `redis://HOST:PORT/NAME`",
        ),
        (
            "[freshness]\non_outage = \"server\"",
            "lockstep.toml:2:13: `freshness.on_outage`: `server` is not known; did you mean `serve`?",
        ),
        (
            "[listen]\naddress = \"0.0.0.0:80\"",
            "lockstep.toml:2:11: `listen.address`: 0.0.0.0 can be reached from other \
             machines; write `127.0.0.1:80`, or `allow_remote = true` with `tls`",
        ),
        (
            "[listen]\nsocket_users = [1000]",
            "lockstep.toml:2:16: `listen.socket_users`: users are known on a Unix socket only; write `unix_socket` \
             too, or remove this",
        ),
        (
            "[listen]\ntoken = { path = \"x\" }",
            "lockstep.toml:2:9: `listen.token`: write either `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
        (
            "[audit]\nsink = \"syslog\"",
            "lockstep.toml:2:8: `audit.sink`: this is no place for audit records; write `\"stderr\"`, `\"stdout\"`, \
             `\"none\"`, `{ file = \"PATH\" }` or `{ http = \"URL\" }`",
        ),
        (
            "[audit]\nsink = { file = \"a\", token = { env = \"T\" } }",
            "lockstep.toml:2:8: `audit.sink`: write either `{ file = \"PATH\", rotate_bytes = \"64MiB\", keep = 10 }` or \
             `{ http = \"URL\", token = { env = \"NAME\" } }`, and of each only its own keys",
        ),
        (
            "[audit]\nsink = { file = \"a\", rotate_bytes = \"1KiB\" }",
            "lockstep.toml:2:37: `audit.sink.rotate_bytes`: 1KiB is out of range; write from 64KiB to 16GiB",
        ),
        (
            "[audit]\nsink = { http = \"http://audit.internal\" }",
            "lockstep.toml:2:17: `audit.sink.http`: `http://` to another machine would send secrets in the clear; write \
             `https://`, or add `insecure = true` if that is what you want",
        ),
        (
            "[audit]\nsink = [\"stdout\", { file = \"a\", rotate_bytes = \"1KiB\" }]",
            "lockstep.toml:2:48: `audit.sink.1.rotate_bytes`: 1KiB is out of range; write from 64KiB to 16GiB",
        ),
        (
            "[audit]\nsink = [\"stdout\", \"none\"]",
            "lockstep.toml:2:8: `audit.sink`: a list names each place once, at least one, and `\"none\"` stands alone; \
             write `sink = [\"stdout\", { file = \"PATH\" }]`",
        ),
        (
            "[audit]\nsink = [{ file = \"a\" }, { file = \"a\", keep = 3 }]",
            "lockstep.toml:2:8: `audit.sink`: a list names each place once, at least one, and `\"none\"` stands alone; \
             write `sink = [\"stdout\", { file = \"PATH\" }]`",
        ),
        (
            "[audit]\nsink = []",
            "lockstep.toml:2:8: `audit.sink`: a list names each place once, at least one, and `\"none\"` stands alone; \
             write `sink = [\"stdout\", { file = \"PATH\" }]`",
        ),
        (
            "[audit]\nsink = [[\"stdout\"], \"stderr\"]",
            "lockstep.toml:2:9: `audit.sink.0`: a list has no list in it; write `\"stderr\"`, `\"stdout\"`, `\"none\"`, \
             `{ file = \"PATH\" }` or `{ http = \"URL\" }`",
        ),
        (
            "[audit]\nkey = { env = \"K\" }",
            "lockstep.toml:2:7: `audit.key`: a key is for a chain, and lines are not chained; write `chain = true`, or \
             remove it",
        ),
        (
            "[audit]\nwhen_full = \"wait\"",
            "lockstep.toml:2:13: `audit.when_full`: this word is not known; write one of `block`, `drop`",
        ),
        (
            "prefetch = [\"nope://x\"]",
            "lockstep.toml:1:13: `prefetch.0`: there is no provider `nope`; write one of `aws`, `ssm`",
        ),
        (
            "[cache]\nttl = ",
            "lockstep.toml:2:7: this is not TOML: string values must be quoted, expected literal string",
        ),
        (
            "{\n  \"cache\": { \"tll\": 1 }\n}",
            "lockstep.toml:2:14: `cache.tll`: there is no such key; did you mean `ttl`?",
        ),
        ("{ \"cache\": {}, \"cache\": {} }", "lockstep.toml:1:16: `cache`: this key stands twice; keep one"),
        ("{ \"cache\": ", "lockstep.toml:1:11: this is not JSON"),
    ] {
        assert_eq!(problems(text, &[]), expected, "{text}");
    }
}

#[test]
fn every_mistake_of_a_text_is_listed_in_its_order() {
    let text = r#"
prefetch = ["a//b"]
[cache]
tll = "5m"
max_entries = "many"
[providers.fallback]
type = "file"
paht = "x"
[[routes]]
match = "**"
providers = ["fallback", "fallbak"]
colour = "red"
"#;
    let expected = "\
lockstep.toml:2:13: `prefetch.0`: at byte 0 of the reference: the name has an empty segment; write `a/b`, without doubled or trailing `/`
lockstep.toml:4:1: `cache.tll`: there is no such key; did you mean `ttl`?
lockstep.toml:5:15: `cache.max_entries`: a string is written here; write a whole number
lockstep.toml:6:1: `providers.fallback`: `path` is missing; add it
lockstep.toml:8:1: `providers.fallback.paht`: there is no such key; did you mean `path`?
lockstep.toml:11:26: `routes.0.providers.1`: there is no provider `fallbak`; did you mean `fallback`?
lockstep.toml:12:1: `routes.0.colour`: there is no such key; write one of `fallback`, `match`, `max_staleness`, `providers`, `ttl`";
    assert_eq!(problems(text, &[]), expected);
}

/// M1: break `invalid_type` in `decode/fault.rs`, the redaction of unknown words, or `error.message()` in `tree/toml.rs`.
#[test]
fn m1_a_secret_written_where_none_belongs_is_never_shown() {
    let canary = "hunter2-canary";
    for text in [
        format!("[listen]\ntoken = \"{canary}\""),
        format!(
            "[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = {{ method = \"token\", token = \"{canary}\" }}"
        ),
        format!("[providers.v]\ntype = \"vault\"\naddress = \"https://u:{canary}@v\""),
        format!(
            "[providers.g]\ntype = \"gcp-secret-manager\"\nproject = \"p\"\nauth = {{ method = \"service-account\", key \
             = \"{canary}\" }}"
        ),
        format!("[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\npassword = \"{canary}\""),
        format!("[providers.v]\ntype = \"vault\"\naddress = \"https://v\"\nauth = \"{canary}\""),
        format!("[cache]\nttl = \"{canary}\""),
        format!("[cache]\nmax_entries = \"{canary}\""),
        format!("[freshness]\njournal = \"redis://:{canary}@host\""),
        format!("[audit]\nsink = \"{canary}\""),
        format!("[listen]\ntoken = {canary}"),
        format!("[listen]\ntoken = \"{canary}"),
        format!("{{ \"listen\": {{ \"token\": \"{canary}\" }}"),
        format!("{{ \"listen\": {{ \"token\": \"{canary}\" }} }}"),
    ] {
        let problems = load(&text, &[]).expect_err(&text);
        assert!(!format!("{problems} {problems:?}").contains(canary), "{problems}");
    }
    let by_variable = problems("", &[("LOCKSTEP__LISTEN__TOKEN", canary), ("LOCKSTEP_JOURNAL", canary)]);
    assert!(!by_variable.contains(canary), "{by_variable}");
}

/// M1: break `Debug` or `Serialize` of `MockValue`.
#[test]
fn m1_the_shown_configuration_holds_no_value() {
    let text = "[listen]\ntoken = { env = \"MY_TOKEN\" }\n[providers.m]\ntype = \"mock\"\n\
                [providers.m.secrets.a]\nversions = [\"hunter2-canary\"]";
    let config = load(text, &[("MY_TOKEN", "hunter2-canary")]).unwrap();
    let shown = format!("{}{}{config:?}", config.to_toml(), config.to_json());
    assert!(shown.contains("MY_TOKEN") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_shown_can_be_loaded_and_means_the_same() {
    let text = r#"
prefetch = ["db/creds#password"]
[freshness]
journal = "memory://"
[providers.vault]
type = "vault"
address = "https://vault.internal:8200"
auth = { method = "approle", role_id = "r", secret_id = { file = "id" } }
mounts = { kv = "kv2" }
[providers.cluster]
type = "vault"
address = ["https://a:8200", "https://b:8200"]
auth = { method = "kubernetes", role = "app", inline = true }
mounts = { kv = "kv2" }
forward_stale = true
[providers.wrapped]
type = "vault"
address = "https://v"
auth = { method = "token", token = { file = "t" }, wrapped = true, creation_path = "auth/token/create" }
[providers.iam]
type = "vault"
address = "https://v"
auth = { method = "aws", role = "r", server_id = "vault.internal", region = "eu-west-1" }
[providers.certified]
type = "vault"
address = "https://v"
auth = { method = "cert", name = "web" }
tls = { client_cert = "c.pem", client_key = "k.pem" }
[providers.aws]
type = "aws-parameter-store"
decrypt = false
[[routes]]
match = "db/**"
providers = ["vault", "aws"]
max_staleness = "10s"
fallback = "next_first"
[audit]
sink = { file = "audit.log" }
"#;
    let config = load(text, &[]).unwrap();
    let again = load(&config.to_toml(), &[]).unwrap();
    assert_eq!(config.settings(), again.settings());
    let again = load(&config.to_json().to_string(), &[]).unwrap();
    assert_eq!(config.settings(), again.settings());
}

#[test]
fn every_default_stands_in_the_shown_configuration() {
    assert_eq!(without_document(&[]).unwrap().to_toml(), include_str!("../tests/defaults.toml"));
}

/// T3: break the range of `cache.ttl` in `checks.rs`, or the grammar of `Period`.
#[test]
fn t3_no_ttl_is_longer_than_a_day_or_unbounded() {
    let keys = ["cache.ttl", "cache.ttl_with_journal", "providers.m.ttl", "routes.0.ttl", "cache.negative_ttl"];
    let values = [
        "-1",
        "\"-1\"",
        "\"-1s\"",
        "18446744073709551615",
        "\"18446744073709551615s\"",
        "1e99",
        "\"1e99\"",
        "\"10y\"",
        "\"31d\"",
        "\"25h\"",
        "inf",
        "nan",
        "true",
        "[]",
        "300",
        "\"\"",
    ];
    for key in keys {
        for value in values {
            let (section, key) = key.rsplit_once('.').unwrap();
            let text = match section {
                "routes.0" => format!(
                    "[providers.m]\ntype = \"mock\"\n[[routes]]\nmatch = \"**\"\nproviders = [\"m\"]\n{key} = {value}"
                ),
                "providers.m" => format!("[providers.m]\ntype = \"mock\"\n{key} = {value}"),
                _ => format!("[{section}]\n{key} = {value}"),
            };
            assert!(load(&text, &[]).is_err(), "{text}");
        }
    }
    // Zero is off, not for ever.
    assert!(load("[cache]\nttl = 0", &[]).unwrap().settings().cache.ttl.is_zero());
}

/// R2: break `deny_unknown_fields`, or add a provider that nobody configured.
#[test]
fn r2_nothing_executes_or_reads_files_or_variables_as_a_provider_unless_configured() {
    let config = load("[providers.m]\ntype = \"mock\"", &[]).unwrap();
    assert_eq!(config.settings().providers.values().map(crate::settings::Provider::word).collect::<Vec<_>>(), ["mock"]);
    let defaults = without_document(&[]).unwrap();
    let kinds: Vec<_> = defaults.settings().providers.values().map(crate::settings::Provider::word).collect();
    assert_eq!(kinds, ["aws-secrets-manager", "aws-parameter-store"]);
    for kind in ["exec", "env", "http", "https"] {
        assert!(load(&format!("[providers.x]\ntype = \"{kind}\""), &[]).is_err(), "{kind}");
    }
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_that_is_checked_in_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/lockstep.schema.json");
    assert!(
        std::fs::read_to_string(path).unwrap() == crate::json_schema(),
        "write it anew: lockstep config schema > crates/config/schema/lockstep.schema.json"
    );
}
