use std::collections::HashMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// Alias, name, key and selector of a reference, as text.
fn parts(text: &str) -> (Option<String>, String, Option<String>, Option<String>) {
    let reference = SecretRef::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let SecretRef { alias, name, key, selector } = reference;
    (
        alias.map(|alias| alias.to_string()),
        name.to_string(),
        key.map(|key| key.to_string()),
        selector.map(|selector| selector.to_string()),
    )
}

#[test]
fn every_part_is_read_where_it_stands() {
    for (text, alias, name, key, selector) in [
        ("db/creds", None, "db/creds", None, None),
        ("db/creds#password", None, "db/creds", Some("password"), None),
        ("db/creds@3", None, "db/creds", None, Some("3")),
        ("vault://db/creds#password@previous", Some("vault"), "db/creds", Some("password"), Some("previous")),
        ("ssm:///prod/db", Some("ssm"), "/prod/db", None, None),
        ("db#/users/0/name@AWSPENDING", None, "db", Some("/users/0/name"), Some("AWSPENDING")),
        ("db#a://b", None, "db", Some("a://b"), None),
        ("a%23b%40c%7Dd%25e", None, "a#b@c}d%e", None, None),
        ("a%7d", None, "a}", None, None),
        ("db#a%23b%40c", None, "db", Some("a#b@c"), None),
        ("db@a%40b", None, "db", None, Some("a@b")),
        (
            "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf#user",
            None,
            "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf",
            Some("user"),
            None,
        ),
        ("env=prod/db{1", None, "env=prod/db{1", None, None),
    ] {
        let expected = (alias.map(str::to_owned), name.to_owned(), key.map(str::to_owned), selector.map(str::to_owned));
        assert_eq!(parts(text), expected, "{text}");
    }
}

#[test]
fn a_bad_reference_says_what_is_wrong_and_where() {
    use ReferenceFault as F;
    for (text, fault, span) in [
        ("", F::Name(NameError::Empty), 0..0),
        ("#key", F::Name(NameError::Empty), 0..0),
        ("vault://", F::Name(NameError::Empty), 8..8),
        ("Vault://db", F::Alias(AliasError), 0..5),
        ("://db", F::Alias(AliasError), 0..0),
        ("ref+vault://db", F::Alias(AliasError), 0..9),
        ("vault://a//b#k", F::Name(NameError::EmptySegment), 8..12),
        ("db/../root@1", F::Name(NameError::DotSegment), 0..10),
        (" db", F::Name(NameError::Edge), 0..3),
        ("db#", F::Key(KeyPathError::Empty), 3..3),
        ("db#/a~2b", F::Key(KeyPathError::Tilde), 3..8),
        ("db#a#b", F::SecondKey, 4..5),
        ("db@1#b", F::SecondKey, 4..5),
        ("db@1@2", F::SecondSelector, 4..5),
        ("db@", F::Selector, 3..3),
        ("db@ 1", F::Selector, 3..5),
        ("db@\n", F::Selector, 3..4),
        ("db}}", F::Brace, 2..3),
        ("db#a}", F::Brace, 4..5),
        ("a%2fb", F::Percent, 1..2),
        ("a%", F::Percent, 1..2),
        ("a%2", F::Percent, 1..2),
        ("é%é", F::Percent, 2..3),
        ("a%23%", F::Percent, 4..5),
        ("db#k%20", F::Percent, 4..5),
        ("a%252fb", F::Name(NameError::Encoded), 0..7),
    ] {
        let error = SecretRef::parse(text).expect_err(text);
        assert_eq!((error.fault(), error.span()), (fault, span), "{text:?}");
        assert!(text.get(error.span()).is_some(), "{text:?}: the span cuts a character");
    }
}

/// Break: the `?` scan, `SCHEMES`, or `PARAMETERS`.
#[test]
fn r1_a_reference_carries_no_address_credential_role_or_file() {
    use ReferenceFault as F;
    for (text, fault) in [
        ("x?address=http://evil", F::Parameter),
        ("vault://x?address=http://evil#k", F::Parameter),
        ("x#k?address=http://evil", F::Parameter),
        ("x@1?address=http://evil", F::Parameter),
        ("x?token_file=/etc/passwd", F::Parameter),
        ("x?role_arn=arn:aws:iam::123456789012:role/evil", F::Parameter),
        ("x?", F::Parameter),
        ("token_file=/etc/passwd", F::Parameter),
        ("token_file=/etc/..", F::Parameter),
        ("role_arn=", F::Parameter),
        ("role_arn=arn:aws:iam::123456789012:role/evil", F::Parameter),
        ("vault://address=evil/x", F::Parameter),
        ("x&role_arn=evil", F::Parameter),
        ("x;token=evil", F::Parameter),
        ("x%3Faddress=evil", F::Percent),
        ("https://evil/x", F::Address),
        ("HTTPS://evil/x", F::Address),
        ("http://169.254.169.254/latest/meta-data", F::Address),
        ("https://user@evil/x", F::Address),
        ("unix:///var/run/docker.sock", F::Address),
        ("x/https://evil", F::Alias(AliasError)),
        ("vault:8200://evil", F::Alias(AliasError)),
        ("../../etc/passwd", F::Name(NameError::DotSegment)),
    ] {
        assert_eq!(SecretRef::parse(text).expect_err(text).fault(), fault, "{text}");
    }
}

