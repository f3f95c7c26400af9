use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;

const GOOD: [&str; 44] = [
    "db",
    "db/creds",
    "/prod/db",
    "/a",
    "a b/c",
    "a@b",
    "a#b",
    "É",
    "é",
    "Ünïcödé/naïve",
    "日本語/秘密",
    "ключ",
    "سر",
    "मन्त्र",
    "🔑",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db",
    "50%off",
    "100%",
    "%",
    "%%",
    "%g0",
    "a%2",
    ".env",
    "..env",
    ".a/..b",
    "a.b",
    "a..b",
    "a...b/c",
    "a;b",
    "a;b=c",
    "~",
    "~root",
    "a?b",
    "a&b=c",
    "a*b",
    "{a}",
    "$(a)",
    "`a`",
    "a'b\"c",
    "-rf",
    "_/+=.@-a",
    "CON",
    "<script>",
];

/// One segment each. It stands alone, first, last, in the middle and behind a leading slash: five names each.
const BAD_SEGMENTS: [(&str, NameError); 46] = [
    (".", NameError::DotSegment),
    ("..", NameError::DotSegment),
    (".;", NameError::DotSegment),
    ("..;", NameError::DotSegment),
    ("..;a=b", NameError::DotSegment),
    ("...", NameError::Edge),
    ("a.", NameError::Edge),
    ("a ", NameError::Edge),
    (" a", NameError::Edge),
    (" ", NameError::Edge),
    (". .", NameError::Edge),
    (".. ", NameError::Edge),
    ("..\\x", NameError::Backslash),
    ("\\", NameError::Backslash),
    ("a\\b", NameError::Backslash),
    ("%2e", NameError::Encoded),
    ("%2E%2e", NameError::Encoded),
    (".%2e", NameError::Encoded),
    ("a%2fb", NameError::Encoded),
    ("a%2Fb", NameError::Encoded),
    ("%5c", NameError::Encoded),
    ("%00", NameError::Encoded),
    ("%252e", NameError::Encoded),
    ("%25252f", NameError::Encoded),
    ("%%32e", NameError::Encoded),
    ("%c0%ae", NameError::Encoded),
    ("%41", NameError::Encoded),
    ("%7F", NameError::Encoded),
    ("a\0b", NameError::Control),
    ("a\nb", NameError::Control),
    ("a\r\nb", NameError::Control),
    ("\t", NameError::Control),
    ("\u{1b}[31m", NameError::Control),
    ("a\u{7f}", NameError::Control),
    ("a\u{85}", NameError::Control),
    ("a\u{200b}b", NameError::Control),
    ("\u{202e}a", NameError::Control),
    ("a\u{2066}b", NameError::Control),
    ("\u{feff}a", NameError::Control),
    ("a\u{ad}b", NameError::Control),
    ("a\u{2028}b", NameError::Control),
    ("a\u{fe0f}", NameError::Control),
    ("a\u{e0041}", NameError::Control),
    ("a\u{ffff}", NameError::Control),
    ("\u{2800}", NameError::Control),
    ("a\u{fffd}b", NameError::Control),
];

/// Whole names.
const BAD: [(&str, NameError); 16] = [
    ("", NameError::Empty),
    ("/", NameError::Empty),
    ("//", NameError::EmptySegment),
    ("///", NameError::EmptySegment),
    ("a/", NameError::EmptySegment),
    ("/a/", NameError::EmptySegment),
    ("//a", NameError::EmptySegment),
    ("a//b", NameError::EmptySegment),
    ("a/b//", NameError::EmptySegment),
    ("../../etc/passwd", NameError::DotSegment),
    ("/..", NameError::DotSegment),
    ("a/./b", NameError::DotSegment),
    ("a/../../b", NameError::DotSegment),
    ("..%2f..%2fetc", NameError::Encoded),
    ("https://evil/x", NameError::EmptySegment),
    ("C:\\secrets", NameError::Backslash),
];

/// Break: any line of `check` or `check_segment`.
#[test]
fn r5_of_a_corpus_of_paths_only_canonical_names_pass() {
    let mut looked_at = 0;
    for text in GOOD {
        assert_eq!(SecretName::parse(text).map(|n| n.as_str().to_owned()), Ok(text.to_owned()), "{text:?}");
        looked_at += 1;
    }
    for (text, error) in BAD {
        assert_eq!(SecretName::parse(text), Err(error), "{text:?}");
        looked_at += 1;
    }
    for (bad, error) in BAD_SEGMENTS {
        for text in [bad.to_owned(), format!("{bad}/x"), format!("x/{bad}"), format!("x/{bad}/y"), format!("/{bad}")] {
            assert_eq!(SecretName::parse(&text), Err(error), "{text:?}");
            looked_at += 1;
        }
    }
    assert!(looked_at >= 200, "the corpus has {looked_at} paths");
}

