//! What must not compile: the ways by which a secret could leave its type unseen.

/// M2. Break: derive or implement one of the traits for `SecretValue`, `Field`, `Payload` or `Secret`.
#[test]
fn m2_a_secret_is_not_serialize_display_or_clone() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
