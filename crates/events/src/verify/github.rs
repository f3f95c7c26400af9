//! [`GitHubVerifier`]: `X-Hub-Signature-256`, an HMAC over the body as it came.
//!
//! GitHub signs no time and no id. What is sent again is told by its Changes' ids alone.

use http::HeaderMap;
use lockstep_core::{Result, SecretValue, hex};

use super::Refusal;
use super::keys::{Keys, header};

/// Verifies deliveries that are signed as GitHub signs.
///
/// ```
/// use http::HeaderMap;
/// use lockstep_core::SecretValue;
/// use lockstep_events::verify::{GitHubVerifier, Refusal};
/// // The secret, the body and the signature of GitHub's own documentation.
/// let verifier = GitHubVerifier::new(vec![SecretValue::from("It's a Secret to Everybody")])?;
/// let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
/// let mut headers = HeaderMap::new();
/// headers.insert("x-hub-signature-256", signature.parse().unwrap());
/// assert_eq!(verifier.verify(&headers, b"Hello, World!"), Ok(()));
/// assert_eq!(verifier.verify(&headers, b"Hello, World?"), Err(Refusal::Mismatch));
/// # Ok::<(), lockstep_core::Error>(())
/// ```
#[derive(Debug)]
pub struct GitHubVerifier(Keys);

impl GitHubVerifier {
    /// One secret, or more while one takes over from another. They are taken as they are.
    ///
    /// # Errors
    /// `Config` when there is none, more than [`MAX_KEYS`](super::MAX_KEYS), or one shorter than
    /// [`MIN_KEY_BYTES`](super::MIN_KEY_BYTES).
    pub fn new(secrets: Vec<SecretValue>) -> Result<Self> {
        Keys::new(secrets).map(Self)
    }

    /// Whether a delivery was signed with one of the secrets. The caller has bounded the body before.
    ///
    /// # Errors
    /// Why it is not taken for genuine.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let signature = header(headers, "x-hub-signature-256")?;
        let digits = signature.strip_prefix("sha256=").ok_or(Refusal::Malformed)?;
        let signature = hex::digest(digits).ok_or(Refusal::Malformed)?;
        if self.0.made(&[signature], &[body]) { Ok(()) } else { Err(Refusal::Mismatch) }
    }
}
