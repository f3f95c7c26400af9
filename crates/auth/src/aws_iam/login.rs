//! [`IamLogin`]: from a signed request to the identity that STS says has signed it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{StatusCode, Uri};
use lockstep_core::{Call, Error, ErrorKind, Limits, Principal, Result, Timeline, Transport};

use super::answer::identity;
use super::endpoint::Endpoint;
use super::identity::AwsAccounts;
use super::proof::{MAX_PROOF_BYTES, Proof};
use crate::refused::Refused;
use crate::remembered::{Entry, Remembered, RememberedSettings, mark};

/// The longest age of a proof: as long as STS accepts one.
const MAX_AGE: Duration = Duration::from_mins(15);
/// The largest answer in bytes. STS's has less than one kilobyte.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// How proofs of identities are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamSettings {
    /// The name of this endpoint, which a proof has to sign in `X-Lockstep-Server-Id`: printable ASCII without spaces.
    /// Give each endpoint its own: that keeps one from logging in at another with what it has received.
    pub server_id: String,
    /// The regions whose STS may be asked. A caller has to have signed for one of them.
    pub regions: Vec<String>,
    /// Whether the STS without a region may be asked too. The default is no.
    pub global: bool,
    /// Whose identities are let in.
    pub accounts: AwsAccounts,
    /// How old a proof may be, and how far ahead of our clock. At most 15 minutes, which is the default.
    pub max_age: Duration,
    /// How verified proofs are remembered. The default is 1024 for 60 s: this long an identity that was deleted may still
    /// be let in.
    pub remembered: RememberedSettings,
    /// Where STS is reached, instead of its own address: a VPC endpoint, for example. What is signed stays the same.
    pub endpoint: Option<Uri>,
    /// What one question to STS may take. The default is 5 s.
    pub time: Duration,
    /// How many questions may be under way at a time: whoever sends proofs makes us ask. The default is 32.
    pub max_in_flight: usize,
}

impl IamSettings {
    /// Settings with every default.
    pub fn new(server_id: impl Into<String>, region: impl Into<String>, accounts: AwsAccounts) -> Self {
        Self {
            server_id: server_id.into(),
            regions: vec![region.into()],
            global: false,
            accounts,
            max_age: MAX_AGE,
            remembered: RememberedSettings { entries: 1024, time: Duration::from_mins(1) },
            endpoint: None,
            time: Duration::from_secs(5),
            max_in_flight: 32,
        }
    }

    /// The endpoints that may be asked.
    fn check(&self) -> Result<Vec<Endpoint>> {
        let wrong = |message: &'static str| Error::new(ErrorKind::Config, message);
        let is_plain =
            (1..=256).contains(&self.server_id.len()) && self.server_id.bytes().all(|b| b.is_ascii_graphic());
        if !is_plain {
            return Err(wrong(
                "the id of this server is printable text without spaces; write its address, for example",
            ));
        }
        if self.max_age > MAX_AGE || self.max_age.is_zero() {
            return Err(wrong("a proof is accepted for 15 minutes at most; write `15m`, or less"));
        }
        if self.remembered.time > MAX_AGE {
            return Err(wrong("a proof is remembered for 15 minutes at most; write `60s`, for example"));
        }
        if self.max_in_flight == 0 {
            return Err(wrong("no question to STS may be under way; write at least 1"));
        }
        let mut endpoints = self.regions.iter().map(|region| Endpoint::of(region)).collect::<Result<Vec<_>>>()?;
        if self.global {
            endpoints.push(Endpoint::global()?);
        }
        if endpoints.is_empty() {
            return Err(wrong("there is no region whose STS may be asked; write one like `eu-west-1`"));
        }
        Ok(endpoints)
    }
}

/// Verifies proofs of identities of AWS: requests for `sts:GetCallerIdentity` that were signed and not sent.
///
/// A proof is a JSON object as Vault's AWS method has it, with `iam_http_request_method`, and, in base64,
/// `iam_request_url`, `iam_request_body` and `iam_request_headers`; or base64 of that. The principal is `iam:<arn>`; a
/// session of a role has the session's ARN, whose last part its caller has chosen, so policies look at its claim `role`.
pub struct IamLogin {
    settings: IamSettings,
    endpoints: Vec<Endpoint>,
    transport: Arc<dyn Transport>,
    timeline: Arc<Timeline>,
    remembered: Remembered<()>,
    in_flight: AtomicUsize,
}

impl IamLogin {
    /// A login with these settings.
    ///
    /// # Errors
    /// `Config`, with what to write.
    pub fn new(settings: IamSettings, transport: Arc<dyn Transport>, timeline: Arc<Timeline>) -> Result<Self> {
        let endpoints = settings.check()?;
        let remembered = Remembered::new(settings.remembered);
        Ok(Self { settings, endpoints, transport, timeline, remembered, in_flight: AtomicUsize::new(0) })
    }

    /// Who has signed a proof, if that was found out a moment ago. It takes a hash and no waiting.
    pub fn verify_at_once(&self, presented: &[u8]) -> Option<Principal> {
        if presented.len() > MAX_PROOF_BYTES {
            return None;
        }
        self.remembered.get(&mark(presented), self.timeline.now(), |()| true)
    }

    /// Who has signed a proof, as STS says.
    ///
    /// # Errors
    /// Why it gets nobody in; of kind [`NotNow`](crate::RefusedKind::NotNow) when STS can't be asked.
    pub async fn verify(&self, call: &Call, presented: &[u8]) -> Result<Principal, Refused> {
        if let Some(principal) = self.verify_at_once(presented) {
            return Ok(principal);
        }
        let now = self.timeline.now();
        let Proof { mut request, endpoint, end } = Proof::parse(presented, &self.settings, &self.endpoints, now.wall)?;
        if let Some(address) = &self.settings.endpoint {
            *request.uri_mut() = address.clone();
        }
        let _place = Place::take(&self.in_flight, self.settings.max_in_flight)
            .ok_or_else(|| unavailable("too many proofs are looked at now"))?;
        let time = self.settings.time.min(call.remaining());
        let limits = Limits { time, response_bytes: MAX_ANSWER_BYTES, members: 0 };
        let response = call.bounded(self.transport.send(request, limits)).await;
        let response =
            response.map_err(|error| unavailable(&format!("it does not answer ({})", error.kind().code())))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if !is_throttled(response.body()) => {
                let detail = "STS does not accept the proof: its signature is wrong, or its credentials are over";
                return Err(Refused::credential("iam_refused_by_sts", detail));
            }
            status => return Err(unavailable(&format!("it answers with {}", status.as_u16()))),
        }
        let found = identity(response.body()).ok_or_else(|| unavailable("its answer is none to this question"))?;
        let principal = found.principal(&self.settings.accounts, Some(endpoint.partition))?;
        self.remembered.put(mark(presented), now, Entry { principal: principal.clone(), with: (), end });
        Ok(principal)
    }
}

impl fmt::Debug for IamLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamLogin").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A question under way. Its place is free again when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(taken: &'a AtomicUsize, most: usize) -> Option<Self> {
        let more = |count: usize| (count < most).then_some(count + 1);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(taken))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// STS says so with 400, as it says that a proof is wrong.
fn is_throttled(body: &[u8]) -> bool {
    let code = b"<Code>Throttling";
    body.windows(code.len()).any(|window| window == code)
}

fn unavailable(why: &str) -> Refused {
    Refused::not_now("iam_sts_unavailable", format!("STS can't be asked now: {why}"))
}
