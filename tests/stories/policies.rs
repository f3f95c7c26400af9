//! Policies in Cedar: what each caller may do, that what is denied can be hidden, and what the command says of it.

use lockstep_stories::{Lockstep, Response, Running};
use lockstep_testkit::require;
use lockstep_testkit::servers::unique;
use serde_json::{Value, json};

use crate::aws_account::{Account, config};

const POLICIES: &str = r#"
@id("a-has-its-own")
permit(principal == Caller::"key:a", action, resource in Prefix::"one://a");
@id("b-has-its-own")
permit(principal == Caller::"key:b", action, resource in Prefix::"one://b");
@id("b-has-two")
permit(principal == Caller::"key:b", action, resource in Provider::"two");
@id("root-may-all")
permit(principal == Caller::"key:root", action, resource);
"#;

/// The names of those who have a key, and what each sends as `Authorization`.
pub(crate) struct Keys(Vec<(&'static str, String)>);

impl Keys {
    pub(crate) fn of(names: &[&'static str]) -> (Self, String) {
        let maker = Lockstep::new(None, &[]);
        let mut auth = String::new();
        let keys = names.iter().map(|name| {
            let made: Value = serde_json::from_str(&maker.run(&["key", name, "--json"]).stdout).unwrap();
            let section = format!("[auth.keys.{name}]\nhashes = [{{ hash = {} }}]\n", made["hash"]);
            auth.push_str(&section);
            (*name, format!("Bearer {}", made["key"].as_str().unwrap()))
        });
        (Self(keys.collect()), auth)
    }

    /// What this one sends.
    pub(crate) fn of_name(&self, who: &str) -> &str {
        &self.0.iter().find(|(name, _)| *name == who).unwrap().1
    }

    fn get(&self, running: &Running, who: &str, path: &str) -> Response {
        self.send(running, who, "GET", path, "")
    }

    fn send(&self, running: &Running, who: &str, method: &str, path: &str, body: &str) -> Response {
        running.bare(method, path, &[("authorization", self.of_name(who))], body.as_bytes())
    }
}

/// What an answer says, but for what is different in each: the request's id.
fn look(response: &Response) -> (u16, Value) {
    let mut body = if response.text().is_empty() { Value::Null } else { response.json() };
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    (response.status, body)
}

fn two_providers(hide: bool) -> (Running, Keys) {
    let (keys, auth) = Keys::of(&["a", "b", "root"]);
    let config = format!(
        "[providers.one]\ntype = \"file\"\npath = \"one.json\"\n[providers.two]\ntype = \"file\"\npath = \"two.json\"\n\
         [[routes]]\nmatch = \"**\"\nproviders = [\"one\"]\n[aws]\nsecrets_manager = \"one\"\n\
         [audit]\nsink = {{ file = \"audit.jsonl\" }}\n[auth]\npolicies = [\"p.cedar\"]\nhide_denied = {hide}\n{auth}"
    );
    let home = Lockstep::new(config.as_str(), &[]);
    home.file("one.json", &json!({ "a/db": "A", "a/api": "A2", "b/db": "B" }).to_string());
    home.file("two.json", &json!({ "db": "TWO" }).to_string());
    home.file("p.cedar", POLICIES);
    (home.start(), keys)
}

/// T1. Break: `hide_denied` in `Api::told`, or answer `InvalidReference` as it is.
#[test]
fn t1_what_is_anothers_looks_like_what_is_not_there_on_every_route() {
    let (running, keys) = two_providers(true);
    // Everything is at hand: nothing below comes from a provider that does not answer.
    for path in ["/api/v1/secrets/a/db", "/api/v1/secrets/b/db", "/api/v1/secrets/db?provider=two"] {
        assert_eq!(keys.get(&running, "root", path).status, 200);
    }
    for (theirs, absent) in [
        ("/api/v1/secrets/b/db", "/api/v1/secrets/b/nothing"),
        ("/api/v1/secrets/b/db", "/api/v1/secrets/a/nothing"),
        ("/api/v1/secrets/b/db?key=x", "/api/v1/secrets/a/nothing?key=x"),
        ("/api/v1/secrets/db?provider=two", "/api/v1/secrets/db?provider=three"),
        ("/api/v1/metadata/b/db", "/api/v1/metadata/a/nothing"),
        ("/api/v1/versions/b/db", "/api/v1/versions/b/nothing"),
        ("/secretsmanager/get?secretId=b/db", "/secretsmanager/get?secretId=a/nothing"),
        ("/v1/b/db", "/v1/a/nothing"),
        ("/api/v1/secrets?provider=one&prefix=b/", "/api/v1/secrets?provider=one&prefix=a/nothing"),
        ("/api/v1/secrets?provider=two&prefix=d", "/api/v1/secrets?provider=three&prefix=d"),
    ] {
        let (theirs_said, absent_said) = (keys.get(&running, "a", theirs), keys.get(&running, "a", absent));
        assert_eq!(look(&theirs_said), look(&absent_said), "{theirs} {absent}");
        assert!(!theirs_said.text().contains("one") || theirs.contains("prefix"), "{}", theirs_said.text());
    }
    let rotated = |path: &str| look(&keys.send(&running, "a", "POST", path, ""));
    assert_eq!(rotated("/api/v1/rotate/b/db"), rotated("/api/v1/rotate/b/nothing"));
    let batch = json!({ "secrets": [{ "name": "a/db" }, { "name": "b/db" }, { "name": "b/nothing" }] }).to_string();
    let said = keys.send(&running, "a", "POST", "/api/v1/secrets:batch", &batch).json();
    let results = said["results"].as_array().unwrap();
    assert_eq!(results[0]["secret"]["value"], "A");
    let error = |at: usize| {
        let mut error = results[at]["error"].clone();
        error.as_object_mut().unwrap().remove("request_id");
        error
    };
    assert_eq!(error(1), error(2));
    // The audit knows better.
    let audit = std::fs::read_to_string(running.home().folder().join("audit.jsonl")).unwrap();
    assert!(
        audit.lines().any(|line| line.contains("\"outcome\":\"refused\"") && line.contains("policy: none permits it")),
        "{audit}"
    );
}

/// T2 and R7. Break: show what of a list is denied, or list a prefix that is.
#[test]
fn t2_r7_lists_show_what_the_caller_may_see_and_nothing_else() {
    let (running, keys) = two_providers(false);
    let names = |who: &str, query: &str| -> Option<Vec<String>> {
        let said = keys.get(&running, who, &format!("/api/v1/secrets?{query}"));
        if said.status == 403 {
            return None;
        }
        assert_eq!(said.status, 200, "{}", said.text());
        let said = said.json();
        Some(said["secrets"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect())
    };
    let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(names("a", "provider=one&prefix=a/"), some(&["a/api", "a/db"]));
    assert_eq!(names("b", "provider=two"), some(&["db"]));
    assert_eq!(names("root", "provider=one"), some(&["a/api", "a/db", "b/db"]));
    for (who, query) in
        [("a", "provider=one&prefix=b/"), ("a", "provider=one"), ("a", "provider=two"), ("b", "provider=one&prefix=a")]
    {
        assert_eq!(names(who, query), None, "{who} {query}");
    }
    for (who, path, status) in [
        ("a", "/api/v1/secrets/a/db", 200),
        ("a", "/api/v1/secrets/b/db", 403),
        ("b", "/api/v1/secrets/db?provider=two", 200),
        ("a", "/api/v1/secrets/db?provider=two", 403),
        ("a", "/api/v1/metadata/b/db", 403),
    ] {
        assert_eq!(keys.get(&running, who, path).status, status, "{who} {path}");
    }
    let invalidate = |name: &str| json!({ "name": name }).to_string();
    assert_eq!(keys.send(&running, "b", "POST", "/api/v1/invalidate", &invalidate("a/db")).status, 403);
    assert_eq!(keys.send(&running, "root", "POST", "/api/v1/invalidate", &invalidate("a/db")).status, 200);
}

/// T1, T2 by tag, against an imitation of AWS. Break: `learn_plans` before a read, or `learn` before the release.
#[test]
fn t1_t2_tags_decide_before_a_value_is_read_and_an_arn_changes_nothing() {
    let account = require!(Account::at_moto());
    let (own, other, bare) = (unique("own"), unique("other"), unique("bare"));
    account.create_tagged(&own, "v", "team=money");
    let arn = account.create_tagged(&other, "v", "team=sales").arn;
    account.create(&bare, "v");
    let (keys, mut auth) = Keys::of(&["m"]);
    auth = auth.replace("[auth.keys.m]\n", "[auth.keys.m]\ntags = { team = \"money\" }\n");
    let policy = r#"permit(principal, action, resource in Provider::"aws") when { resource.hasTag("team")
        && principal.hasTag("team") && principal.getTag("team").contains(resource.getTag("team")) };"#;
    let config = config(account.url(), &format!("[auth]\npolicy = '''{policy}'''\n{auth}"));
    let running = Lockstep::serve(config.as_str(), &account.env());
    for (name, status) in
        [(own.as_str(), 200), (own.as_str(), 200), (other.as_str(), 403), (bare.as_str(), 403), (arn.as_str(), 403)]
    {
        let said = keys.get(&running, "m", &format!("/api/v1/secrets?name={name}"));
        assert_eq!(said.status, status, "{name}: {}", said.text());
        assert_eq!(keys.get(&running, "m", &format!("/api/v1/metadata?name={name}")).status, status, "{name}");
    }
    let listed = keys.get(&running, "m", "/api/v1/secrets?provider=aws").text();
    assert!(listed.contains(&own) && !listed.contains(&other) && !listed.contains(&bare), "{listed}");
}

#[test]
fn the_command_says_which_policy_decides_and_where_one_is_wrong() {
    let (running, _) = two_providers(false);
    let home = running.home();
    let explain = |arguments: &[&str]| {
        let output = home.run(&[&["policy", "explain"], arguments].concat());
        (output.code, output.stdout, output.stderr)
    };
    // Nothing is read, so nothing is recorded: the audit's file is another process's, and here nobody's.
    let audit = home.folder().join("audit.jsonl");
    std::fs::remove_file(&audit).unwrap();
    let (code, said, _) = explain(&["key:a", "get", "a/db"]);
    assert_eq!((code, said.as_str()), (Some(0), "allowed: one://a/db (policy: a-has-its-own)\n"));
    let (code, said, failed) = explain(&["key:a", "get", "b/db"]);
    assert_eq!((code, said.as_str()), (Some(1), "denied: one://b/db (policy: none permits it)\n"), "{failed}");
    let (code, said, _) = explain(&["key:b", "list", "two://"]);
    assert_eq!((code, said.as_str()), (Some(0), "allowed: two:// (policy: b-has-two)\n"));
    let (code, _, failed) = explain(&["key:a", "read", "a/db"]);
    assert!(code == Some(2) && failed.contains("write one of get, list"), "{failed}");
    let checked = home.run(&["policy", "check"]);
    assert_eq!((checked.code, checked.stdout.as_str()), (Some(0), "4 policies are fine\n"), "{}", checked.stderr);
    assert!(!audit.exists());
    let schema = home.run(&["policy", "schema"]);
    assert!(schema.stdout.contains("entity Secret in [Prefix, Provider]"));
    home.file("p.cedar", &POLICIES.replace("Caller::\"key:b\"", "User::\"b\""));
    let wrong = home.run(&["policy", "check"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("p.cedar:5:"), "{}", wrong.stderr);
}
