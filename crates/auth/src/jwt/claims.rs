//! [`verified`]: what the claims of a token say, once its signature is known to be its issuer's.
//!
//! A claim of the wrong type is an error and never one that is absent: a library that took `"exp": "9999999999"` for no
//! `exp` at all let tokens live for ever.

use std::time::Duration;

use lockstep_core::{Claims, UnixMillis};
use serde_json::Value;

use super::issuer::Issuer;
use crate::refused::Refused;
use crate::subject::escaped;

/// The end of the year 9999, in seconds. Later times are milliseconds, or worse.
const LAST_SECOND: u64 = 253_402_300_799;

/// What was found out.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The principal's id.
    pub(crate) id: String,
    /// `exp`.
    pub(crate) end: UnixMillis,
}

/// Checks the claims of a token of this issuer, at this time by the wall clock.
///
/// # Errors
/// `jwt_claim_missing`, `jwt_claim_malformed`, `jwt_expired`, `jwt_not_yet_valid`, `jwt_issued_later`, `jwt_too_old`,
/// `jwt_lives_too_long`, `jwt_wrong_audience`, `jwt_claim_refused`, `jwt_bad_subject`.
pub(crate) fn verified(claims: &Claims, issuer: &Issuer, now: UnixMillis) -> Result<Verified, Refused> {
    let settings = &issuer.settings;
    let end = times(claims, settings.leeway, settings.max_lifetime, settings.max_age, now)?;
    audience(claims, &settings.audiences)?;
    for (name, patterns) in &settings.required {
        let claim = claims.get(name).ok_or_else(|| missing(name))?;
        if !patterns.iter().any(|pattern| pattern.fits_claim(claim)) {
            let detail = format!("the claim `{name}` is none of those that the issuer's settings ask for");
            return Err(Refused::credential("jwt_claim_refused", detail));
        }
    }
    let subject = subject(claims, &settings.subject)?;
    Ok(Verified { id: format!("jwt:{}:{subject}", settings.name), end })
}

fn times(
    claims: &Claims,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    max_age: Option<Duration>,
    now: UnixMillis,
) -> Result<UnixMillis, Refused> {
    let end = date(claims, "exp")?.ok_or_else(|| missing("exp"))?;
    let (from, issued) = (date(claims, "nbf")?, date(claims, "iat")?);
    if now >= end.plus(leeway) {
        return Err(Refused::credential("jwt_expired", "the token is over; get a new one, or look at the clock"));
    }
    if from.is_some_and(|from| from > now.plus(leeway)) {
        return Err(Refused::credential("jwt_not_yet_valid", "the token is not valid yet; look at the clock"));
    }
    if issued.is_some_and(|issued| issued > now.plus(leeway)) {
        return Err(Refused::credential("jwt_issued_later", "the token was issued later than now; look at the clock"));
    }
    if let Some(limit) = max_lifetime {
        let issued = issued.ok_or_else(|| missing("iat"))?;
        if end.saturating_since(issued) > limit {
            let detail = "the token was made for a longer time than the issuer's settings allow";
            return Err(Refused::credential("jwt_lives_too_long", detail));
        }
    }
    if let Some(limit) = max_age {
        let issued = issued.ok_or_else(|| missing("iat"))?;
        if now >= issued.plus(limit).plus(leeway) {
            return Err(Refused::credential("jwt_too_old", "the token is older than the issuer's settings allow"));
        }
    }
    // With a limit on its age, it ends there too.
    Ok(max_age.and_then(|limit| issued.map(|issued| issued.plus(limit))).map_or(end, |old| old.min(end)))
}

/// A time (RFC 7519, NumericDate): a number of seconds since 1970, `None` when it is not there.
fn date(claims: &Claims, name: &str) -> Result<Option<UnixMillis>, Refused> {
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let time = match claim {
        Value::Number(number) => match number.as_u64() {
            Some(seconds) => (seconds <= LAST_SECOND).then(|| UnixMillis(seconds * 1000)),
            None => number.as_f64().and_then(UnixMillis::from_seconds),
        },
        _ => None,
    };
    match time {
        Some(time) => Ok(Some(time)),
        None => Err(malformed(format!("the claim `{name}` is no number of seconds since 1970, up to the year 9999"))),
    }
}

fn audience(claims: &Claims, ours: &[String]) -> Result<(), Refused> {
    let is_ours = |audience: &str| ours.iter().any(|our| our == audience);
    let wrong = || malformed("the claim `aud` is neither a text nor a list of texts");
    let named = match claims.get("aud").ok_or_else(|| missing("aud"))? {
        Value::String(audience) => is_ours(audience),
        Value::Array(audiences) => {
            let texts: Option<Vec<_>> = audiences.iter().map(Value::as_str).collect();
            texts.ok_or_else(wrong)?.into_iter().any(is_ours)
        }
        _ => return Err(wrong()),
    };
    if named {
        Ok(())
    } else {
        let detail = "the token is for somebody else; ask its issuer for one with an audience of this endpoint";
        Err(Refused::credential("jwt_wrong_audience", detail))
    }
}

fn subject(claims: &Claims, names: &[String]) -> Result<String, Refused> {
    for name in names {
        let text = match claims.get(name) {
            None => continue,
            Some(Value::String(text)) if text.is_empty() => continue,
            Some(Value::String(text)) => text,
            Some(_) => return Err(malformed(format!("the claim `{name}`, which names the caller, is no text"))),
        };
        let subject = escaped(text).ok_or_else(|| {
            let detail = format!(
                "the claim `{name}`, which names the caller, is longer than 512 bytes, or has `..` or control characters"
            );
            Refused::credential("jwt_bad_subject", detail)
        })?;
        // Else a caller of one kind could have the name of one of another.
        return Ok(if names.len() > 1 { format!("{name}:{subject}") } else { subject });
    }
    Err(Refused::credential("jwt_bad_subject", "the token has none of the claims that name the caller, or empty ones"))
}

fn missing(name: &str) -> Refused {
    Refused::credential("jwt_claim_missing", format!("the token has no claim `{name}`"))
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Refused {
    Refused::credential("jwt_claim_malformed", detail)
}
