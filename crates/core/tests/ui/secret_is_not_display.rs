//! A secret can't be formatted into a message.
use lockstep_core::{Field, Payload, Secret, SecretValue};

fn display<T: std::fmt::Display>() {}

fn main() {
    display::<SecretValue>();
    display::<Field>();
    display::<Payload>();
    display::<Secret>();
}
