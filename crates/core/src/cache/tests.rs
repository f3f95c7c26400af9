//! The keys of the cache.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::ScopeParts;

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
    Key {
        alias: Alias::parse(&format!("a{alias}")).unwrap(),
        id: CanonicalId { scope, name: SecretName::parse(&format!("n{name}")).unwrap() },
        selector: if pinned { Selector::Id(version.into()) } else { Selector::Label(version.into()) },
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
