//! The listener for Vault's clients before a real OpenBao, side by side with that OpenBao: the same requests, and the same
//! clients (`hvac` and the `bao` command), get the same answers but for what is listed here with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use lockstep_stories::{Connection, Lockstep, Response, Running, TOKEN, Upstream};
use lockstep_testkit::servers::OPENBAO_ROOT;
use lockstep_testkit::{Gate, require, server_certificate, servers};
use serde_json::{Value, json};

use crate::fake_aws;
use crate::openbao::Bao;

/// An OpenBao with a few secrets, and Lockstep before it under the same mounts.
struct Both {
    bao: Bao,
    running: Running,
    v2: String,
    v1: String,
}

impl Both {
    fn start(bao: Bao) -> Self {
        let v2 = bao.mount("kv", &json!({ "version": "2" }));
        let v1 = bao.mount("kv", &json!({ "version": "1" }));
        for data in [json!({ "user": "app", "password": "first" }), json!({ "password": "second", "port": 5432 })] {
            bao.done("POST", &format!("{v2}/data/app/db"), &json!({ "data": data }));
        }
        bao.done("POST", &format!("{v2}/data/app/web/key"), &json!({ "data": { "key": "k" } }));
        bao.done("POST", &format!("{v2}/metadata/app/web/key"), &json!({ "custom_metadata": { "team": "payments" } }));
        bao.done("POST", &format!("{v2}/data/gone"), &json!({ "data": { "key": "k" } }));
        bao.done("DELETE", &format!("{v2}/data/gone"), &json!({}));
        bao.done("POST", &format!("{v2}/data/lost"), &json!({ "data": { "key": "k" } }));
        bao.done("PUT", &format!("{v2}/destroy/lost"), &json!({ "versions": [1] }));
        bao.done("POST", &format!("{v1}/app/one"), &json!({ "user": "app", "password": "one" }));
        let config = format!(
            "[cache]\nnegative_ttl = \"0\"\n[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\n[vault]\nenabled = true\n\
             address = \"127.0.0.1:0\"\n[vault.mounts]\n{v2} = {{ provider = \"vault\", prefix = \"{v2}/\" }}\n\
             {v1} = {{ provider = \"vault\", prefix = \"{v1}/\", kv = 1 }}\n",
            bao.url
        );
        let running = Lockstep::serve(config.as_str(), &[("VAULT_TOKEN", OPENBAO_ROOT)]);
        Self { bao, running, v2, v1 }
    }

