//! [`CertificateLogin`]: the certificate that a caller has shown in its TLS handshake, as a principal.
//!
//! Nothing here builds a chain: who ends TLS has verified the certificate against the operator's roots, and this crate
//! gets what it says. A certificate that is good and that no rule is about gets nobody in. Its dates are looked at again,
//! since a connection can live longer than a certificate.

use std::sync::Arc;

use lockstep_core::{Alias, Claims, Error, ErrorKind, Login, Principal, Result, UnixMillis, hex};

use crate::refused::Refused;

#[cfg(feature = "mtls")]
mod x509;

/// What a verified certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateFacts {
    /// The SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    /// The common name of its subject. It is a claim; no rule looks at it, since anybody's CA may write anything there.
    pub common_name: Option<String>,
    /// The DNS names of its subject.
    pub dns: Vec<String>,
    /// The URIs of its subject.
    pub uris: Vec<String>,
    /// Who has issued it, as its source writes that.
    pub issuer: Option<String>,
    /// From when it is valid.
    pub not_before: UnixMillis,
    /// Until when it is valid, this moment included.
    pub not_after: UnixMillis,
}

/// What Cloudflare says of a caller's certificate in `request.cf.tlsClientAuth`. It names neither DNS names nor URIs, so
/// that only rules about fingerprints fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudflareCertificate<'a> {
    /// `certVerified`. Only `SUCCESS` is accepted.
    pub verified: &'a str,
    /// `certRevoked`. Only `0` is accepted.
    pub revoked: &'a str,
    /// `certFingerprintSHA256`: 64 hex digits.
    pub fingerprint_sha256: &'a str,
    /// `certIssuerDN`.
    pub issuer_dn: &'a str,
    /// `certNotBefore`, such as `Dec 22 19:39:00 2018 GMT`.
    pub not_before: &'a str,
    /// `certNotAfter`.
    pub not_after: &'a str,
}

impl CertificateFacts {
    /// What Cloudflare says.
    ///
    /// # Errors
    /// `cert_unverified` when Cloudflare has not verified it, or knows that it is revoked; `cert_malformed`.
    pub fn from_cloudflare(certificate: &CloudflareCertificate<'_>) -> Result<Self, Refused> {
        if certificate.verified != "SUCCESS" || certificate.revoked != "0" {
            let detail = "Cloudflare has not verified the certificate, or it is revoked";
            return Err(Refused::credential("cert_unverified", detail));
        }
        let malformed = || Refused::credential("cert_malformed", "what is said of the certificate can't be read");
        Ok(Self {
            fingerprint: hex::digest(certificate.fingerprint_sha256).ok_or_else(malformed)?,
            issuer: Some(certificate.issuer_dn.to_owned()),
            not_before: openssl_time(certificate.not_before).ok_or_else(malformed)?,
            not_after: openssl_time(certificate.not_after).ok_or_else(malformed)?,
            ..Self::default()
        })
    }

    fn claims(&self) -> Claims {
        let mut claims = Claims::new();
        claims.insert("fingerprint".to_owned(), hex::text(&self.fingerprint).into());
        claims.insert("dns".to_owned(), self.dns.clone().into());
        claims.insert("uris".to_owned(), self.uris.clone().into());
        for (name, value) in [("common_name", &self.common_name), ("issuer", &self.issuer)] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.clone().into());
            }
        }
        claims
    }
}

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// The principal is `cert:<name>`. 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a letter. Several
    /// rules may have one name.
    pub name: String,
    /// Which certificate.
    pub matches: CertificateMatch,
    /// Who has to have issued it, as [`CertificateFacts::issuer`] writes that, if it matters.
    pub issuer: Option<String>,
}

/// What a certificate has to have, to the letter: there are no patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateMatch {
    /// This URI, such as `spiffe://acme/ns/prod/sa/api`. It has to be the only one: a certificate with two names of a
    /// workload is none of SPIFFE's.
    Uri(String),
    /// This DNS name, in any case. `*` in a certificate stands for itself.
    Dns(String),
    /// This SHA-256 of its DER.
    Fingerprint([u8; 32]),
}

