//! The one parse of a request's target. Routing and the secret's name both come from what is decoded here, so they
//! can't differ.
//!
//! A path that two readers could read differently (an encoded slash or dot, `;`, a `..` segment) is no path at all.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A request's path, decoded, and its query as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) path: Cow<'a, str>,
    query: &'a str,
}

/// The target can be read in more than one way, or in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadTarget;

impl<'a> Target<'a> {
    /// Reads path and query of an origin-form target.
    pub(crate) fn parse(uri: &'a http::Uri) -> Result<Self, BadTarget> {
        Ok(Self { path: decode_path(uri.path())?, query: uri.query().unwrap_or_default() })
    }

    /// The query's parameters, decoded as a form's: `+` is a space.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = Result<(Cow<'a, str>, Cow<'a, str>), BadTarget>> + use<'a> {
        self.query.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode_form(name)?, decode_form(value)?))
        })
    }
}

/// Decodes a path once. Refused: what is no UTF-8 or a broken escape; an escape that hides a separator, a dot or a
/// percent sign; `;`, `\` and controls; segments that are `.` or `..`.
fn decode_path(raw: &str) -> Result<Cow<'_, str>, BadTarget> {
    let path = if raw.bytes().any(|b| b == b'%') {
        for (at, _) in raw.match_indices('%') {
            let hex = raw.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).ok_or(BadTarget)?;
            if matches!(byte, b'/' | b'\\' | b'.' | b'%' | b';' | b'?' | b'#') {
                return Err(BadTarget);
            }
        }
        percent_decode_str(raw).decode_utf8().map_err(|_| BadTarget)?
    } else {
        Cow::Borrowed(raw)
    };
    if is_ambiguous(&path) { Err(BadTarget) } else { Ok(path) }
}

/// Whether two readers could take a decoded path for two things. Every byte is looked at once.
fn is_ambiguous(path: &str) -> bool {
    // How many dots a segment has that has nothing else so far.
    let mut dots = Some(0);
    for byte in path.bytes() {
        match byte {
            b'/' if matches!(dots, Some(1 | 2)) => return true,
            b'/' => dots = Some(0),
            b'.' => dots = dots.map(|dots| dots + 1),
            ..0x20 | b';' | b'\\' | 0x7f => return true,
            _ => dots = None,
        }
    }
    matches!(dots, Some(1 | 2))
}

fn decode_form(raw: &str) -> Result<Cow<'_, str>, BadTarget> {
    if !raw.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Ok(Cow::Borrowed(raw));
    }
    let spaced = raw.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| BadTarget)?;
    Ok(Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &str) -> Result<String, BadTarget> {
        decode_path(raw).map(Cow::into_owned)
    }

    /// L7. Break: leave out one of the bytes in `decode_path`.
    #[test]
    fn l7_a_path_that_could_be_read_twice_is_refused() {
        for bad in [
            "/v1/%2e%2e/ping",
            "/v1/%2E/x",
            "/v1/a%2Fb",
            "/v1/a%2fb",
            "/v1/a%5cb",
            "/v1/a\\b",
            "/v1/a%252Fb",
            "/v1/a%25b",
            "/v1/..;/x",
            "/v1/a;b",
            "/v1/a%3Bb",
            "/v1/a%3Fb",
            "/v1/a%23b",
            "/v1/../ping",
            "/v1/./ping",
            "/v1/..",
            "/v1/a%00b",
            "/v1/a%0ab",
            "/v1/a%7f",
            "/v1/a%",
            "/v1/a%2",
            "/v1/a%zz",
            "/v1/a%ff",
        ] {
            assert_eq!(path(bad), Err(BadTarget), "{bad}");
        }
    }

    #[test]
    fn other_escapes_are_decoded_once() {
        assert_eq!(path("/v1/a%20b%40c").unwrap(), "/v1/a b@c");
        assert_eq!(path("/v1/%C3%A4").unwrap(), "/v1/ä");
        assert_eq!(path("/v1/arn:aws:x").unwrap(), "/v1/arn:aws:x");
    }

    #[test]
    fn parameters_are_decoded_as_a_forms() {
        let uri = "/x?secretId=a%2Fb+c&&flag&empty=&%3D==".parse().unwrap();
        let target = Target::parse(&uri).unwrap();
        let pairs: Vec<_> = target.parameters().map(|pair| pair.unwrap()).collect();
        let seen: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(seen, [("secretId", "a/b c"), ("flag", ""), ("empty", ""), ("=", "=")]);
    }

    proptest! {
        /// L7: what passes has no escape left that a second decoder would act on.
        /// Break: leave out `b'/'` or `b'%'` in `decode_path`.
        #[test]
        fn l7_an_accepted_path_has_the_same_segments_before_and_after_decoding(raw in "(/(%(2[35EFef]|3[Bb]|5[Cc]|[0-9a-f]{2}|)|[a-zA-Z0-9.;?#\\\\ -]){0,4}){1,4}") {
            if let Ok(decoded) = path(&raw) {
                prop_assert_eq!(decoded.matches('/').count(), raw.matches('/').count());
                prop_assert!(!decoded.contains('%'));
            }
        }
    }
}