/// A reference may be a value that somebody put in the wrong place. Break: put the text into any message.
#[test]
fn r8_an_error_never_repeats_the_text() {
    for wrong in
        ["hunter2?", "hunter2}", "hunter2%zz", "hunter2//x", "Hunter2://x", "x#hunter2#", "x@hunter2@", "x@hunter2\n"]
    {
        let error = SecretRef::parse(wrong).expect_err(wrong);
        for output in [error.to_string(), format!("{error:?}"), format!("{:?}", Error::from(error))] {
            assert!(!output.to_lowercase().contains("hunter"), "{output}");
        }
    }
    let error = SecretRef::parse("db}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 2 of the reference: a `}` ends a reference; write `%7D` if it belongs to the name"
    );
    assert_eq!(Error::from(error).kind(), ErrorKind::InvalidReference);
}

/// Break: the length check in `SecretRef::parse`.
#[test]
fn r8_a_megabyte_is_refused_before_it_is_read() {
    for text in ["{{".repeat(1 << 19), "%25".repeat(1 << 18), "#".repeat(1 << 20), "a/".repeat(1 << 19)] {
        assert_eq!(SecretRef::parse(&text).unwrap_err().fault(), ReferenceFault::TooLong);
    }
}

#[test]
fn every_part_may_be_at_its_longest() {
    let text = format!(
        "{}://{}#{}@{}",
        "a".repeat(63),
        "%23".repeat(crate::MAX_NAME_BYTES),
        "%23".repeat(crate::MAX_KEY_BYTES),
        "%23".repeat(MAX_SELECTOR_BYTES),
    );
    assert!(text.len() <= MAX_REFERENCE_BYTES);
    assert!(SecretRef::parse(&text).is_ok());
    assert_eq!(SecretRef::parse(&format!("{text}%23")).unwrap_err().fault(), ReferenceFault::Selector);
}

fn reference() -> impl Strategy<Value = SecretRef> {
    let alias = proptest::option::of("[a-z][a-z0-9_-]{0,8}");
    let name = "/?[a-zA-Z0-9#@}%{=:.é日 -]{1,12}(/[a-zA-Z0-9#@}%{é-]{1,8}){0,3}";
    let key = proptest::option::of("[a-z/~01#@}%{é. ]{1,12}");
    let selector = proptest::option::of("[a-zA-Z0-9#@}%{/-]{1,12}");
    (alias, name, key, selector).prop_filter_map("no valid parts", |(alias, name, key, selector)| {
        if alias.as_deref().is_some_and(|alias| SCHEMES.contains(&alias)) {
            return None;
        }
        Some(SecretRef {
            alias: alias.map(|alias| Alias::parse(&alias)).transpose().ok()?,
            name: SecretName::parse(&name).ok()?,
            key: key.map(|key| KeyPath::parse(&key)).transpose().ok()?,
            selector: selector.map(Into::into),
        })
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(reference in reference()) {
        prop_assert_eq!(SecretRef::parse(&reference.to_string()), Ok(reference));
    }

    /// Break: index into the text without looking at character boundaries.
    #[test]
    fn r8_no_text_panics_and_what_parses_prints_and_parses_again(text in "([a-z]{1,3}|://|[#@%}{/?é~]|%2[35]|%40|%7[dD]){0,12}|\\PC{0,24}") {
        match SecretRef::parse(&text) {
            Ok(reference) => prop_assert_eq!(SecretRef::parse(&reference.to_string()), Ok(reference)),
            Err(error) => prop_assert!(text.get(error.span()).is_some()),
        }
    }
}

/// The cases that this and both clients read: `<a*3>` stands there for `aaa`.
#[derive(Deserialize)]
struct Cases {
    /// What a fault's message holds.
    says: HashMap<String, String>,
    read: Vec<Read>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Read {
    text: String,
    name: String,
    alias: Option<String>,
    key: Option<String>,
    selector: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    text: String,
    wrong: String,
}

/// The text with every `<a*3>` written out.
fn written_out(text: &str) -> String {
    let Some((before, (part, (times, after)))) = text.split_once('<').and_then(|(before, rest)| {
        let (part, rest) = rest.split_once('*')?;
        Some((before, (part, rest.split_once('>')?)))
    }) else {
        return text.to_owned();
    };
    format!("{before}{}{}", part.repeat(times.parse().unwrap()), written_out(after))
}

/// Break: any rule of a reference, a name, a key or a version, here or in a client.
#[test]
fn the_cases_that_the_clients_know_are_read_and_refused_here_as_there() {
    let cases: Cases = serde_json::from_str(include_str!("../../../../tests/conformance/references.json")).unwrap();
    assert!(cases.read.len() > 50 && cases.refused.len() > 150);
    let part = |text: &Option<String>| text.as_deref().map(written_out);
    for case in cases.read {
        let expected = (part(&case.alias), written_out(&case.name), part(&case.key), part(&case.selector));
        assert_eq!(parts(&written_out(&case.text)), expected, "{}", case.text);
    }
    for case in cases.refused {
        let error = SecretRef::parse(&written_out(&case.text)).expect_err(&case.text);
        let fault = format!("{:?}", error.fault());
        assert_eq!(fault.split('(').next(), Some(&*case.wrong), "{:?}", case.text);
        assert!(error.to_string().contains(&cases.says[&case.wrong]), "{:?}: {error}", case.text);
    }
}
