//! No bytes make `decode` panic, whoever they are said to be from, and no Change comes out that a journal can't keep.

#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use lockstep_core::{ChangedName, SecretName, UnixMillis};
use lockstep_events::decode::{Accepted, Delivery, SourceKind, decode};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fuzz_target!(|body: &[u8]| {
    for source in SourceKind::ALL {
        let delivery = Delivery { source, headers: &HeaderMap::new(), body };
        let decoded = decode(&delivery, &Accepted::anything(), NOW);
        assert_eq!(decoded, decode(&delivery, &Accepted::anything(), NOW));
        for change in decoded.changes {
            assert!(matches!(&change.name, ChangedName::One(name) if SecretName::parse(name).is_ok()));
            assert!(change.id.len() <= 200 && change.id.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(change.at <= NOW);
        }
    }
    let _ = SourceKind::guess(body);
});
