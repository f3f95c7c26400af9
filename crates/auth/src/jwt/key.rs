//! [`PublicKey`]: a key that signatures are verified with, by the implementations of RustCrypto and dalek. No private key
//! ever gets in here, so nothing here has a secret to leak.
//!
//! A key takes the algorithms of its own kind alone: what is signed with another one does not get near its bytes.

use ed25519_dalek::VerifyingKey as Ed25519;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::pss::{Signature as PssSignature, VerifyingKey as Pss};
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, PublicKey as Rsa};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::algorithm::Algorithm;

/// The lengths of an RSA modulus in bits. What is shorter can be broken; what is longer takes a verifier too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key.
pub(crate) enum PublicKey {
    Rsa(Box<Rsa>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<Ed25519>),
}

impl PublicKey {
    /// An RSA key of its modulus and exponent, big-endian.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let exponent = &exponent[exponent.iter().take_while(|byte| **byte == 0).count()..];
        if modulus.len() > RSA_BITS.end() / 8 || exponent.len() > 8 {
            return None;
        }
        if exponent.last().is_none_or(|last| last & 1 == 0) {
            return None;
        }
        let number = BoxedUint::from_be_slice_vartime;
        let key = Rsa::new_with_size_limits(number(modulus), number(exponent), RSA_BITS).ok()?;
        Some(Self::Rsa(Box::new(key)))
    }

    /// A key on P-256 of its coordinates, 32 bytes each. The point has to be on the curve.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let point = uncompressed(x, y, 32)?;
        p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(|key| Self::P256(Box::new(key)))
    }

    /// A key on P-384 of its coordinates, 48 bytes each. The point has to be on the curve.
    pub(crate) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        let point = uncompressed(x, y, 48)?;
        p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(|key| Self::P384(Box::new(key)))
    }

    /// An Ed25519 key of its 32 bytes. A weak one, whose signatures anybody can make, is none.
    pub(crate) fn ed25519(bytes: &[u8]) -> Option<Self> {
        let key = Ed25519::from_bytes(bytes.try_into().ok()?).ok()?;
        (!key.is_weak()).then(|| Self::Ed25519(Box::new(key)))
    }

    /// Whether the algorithm is one of this key's kind.
    pub(crate) fn takes(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa(_) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Self::P256(_) => algorithm == Es256,
            Self::P384(_) => algorithm == Es384,
            Self::Ed25519(_) => algorithm == EdDsa,
        }
    }

    /// Whether the message was signed with this key's other half, in this way. ECDSA signatures are `r` and `s` of full
    /// length, each from 1 to the order; `s` may be large, since JOSE allows it and most signers make such.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa(key), _) if signature.len() != key.size() => false,
            (Self::Rsa(key), Algorithm::Rs256) => key.pkcs1v15_verify::<Sha256>(message, signature).is_ok(),
            (Self::Rsa(key), Algorithm::Rs384) => key.pkcs1v15_verify::<Sha384>(message, signature).is_ok(),
            (Self::Rsa(key), Algorithm::Rs512) => key.pkcs1v15_verify::<Sha512>(message, signature).is_ok(),
            (Self::Rsa(key), Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512) => {
                let Ok(signature) = PssSignature::try_from(signature) else { return false };
                let key = Rsa::clone(key);
                match algorithm {
                    Algorithm::Ps256 => Pss::<Sha256>::new(key).verify(message, &signature).is_ok(),
                    Algorithm::Ps384 => Pss::<Sha384>::new(key).verify(message, &signature).is_ok(),
                    _ => Pss::<Sha512>::new(key).verify(message, &signature).is_ok(),
                }
            }
            (Self::P256(key), Algorithm::Es256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(&Sha256::digest(message), &signature).is_ok()),
            (Self::P384(key), Algorithm::Es384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(&Sha384::digest(message), &signature).is_ok()),
            (Self::Ed25519(key), Algorithm::EdDsa) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            _ => false,
        }
    }
}

/// A point as SEC 1 writes it, of coordinates of exactly this length.
fn uncompressed(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4], x, y].concat())
}
