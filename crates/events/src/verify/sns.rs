//! [`SnsVerifier`]: Amazon's signatures, and the certificates that they are made with.
//!
//! Order: the topic is an expected one, the address of the certificate is that of the topic's region, the time is of late.
//! Only then is anything fetched, and at a bounded pace. The address is compared as text, so no parser's opinion of a URL
//! counts. The file that Amazon keeps there is one certificate without its chain: what vouches for it is the TLS connection
//! to that host, and its own name, time and key are looked at.

mod certificate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use lockstep_core::{Clock, Error, ErrorKind, Limits, Pace, Recent, Result, Transport, UnixMillis};

use self::certificate::Certificate;
use super::{Refusal, fresh};
use crate::decode::{SnsConfirmation, SnsEnvelope};

/// The largest certificate file in bytes.
const MAX_FILE_BYTES: usize = 64 << 10;
/// What one exchange with Amazon may take.
const TIME: Duration = Duration::from_secs(5);
/// Certificates that are kept at least. There is one per region, and another one while it changes.
const KEPT: usize = 16;
/// How often, and how many at once, certificates are fetched that are not kept: random names in forged deliveries must not
/// become requests.
const PER_SECOND: u32 = 1;
const AT_ONCE: u32 = 5;
/// The longest signature in base64: an RSA key of 8192 bits makes 1024 bytes.
const MAX_SIGNATURE_BYTES: usize = 1400;

/// What an [`SnsVerifier`] accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsSettings {
    /// The ARNs of the topics that may deliver.
    pub topics: Vec<String>,
    /// How long ago a delivery may have been signed. SNS tries again for up to an hour, by its own retry policies.
    pub oldest: Duration,
    /// Whether a signature may be made with SHA-1: what a topic does that was not set to `SignatureVersion` 2.
    pub sha1: bool,
}

impl Default for SnsSettings {
    /// No topic, an hour, and SHA-1 since that is what topics begin with.
    fn default() -> Self {
        Self { topics: Vec::new(), oldest: Duration::from_hours(1), sha1: true }
    }
}

/// Verifies what SNS posts over HTTPS.
pub struct SnsVerifier {
    settings: SnsSettings,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

struct Kept {
    certificates: Recent<String, Arc<Certificate>>,
    /// When the next one may be fetched, by the monotonic clock.
    due: Duration,
}

impl SnsVerifier {
    /// A verifier that has fetched nothing yet.
    ///
    /// # Errors
    /// `Config` when no topic may deliver, or one is no ARN of SNS.
    pub fn new(settings: SnsSettings, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Result<Self> {
        if settings.topics.is_empty() || settings.topics.iter().any(|topic| SnsEnvelope::host(topic).is_none()) {
            let message = "name the topics that may deliver, like `arn:aws:sns:eu-west-1:123456789012:rotations`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let kept = Mutex::new(Kept { certificates: Recent::new(KEPT), due: Duration::ZERO });
        Ok(Self { settings, transport, clock, kept })
    }

    /// Whether a delivery was signed by SNS for an expected topic, not too long ago. Raw deliveries have no signature.
    ///
    /// # Errors
    /// Why it is not taken for genuine; [`Refusal::is_transient`] when the certificate can't be had now.
    pub async fn verify(&self, body: &[u8]) -> Result<(), Refusal> {
        let parsed = SnsEnvelope::parse(body).ok_or(Refusal::Missing)?;
        let envelope = SnsEnvelope(&parsed);
        let topic = envelope.member("TopicArn").ok_or(Refusal::Missing)?;
        if !self.settings.topics.iter().any(|known| known == topic) {
            return Err(Refusal::Topic);
        }
        let address = envelope.member("SigningCertURL").ok_or(Refusal::Missing)?;
        let host = SnsEnvelope::host(topic).ok_or(Refusal::Topic)?;
        if !is_kept_there(address, &host) {
            return Err(Refusal::Address);
        }
        let sha1 = match envelope.member("SignatureVersion") {
            Some("1") if self.settings.sha1 => true,
            Some("2") => false,
            _ => return Err(Refusal::Version),
        };
        let now = self.clock.wall();
        let signed = envelope.member("Timestamp").and_then(UnixMillis::from_rfc3339).ok_or(Refusal::Malformed)?;
        fresh(signed, now, self.settings.oldest)?;
        let signature = envelope.member("Signature").filter(|text| text.len() <= MAX_SIGNATURE_BYTES);
        let signature = signature.and_then(|text| STANDARD.decode(text).ok()).ok_or(Refusal::Malformed)?;
        let message = envelope.signed().ok_or(Refusal::Malformed)?;
        let certificate = self.certificate(address, &host).await?;
        if !certificate.is_valid(now) {
            return Err(Refusal::Certificate);
        }
        if certificate.verifies(sha1, message.as_bytes(), &signature) { Ok(()) } else { Err(Refusal::Mismatch) }
    }

    /// Confirms a subscription whose delivery was verified.
    ///
    /// # Errors
    /// `Topic` when it is of another topic than the expected ones, `Unavailable` when SNS does not confirm it now.
    pub async fn confirm(&self, confirmation: &SnsConfirmation) -> Result<(), Refusal> {
        if !self.settings.topics.iter().any(|known| **known == *confirmation.topic) {
            return Err(Refusal::Topic);
        }
        self.get(confirmation.uri.clone()).await.map(drop)
    }

    async fn certificate(&self, address: &str, host: &str) -> Result<Arc<Certificate>, Refusal> {
        {
            let mut kept = self.kept();
            if let Some(certificate) = kept.certificates.get(address) {
                return Ok(Arc::clone(certificate));
            }
            let pace = Pace::new(PER_SECOND, AT_ONCE).ok_or(Refusal::Unavailable)?;
            let (pause, due) = pace.turn(kept.due, self.clock.monotonic());
            if !pause.is_zero() {
                return Err(Refusal::Unavailable);
            }
            kept.due = due;
        }
        let file = self.get(address.parse().map_err(|_| Refusal::Address)?).await?;
        let certificate = Arc::new(Certificate::of_sns(&file, host).ok_or(Refusal::Certificate)?);
        self.kept().certificates.put(address.to_owned(), Arc::clone(&certificate));
        Ok(certificate)
    }

    async fn get(&self, uri: Uri) -> Result<Bytes, Refusal> {
        let request = Request::get(uri).body(Bytes::new()).map_err(|_| Refusal::Address)?;
        let limits = Limits { time: TIME, response_bytes: MAX_FILE_BYTES, members: 0 };
        // The pace of what is fetched bounds these lines, too.
        let response = self.transport.send(request, limits).await.map_err(|error| {
            tracing::warn!(%error, "SNS can't be asked for a certificate or a confirmation; look at the way there");
            Refusal::Unavailable
        })?;
        // A redirect leads elsewhere, and nobody follows it.
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response.into_body());
        }
        tracing::warn!(status = status.as_u16(), "SNS has neither a certificate nor a confirmation for us");
        Err(Refusal::Unavailable)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `https://<host>/SimpleNotificationService[-<letters and digits>].pem`, and not a byte more.
fn is_kept_there(address: &str, host: &str) -> bool {
    let name = || {
        let rest = address.strip_prefix("https://")?.strip_prefix(host)?.strip_prefix("/SimpleNotificationService")?;
        rest.strip_suffix(".pem")
    };
    match name() {
        Some("") => true,
        Some(name) => name
            .strip_prefix('-')
            .is_some_and(|id| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())),
        None => false,
    }
}

#[cfg(test)]
mod tests;