impl CertificateMatch {
    /// Reads a URI, `dns:` and a name, or `sha256:` and 64 hex digits.
    ///
    /// # Errors
    /// `Config`, with what to write.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let message = format!(
                "`{}` names no certificate; write a URI like `spiffe://acme/ns/prod/sa/api`, `dns:api.acme.internal`, or \
                 `sha256:` and 64 hex digits",
                text.escape_debug()
            );
            Error::new(ErrorKind::Config, message)
        };
        let is_exact =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        if let Some(digits) = text.strip_prefix("sha256:") {
            return hex::digest(digits).map(Self::Fingerprint).ok_or_else(wrong);
        }
        if let Some(name) = text.strip_prefix("dns:") {
            return if is_exact(name) { Ok(Self::Dns(name.to_owned())) } else { Err(wrong()) };
        }
        let has_host = text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        if has_host && is_exact(text) { Ok(Self::Uri(text.to_owned())) } else { Err(wrong()) }
    }

    fn fits(&self, facts: &CertificateFacts) -> bool {
        match self {
            Self::Uri(uri) => matches!(&facts.uris[..], [only] if only == uri),
            Self::Dns(name) => facts.dns.iter().any(|known| known.eq_ignore_ascii_case(name)),
            Self::Fingerprint(fingerprint) => facts.fingerprint == *fingerprint,
        }
    }
}

/// Rules about certificates.
///
/// ```
/// use lockstep_auth::{CertificateFacts, CertificateLogin, CertificateMatch, CertificateRule};
/// use lockstep_core::UnixMillis;
/// let matches = CertificateMatch::parse("spiffe://acme/ns/prod/sa/api")?;
/// let login = CertificateLogin::new(vec![CertificateRule { name: "api".to_owned(), matches, issuer: None }])?;
/// let facts = CertificateFacts {
///     uris: vec!["spiffe://acme/ns/prod/sa/api".to_owned()],
///     not_after: UnixMillis(2_000_000_000_000),
///     ..CertificateFacts::default()
/// };
/// assert_eq!(&*login.verify(&facts, UnixMillis(1_900_000_000_000)).unwrap().id, "cert:api");
/// # Ok::<(), lockstep_core::Error>(())
/// ```
#[derive(Debug)]
pub struct CertificateLogin(Vec<CertificateRule>);

impl CertificateLogin {
    /// These rules; the first one that fits counts.
    ///
    /// # Errors
    /// `Config`, with what to write.
    pub fn new(rules: Vec<CertificateRule>) -> Result<Self> {
        match rules.iter().find(|rule| Alias::parse(&rule.name).is_err()) {
            None => Ok(Self(rules)),
            Some(rule) => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "`{}` can't name whose certificate it is; write 1 to 63 lower-case letters, digits, `-` and `_`, \
                     beginning with a letter",
                    rule.name.escape_debug()
                ),
            )),
        }
    }

    /// Whose certificate this is, at this time by the wall clock.
    ///
    /// # Errors
    /// `cert_expired`, `cert_not_yet_valid`, `cert_unknown` when no rule fits.
    pub fn verify(&self, facts: &CertificateFacts, now: UnixMillis) -> Result<Principal, Refused> {
        if now > facts.not_after {
            return Err(Refused::credential("cert_expired", "the certificate is over; renew it, or look at the clock"));
        }
        if now < facts.not_before {
            return Err(Refused::credential(
                "cert_not_yet_valid",
                "the certificate is not valid yet; look at the clock",
            ));
        }
        let is_issued = |rule: &CertificateRule| rule.issuer.is_none() || rule.issuer == facts.issuer;
        let rule = self.0.iter().find(|rule| rule.matches.fits(facts) && is_issued(rule)).ok_or_else(|| {
            Refused::credential("cert_unknown", "no rule is about this certificate; write one if it is to be let in")
        })?;
        Ok(Principal {
            id: Arc::from(format!("cert:{}", rule.name)),
            login: Login::Certificate,
            claims: Some(Arc::new(facts.claims())),
            peer: None,
            mtls: false,
        })
    }
}

/// A time as OpenSSL prints it: `Dec 22 19:39:00 2018 GMT`.
fn openssl_time(text: &str) -> Option<UnixMillis> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_ascii_whitespace();
    let (month, day, time, year, zone) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if words.next().is_some() || zone != "GMT" || day.len() > 2 || time.len() != 8 || year.len() != 4 {
        return None;
    }
    UnixMillis::from_rfc3339(&format!("{year}-{month:02}-{day:0>2}T{time}Z"))
}

#[cfg(test)]
#[path = "certificate/tests.rs"]
mod tests;
