//! Decisions, and what can't be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_core::{Action, Alias, Authorizer as _, ErrorKind, Login, Principal, Resource};
use lockstep_testkit::ManualClock;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn source(text: &str) -> PolicySource {
    PolicySource { name: "p.cedar".to_owned(), text: text.to_owned() }
}

fn policies(text: &str) -> Policies {
    Policies::new(&[source(text)], AllowList::parse(["**"]).unwrap(), ManualClock::new()).unwrap()
}

fn who(id: &str, claims: &serde_json::Value) -> Principal {
    let claims = claims.as_object().filter(|claims| !claims.is_empty()).cloned().map(Arc::new);
    Principal { id: id.into(), login: Login::Jwt, claims, peer: Some("192.0.2.7:50000".into()), mtls: false }
}

fn alias(text: &str) -> Alias {
    Alias::parse(text).unwrap()
}

fn decided(policies: &Policies, who: &Principal, action: Action, place: &str) -> Decision {
    let (provider, name) = place.split_once("://").unwrap();
    policies.decide(who, action, Resource { provider: &alias(provider), name, tags: None })
}

fn tagged(policies: &Policies, who: &Principal, place: &str, tags: Option<&[(&str, &str)]>) -> Decision {
    let (provider, name) = place.split_once("://").unwrap();
    let tags: Option<BTreeMap<String, String>> =
        tags.map(|tags| tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
    policies.decide(who, Action::Get, Resource { provider: &alias(provider), name, tags: tags.as_ref() })
}

const TEAMS: &str = r#"
    @id("ci-reads-shared")
    permit(principal, action in [Action::"get", Action::"list", Action::"describe"], resource in Prefix::"aws://shared")
    when { principal.hasTag("repository_owner") && principal.getTag("repository_owner").contains("acme") };

    @id("payments-does-its-own")
    permit(principal == Caller::"key:payments", action, resource in Prefix::"vault://payments");

    @id("nobody-rotates-prod")
    forbid(principal, action == Action::"rotate", resource) when { resource.name like "*prod*" };

    permit(principal == Caller::"key:root", action, resource);
"#;

/// T1, T2. Break: leave the provider out of a prefix in `above`, or answer `allowed` when nothing permits.
#[test]
fn t1_t2_what_no_policy_permits_is_denied_and_a_decision_names_its_policy() {
    let policies = policies(TEAMS);
    let (ci, other) =
        (who("jwt:gh:x", &json!({"repository_owner": "acme"})), who("jwt:gh:y", &json!({"repository_owner": "evil"})));
    let (payments, root) = (Principal::new("key:payments"), Principal::new("key:root"));
    for (who, action, place, allowed, policy) in [
        (&ci, Action::Get, "aws://shared/db", true, "policy: ci-reads-shared"),
        (&ci, Action::Get, "aws://shared/a/b/c", true, "policy: ci-reads-shared"),
        (&ci, Action::List, "aws://shared/", true, "policy: ci-reads-shared"),
        (&ci, Action::Rotate, "aws://shared/db", false, "policy: none permits it"),
        (&ci, Action::Get, "aws://shared", false, "policy: none permits it"),
        (&ci, Action::Get, "aws://sharedx/db", false, "policy: none permits it"),
        (&ci, Action::List, "aws://share", false, "policy: none permits it"),
        (&ci, Action::Get, "vault://shared/db", false, "policy: none permits it"),
        (&other, Action::Get, "aws://shared/db", false, "policy: none permits it"),
        (&payments, Action::Rotate, "vault://payments/db", true, "policy: payments-does-its-own"),
        (&payments, Action::Rotate, "vault://payments/prod/db", false, "policy: nobody-rotates-prod"),
        (&payments, Action::Get, "vault://sales/db", false, "policy: none permits it"),
        (&root, Action::Invalidate, "vault://sales/db", true, "policy: p.cedar#4"),
        (&root, Action::Rotate, "vault://prod/db", false, "policy: nobody-rotates-prod"),
    ] {
        let decision = decided(&policies, who, action, place);
        assert_eq!((decision.allowed, &*decision.policy), (allowed, policy), "{} {action:?} {place}", who.id);
        assert!(!decision.wants_tags);
        // The second time it comes out of memory.
        assert_eq!(decided(&policies, who, action, place), decision);
    }
}

/// T2. Break: `issuer` in `Facts::new`, or the login in `Principal::issuer`.
#[test]
fn t2_a_policy_can_say_whose_word_a_claim_is() {
    let policies = policies(
        "permit(principal, action, resource) when { principal has issuer && principal.issuer == \"github\"
           && principal.hasTag(\"team\") && principal.getTag(\"team\").contains(\"money\") };",
    );
    let claims = json!({ "team": "money" });
    for (id, login, allowed) in [
        ("jwt:github:repo:acme/shop", Login::Jwt, true),
        ("jwt:other:repo:acme/shop", Login::Jwt, false),
        ("jwt:githubx:github", Login::Jwt, false),
        ("jwt:github:x", Login::ApiKey, false),
        ("key:github", Login::ApiKey, false),
    ] {
        let who = Principal { login, ..who(id, &claims) };
        assert_eq!(decided(&policies, &who, Action::Get, "aws://db").allowed, allowed, "{id} {login:?}");
    }
}

/// Break: leave an action out of the schema.
#[test]
fn every_action_can_be_spoken_of_and_is_no_other() {
    for action in Action::ALL {
        let text = format!("permit(principal, action == Action::\"{}\", resource);", action.as_str());
        let policies = policies(&text);
        for other in Action::ALL {
            let allowed = decided(&policies, &Principal::new("local"), other, "aws://db").allowed;
            assert_eq!(allowed, other == action, "{action:?} {other:?}");
        }
    }
}

/// Break: leave `spelling::others` out of `explain`.
#[test]
fn what_is_forbidden_by_name_is_forbidden_by_arn() {
    let policies = policies(
        "permit(principal, action, resource); forbid(principal, action, resource in Prefix::\"aws://prod\");
         forbid(principal, action, resource == Secret::\"aws://plain\");",
    );
    let who = Principal::new("local");
    let secret = |name: &str| format!("aws://arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}");
    for (place, allowed) in [
        (secret("prod/db-AbCdEf"), false),
        (secret("prod/db"), false),
        (secret("plain-AbCdEf"), false),
        (secret("plain"), false),
        (secret("test/db-AbCdEf"), true),
        ("aws://arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db".to_owned(), false),
        ("aws://prod/db".to_owned(), false),
        ("aws://test/db".to_owned(), true),
    ] {
        for action in [Action::Get, Action::Rotate, Action::Describe] {
            assert_eq!(decided(&policies, &who, action, &place).allowed, allowed, "{place}");
        }
    }
}

/// R4. Break: build an id by text that Cedar parses.
#[test]
fn r4_no_character_of_a_caller_or_a_name_means_anything() {
    let policies = policies(
        r#"permit(principal == Caller::"jwt:it:a", action, resource in Prefix::"aws://team")
           when { resource.name like "team/*" };"#,
    );
    assert!(decided(&policies, &who("jwt:it:a", &json!({})), Action::Get, "aws://team/x").allowed);
    for id in ["jwt:it:*", "*", "jwt:it:a,b", "jwt:it:a/..", "jwt:it:a\"", "jwt:it:a\" || true || \"", "", "jwt:it:A"] {
        assert!(!decided(&policies, &who(id, &json!({})), Action::Get, "aws://team/x").allowed, "{id}");
    }
    for place in
        ["aws://*", "aws://*/x", "aws://team*", "aws://te/am/x", "aws:///team/x", "aws://\"team/x", "a://team/x"]
    {
        assert!(!decided(&policies, &who("jwt:it:a", &json!({})), Action::Get, place).allowed, "{place}");
    }
}

/// R7. Break: decide a list by something else than its prefix.
#[test]
fn r7_a_prefix_that_is_forbidden_can_neither_be_listed_nor_seen() {
    let policies =
        policies("permit(principal, action, resource); forbid(principal, action, resource in Prefix::\"aws://a\");");
    let who = Principal::new("local");
    for (action, place, allowed) in [
        (Action::List, "aws://a/", false),
        (Action::List, "aws://a//", false),
        (Action::List, "aws://a/b", false),
        // What begins like it is looked at one by one.
        (Action::List, "aws://a", true),
        (Action::List, "aws://", true),
        (Action::Describe, "aws://a/x", false),
        (Action::Describe, "aws://ab", true),
    ] {
        assert_eq!(decided(&policies, &who, action, place).allowed, allowed, "{action:?} {place}");
    }
}

const BY_TAG: &str = r#"
    @id("own-team") permit(principal, action == Action::"get", resource in Provider::"aws")
    when { resource.hasTag("team") && principal.hasTag("team") && principal.getTag("team").contains(resource.getTag("team")) };
    @id("open") permit(principal, action, resource in Prefix::"aws://open");
    @id("locked") forbid(principal, action, resource in Prefix::"aws://locked");
"#;

/// T1, T2. Break: take a look at the secret's tags for one at the caller's, or decide without them.
#[test]
fn t1_t2_a_decision_that_hangs_on_tags_says_so_and_no_other_asks_for_them() {
    let policies = policies(BY_TAG);
    assert!(policies.reads_tags());
    let (money, nobody) = (who("jwt:a:x", &json!({"team": ["money", "people"]})), who("jwt:a:y", &json!({})));
    let team = |team: &'static str| [("team", team)];
    for (who, place, tags, allowed, wants) in [
        (&money, "aws://db", None, false, true),
        (&money, "aws://db", Some(&team("money")[..]), true, false),
        (&money, "aws://db", Some(&team("sales")[..]), false, false),
        (&money, "aws://db", Some(&[][..]), false, false),
        // It could be denied by its tags alone, so they are wanted though something else permits.
        (&money, "aws://locked/db", None, false, false),
        (&money, "vault://db", None, false, false),
        (&nobody, "aws://db", Some(&team("money")[..]), false, false),
    ] {
        let decision = tagged(&policies, who, place, tags);
        assert_eq!((decision.allowed, decision.wants_tags), (allowed, wants), "{} {place} {tags:?}", who.id);
    }
    // A list is no secret.
    assert!(!decided(&policies, &money, Action::List, "aws://db").allowed);
    let listing = policies_of_tags_for_lists();
    assert!(decided(&listing, &money, Action::List, "aws://db").allowed);
    assert!(decided(&listing, &money, Action::Describe, "aws://db").wants_tags);
    // Where only callers' tags are read, nobody asks for a secret's.
    assert!(!self::policies(TEAMS).reads_tags());
}

fn policies_of_tags_for_lists() -> Policies {
    policies("permit(principal, action, resource) when { resource.hasTag(\"public\") };")
}

#[test]
fn the_moment_the_address_and_the_certificate_are_looked_at_each_time() {
    let clock = ManualClock::new();
    let text = r#"
        permit(principal, action, resource in Prefix::"aws://a") when { context has address && context.address.isInRange(ip("192.0.2.0/24")) };
        permit(principal, action, resource in Prefix::"aws://b") when { context.mtls };
        permit(principal, action, resource in Prefix::"aws://c") when { context.now < datetime("2100-01-01") };
        permit(principal, action, resource in Prefix::"aws://d") when { context.now > datetime("2100-01-01") };
    "#;
    let policies = Policies::new(&[source(text)], AllowList::parse(["**"]).unwrap(), clock).unwrap();
    let near = who("jwt:a:x", &json!({}));
    let far = Principal { peer: Some("[2001:db8::1]:443".into()), ..near.clone() };
    let nowhere = Principal { peer: None, mtls: true, ..near.clone() };
    for (who, place, allowed) in [
        (&near, "aws://a/x", true),
        (&far, "aws://a/x", false),
        (&nowhere, "aws://a/x", false),
        (&near, "aws://b/x", false),
        (&nowhere, "aws://b/x", true),
        (&near, "aws://c/x", true),
        (&near, "aws://d/x", false),
    ] {
        assert_eq!(decided(&policies, who, Action::Get, place).allowed, allowed, "{:?} {place}", who.peer);
    }
    assert!(policies.remembered.lock().unwrap().is_empty());
}

/// Break: pass over what fails, as Cedar does.
#[test]
fn a_policy_that_cannot_be_evaluated_denies() {
    let policies = policies(
        r#"permit(principal, action, resource);
           @id("broken") forbid(principal, action, resource)
           when { 9223372036854775807 + (if resource.name like "*x*" then 1 else 0) < 0 };"#,
    );
    let who = who("a", &json!({}));
    assert!(decided(&policies, &who, Action::Get, "aws://db").allowed);
    let decision = decided(&policies, &who, Action::Get, "aws://x");
    assert_eq!((decision.allowed, &*decision.policy), (false, "policy: not evaluated (broken)"));
}

#[test]
fn the_allow_list_stands_before_the_policies() {
    let policies = Policies::new(
        &[source("permit(principal, action, resource);")],
        AllowList::parse(["db/*"]).unwrap(),
        ManualClock::new(),
    );
    let policies = policies.unwrap();
    assert!(decided(&policies, &Principal::new("local"), Action::Get, "aws://db/x").allowed);
    let denied = decided(&policies, &Principal::new("local"), Action::Get, "aws://other");
    assert_eq!((denied.allowed, &*denied.policy), (false, "allow-list: no rule fits"));
}

#[test]
fn claims_inside_claims_and_numbers_can_be_asked_for() {
    let policies = policies(
        r#"permit(principal, action, resource) when { principal.hasTag("kubernetes.io/namespace")
             && principal.getTag("kubernetes.io/namespace").contains("prod")
             && principal.hasTag("level") && principal.getTag("level").contains("7") };"#,
    );
    let good = json!({"kubernetes.io": {"namespace": "prod"}, "level": 7});
    // A claim that has the longer name itself is the one that is meant.
    let own = json!({"kubernetes.io": {"namespace": "prod"}, "kubernetes.io/namespace": "test", "level": 7});
    for (claims, allowed) in [(good, true), (own, false), (json!({"level": 7}), false), (json!({}), false)] {
        assert_eq!(decided(&policies, &who("a", &claims), Action::Get, "aws://x").allowed, allowed, "{claims}");
    }
}

/// Break: any check in `read_one`.
#[test]
fn what_is_wrong_with_policies_is_said_with_its_place() {
    for (text, place, says) in [
        ("permit(principal, action, resource", "p.cedar:1:35", "unexpected end of input"),
        ("permit(principal, action, resource);\npermit(who, action, resource);", "p.cedar:2:8", "who"),
        ("permit(principal == User::\"x\", action, resource);", "p.cedar:1:", "User"),
        ("permit(principal, action == Action::\"read\", resource);", "p.cedar:1:", "read"),
        ("permit(principal, action, resource) when { resource.owner == \"x\" };", "p.cedar:1:", "owner"),
        (
            "permit(principal, action, resource) when { principal.getTag(\"x\").contains(\"y\") };",
            "p.cedar:1:44: ",
            "unable to guarantee safety of access to tag",
        ),
        ("permit(principal == ?principal, action, resource);", "p.cedar", "templates"),
        ("", "", "there is no policy"),
        (
            "@id(\"a\") permit(principal, action, resource); @id(\"a\") permit(principal, action, resource);",
            "p.cedar",
            "two policies",
        ),
    ] {
        let error = Policies::new(&[source(text)], AllowList::parse(["**"]).unwrap(), ManualClock::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.message();
        assert!(message.starts_with(place) && message.contains(says), "{text}\n-> {message}");
    }
}

proptest! {
    /// R4, T1. Break: cut or rewrite a name on its way to Cedar.
    #[test]
    fn r4_t1_a_permit_for_one_prefix_permits_nothing_else(name in "[a-z*./:@\"\\\\{}%-]{0,24}", id in "[a-z*:,./\"]{0,16}") {
        let policies = policies(r#"permit(principal == Caller::"jwt:it:a", action, resource in Prefix::"aws://team/one");"#);
        let decision = decided(&policies, &who(&id, &json!({})), Action::Get, &format!("aws://{name}"));
        let meant = id == "jwt:it:a" && name.starts_with("team/one/");
        prop_assert_eq!(decision.allowed, meant);
        let good = decided(&policies, &who("jwt:it:a", &json!({})), Action::Get, &format!("aws://{name}"));
        prop_assert_eq!(good.allowed, name.starts_with("team/one/"));
    }
}

/// The examples that users copy. Break: any of them.
#[test]
fn the_examples_of_the_documentation_are_policies() {
    let page = include_str!("../../../../docs/policies.md");
    let blocks: Vec<&str> =
        page.split("```cedar\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert_eq!(blocks.len(), 1);
    let policies = policies(blocks[0]);
    assert_eq!(policies.len(), 5);
    let shop =
        |branch: &str| who("jwt:github:x", &json!({"repository": "acme/shop", "ref": format!("refs/heads/{branch}")}));
    assert!(decided(&policies, &shop("main"), Action::Get, "aws://shop/db").allowed);
    assert!(!decided(&policies, &shop("dev"), Action::Get, "aws://shop/db").allowed);
    let elsewhere = Principal { id: "jwt:other:x".into(), ..shop("main") };
    assert!(!decided(&policies, &elsewhere, Action::Get, "aws://shop/db").allowed);
    let pod = who("jwt:cluster:y", &json!({"kubernetes.io": {"namespace": "payments"}}));
    assert!(tagged(&policies, &pod, "vault://kv/db", Some(&[("team", "payments")])).allowed);
    assert!(!tagged(&policies, &pod, "vault://root/db", Some(&[("team", "payments")])).allowed);
}
