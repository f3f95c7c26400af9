//! R8: no text makes `SecretRef::parse` panic, what parses prints and parses again, and an error points into the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockstep_core::SecretRef;

fuzz_target!(|text: &str| match SecretRef::parse(text) {
    Ok(reference) => assert_eq!(SecretRef::parse(&reference.to_string()), Ok(reference)),
    Err(error) => assert!(text.get(error.span()).is_some()),
});