    /// Where each of them listens, and a token that it knows.
    fn sides(&self) -> [(String, &'static str); 2] {
        let lockstep = format!("http://{}", self.running.vault());
        [(self.bao.url.clone(), OPENBAO_ROOT), (lockstep, TOKEN)]
    }

    /// The path with the names of the mounts in it.
    fn path(&self, path: &str) -> String {
        path.replace("{v2}", &self.v2).replace("{v1}", &self.v1)
    }
}

fn ask(url: &str, token: Option<&str>, method: &str, path: &str, header: Option<(&str, &str)>) -> Response {
    let address = url.trim_start_matches("http://");
    let mut head =
        format!("{method} /v1/{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-vault-request: true\r\n");
    for (name, value) in token.map(|token| ("x-vault-token", token)).into_iter().chain(header) {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let mut connection = Connection::open(address.parse().unwrap()).unwrap();
    connection.send(format!("{head}\r\n")).unwrap();
    connection.receive().unwrap()
}

/// One request: its name, method and path, and a header.
type Asked = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

const REQUESTS: &[Asked] = &[
    ("value", "GET", "{v2}/data/app/db", None),
    ("first version", "GET", "{v2}/data/app/db?version=1", None),
    ("no such version", "GET", "{v2}/data/app/db?version=9", None),
    ("no version", "GET", "{v2}/data/app/db?version=x", None),
    ("missing", "GET", "{v2}/data/none", None),
    ("deleted", "GET", "{v2}/data/gone", None),
    ("destroyed", "GET", "{v2}/data/lost", None),
    ("metadata", "GET", "{v2}/metadata/app/db", None),
    ("own metadata", "GET", "{v2}/metadata/app/web/key", None),
    ("value with own metadata", "GET", "{v2}/data/app/web/key", None),
    ("no metadata", "GET", "{v2}/metadata/none", None),
    ("metadata of deleted", "GET", "{v2}/metadata/gone", None),
    ("root", "LIST", "{v2}/metadata", None),
    ("folder", "LIST", "{v2}/metadata/app/", None),
    ("folder by parameter", "GET", "{v2}/metadata/app?list=true", None),
    ("page", "GET", "{v2}/metadata?list=true&after=app/&limit=1", None),
    ("no folder", "LIST", "{v2}/metadata/none", None),
    ("a list of values", "LIST", "{v2}/data/app", None),
    ("a folder as a secret", "GET", "{v2}/metadata/", None),
    ("path of version 1", "GET", "{v2}/app/db", None),
    ("unknown parameter", "GET", "{v2}/data/app/db?foo=1", None),
    ("value of version 1", "GET", "{v1}/app/one", None),
    ("missing in version 1", "GET", "{v1}/none", None),
    ("folder of version 1", "LIST", "{v1}/app", None),
    ("no mount", "GET", "none/x", None),
    ("mount of a path", "GET", "sys/internal/ui/mounts/{v2}/app/db", None),
    ("mount of version 1", "GET", "sys/internal/ui/mounts/{v1}", None),
    ("mount of nothing", "GET", "sys/internal/ui/mounts/none/x", None),
    ("caller", "GET", "auth/token/lookup-self", None),
    ("health", "GET", "sys/health", None),
    ("init", "GET", "sys/init", None),
    ("seal status", "GET", "sys/seal-status", None),
    ("leader", "GET", "sys/leader", None),
    ("head of a value", "HEAD", "{v2}/data/app/db", None),
    ("write where nothing is written", "PUT", "sys/health", None),
    ("namespace root", "GET", "{v2}/data/app/db", Some(("x-vault-namespace", "root"))),
    ("namespace of nobody", "GET", "{v2}/data/app/db", Some(("x-vault-namespace", "nobody"))),
    ("past the cache", "GET", "{v2}/data/app/db", Some(("cache-control", "no-cache"))),
];

/// Where the answers differ, and why. `status` is the status; anything else a JSON pointer, or the beginning of some.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("no version", "/errors", "our words"),
    ("a list of values", "/errors", "our words"),
    ("path of version 1", "/warnings", "our words"),
    ("unknown parameter", "status", "what could mean something is refused, not ignored"),
    ("unknown parameter", "/", "so there is no value"),
    ("own metadata", "/data/current_metadata_version", "how often it was edited is not known"),
    ("value with own metadata", "/data/metadata/custom_metadata", "it is told by metadata/ alone"),
    ("value of version 1", "/lease_duration", "how long the answer is fresh here, not 32 days"),
    ("no mount", "/errors", "the path is not repeated"),
    ("mount of a path", "/data", "no ids, versions of plugins and descriptions of the server behind"),
    ("mount of version 1", "/data", "the same"),
    ("mount of nothing", "/errors", "the path is not repeated"),
    ("caller", "/data", "another caller, whose token is not repeated, and who has no policies of Vault"),
    ("health", "/version", "Lockstep's own"),
    ("health", "/cluster", "there is no cluster"),
    ("seal status", "/", "there is no seal: no type, no shares, no cluster"),
    ("write where nothing is written", "/errors", "our words"),
    ("namespace of nobody", "status", "400: there are no namespaces, so a client is set up wrong"),
    ("namespace of nobody", "/errors", "our words"),
];

/// The leaves of an answer by their pointers. Ids of requests and the time of now are left out, and of other times the part
/// below a second: Lockstep keeps thousandths.
fn leaves(value: &Value, at: &str, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                leaves(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, &format!("{at}/{index}"), into);
            }
        }
        Value::String(text) if at == "/request_id" => assert!(!text.is_empty()),
        Value::Number(seconds) if at == "/server_time_utc" => assert!(seconds.is_u64()),
        Value::String(text) if at.ends_with("_time") && text.len() > 19 => {
            into.insert(at.to_owned(), json!(text[..19]));
        }
        leaf => {
            into.insert(at.to_owned(), leaf.clone());
        }
    }
}

fn seen(response: &Response) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::from([("status".to_owned(), json!(response.status))]);
    if !response.body.is_empty() {
        assert_eq!(response.header("content-type"), "application/json");
        leaves(&response.json(), "", &mut all);
    }
    all
}

// Break: any member in `api/src/vault`.
#[test]
fn the_vault_surface_answers_as_a_real_openbao_but_for_what_is_listed() {
    let both = Both::start(Bao { url: require!(servers::openbao()) });
    let mut used = BTreeSet::new();
    let mut unlisted = Vec::new();
    for &(name, method, path, header) in REQUESTS {
        let path = both.path(path);
        let [theirs, ours] = both.sides().map(|(url, token)| seen(&ask(&url, Some(token), method, &path, header)));
        let pointers: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for pointer in pointers {
            let pair = (theirs.get(pointer), ours.get(pointer));
            if pair.0 == pair.1 {
                continue;
            }
            match DIFFERENCES.iter().position(|(of, start, _)| *of == name && pointer.starts_with(start)) {
                Some(at) => {
                    used.insert(at);
                }
                None => unlisted.push(format!("{name}: {pointer}: OpenBao {:?}, Lockstep {:?}", pair.0, pair.1)),
            }
        }
    }
    assert!(unlisted.is_empty(), "{}", unlisted.join("\n"));
    let unused: Vec<_> = (0..DIFFERENCES.len()).filter(|at| !used.contains(at)).map(|at| DIFFERENCES[at]).collect();
    assert!(unused.is_empty(), "these answers are alike: {unused:?}");
}

