use std::collections::BTreeSet;

use proptest::prelude::*;
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfkc, is_nfkc_quick};

use super::*;

/// What the library says with all of its tables.
fn expected(text: &str) -> Normal {
    if !is_nfc(text) {
        Normal::Composed(text.nfc().collect())
    } else if is_nfkc(text) {
        Normal::Same
    } else {
        Normal::Replaced
    }
}

fn characters() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

/// Break: ask for `Maybe` where `normal` asks for `No`.
#[test]
fn r6_every_character_is_normalized_as_the_library_does() {
    let mut seen = [0; 3];
    let mut text = String::new();
    for c in characters() {
        text.clear();
        text.push(c);
        let said = normal(&text);
        assert_eq!(said, expected(&text), "U+{:04X}", u32::from(c));
        assert!(composed(&text).into_iter().eq(text.nfc()), "U+{:04X}", u32::from(c));
        seen[match said {
            Normal::Same => 0,
            Normal::Composed(_) => 1,
            Normal::Replaced => 2,
        }] += 1;
    }
    assert!(seen.iter().all(|count| *count > 1000), "{seen:?}");
}

/// With every character that may compose with the one before it. Break: `before <= class` in `composed`.
#[test]
fn r6_who_may_compose_is_normalized_as_the_library_does() {
    let maybe: Vec<char> = characters().filter(|c| is_nfkc_quick(std::iter::once(*c)) == IsNormalized::Maybe).collect();
    assert!(maybe.len() > 100, "{}", maybe.len());
    // Who composes is taken apart by NFD, or begins what is. Of Hangul syllables, which are alike, and of all the others
    // a few stand for the rest.
    let mut firsts = BTreeSet::new();
    for c in characters() {
        let is_hangul = ('\u{AC00}'..='\u{D7A3}').contains(&c);
        let begin = c.nfd().next().filter(|begin| *begin != c);
        if begin.is_some() && !is_hangul
            || canonical_combining_class(c) > 0
            || u32::from(c) % 61 == 0 && c < '\u{20000}'
        {
            firsts.insert(c);
        }
        firsts.extend(begin);
    }
    let mut text = String::new();
    let mut pairs = 0;
    for first in &firsts {
        for mark in &maybe {
            text.clear();
            text.extend([first, mark]);
            assert_eq!(normal(&text), expected(&text), "U+{:04X} U+{:04X}", u32::from(*first), u32::from(*mark));
            pairs += 1;
        }
    }
    assert!(pairs > 500_000, "{pairs}");
}

/// Marks in every order, Hangul in parts, what is composed already, and what has no other form.
fn piece() -> impl Strategy<Value = char> {
    prop_oneof![
        any::<char>(),
        prop::char::range('a', 'z'),
        prop::char::range('\u{C0}', '\u{24F}'),
        prop::char::range('\u{300}', '\u{36F}'),
        prop::char::range('\u{591}', '\u{5C7}'),
        prop::char::range('\u{900}', '\u{DFF}'),
        prop::char::range('\u{F71}', '\u{FBC}'),
        prop::char::range('\u{1100}', '\u{11FF}'),
        prop::char::range('\u{1E00}', '\u{1FFF}'),
        prop::char::range('\u{AC00}', '\u{D7A3}'),
        prop::char::range('\u{F900}', '\u{FB4F}'),
        prop::char::range('\u{11080}', '\u{11940}'),
        prop::char::range('\u{1D15E}', '\u{1D1C0}'),
        prop::sample::select(vec!['\u{301}', '\u{323}', '\u{338}', '\u{1161}', '\u{11A7}', '\u{11A8}', '\u{DCF}']),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Break: `push` instead of `insert`, or leave out `before = None`, in `composed`.
    #[test]
    fn r6_a_text_is_normalized_as_the_library_does(pieces in prop::collection::vec(piece(), 0..12)) {
        let text: String = pieces.into_iter().collect();
        prop_assert_eq!(normal(&text), expected(&text));
        prop_assert!(composed(&text).into_iter().eq(text.nfc()));
    }

    /// Break: ask for `Maybe` where `normal` asks for `No`.
    #[test]
    fn r6_what_is_composed_stays(pieces in prop::collection::vec(piece(), 0..12)) {
        let text: String = pieces.into_iter().nfc().collect();
        prop_assert_eq!(normal(&text), expected(&text));
        let plain: String = text.nfkc().collect();
        prop_assert_eq!(normal(&plain), Normal::Same);
    }
}