#[test]
fn a_name_ends_at_its_limit() {
    assert!(SecretName::parse(&"a".repeat(MAX_NAME_BYTES)).is_ok());
    assert_eq!(SecretName::parse(&"a".repeat(MAX_NAME_BYTES + 1)), Err(NameError::TooLong));
}

/// Every spelling is refused but the plain one. Break: an arm of `normal(text)`, or `is_lookalike_separator`, in `check`.
#[test]
fn r6_no_second_spelling_of_a_name_passes() {
    for (plain, spelling, error) in [
        ("a/b", "a\u{FF0F}b", NameError::Confusable),
        ("a/b", "a\u{2044}b", NameError::Confusable),
        ("a/b", "a\u{2215}b", NameError::Confusable),
        ("a/b", "a\u{29F8}b", NameError::Confusable),
        ("a/b", "a\u{2571}b", NameError::Confusable),
        ("a/b", "a\u{0338}b", NameError::Confusable),
        ("a.b", "a\u{FF0E}b", NameError::Confusable),
        ("a.b", "a\u{2024}b", NameError::Confusable),
        ("a.b", "a\u{A4F8}b", NameError::Confusable),
        ("a:b", "a\u{FF1A}b", NameError::Confusable),
        ("a:b", "a\u{2236}b", NameError::Confusable),
        ("a b", "a\u{A0}b", NameError::Confusable),
        ("a b", "a\u{3000}b", NameError::Confusable),
        ("a b", "a\u{1680}b", NameError::Confusable),
        ("a-b", "a\u{FF0D}b", NameError::Confusable),
        ("fi", "\u{FB01}", NameError::Confusable),
        ("a", "\u{FF41}", NameError::Confusable),
        ("a", "\u{AA}", NameError::Confusable),
        ("1", "\u{2460}", NameError::Confusable),
        ("2", "\u{B2}", NameError::Confusable),
        ("K", "\u{212A}", NameError::NotNfc),
        ("\u{C5}", "\u{212B}", NameError::NotNfc),
        ("\u{C5}", "A\u{30A}", NameError::NotNfc),
        ("\u{C9}", "E\u{301}", NameError::NotNfc),
        ("가", "\u{1100}\u{1161}", NameError::NotNfc),
        ("ab", "a\u{200D}b", NameError::Control),
        ("ab", "a\u{034F}b", NameError::Control),
    ] {
        assert!(SecretName::parse(plain).is_ok(), "{plain:?}");
        assert_eq!(SecretName::parse(spelling), Err(error), "{spelling:?}");
    }
    for dots in ["\u{FF0E}\u{FF0E}", "a/\u{FF0E}\u{FF0E}/b", "\u{2025}", "\u{FF0E}", ".\u{FF0E}"] {
        assert_eq!(SecretName::parse(dots), Err(NameError::Confusable), "{dots:?}");
    }
}

/// Break: fold the case anywhere in `SecretName`.
#[test]
fn r6_case_is_significant() {
    assert_ne!(SecretName::parse("É").unwrap(), SecretName::parse("é").unwrap());
    assert_ne!(SecretName::parse("DB").unwrap(), SecretName::parse("db").unwrap());
}

fn decode_leniently(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Break: return a changed text from `SecretName::parse`, or leave out a rule of `check`.
    #[test]
    fn r5_what_passes_is_its_own_canonical_form(
        text in "(\\PC|[/.%;\\\\ 2efFcC05éÅﬁ／．\u{30A}\u{301}aE\u{202E}\u{0}]){0,24}",
    ) {
        if let Ok(name) = SecretName::parse(&text) {
            prop_assert_eq!(name.as_str(), &text);
            prop_assert_eq!(SecretName::parse(name.as_str()).unwrap(), name.clone());
            prop_assert_eq!(text.nfc().collect::<String>(), text.as_str());
            prop_assert_eq!(text.nfkc().collect::<String>(), text.as_str());
            prop_assert_eq!(decode_leniently(&text), text.as_str());
            prop_assert_eq!(name.segments().collect::<Vec<_>>().join("/"), text.strip_prefix('/').unwrap_or(&text));
            for segment in name.segments() {
                prop_assert!(!matches!(segment, "" | "." | ".."));
                prop_assert!(!segment.ends_with('.') && segment.trim() == segment);
                prop_assert!(!segment.contains(['\\', '/']) && !segment.chars().any(char::is_control));
            }
        }
    }
}

/// R5. The short look says nothing that the long one would not: tried with every text of up to six of these.
/// Break: let `is_plain` end a segment in a dot.
#[test]
fn r5_what_is_plain_is_a_name() {
    let mut texts = vec![String::new()];
    let mut plain = 0;
    for _ in 0..6 {
        texts = texts.iter().flat_map(|text| ['a', '.', '/', '%', '2', ' '].map(|c| format!("{text}{c}"))).collect();
        for text in texts.iter().filter(|text| is_plain(text)) {
            assert!(check(text).is_ok(), "{text}");
            plain += 1;
        }
    }
    assert!(plain > 1000, "{plain}");
}