/// L1. Break: answer a login in `envelope::refused` with its own status.
#[test]
fn l1_who_is_not_let_in_is_told_the_same_by_both() {
    let both = Both::start(Bao { url: require!(servers::openbao()) });
    for token in [None, Some("wrong"), Some("s.aaaaaaaaaaaaaaaaaaaaaaaa")] {
        for path in ["{v2}/data/app/db", "{v2}/metadata/app/db", "{v1}/app/one", "none/x", "auth/token/lookup-self"] {
            let [theirs, ours] = both.sides().map(|(url, _)| seen(&ask(&url, token, "GET", &both.path(path), None)));
            assert_eq!(theirs, ours, "{token:?} {path}");
            assert_eq!(ours["status"], 403);
        }
    }
}

// Break: the envelope, or `sys/internal/ui/mounts`.
#[test]
fn hvac_reads_through_the_vault_surface_what_it_reads_from_openbao() {
    let python = require!(servers::hvac_python());
    let both = Both::start(Bao { url: require!(servers::openbao()) });
    let hvac = |url: &str, token: &str| -> BTreeMap<String, Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/vault_surface.py");
        let output =
            Command::new(&python).arg(script).args([url, token, &both.v2, &both.v1]).env_clear().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let [(their_url, their_token), (our_url, our_token)] = both.sides();
    let mut ours = hvac(&our_url, our_token);
    assert_eq!(ours.remove("write"), Some(json!("UnexpectedError")), "hvac knows no 405");
    assert_eq!(both.bao.call("GET", &format!("{}/data/written", both.v2), &json!({})).status, 404);
    let mut theirs = hvac(&their_url, their_token);
    assert_eq!(theirs.remove("write"), Some(json!("written")));
    // What was written is there now, and was not when Lockstep listed it.
    theirs.entry("root".to_owned()).and_modify(|keys| keys.as_array_mut().unwrap().retain(|key| key != "written"));
    assert_eq!(ours, theirs);
    assert_eq!(ours["value"][0], json!({ "password": "second", "port": 5432 }));
    assert_eq!((&ours["deleted"], &ours["missing"]), (&json!("InvalidPath"), &json!("InvalidPath")));
    let stranger = hvac(&our_url, "wrong");
    assert_eq!((&stranger["logged in"], &stranger["value"]), (&json!(false), &json!("Forbidden")));
}

/// What a command of `bao` printed and how it ended, what differs by its nature left out.
fn bao(program: &Path, home: &Path, (url, token): (&str, &str), arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs([("BAO_ADDR", url), ("BAO_TOKEN", token)]).env("HOME", home);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let Ok(json) = serde_json::from_str::<Value>(&text) else {
        return (output.status.code(), text.replace(url, "…"));
    };
    let mut all = BTreeMap::new();
    leaves(&json, "", &mut all);
    all.remove("/lease_duration");
    (output.status.code(), format!("{all:?}"))
}

// Break: `sys/internal/ui/mounts`, `sys/leader`, or the 404 of what is deleted.
#[test]
fn the_bao_command_reads_through_the_vault_surface_what_it_reads_from_openbao() {
    let program = require!(servers::bao());
    let both = Both::start(Bao { url: require!(servers::openbao()) });
    let home = tempfile::tempdir().unwrap();
    let run = |(url, token): (&str, &str), line: &str| {
        let line = both.path(line);
        bao(&program, home.path(), (url, token), &line.split(' ').collect::<Vec<_>>())
    };
    let [theirs, ours] = both.sides();
    let (theirs, ours) = ((&*theirs.0, theirs.1), (&*ours.0, ours.1));
    for line in [
        "kv get -format=json {v2}/app/db",
        "kv get -format=json -mount={v2} app/db",
        "kv get -format=json -version=1 {v2}/app/db",
        "kv get -field=password {v2}/app/db",
        "kv get -format=json {v2}/gone",
        "kv get -format=json {v2}/none",
        "kv get -version=9 {v2}/app/db",
        "kv list -format=json {v2}/",
        "kv list -format=json {v2}/app",
        "kv list {v2}/none",
        "kv metadata get -format=json {v2}/app/db",
        "kv get -format=json {v1}/app/one",
        "kv get -field=password {v1}/app/one",
        "kv get {v1}/none",
        "kv list -format=json {v1}/app",
        "read -format=json {v2}/data/app/db",
        "read -field=password {v1}/app/one",
        "list -format=json {v2}/metadata/app",
    ] {
        assert_eq!(run(ours, line), run(theirs, line), "bao {line}");
    }
    for line in ["status", "token lookup"] {
        assert_eq!(run(ours, line).0, Some(0), "bao {line}: {:?}", run(ours, line));
    }
    for line in ["kv put {v2}/app/db password=third", "kv delete {v2}/app/db", "write {v1}/app/one a=b", "token renew"]
    {
        let (code, text) = run(ours, line);
        assert!(code == Some(2) && text.contains("Code: 405") && text.contains("only reads"), "bao {line}: {text}");
    }
    let (code, text) = run((ours.0, "wrong"), "kv get {v2}/app/db");
    assert!(code == Some(2) && text.contains("Code: 403") && text.contains("permission denied"), "{text}");
    // Nothing of it was written.
    assert_eq!(run(theirs, "kv get -field=password {v2}/app/db").1, "second");
}

