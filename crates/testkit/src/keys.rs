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
    certificate(name, ExtendedKeyUsagePurpose::ClientAuth)
}

/// The same for a server of this name.
///
/// # Panics
/// When no key can be made.
pub fn server_certificate(name: &str) -> (String, String) {
    certificate(name, ExtendedKeyUsagePurpose::ServerAuth)
}

fn certificate(name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let key = KeyPair::generate().unwrap_or_else(|error| panic!("a key: {error}"));
    let mut params = CertificateParams::new([name.to_owned()]).unwrap_or_else(|error| panic!("a name: {error}"));
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    // Two of one name stay apart: who trusts both looks them up by what they are called.
    let own = format!("{:02x?}", &key.public_key_raw()[1..9]);
    params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, own);
    params.extended_key_usages.push(usage);
    let certificate = params.self_signed(&key).unwrap_or_else(|error| panic!("a certificate: {error}"));
    (certificate.pem(), key.serialize_pem())
}
