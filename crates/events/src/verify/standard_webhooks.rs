//! [`StandardWebhooksVerifier`]: an HMAC over id, time and the body as it came (the specification's `v1`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use lockstep_core::{Error, ErrorKind, Result, SecretValue, UnixMillis};
use zeroize::Zeroizing;

use super::keys::{Keys, header};
use super::{Refusal, TOLERANCE, fresh};

/// The most signatures of one delivery that are looked at: a sender that changes its secret sends two.
const MAX_SIGNATURES: usize = 8;

/// The longest id in bytes.
const MAX_ID_BYTES: usize = 256;

/// Verifies deliveries that are signed as Standard Webhooks has it.
///
/// ```
/// use http::HeaderMap;
/// use lockstep_core::{SecretValue, UnixMillis};
/// use lockstep_events::verify::{Refusal, StandardWebhooksVerifier};
/// // The secret, the headers and the body of the specification's own libraries.
/// let secret = SecretValue::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// let verifier = StandardWebhooksVerifier::new(&[secret])?;
/// let mut headers = HeaderMap::new();
/// headers.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap());
/// headers.insert("webhook-timestamp", "1614265330".parse().unwrap());
/// headers.insert("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".parse().unwrap());
/// let body = br#"{"test": 2432232314}"#;
/// assert_eq!(verifier.verify(&headers, body, UnixMillis(1_614_265_330_000)), Ok(()));
/// assert_eq!(verifier.verify(&headers, body, UnixMillis(1_614_265_631_000)), Err(Refusal::TooOld));
/// # Ok::<(), lockstep_core::Error>(())
/// ```
#[derive(Debug)]
pub struct StandardWebhooksVerifier(Keys);

impl StandardWebhooksVerifier {
    /// One secret, or more while one takes over from another: `whsec_` and base64.
    ///
    /// # Errors
    /// `Config` when there is none, more than [`MAX_KEYS`](super::MAX_KEYS), or one that is not written so or shorter than
    /// [`MIN_KEY_BYTES`](super::MIN_KEY_BYTES).
    pub fn new(secrets: &[SecretValue]) -> Result<Self> {
        let decoded = |secret: &SecretValue| {
            let text = secret.expose().trim_ascii();
            let text = text.strip_prefix(b"whsec_").unwrap_or(text);
            let bytes = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| {
                let message =
                    "the secret of a Standard Webhook is not base64; write it as its sender shows it, with `whsec_`";
                Error::new(ErrorKind::Config, message)
            })?;
            Ok(SecretValue::from(bytes.as_slice()))
        };
        Keys::new(secrets.iter().map(decoded).collect::<Result<_>>()?).map(Self)
    }

    /// The signature of a delivery of ours, for the header `webhook-signature`, with the first of the secrets.
    pub fn sign(&self, id: &str, at: UnixMillis, body: &[u8]) -> Option<String> {
        let time = (at.0 / 1000).to_string();
        let made = self.0.sign(&[id.as_bytes(), b".", time.as_bytes(), b".", body])?;
        Some(format!("v1,{}", STANDARD.encode(made)))
    }

    /// Whether a delivery was signed with one of the secrets, not longer than [`TOLERANCE`] ago. The caller has bounded the
    /// body before.
    ///
    /// # Errors
    /// Why it is not taken for genuine.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Result<(), Refusal> {
        let id = header(headers, "webhook-id")?;
        let time = header(headers, "webhook-timestamp")?;
        let given = header(headers, "webhook-signature")?;
        // A dot in the id could move the borders between what is signed.
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.contains('.') {
            return Err(Refusal::Malformed);
        }
        let is_number = time.len() <= 12 && time.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = time.parse::<u64>().ok().filter(|_| is_number).ok_or(Refusal::Malformed)?;
        let signatures: Vec<[u8; 32]> = given
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"))
            .take(MAX_SIGNATURES)
            .filter_map(|text| STANDARD.decode(text).ok()?.try_into().ok())
            .collect();
        if signatures.is_empty() {
            return Err(Refusal::Malformed);
        }
        if !self.0.made(&signatures, &[id.as_bytes(), b".", time.as_bytes(), b".", body]) {
            return Err(Refusal::Mismatch);
        }
        fresh(UnixMillis(seconds * 1000), now, TOLERANCE)
    }
}
