use proptest::prelude::*;

use super::*;

const ARN_OF_CREDS: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/creds-AbCdEf";
const ARN_OF_TOP: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

fn decide(rules: &[&str], action: Action, provider: &str, name: &str) -> Decision {
    let provider = Alias::parse(provider).unwrap();
    AllowList::parse(rules).unwrap().decide(
        &Principal::new("local"),
        action,
        Resource { provider: &provider, name, tags: None },
    )
}

fn may_get(rules: &[&str], provider: &str, name: &str) -> bool {
    decide(rules, Action::Get, provider, name).allowed
}

#[test]
fn what_no_rule_allows_is_denied() {
    for (rules, provider, name, allowed) in [
        (&[][..], "aws", "db/creds", false),
        (&["**"], "aws", "db/creds", true),
        (&["**"], "aws", "/prod/db", true),
        (&["db/**"], "aws", "db/creds", true),
        (&["db/**"], "vault", "db/creds", true),
        (&["db/**"], "aws", "db", false),
        (&["db/**"], "aws", "dbx/creds", false),
        (&["db/**"], "aws", "/db/creds", false),
        (&["db/**"], "aws", "DB/creds", false),
        (&["aws://prod/*"], "aws", "prod/db", true),
        (&["aws://prod/*"], "vault", "prod/db", false),
        (&["aws://prod/*"], "aws2", "prod/db", false),
        (&["aws:///prod/*"], "aws", "/prod/db", true),
        (&["a", "b", "vault://c"], "vault", "c", true),
        (&["a", "b", "vault://c"], "aws", "c", false),
    ] {
        assert_eq!(may_get(rules, provider, name), allowed, "{rules:?} {provider} {name}");
    }
}

/// Break: `alone` in `decide`.
#[test]
fn without_policies_who_comes_from_elsewhere_may_read_and_change_nothing() {
    let provider = Alias::parse("aws").unwrap();
    let (fence, list) = (AllowList::parse(["db"]).unwrap(), AllowList::parse(["db"]).unwrap().alone());
    for action in Action::ALL {
        for (login, is_local) in [
            (Login::Local, true),
            (Login::Socket, true),
            (Login::Jwt, false),
            (Login::ApiKey, false),
            (Login::AwsIam, false),
            (Login::Certificate, false),
        ] {
            let who = Principal { login, ..Principal::new("anybody") };
            let resource = Resource { provider: &provider, name: "db", tags: None };
            let changes = matches!(action, Action::Rotate | Action::Invalidate);
            assert_eq!(list.decide(&who, action, resource).allowed, is_local || !changes, "{login:?} {action:?}");
            assert!(fence.decide(&who, action, resource).allowed, "{login:?} {action:?}");
        }
    }
}

#[test]
fn the_decision_names_the_rule() {
    assert_eq!(&*decide(&["a", "aws://b"], Action::Get, "aws", "b").policy, "allow-list: aws://b");
    assert_eq!(&*decide(&["a"], Action::Get, "aws", "b").policy, "allow-list: no rule fits");
}

#[test]
fn a_list_is_allowed_where_something_under_its_prefix_could_be() {
    for (rules, prefix, allowed) in [
        (&["db/**"][..], "", true),
        (&["db/**"], "db", true),
        (&["db/**"], "db/", true),
        (&["db/**"], "db/cr", true),
        (&["db/**"], "dbx", false),
        (&["db/**"], "api/", false),
        (&["vault://db/**"], "db/", false),
        (&["db/creds"], "db/creds/", false),
        (&[], "", false),
        (&["db/**"], ARN_OF_CREDS, false),
    ] {
        assert_eq!(decide(rules, Action::List, "aws", prefix).allowed, allowed, "{rules:?} {prefix:?}");
    }
    for action in Action::ALL.into_iter().filter(|action| *action != Action::List) {
        assert!(!decide(&["db/**"], action, "aws", "db").allowed, "{action:?}: a prefix is no name");
        assert!(decide(&["db/**"], action, "aws", "db/creds").allowed, "{action:?}");
    }
}

/// The resolver asks for the ARN, then for the name behind it: both must be allowed. Break: the check of `arns`.
#[test]
fn an_arn_never_gets_around_a_rule_about_a_name() {
    for rules in [&["db/**"][..], &["*"], &["a*"], &["*/creds-AbCdEf"], &["**/creds-*"], &["**/*"], &["ar*/**"]] {
        for arn in [ARN_OF_CREDS, ARN_OF_TOP] {
            assert!(!may_get(rules, "aws", arn), "{rules:?} {arn}");
        }
    }
    assert!(may_get(&["**"], "aws", ARN_OF_CREDS));
    assert!(may_get(&["aws://**"], "aws", ARN_OF_CREDS));
    let arns = &["arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/*"];
    assert!(may_get(arns, "aws", ARN_OF_CREDS));
    assert!(!may_get(arns, "aws", ARN_OF_TOP));
    assert!(!may_get(arns, "aws", "db/creds"), "the name behind the ARN needs a rule of its own");
}

#[test]
fn a_bad_rule_says_what_to_write() {
    for (rule, says) in [
        ("", "write `**` for every name"),
        ("db/", "write `db/**` for everything"),
        ("db**", "whole segments"),
        ("Aws://db", "lower-case letters"),
        ("aws://", "write `**` for every name"),
        ("a/../b", "`..` segment"),
        ("a\n", r"the allow rule `a\n` is wrong"),
    ] {
        let error = AllowList::parse(["**", rule]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says), "{rule:?}: {error}");
    }
}

proptest! {
    /// Every name that may be read is under a prefix that may be listed. Break: `may_match_under`.
    #[test]
    fn what_may_be_read_may_be_listed(rule in "/?(\\*\\*|[ab*]{1,3})(/(\\*\\*|[ab*]{1,3})){0,2}", name in "/?[ab]{1,3}(/[ab]{1,3}){0,2}") {
        if let Ok(list) = AllowList::parse([rule]) {
            let (who, provider) = (Principal::new("local"), Alias::parse("aws").unwrap());
            let allowed = |action, name| list.decide(&who, action, Resource { provider: &provider, name, tags: None }).allowed;
            for at in 0..=name.len() {
                prop_assert!(!allowed(Action::Get, &name) || allowed(Action::List, &name[..at]));
            }
        }
    }
}
