//! A secret can't be part of a document that is serialized.
use lockstep_core::{Field, Payload, Secret, SecretValue};

fn serialize<T: serde::Serialize>() {}

fn main() {
    serialize::<SecretValue>();
    serialize::<Field>();
    serialize::<Payload>();
    serialize::<Secret>();
}
