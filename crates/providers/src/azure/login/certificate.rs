//! An application with a certificate: a JWT signed with its key ("Microsoft identity platform application authentication
//! certificate credentials").

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue, SignatureAlgorithm};
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use super::Login;
use super::entra::{self, Proof};
use crate::Credential;
use crate::jwt::signed;
use crate::login::Granted;

/// How long an assertion is good for.
const LIFETIME: Duration = Duration::from_mins(10);

pub(super) async fn token(
    login: &Login,
    call: &Call,
    tenant: &str,
    client_id: &str,
    certificate: &Credential,
) -> Result<Granted<SecretValue>> {
    let pem = certificate.document(&*login.ports.env, &*login.ports.files)?;
    let (key, thumbprint) = parts(&pem)?;
    let now = login.ports.clock.wall();
    let mut id = [0; 16];
    login.ports.random.fill(&mut id);
    let claims = json!({
        "aud": login.authority.uri(&entra::path(tenant))?.to_string(),
        "iss": client_id,
        "sub": client_id,
        "jti": URL_SAFE_NO_PAD.encode(id),
        "nbf": now.seconds(),
        "exp": now.plus(LIFETIME).seconds(),
    });
    let header = Map::from_iter([("x5t#S256".to_owned(), json!(thumbprint))]);
    let assertion = signed(&*login.ports.signer, &key, SignatureAlgorithm::Ps256, header, &claims).await?;
    let text = assertion.expose_text().ok_or_else(|| wrong("makes an assertion that is no text"))?;
    entra::token(login, call, tenant, client_id, Proof::Assertion(text)).await
}

fn wrong(what: &str) -> Error {
    let message =
        format!("the client certificate {what}; write certificate and RSA key, without passphrase, in one PEM");
    Error::new(ErrorKind::Unauthenticated, message)
}

/// The key's block of a PEM, and the thumbprint of its first certificate, which is the application's own.
fn parts(pem: &SecretValue) -> Result<(SecretValue, String)> {
    let text = pem.expose_text().ok_or_else(|| wrong("is no text"))?;
    if block(text, "ENCRYPTED PRIVATE KEY").is_some() || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong("has a key with a passphrase"));
    }
    let key = block(text, "PRIVATE KEY").or_else(|| block(text, "RSA PRIVATE KEY"));
    let key = key.ok_or_else(|| wrong("has no private key"))?;
    let certificate = block(text, "CERTIFICATE").ok_or_else(|| wrong("has no certificate"))?;
    let encoded: String = certificate.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let der = STANDARD.decode(encoded).map_err(|_| wrong("has a certificate that can't be read"))?;
    Ok((SecretValue::from(key), URL_SAFE_NO_PAD.encode(Sha256::digest(&der))))
}

/// The first block with this label, its borders included.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let end = format!("-----END {label}-----");
    let begin = text.find(&format!("-----BEGIN {label}-----"))?;
    let length = text[begin..].find(&end)? + end.len();
    Some(&text[begin..begin + length])
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::RSA_KEY;
    use lockstep_testkit::fake::azure;

    use super::*;

    /// M1. Break: pass a part of the PEM on in `wrong`.
    #[test]
    fn m1_a_certificate_that_is_none_is_refused_without_a_word_of_it() {
        const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nc4n4ry!\n-----END CERTIFICATE-----\n";
        for (pem, part) in [
            ("c4n4ry".to_owned(), "no private key"),
            (RSA_KEY.to_owned(), "no certificate"),
            (CERTIFICATE.to_owned(), "no private key"),
            (format!("{RSA_KEY}{CERTIFICATE}"), "can't be read"),
            (RSA_KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"), "passphrase"),
            (format!("{RSA_KEY}-----BEGIN CERTIFICATE-----\nc4n4ry"), "no certificate"),
        ] {
            let error = parts(&pem.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert!(error.message().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        }
    }

    /// Break: take the last certificate, or hand the whole PEM on as the key.
    #[test]
    fn the_key_stands_alone_and_the_first_certificate_is_named() {
        let alone = parts(&azure::certificate().into()).unwrap();
        let chain = format!("{}{CHAIN}", azure::certificate());
        let (key, thumbprint) = parts(&chain.into()).unwrap();
        assert_eq!(key.expose_text().unwrap(), RSA_KEY.trim_end());
        assert_eq!((thumbprint.len(), &thumbprint), (43, &alone.1));
    }

    const CHAIN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
}
