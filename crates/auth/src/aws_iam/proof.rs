//! [`Proof`]: a signed request that we may send to STS, and nothing else.
//!
//! Its sender decides what is in it, so nothing of it goes out that was not looked for: one method, one body, a few
//! headers, each once. The address is ours. It counts for this endpoint alone, because the endpoint's name is among what
//! was signed: a proof that somebody else has received is of no use here.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use lockstep_core::{Structure, UnixMillis};
use serde_json::Value;

use super::endpoint::Endpoint;
use super::login::IamSettings;
use crate::refused::Refused;
use crate::strict_json::object;

/// The longest proof in bytes.
pub const MAX_PROOF_BYTES: usize = 16 << 10;

/// The header that names the endpoint that a proof is for.
pub const SERVER_ID_HEADER: &str = "x-lockstep-server-id";

/// What a body may say, in either order.
const BODIES: [&[u8]; 2] =
    [b"Action=GetCallerIdentity&Version=2011-06-15", b"Version=2011-06-15&Action=GetCallerIdentity"];

/// Headers that are sent on. Each has to be signed, but for the first two.
const SENT: [&str; 7] = [
    "authorization",
    "content-type",
    "host",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    SERVER_ID_HEADER,
];

/// Headers that AWS's libraries write into a request and that mean nothing here. They are left out, and may not be signed.
const LEFT_OUT: [&str; 4] = ["accept", "accept-encoding", "content-length", "user-agent"];

/// The members of a proof.
const MEMBERS: [&str; 4] = ["iam_http_request_method", "iam_request_url", "iam_request_body", "iam_request_headers"];

const STRUCTURE: Structure = Structure { members: 64, depth: 3 };

/// A request to STS that somebody else has signed.
pub(crate) struct Proof<'a> {
    pub(crate) request: Request<Bytes>,
    pub(crate) endpoint: &'a Endpoint,
    /// When STS stops to accept it.
    pub(crate) end: UnixMillis,
}

/// What a credential scope and a list of headers say (`Authorization` of SigV4).
struct Signature<'a> {
    date: &'a str,
    region: &'a str,
    signed: Vec<&'a str>,
}

impl<'a> Proof<'a> {
    /// Reads a proof: JSON as Vault's AWS method has it, or base64 of that, as it stands in a header.
    ///
    /// # Errors
    /// `iam_malformed`, `iam_wrong_request`, `iam_header_refused`, `iam_unsigned`, `iam_wrong_server`,
    /// `iam_wrong_endpoint`, `iam_expired`.
    pub(crate) fn parse(
        presented: &[u8],
        settings: &IamSettings,
        endpoints: &'a [Endpoint],
        now: UnixMillis,
    ) -> Result<Self, Refused> {
        if presented.len() > MAX_PROOF_BYTES {
            return Err(malformed("the proof is longer than 16 KiB"));
        }
        let decoded;
        let json = if presented.first() == Some(&b'{') {
            presented
        } else {
            decoded = STANDARD.decode(presented).or_else(|_| URL_SAFE_NO_PAD.decode(presented)).unwrap_or_default();
            &decoded[..]
        };
        let members = object(json, STRUCTURE).ok_or_else(|| malformed("the proof is no JSON object"))?;
        if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(malformed("the proof has a member that is none of a proof"));
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|text| STANDARD.decode(text).ok());
        if text(MEMBERS[0]) != Some("POST") {
            return Err(wrong("the signed request is no POST"));
        }
        let body = bytes(MEMBERS[2]).ok_or_else(|| malformed("the proof has no body in base64"))?;
        if !BODIES.contains(&&body[..]) {
            return Err(wrong("the signed request asks for something else than who signs it"));
        }
        let headers = bytes(MEMBERS[3]).ok_or_else(|| malformed("the proof has no headers in base64"))?;
        let headers = read_headers(&headers)?;
        let header = |name: &str| headers.get(name).map(String::as_str);
        let signature = header("authorization").and_then(Signature::parse).ok_or_else(|| {
            Refused::credential("iam_unsigned", "the proof has no signature of AWS's version 4 for STS")
        })?;
        check_signed(&headers, &signature)?;
        // Not secret: it stands in every proof, and keeps proofs for others out.
        if header(SERVER_ID_HEADER) != Some(&*settings.server_id) {
            return Err(Refused::credential("iam_wrong_server", "the proof is for another endpoint than this one"));
        }
        let host = header("host").unwrap_or_default();
        let is_meant = |endpoint: &&Endpoint| *endpoint.region == *signature.region && *endpoint.host == *host;
        let endpoint = endpoints.iter().find(is_meant).ok_or_else(|| {
            Refused::credential("iam_wrong_endpoint", "the proof is for an STS that is not listed here")
        })?;
        let url = bytes(MEMBERS[1]).ok_or_else(|| malformed("the proof has no URL in base64"))?;
        if url.strip_suffix(b"/").unwrap_or(&url) != format!("https://{}", endpoint.host).as_bytes() {
            return Err(Refused::credential("iam_wrong_endpoint", "the proof's URL is not that of the host it signs"));
        }
        if header("content-type").is_some_and(|kind| !is_form(kind)) {
            return Err(wrong("the signed request is no form"));
        }
        let end = alive(header("x-amz-date"), &signature, settings.max_age, now)?;
        Ok(Self { request: request(endpoint, &headers, body)?, endpoint, end })
    }
}

