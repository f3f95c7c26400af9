//! [`RingSigner`]: signatures by ring, through what rustls has of it for client certificates.

use async_trait::async_trait;
use lockstep_core::{Error, ErrorKind, Result, SecretValue, SignatureAlgorithm, Signer};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::{SignatureAlgorithm as KeyKind, SignatureScheme};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

/// Bytes of `r`, and of `s`, on P-256.
const P256_BYTES: usize = 32;

/// Signs with ring.
#[derive(Debug, Clone, Copy, Default)]
pub struct RingSigner;

#[async_trait]
impl Signer for RingSigner {
    async fn sign(&self, key: &SecretValue, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>> {
        let (scheme, kind) = match algorithm {
            SignatureAlgorithm::Rs256 => (SignatureScheme::RSA_PKCS1_SHA256, KeyKind::RSA),
            SignatureAlgorithm::Ps256 => (SignatureScheme::RSA_PSS_SHA256, KeyKind::RSA),
            SignatureAlgorithm::Es256 => (SignatureScheme::ECDSA_NISTP256_SHA256, KeyKind::ECDSA),
        };
        // The parsers' own errors are left out: they may quote the key.
        let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|_| not_a_key(algorithm))?;
        let key = any_supported_type(&key).map_err(|_| not_a_key(algorithm))?;
        let signer =
            key.choose_scheme(&[scheme]).filter(|_| key.algorithm() == kind).ok_or_else(|| not_a_key(algorithm))?;
        let signature =
            signer.sign(message).map_err(|_| Error::new(ErrorKind::Internal, "ring could not sign the message"))?;
        match algorithm {
            SignatureAlgorithm::Rs256 | SignatureAlgorithm::Ps256 => Ok(signature),
            SignatureAlgorithm::Es256 => fixed(&signature)
                .ok_or_else(|| Error::new(ErrorKind::Internal, "ring made a signature of another form")),
        }
    }
}

/// `r` and `s` side by side (RFC 7518, 3.4) out of the ASN.1 that TLS uses (RFC 3279, 2.2.3).
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let (sequence, rest) = element(der, 0x30)?;
    let (r, s) = element(sequence, 0x02)?;
    let (s, end) = element(s, 0x02)?;
    let mut out = vec![0; 2 * P256_BYTES];
    for (number, half) in [r, s].into_iter().zip(out.chunks_exact_mut(P256_BYTES)) {
        // A number is signed: a zero stands before one whose first bit is set.
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        half.get_mut(P256_BYTES.checked_sub(number.len())?..)?.copy_from_slice(number);
    }
    (rest.is_empty() && end.is_empty()).then_some(out)
}

/// The content of the first element, and what follows it. Nothing in a signature on P-256 is longer than 127 bytes.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk()?;
    (found == tag && length < 0x80).then(|| rest.split_at_checked(length.into())).flatten()
}

fn not_a_key(algorithm: SignatureAlgorithm) -> Error {
    let kind = match algorithm {
        SignatureAlgorithm::Rs256 | SignatureAlgorithm::Ps256 => "an RSA key",
        SignatureAlgorithm::Es256 => "a P-256 key",
    };
    let message = format!(
        "the private key is not {kind} without a passphrase, in PEM; it begins with `-----BEGIN PRIVATE KEY-----`"
    );
    Error::new(ErrorKind::Unauthenticated, message)
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

    use super::*;

    /// An RSA key of 2048 bits that signs nothing but what these tests sign.
    const RSA: &str = include_str!("../../testkit/src/keys/rsa.pem");

    fn rsa() -> SecretValue {
        RSA.into()
    }

    async fn signed(key: &SecretValue, algorithm: SignatureAlgorithm) -> Result<Vec<u8>> {
        RingSigner.sign(key, algorithm, b"header.claims").await
    }

    /// Break: return the ASN.1 of `signer.sign` as it is, or take `fixed`'s zero away.
    #[tokio::test]
    async fn each_algorithm_makes_a_signature_that_another_verifier_accepts() {
        use rustls::crypto::ring::default_provider;
        use rustls_pki_types::alg_id;
        let verifiers = default_provider().signature_verification_algorithms.all;
        let accepts = |key: &KeyPair, algorithm: rustls_pki_types::AlgorithmIdentifier, signature: &[u8]| {
            let fits = verifiers.iter().filter(|verifier| verifier.signature_alg_id() == algorithm);
            fits.into_iter()
                .any(|verifier| verifier.verify_signature(key.der_bytes(), b"header.claims", signature).is_ok())
        };
        let key = KeyPair::from_pem(RSA).unwrap();
        let signature = signed(&rsa(), SignatureAlgorithm::Rs256).await.unwrap();
        assert!(accepts(&key, alg_id::RSA_PKCS1_SHA256, &signature));
        let signature = signed(&rsa(), SignatureAlgorithm::Ps256).await.unwrap();
        assert!(accepts(&key, alg_id::RSA_PSS_SHA256, &signature));
        assert!(!accepts(&key, alg_id::RSA_PKCS1_SHA256, &signature));

        let key = KeyPair::generate().unwrap();
        let pem = SecretValue::from(key.serialize_pem());
        // A quarter of all signatures has a short number or one with a leading zero.
        for _ in 0..64 {
            let signature = signed(&pem, SignatureAlgorithm::Es256).await.unwrap();
            assert_eq!(signature.len(), 64);
            assert!(accepts(&key, alg_id::ECDSA_SHA256, &asn1(&signature)));
        }
        assert!(key.sign(b"header.claims").is_ok_and(|der| fixed(&der).is_some()));
    }

    /// The ASN.1 of a fixed signature.
    fn asn1(fixed: &[u8]) -> Vec<u8> {
        let mut numbers = Vec::new();
        for half in fixed.chunks(P256_BYTES) {
            let start = half.iter().position(|byte| *byte != 0).unwrap();
            let sign = if half[start] & 0x80 == 0 { &[][..] } else { &[0] };
            let number = [sign, &half[start..]].concat();
            numbers.extend([&[2, u8::try_from(number.len()).unwrap()], &number[..]].concat());
        }
        [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat()
    }

    /// Break: pass the parser's error on.
    #[tokio::test]
    async fn m1_a_key_that_is_none_is_refused_without_a_word_of_it() {
        let elliptic = SecretValue::from(KeyPair::generate().unwrap().serialize_pem());
        for (key, algorithm) in [
            ("c4n4ry".into(), SignatureAlgorithm::Rs256),
            ("-----BEGIN PRIVATE KEY-----\nc4n4ry\n-----END PRIVATE KEY-----\n".into(), SignatureAlgorithm::Ps256),
            ("-----BEGIN c4n4ry-----\nAAAA\n-----END c4n4ry-----\n".into(), SignatureAlgorithm::Es256),
            (elliptic, SignatureAlgorithm::Rs256),
            (rsa(), SignatureAlgorithm::Es256),
        ] {
            let error = signed(&key, algorithm).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert!(error.message().contains("BEGIN PRIVATE KEY"), "{error}");
            assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        }
    }
}
