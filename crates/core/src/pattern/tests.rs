use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

#[test]
fn a_pattern_matches_what_its_stars_stand_for_and_nothing_else() {
    for (text, hits, misses) in [
        ("db", &["db"][..], &["DB", "dba", "db/creds", "/db"][..]),
        ("db/*", &["db/a", "db/a.b"], &["db", "db/a/b", "/db/a"]),
        ("db/**", &["db/a", "db/a/b"], &["db", "dbx/a", "/db/a"]),
        ("**", &["db", "db/a", "/db", "/prod/db"], &[]),
        ("*", &["db", "arn:aws:x"], &["/db", "db/a"]),
        ("/**", &["/db", "/prod/db"], &["db", "prod/db"]),
        ("/prod/*", &["/prod/db"], &["prod/db", "/prod", "/prod/a/b"]),
        ("*/db", &["a/db"], &["/db", "db", "a/b/db"]),
        ("**/db", &["db", "/db", "a/db", "/a/b/db"], &["a/dbx", "adb", "db/a"]),
        ("a/**/z", &["a/z", "a/b/z", "a/z/z", "a/b/c/z"], &["a", "az", "a/zz", "b/z"]),
        ("a/**/m/**/z", &["a/m/z", "a/b/m/c/z", "a/m/m/z/z"], &["a/z", "a/m", "m/z", "a/b/z"]),
        ("**/**", &["a", "a/b"], &[]),
        ("a*b*c", &["abc", "a-b-c", "abbc", "abcbc"], &["ab", "ac", "abcd", "bac"]),
        ("ab*ba", &["abba", "abxba"], &["aba", "ab", "ba"]),
        ("a?[b]{c}+$", &["a?[b]{c}+$"], &["axbc", "ab"]),
        ("é*", &["é", "éa"], &["e", "É"]),
    ] {
        for name in hits {
            assert!(pattern(text).matches(name), "{text} should match {name}");
        }
        for name in misses {
            assert!(!pattern(text).matches(name), "{text} should not match {name}");
        }
    }
}

#[test]
fn what_could_never_match_is_refused_with_what_to_write() {
    for (text, error) in [
        ("", PatternError::Empty),
        ("/", PatternError::Name(NameError::Empty)),
        ("db**", PatternError::PartOfSegment),
        ("a/**b/c", PatternError::PartOfSegment),
        ("***", PatternError::PartOfSegment),
        ("db/", PatternError::TrailingSlash),
        ("**/", PatternError::TrailingSlash),
        ("a//b", PatternError::Name(NameError::EmptySegment)),
        ("../*", PatternError::Name(NameError::DotSegment)),
        ("a*.", PatternError::Name(NameError::Edge)),
        ("a\\*", PatternError::Name(NameError::Backslash)),
        ("a\n*", PatternError::Name(NameError::Control)),
        ("a%2f*", PatternError::Name(NameError::Encoded)),
    ] {
        assert_eq!(Pattern::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_list_prefix_is_allowed_when_a_name_under_it_could_be() {
    for (text, may, may_not) in [
        ("**", &["", "/", "db", "db/", "/a/b"][..], &[][..]),
        ("db/**", &["", "d", "db", "db/", "db/a", "db/a/"], &["dbx", "/", "/db", "x"]),
        ("db/*", &["", "db", "db/", "db/a"], &["db/a/", "dba", "/"]),
        ("db/*-rw", &["", "db/", "db/x", "db/x-rw", "db/x-rwx"], &["db/x-rw/", "dc"]),
        ("db/pre*", &["db/", "db/p", "db/pre", "db/pref"], &["db/q", "db/px"]),
        ("/prod/db", &["", "/", "/prod", "/prod/d", "/prod/db"], &["p", "/prod/db/", "/prod/dbx"]),
        ("*/db", &["", "a", "a/", "a/d"], &["/", "/d", "a/b"]),
        ("a/**/z", &["a/q/", "a/q/r", "a"], &["b", "ab"]),
    ] {
        for prefix in may {
            assert!(pattern(text).may_match_under(prefix), "{text} could match under {prefix:?}");
        }
        for prefix in may_not {
            assert!(!pattern(text).may_match_under(prefix), "{text} can't match under {prefix:?}");
        }
    }
}

/// A pattern that makes a naive matcher try every split must end; the assertion is that this test ends at all.
#[test]
fn many_stars_take_no_more_than_length_times_segments() {
    let stars = "a*".repeat(500) + "b";
    assert!(!pattern(&stars).matches(&"a".repeat(2000)));
    let many = "**/a/".repeat(200) + "b";
    assert!(!pattern(&many).matches(&["a"; 1000].join("/")));
}

/// The plain definition, exponential and obvious.
fn by_definition(pattern: &[&str], name: &[&str]) -> bool {
    fn part(pattern: &str, text: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == text,
            Some((before, after)) => {
                text.strip_prefix(before).is_some_and(|rest| (0..=rest.len()).any(|at| part(after, &rest[at..])))
            }
        }
    }
    match pattern.split_first() {
        None => name.is_empty(),
        Some((&"**", [])) => !name.is_empty(),
        Some((&"**", after)) => (0..=name.len()).any(|at| by_definition(after, &name[at..])),
        Some((first, after)) => name.split_first().is_some_and(|(segment, rest)| {
            (first.is_empty() || !segment.is_empty()) && part(first, segment) && by_definition(after, rest)
        }),
    }
}

proptest! {
    #[test]
    fn it_matches_exactly_what_the_definition_says(
        text in "/?(\\*\\*|[ab*]{1,4})(/(\\*\\*|[ab*]{1,4})){0,4}",
        name in "/?[ab]{1,4}(/[ab]{1,4}){0,4}",
    ) {
        if let Ok(pattern) = Pattern::parse(&text) {
            let (parts, segments) = (text.split('/').collect::<Vec<_>>(), name.split('/').collect::<Vec<_>>());
            prop_assert_eq!(pattern.matches(&name), by_definition(&parts, &segments));
        }
    }

    #[test]
    fn every_prefix_of_a_match_may_match(
        text in "/?(\\*\\*|[ab*]{1,3})(/(\\*\\*|[ab*]{1,3})){0,3}",
        name in "/?[ab]{1,3}(/[ab]{1,3}){0,3}",
    ) {
        if let Ok(pattern) = Pattern::parse(&text) && pattern.matches(&name) {
            for at in 0..=name.len() {
                prop_assert!(pattern.may_match_under(&name[..at]), "{} of {}", &name[..at], name);
            }
        }
    }
}
