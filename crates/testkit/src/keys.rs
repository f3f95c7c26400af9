//! Keys and certificates that open nothing anywhere.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

/// An RSA key of 2048 bits in PEM (PKCS #8), for assertions that tests sign. It opens nothing anywhere.
pub const RSA_KEY: &str = include_str!("keys/rsa.pem");

/// The public half of [`RSA_KEY`] in PEM, for whoever verifies.
///
/// # Panics
/// Never: the key is good.
pub fn rsa_public_key() -> String {
    KeyPair::from_pem(RSA_KEY).unwrap_or_else(|error| panic!("the key: {error}")).public_key_pem()
}

/// A self-signed client certificate for this name and its key, both in PEM.
///
/// # Panics
/// When no key can be made.
pub fn client_certificate(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap_or_else(|error| panic!("a key: {error}"));
    let mut params = CertificateParams::new([name.to_owned()]).unwrap_or_else(|error| panic!("a name: {error}"));
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let certificate = params.self_signed(&key).unwrap_or_else(|error| panic!("a certificate: {error}"));
    (certificate.pem(), key.serialize_pem())
}
