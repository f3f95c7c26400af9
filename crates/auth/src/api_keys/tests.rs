use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lockstep_testkit::TestRandom;
use lockstep_testkit::clock::START;
use proptest::prelude::*;

use super::*;

fn settings(id: &str, name: &str, hashes: Vec<ApiKeyHash>) -> ApiKeySettings {
    ApiKeySettings { id: id.into(), name: name.into(), hashes, tags: BTreeMap::new() }
}

fn made(id: &str) -> NewApiKey {
    static MADE: AtomicU64 = AtomicU64::new(0);
    ApiKeys::make(id, &*TestRandom::seeded(MADE.fetch_add(1, Ordering::Relaxed))).unwrap()
}

fn reason<T>(outcome: Result<T, Refused>) -> &'static str {
    outcome.err().map_or("", |refused| refused.reason)
}

#[test]
fn a_key_that_was_made_is_accepted_by_its_hash_alone() {
    let new = made("billing-1");
    let text = new.text.expose_text().unwrap();
    assert!(text.starts_with("lks_billing-1_") && text.len() == 14 + 43 && ApiKeys::is_one(text.as_bytes()));
    let hash = ApiKeyHash::parse(&new.hash.to_string(), None).unwrap();
    assert_eq!(hash, new.hash);
    let mut settings = settings("billing-1", "billing", vec![hash]);
    settings.tags.insert("team".into(), "money".into());
    let keys = ApiKeys::new(vec![settings]).unwrap();
    let principal = keys.verify(text.as_bytes(), START).unwrap();
    assert_eq!((&*principal.id, principal.login), ("key:billing", Login::ApiKey));
    assert_eq!(principal.claims.unwrap()["team"], "money");
    assert!(made("a").text != made("a").text, "each is its own");
}

/// Break: the comparison, the shape of id or secret, or `strip_prefix` in `parts`.
#[test]
fn l2_nothing_but_the_whole_key_is_accepted() {
    let (one, other) = (made("one"), made("other"));
    let keys = ApiKeys::new(vec![
        settings("one", "a", vec![one.hash.clone()]),
        settings("other", "b", vec![other.hash.clone()]),
    ])
    .unwrap();
    let text = one.text.expose_text().unwrap();
    let secret = &text["lks_one_".len()..];
    let flipped = format!("lks_one_{}{}", if secret.starts_with('A') { 'B' } else { 'A' }, &secret[1..]);
    let rows: Vec<(String, &str)> = vec![
        (flipped, "key_unknown"),
        (format!("lks_other_{secret}"), "key_unknown"),
        (format!("lks_nobody_{secret}"), "key_unknown"),
        (format!("lks_one_{}", hex::text(&digest(secret.as_bytes()))), "key_malformed"),
        (String::new(), "key_malformed"),
        ("lks_".into(), "key_malformed"),
        ("lks_one_".into(), "key_malformed"),
        (secret.into(), "key_malformed"),
        (text[..text.len() - 1].into(), "key_malformed"),
        (format!("{text}A"), "key_malformed"),
        (format!("{text}\n"), "key_malformed"),
        (format!(" {text}"), "key_malformed"),
        (format!("{text}="), "key_malformed"),
        (text.replace("lks_", "LKS_"), "key_malformed"),
        (text.replace("_one_", "_ONE_"), "key_malformed"),
        (text.replace("_one_", "__"), "key_malformed"),
        (format!("lks_{}_{secret}", "a".repeat(33)), "key_malformed"),
        (format!("lks_one_{}", "*".repeat(43)), "key_malformed"),
    ];
    for (presented, expected) in rows {
        let refused = keys.verify(presented.as_bytes(), START).unwrap_err();
        assert_eq!((refused.reason, refused.is_transient()), (expected, false), "{presented}");
        assert!(!format!("{refused} {refused:?}").contains(secret), "{refused:?}");
    }
    assert!(keys.verify(text.as_bytes(), START).is_ok());
    assert_eq!(reason(ApiKeys::new(Vec::new()).unwrap().verify(text.as_bytes(), START)), "key_unknown");
}

/// Break: the look at `expires`, or at the second hash.
#[test]
fn while_a_key_is_replaced_both_are_accepted_each_until_its_own_end() {
    let (old, new) = (made("k"), made("k"));
    let end = START.plus(Duration::from_hours(1));
    let ending = ApiKeyHash { expires: Some(end), ..old.hash.clone() };
    let keys = ApiKeys::new(vec![settings("k", "a", vec![ending, new.hash.clone()])]).unwrap();
    let before = UnixMillis(end.0 - 1);
    assert!(keys.verify(old.text.expose(), before).is_ok() && keys.verify(new.text.expose(), before).is_ok());
    assert_eq!(reason(keys.verify(old.text.expose(), end)), "key_expired");
    assert!(keys.verify(new.text.expose(), end).is_ok());
}

#[test]
fn a_wrong_key_says_what_to_write_and_is_not_shown() {
    let new = made("k");
    let (text, hash) = (new.text.expose_text().unwrap(), new.hash.clone());
    let good = || settings("k", "a", vec![hash.clone()]);
    for (keys, says) in [
        (vec![settings(text, "a", vec![hash.clone()])], "small letters"),
        (vec![settings("", "a", vec![hash.clone()])], "small letters"),
        (vec![settings("K", "a", vec![hash.clone()])], "small letters"),
        (vec![settings("k", "a:b", vec![hash.clone()])], "wrong name"),
        (vec![settings("k", "*", vec![hash.clone()])], "wrong name"),
        (vec![settings("k", "a", vec![])], "no hash"),
        (vec![settings("k", "a", vec![hash.clone(), hash.clone(), hash.clone()])], "more than two"),
        (vec![good(), settings("k", "b", vec![hash.clone()])], "twice"),
        (vec![good(), settings("j", "a", vec![hash.clone()])], "name of another"),
    ] {
        let error = ApiKeys::new(keys).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says) && !error.to_string().contains(text), "{error}");
    }
    for bad in [text, "", "sha256:", &hash.to_string()[7..], &format!("{hash}0")] {
        let error = ApiKeyHash::parse(bad, None).unwrap_err();
        assert!(error.to_string().contains("64 hex digits") && !error.to_string().contains(text), "{error}");
    }
    assert!(ApiKeys::make("A", &*TestRandom::seeded(0)).is_err());
}

/// M1. Break: derive `Debug` for `ApiKeyHash` or `ApiKeys`.
#[test]
fn m1_debug_shows_neither_keys_nor_hashes() {
    let new = made("k");
    let keys = ApiKeys::new(vec![settings("k", "a", vec![new.hash.clone()])]).unwrap();
    let told = format!("{keys:?} {new:?} {:?}", settings("k", "a", vec![new.hash.clone()]));
    assert!(
        !told.contains(&new.text.expose_text().unwrap()[8..]) && !told.contains(&new.hash.to_string()[7..]),
        "{told}"
    );
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..100), id in "[a-z_-]{0,40}", secret in "[a-zA-Z0-9_=-]{40,46}") {
        let keys = ApiKeys::new(Vec::new()).unwrap();
        prop_assert!(keys.verify(&bytes, START).is_err());
        let presented = format!("lks_{id}_{secret}");
        prop_assert!(keys.verify(presented.as_bytes(), START).is_err());
    }
}