/// The headers of a proof, their names in small letters.
fn read_headers(json: &[u8]) -> Result<BTreeMap<String, String>, Refused> {
    let members = object(json, STRUCTURE).ok_or_else(|| malformed("the proof's headers are no JSON object"))?;
    let mut headers = BTreeMap::new();
    for (name, value) in members {
        let name = name.to_ascii_lowercase();
        if !SENT.contains(&&*name) && !LEFT_OUT.contains(&&*name) {
            return Err(Refused::credential("iam_header_refused", "the proof has a header that no proof needs"));
        }
        let value = match value {
            Value::String(value) => Some(value),
            // As Go writes it.
            Value::Array(mut values) if values.len() == 1 => match values.pop() {
                Some(Value::String(value)) => Some(value),
                _ => None,
            },
            _ => None,
        };
        let is_plain = |value: &String| value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let value = value.filter(is_plain).ok_or_else(|| {
            Refused::credential("iam_header_refused", "a header of the proof has no value, or more than one")
        })?;
        if headers.insert(name, value).is_some() {
            return Err(Refused::credential("iam_header_refused", "a header of the proof stands twice"));
        }
    }
    Ok(headers)
}

/// Whether everything that has to be signed is, and nothing that is left out.
fn check_signed(headers: &BTreeMap<String, String>, signature: &Signature<'_>) -> Result<(), Refused> {
    let is_signed = |name: &str| signature.signed.contains(&name);
    for name in ["host", "x-amz-date", SERVER_ID_HEADER] {
        if !is_signed(name) || !headers.contains_key(name) {
            let detail = format!("the proof's signature does not cover the header `{name}`");
            return Err(Refused::credential("iam_unsigned", detail));
        }
    }
    let is_free = |name: &str| matches!(name, "authorization" | "content-type") || LEFT_OUT.contains(&name);
    if headers.keys().any(|name| !is_free(name) && !is_signed(name)) {
        return Err(Refused::credential("iam_unsigned", "the proof's signature does not cover all of its headers"));
    }
    let is_sent = |name: &&str| SENT.contains(name) && **name != *"authorization" && headers.contains_key(*name);
    // The length is that of the body, whoever writes it.
    if signature.signed.iter().any(|name| !is_sent(name) && *name != "content-length") {
        return Err(Refused::credential(
            "iam_header_refused",
            "the proof's signature covers a header that is not sent",
        ));
    }
    Ok(())
}

impl<'a> Signature<'a> {
    /// `AWS4-HMAC-SHA256 Credential=<id>/<date>/<region>/sts/aws4_request, SignedHeaders=<a;b>, Signature=<hex>`
    fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let mut fields = rest.split(',').map(|field| field.trim_matches(' '));
        let credential = fields.next()?.strip_prefix("Credential=")?;
        let signed = fields.next()?.strip_prefix("SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix("Signature=")?;
        if fields.next().is_some() || signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let scope: Vec<&str> = credential.split('/').collect();
        let [id, date, region, "sts", "aws4_request"] = scope[..] else { return None };
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let signed: Vec<&str> = signed.split(';').collect();
        // In order and each once, as the version's own rules have it.
        signed.is_sorted_by(|one, next| one < next).then_some(Self { date, region, signed })
    }
}

/// Until when STS would accept it, if that is not over.
fn alive(
    time: Option<&str>,
    signature: &Signature<'_>,
    max_age: Duration,
    now: UnixMillis,
) -> Result<UnixMillis, Refused> {
    let made = time.and_then(amz_time).filter(|_| time.is_some_and(|time| time.starts_with(signature.date)));
    let made = made.ok_or_else(|| malformed("the proof's `x-amz-date` is no time, or not of the day it signs for"))?;
    let end = made.plus(max_age);
    if now >= end || made > now.plus(max_age) {
        return Err(Refused::credential("iam_expired", "the proof is too old, or from the future; look at the clock"));
    }
    Ok(end)
}

/// `20260101T120000Z`
fn amz_time(text: &str) -> Option<UnixMillis> {
    let is_shaped = text.len() == 16
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let spread = || {
        let (date, time) = ((part(0, 4), part(4, 6), part(6, 8)), (part(9, 11), part(11, 13), part(13, 15)));
        format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2)
    };
    is_shaped.then(spread).and_then(|text| UnixMillis::from_rfc3339(&text))
}

fn is_form(kind: &str) -> bool {
    let (kind, rest) = kind.split_once(';').unwrap_or((kind, ""));
    let is_utf8 = rest.trim().is_empty() || rest.trim().eq_ignore_ascii_case("charset=utf-8");
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") && is_utf8
}

/// The request to our endpoint, with what was signed.
fn request(endpoint: &Endpoint, headers: &BTreeMap<String, String>, body: Vec<u8>) -> Result<Request<Bytes>, Refused> {
    let refused = || Refused::credential("iam_header_refused", "a header of the proof can't be sent");
    let mut request = Request::post(endpoint.uri.clone()).body(Bytes::from(body)).map_err(|_| refused())?;
    for (name, value) in headers.iter().filter(|(name, _)| SENT.contains(&name.as_str())) {
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?, value);
    }
    Ok(request)
}

fn malformed(detail: &'static str) -> Refused {
    Refused::credential("iam_malformed", detail)
}

fn wrong(detail: &'static str) -> Refused {
    Refused::credential("iam_wrong_request", detail)
}
