//! Reading a certificate (RFC 5280). Its signature is not looked at: TLS has verified it.

use lockstep_core::UnixMillis;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

use super::CertificateFacts;
use crate::refused::Refused;

/// The largest certificate in bytes.
const MAX_DER_BYTES: usize = 64 << 10;

impl CertificateFacts {
    /// What a certificate says, from its DER. TLS has to have verified it.
    ///
    /// # Errors
    /// `cert_malformed` when it is none, is larger than 64 KiB, or has something behind it; `cert_is_ca` when it is one
    /// that issues others.
    pub fn from_der(der: &[u8]) -> Result<Self, Refused> {
        if der.len() > MAX_DER_BYTES {
            return Err(malformed());
        }
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| malformed())?;
        if !rest.is_empty() {
            return Err(malformed());
        }
        if certificate.is_ca() {
            let detail = "the certificate is one that issues others; show one that was issued for the caller";
            return Err(Refused::credential("cert_is_ca", detail));
        }
        let mut facts = Self {
            fingerprint: Sha256::digest(der).into(),
            issuer: Some(certificate.issuer().to_string()),
            not_before: time(certificate.validity().not_before).ok_or_else(malformed)?,
            not_after: time(certificate.validity().not_after).ok_or_else(malformed)?,
            ..Self::default()
        };
        let mut names = certificate.subject().iter_common_name();
        facts.common_name = names.next().and_then(|name| name.as_str().ok()).map(str::to_owned);
        // Of two names nobody knows which one is meant.
        if names.next().is_some() {
            return Err(malformed());
        }
        // Doubled extensions are an error here.
        if let Some(names) = certificate.subject_alternative_name().map_err(|_| malformed())? {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => facts.dns.push((*name).to_owned()),
                    GeneralName::URI(uri) => facts.uris.push((*uri).to_owned()),
                    _ => {}
                }
            }
        }
        Ok(facts)
    }
}

fn time(time: ASN1Time) -> Option<UnixMillis> {
    // Before 1970 every certificate is as good as one of 1970.
    let seconds = u64::try_from(time.timestamp().max(0)).ok()?;
    seconds.checked_mul(1000).map(UnixMillis)
}

fn malformed() -> Refused {
    Refused::credential("cert_malformed", "the certificate can't be read: it is no single X.509 certificate in DER")
}
