//! The keys of the cache.

use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::ScopeParts;

/// Keys of one cache hash alike.
static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The fields of a key, as text: nine of the scope, then alias, name and selector.
type Fields = [String; 12];

fn key(fields: &Fields, pinned: bool) -> Key {
    let [provider, endpoint, account, region, identity, namespace, mount, environment, transform, alias, name, version] =
        fields.clone();
    let scope = Scope::new(ScopeParts {
        provider,
        endpoint,
        account,
        region,
        identity,
        namespace,
        mount,
        environment,
        transform,
    });
    let id = CanonicalId { scope, name: SecretName::parse(&format!("n{name}")).unwrap() };
    let selector = if pinned { Selector::Id(version.into()) } else { Selector::Label(version.into()) };
    Key::new(&STATE, Alias::parse(&format!("a{alias}")).unwrap(), id, selector)
}

proptest! {
    /// A spelling is found by what spells it. Break: leave a field out of `Spelled`, or change their order.
    #[test]
    fn a_spelling_hashes_like_what_looks_it_up(name in "[a-z]{1,9}", label in "[a-z]{1,9}", current: bool) {
        let selector = if current { Selector::Current } else { Selector::Label(label.into()) };
        let (alias, name) = (Alias::parse("aws").unwrap(), SecretName::parse(&name).unwrap());
        let held = Spelling { alias, name, selector };
        let spelled = Spelled::from(&held);
        let state = RandomState::new();
        prop_assert_eq!(state.hash_one(&held), state.hash_one(spelled));
        prop_assert!(spelled.equivalent(&held));
    }
}

proptest! {
    /// C1. Break: leave any field out of `Key`, `CanonicalId` or `Scope`.
    #[test]
    fn c1_keys_that_differ_in_one_field_are_different(
        fields in proptest::array::uniform12("[a-c]{0,3}"),
        at in 0..12_usize,
        other in "[a-c]{0,3}",
    ) {
        let mut changed = fields.clone();
        changed[at].clone_from(&other);
        let keys = HashSet::from([key(&fields, false), key(&changed, false)]);
        prop_assert_eq!(keys.len(), if fields[at] == other { 1 } else { 2 });
        prop_assert_ne!(key(&fields, false), key(&fields, true));
    }

    /// C1. Break: compare fields joined into one text.
    #[test]
    fn c1_text_that_moves_over_the_border_of_two_fields_makes_another_key(
        fields in proptest::array::uniform12("[a-c]{1,3}"),
        at in 0..11_usize,
    ) {
        let mut shifted = fields.clone();
        let moved = shifted[at].pop().unwrap();
        shifted[at + 1].insert(0, moved);
        prop_assert_ne!(key(&fields, false), key(&shifted, false));
    }
}
