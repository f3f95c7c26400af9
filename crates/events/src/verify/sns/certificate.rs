//! [`Certificate`]: the public key that SNS signs with, out of the file that it keeps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::UnixMillis;
use rsa::{BoxedUint, PublicKey};
use sha1::Sha1;
use sha2::Sha256;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey as Parsed;

/// The lengths of an RSA modulus in bits. What is shorter can be broken; what is longer takes a verifier too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The public key that SNS signs with.
pub(super) struct Certificate {
    key: PublicKey,
    not_before: UnixMillis,
    not_after: UnixMillis,
}

impl Certificate {
    /// Reads the first certificate of a file in PEM. It has to be of SNS, in any region or in the one of this host.
    pub(super) fn of_sns(file: &[u8], host: &str) -> Option<Self> {
        let der = der(std::str::from_utf8(file).ok()?)?;
        let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
        let validity = certificate.validity();
        let (not_before, not_after) = (time(validity.not_before)?, time(validity.not_after)?);
        if !rest.is_empty() || certificate.is_ca() || !is_named(&certificate, host) {
            return None;
        }
        let Ok(Parsed::RSA(key)) = certificate.public_key().parsed() else { return None };
        // DER writes a zero before a number that would look negative.
        let number = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            BoxedUint::from_be_slice_vartime(&bytes[zeros..])
        };
        let key = PublicKey::new_with_size_limits(number(key.modulus), number(key.exponent), RSA_BITS).ok()?;
        Some(Self { key, not_before, not_after })
    }

    pub(super) fn is_valid(&self, now: UnixMillis) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Whether the message was signed with this key's other half. A signature of another length than the key's is none.
    pub(super) fn verifies(&self, sha1: bool, message: &[u8], signature: &[u8]) -> bool {
        if sha1 {
            self.key.pkcs1v15_verify::<Sha1>(message, signature).is_ok()
        } else {
            self.key.pkcs1v15_verify::<Sha256>(message, signature).is_ok()
        }
    }
}

/// SNS has one name for all regions; one with the region is documented.
fn is_named(certificate: &X509Certificate<'_>, host: &str) -> bool {
    let tld = host.rsplit_once(".amazonaws.").map_or("com", |(_, tld)| tld);
    let everywhere = format!("sns.amazonaws.{tld}");
    let is = |name: &str| name.eq_ignore_ascii_case(&everywhere) || name.eq_ignore_ascii_case(host);
    // A doubled extension is an error, and no name.
    let Ok(names) = certificate.subject_alternative_name() else { return false };
    match names {
        Some(names) => {
            names.value.general_names.iter().any(|name| matches!(name, GeneralName::DNSName(name) if is(name)))
        }
        None => certificate.subject().iter_common_name().any(|name| name.as_str().is_ok_and(is)),
    }
}

/// The bytes between the first `BEGIN CERTIFICATE` and its end.
fn der(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

fn time(time: ASN1Time) -> Option<UnixMillis> {
    // Before 1970 every certificate is as good as one of 1970.
    u64::try_from(time.timestamp().max(0)).ok()?.checked_mul(1000).map(UnixMillis)
}
