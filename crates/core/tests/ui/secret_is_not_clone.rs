//! The cache shares a secret; nobody copies one by accident.
use lockstep_core::{Field, Payload, Secret, SecretValue};

fn clone<T: Clone>() {}

fn main() {
    clone::<SecretValue>();
    clone::<Field>();
    clone::<Payload>();
    clone::<Secret>();
}
