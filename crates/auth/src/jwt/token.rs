//! [`Token`]: a compact JWS (RFC 7515) taken apart, strictly, before anything in it is believed.
//!
//! There is one way to write a token: three parts of base64url without padding or loose bits, the first two JSON objects
//! without a member said twice. A header that wants to bring its own key, or more rules than these, is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_core::{Claims, Structure};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::jwks::MAX_KID_BYTES;
use crate::refused::Refused;
use crate::strict_json::object;

/// The longest token in bytes.
pub const MAX_JWT_BYTES: usize = 16 << 10;

/// Keys, items and levels of a header.
const HEADER: Structure = Structure { members: 64, depth: 4 };
/// Keys, items and levels of claims.
const CLAIMS: Structure = Structure { members: 1_000, depth: 8 };

/// Members of a header that say where its key comes from, or change what the rest of it means.
const REFUSED: [&str; 10] = ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "cty", "ppt"];

/// A token whose signature nobody has verified yet.
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// `typ`, as it stands there.
    pub(crate) typ: Option<String>,
    pub(crate) claims: Claims,
    /// What is signed.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// `jwt_too_large`, `jwt_malformed`, `jwt_header_refused`, `jwt_algorithm_refused`, `jwt_bad_kid`.
    pub(crate) fn parse(token: &'a [u8]) -> Result<Self, Refused> {
        if token.len() > MAX_JWT_BYTES {
            return Err(Refused::credential("jwt_too_large", "the token is longer than 16 KiB"));
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("the token has not exactly three parts; send a signed JWT in its compact form"));
        };
        let read = |part: &[u8], bound| URL_SAFE_NO_PAD.decode(part).ok().and_then(|text| object(&text, bound));
        let head = read(header, HEADER)
            .ok_or_else(|| malformed("the token's header is no base64url of a JSON object without doubled members"))?;
        let Header { algorithm, kid, typ } = Header::read(&head)?;
        let claims = read(payload, CLAIMS)
            .ok_or_else(|| malformed("the token's claims are no base64url of a JSON object without doubled members"))?;
        let message = &token[..header.len() + 1 + payload.len()];
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed("the token's signature is no base64url without padding"))?;
        Ok(Self { algorithm, kid, typ, claims, message, signature })
    }
}

struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
}

impl Header {
    fn read(header: &Map<String, Value>) -> Result<Self, Refused> {
        if let Some(member) = REFUSED.iter().find(|member| header.contains_key(**member)) {
            let detail = format!("the token's header has a `{member}`, which is never followed");
            return Err(Refused::credential("jwt_header_refused", detail));
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse).ok_or_else(|| {
            Refused::credential(
                "jwt_algorithm_refused",
                "the token is not signed with RS256 to RS512, PS256 to PS512, ES256, ES384 or EdDSA",
            )
        })?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if is_kid(kid) => Some(kid.clone()),
            Some(_) => {
                let detail = "the token's `kid` is no text of 1 to 256 bytes without control characters";
                return Err(Refused::credential("jwt_bad_kid", detail));
            }
        };
        let typ = match header.get("typ") {
            None => None,
            Some(Value::String(typ)) => Some(typ.clone()),
            Some(_) => return Err(Refused::credential("jwt_wrong_type", "the token's `typ` is no text")),
        };
        Ok(Self { algorithm, kid, typ })
    }
}

fn is_kid(kid: &str) -> bool {
    (1..=MAX_KID_BYTES).contains(&kid.len()) && !kid.chars().any(char::is_control)
}

fn malformed(detail: &'static str) -> Refused {
    Refused::credential("jwt_malformed", detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn e9_no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Token::parse(&bytes);
        }

        /// What gets through the first check is JSON of anybody's choice.
        #[test]
        fn e9_no_header_and_no_claims_break_the_parser(
            header in r#"\{("alg":"(RS256|none)",?)?("kid":("[ -~]{0,4}"|1|null),?)?("typ":("JWT"|\[\]))?[{}\[\]",:a-z0-9]{0,12}\}"#,
            claims in r#"\{[{}\[\]",:a-z0-9\\u-]{0,24}\}"#,
            signature in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let part = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
            let token = format!("{}.{}.{}", part(header.as_bytes()), part(claims.as_bytes()), part(&signature));
            if let Ok(parsed) = Token::parse(token.as_bytes()) {
                prop_assert_eq!(parsed.signature, signature);
                prop_assert!(token.as_bytes().starts_with(parsed.message));
            }
        }
    }
}