// Break: pass no TLS to the second `answer` in `commands::serve`.
#[test]
fn with_tls_the_bao_command_reads_over_https_and_nothing_is_answered_in_the_clear() {
    let program = require!(servers::bao());
    let config = "[providers.m]\ntype = \"mock\"\n[providers.m.secrets.a]\nversions = [\"v\"]\n[vault]\nenabled = true\n\
                  address = \"127.0.0.1:0\"\nmounts = { secret = { provider = \"m\" } }\n[listen]\n\
                  tls = { cert_file = \"server.pem\", key_file = \"server.key\" }\n";
    let home = Lockstep::new(config, &[]);
    let (certificate, key) = server_certificate("localhost");
    home.file("server.pem", &certificate);
    home.file("server.key", &key);
    let running = home.start();
    let vault = running.vault();
    let mut command = Command::new(program);
    command.args(["kv", "get", "-field=value", "secret/a"]).env_clear().env("HOME", running.home().folder());
    command.env("BAO_ADDR", format!("https://localhost:{}", vault.port())).env("BAO_TOKEN", TOKEN);
    let output = command.env("BAO_CACERT", running.home().folder().join("server.pem")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "v", "{}", String::from_utf8_lossy(&output.stderr));
    let mut clear = Connection::open(vault).unwrap();
    clear.send("GET /v1/sys/health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert!(!String::from_utf8_lossy(&clear.closed().unwrap()).contains("HTTP/1.1 200"));
}

/// Break: a `drain_timeout` of nothing in `listener_settings`.
#[test]
fn what_is_under_way_at_either_listener_is_answered_before_the_end() {
    let (aws, gate) = (Upstream::start(), Gate::new());
    aws.on(fake_aws::ROUTE, [fake_aws::value("app", "one").behind(&gate)]);
    let running = fake_aws::serve(
        &aws,
        "[cache]\nsingle_flight = false\n[vault]\nenabled = true\naddress = \"127.0.0.1:0\"\n\
         mounts = { secret = { provider = \"aws\" } }\n",
    );
    let paths = ["/v1/secret/data/app", "/api/v1/secrets/app"];
    let mut asking = [running.vault(), running.address].map(|address| Connection::open(address).unwrap());
    for (connection, path) in asking.iter_mut().zip(paths) {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        connection.send(head).unwrap();
    }
    aws.until_seen(2);
    running.terminate();
    running.until_said("stopping");
    gate.open();
    for connection in &mut asking {
        let answer = connection.receive().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(running.stop().code, Some(0));
}

// Break: stop one listener alone in `commands::serve`.
#[test]
fn both_listeners_end_with_one_signal() {
    let config = "[providers.m]\ntype = \"mock\"\n[providers.m.secrets.a]\nversions = [\"v\"]\n[vault]\nenabled = true\n\
                  address = \"127.0.0.1:0\"\nmounts = { secret = { provider = \"m\" } }\n";
    let running = Lockstep::serve(config, &[]);
    let vault = running.vault();
    let url = format!("http://{vault}");
    assert_eq!(ask(&url, Some(TOKEN), "GET", "secret/data/a", None).member("/data/data/value"), "v");
    let mut idle = [vault, running.address].map(|address| Connection::open(address).unwrap());
    for connection in &mut idle {
        connection.send("GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        assert_eq!(connection.receive().unwrap().status, 200);
    }
    let ended = running.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains(&format!("Vault's clients: {url}")), "{ended:?}");
    for connection in idle {
        connection.closed().unwrap();
    }
    assert!(Connection::open(vault).is_err());
}
