//! The head of a request, read in one pass over its headers, and the refusals that need nothing else: connection cap,
//! forwarded requests, host, browser, token, in this order (L1, L3, L4).
//!
//! Nothing here reads a path but to let `/ping` over the cap and open routes past the token.

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, Method};
use lockstep_auth::Shown;
use lockstep_core::{HOPS_HEADER, Peer};

use crate::refusal::Refusal;

/// A header that may stand once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Once<'a> {
    /// Not there.
    #[default]
    Missing,
    /// There, once.
    One(&'a [u8]),
    /// There more than once: no value is better than any of them.
    Many,
}

impl<'a> Once<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if *self == Self::Missing { Self::One(value) } else { Self::Many };
    }

    /// The value, if there is exactly one.
    pub(crate) fn one(self) -> Option<&'a [u8]> {
        match self {
            Self::One(value) => Some(value),
            Self::Missing | Self::Many => None,
        }
    }
}

/// What this crate reads of a request's head.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent facts, read by name")]
pub(crate) struct Head<'a> {
    host: Once<'a>,
    /// The token, whichever header brought it.
    token: Once<'a>,
    /// A proof of an identity of AWS.
    proof: Once<'a>,
    /// A signature of AWS: who verifies those stands in front of us.
    signature: bool,
    /// What only a proxy is sent: an absolute target, CONNECT, Upgrade.
    proxied: bool,
    /// A header that a proxy adds.
    forwarded: bool,
    browser: bool,
    /// A body is announced.
    pub(crate) body: bool,
    pub(crate) request_id: Once<'a>,
    pub(crate) trace: Once<'a>,
    pub(crate) hops: Once<'a>,
    /// `Cache-Control: no-cache` (or HTTP/1.0's `Pragma`).
    pub(crate) no_cache: bool,
    pub(crate) if_none_match: Option<&'a HeaderMap>,
    /// The whole head, for what one surface alone asks about.
    #[cfg(any(feature = "events", feature = "vault-surface"))]
    pub(crate) parts: Option<&'a Parts>,
}

impl<'a> Head<'a> {
    /// What the head shows of its caller.
    pub(crate) fn shown(&self, peer: &Peer) -> Shown<'a> {
        // What AWS has verified in front of us is left in the request; nobody else's signature says anything here.
        let is_foreign = self.signature && peer.aws.is_none();
        match (self.token, self.proof) {
            (Once::Missing, Once::Missing) if is_foreign => Shown::Token(b""),
            (Once::Missing, Once::Missing) => Shown::Nothing,
            (Once::One(token), Once::Missing) if !is_foreign => Shown::Token(token),
            (Once::Missing, Once::One(proof)) if !is_foreign => Shown::Proof(proof),
            _ => Shown::Several,
        }
    }
}

/// What a guard compares with.
pub(crate) struct Guard {
    pub(crate) local: bool,
    pub(crate) token_headers: Vec<HeaderName>,
    pub(crate) forwarded_headers: Vec<HeaderName>,
    pub(crate) allowed_hosts: Vec<Box<str>>,
}

impl Guard {
    /// Reads the head.
    pub(crate) fn read<'a>(&self, parts: &'a Parts) -> Head<'a> {
        let mut head = Head {
            // A target with an authority is meant for a proxy; without one it has no scheme either.
            proxied: parts.uri.authority().is_some() || parts.method == Method::CONNECT,
            #[cfg(any(feature = "events", feature = "vault-surface"))]
            parts: Some(parts),
            ..Head::default()
        };
        for (name, value) in &parts.headers {
            let bytes = value.as_bytes();
            match name.as_str() {
                "host" => head.host.add(bytes),
                _ if self.token_headers.contains(name) => head.token.add(bytes),
                "authorization" => match scheme(bytes) {
                    (Scheme::Proof, proof) => head.proof.add(proof),
                    (Scheme::Signature, _) => head.signature = true,
                    (Scheme::Bearer, token) => head.token.add(token),
                    // Of another scheme nothing, which no token equals.
                    (Scheme::Other, _) => head.token.add(b""),
                },
                "content-length" => head.body |= bytes != b"0",
                "transfer-encoding" => head.body = true,
                "cache-control" | "pragma" => head.no_cache |= has_no_cache(bytes),
                "if-none-match" => head.if_none_match = Some(&parts.headers),
                "origin" | "sec-fetch-site" => head.browser = true,
                "x-request-id" => head.request_id.add(bytes),
                "traceparent" => head.trace.add(bytes),
                HOPS_HEADER => head.hops.add(bytes),
                // It would make this connection another protocol's.
                "upgrade" => head.proxied = true,
                "forwarded" | "via" | "x-real-ip" => head.forwarded = true,
                other => {
                    head.forwarded |= other.starts_with("x-forwarded-") || self.forwarded_headers.contains(name);
                }
            }
        }
        head
    }

    /// What every route asks for, the token left out.
    pub(crate) fn check_origin(&self, peer: &Peer, head: &Head<'_>, is_ping: bool) -> Result<(), Refusal> {
        if peer.crowded && !is_ping {
            return Err(Refusal::Crowded);
        }
        if head.proxied || (self.local && head.forwarded) {
            return Err(Refusal::Forwarded);
        }
        if !head.host.one().is_some_and(|host| self.allows_host(peer, host)) {
            return Err(Refusal::Host);
        }
        if head.browser {
            return Err(Refusal::Browser);
        }
        Ok(())
    }

    /// Where no name is configured, the one counts by which a platform has routed the request.
    fn allows_host(&self, peer: &Peer, host: &[u8]) -> bool {
        let name = without_port(host);
        let is_it = |allowed: &str| allowed.as_bytes().eq_ignore_ascii_case(name);
        match &peer.host {
            Some(routed) if self.allowed_hosts.is_empty() => is_it(routed),
            _ => self.allowed_hosts.iter().any(|allowed| is_it(allowed)),
        }
    }
}

/// What stands before the port. With a port that is no number the whole is kept, and matches nothing.
fn without_port(host: &[u8]) -> &[u8] {
    let Some(colon) = host.iter().rposition(|&b| b == b':') else { return host };
    let (name, port) = host.split_at(colon);
    let is_port = port.len() > 1 && port.len() <= 6 && port[1..].iter().all(u8::is_ascii_digit);
    if is_port { name } else { host }
}

/// How a credential in `Authorization` is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Proof,
    Signature,
    Other,
}

const SCHEMES: [(&[u8], Scheme); 3] =
    [(b"bearer", Scheme::Bearer), (b"lockstep-iam", Scheme::Proof), (b"aws4-hmac-sha256", Scheme::Signature)];

/// The scheme of a value of `Authorization`, and what stands behind it.
fn scheme(value: &[u8]) -> (Scheme, &[u8]) {
    let Some(space) = value.iter().position(|&b| b == b' ') else { return (Scheme::Other, b"") };
    let (scheme, rest) = value.split_at(space);
    let known = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    known.map_or((Scheme::Other, b""), |(_, scheme)| (*scheme, rest.trim_ascii()))
}

fn has_no_cache(value: &[u8]) -> bool {
    value.split(|&b| b == b',').any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-cache"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: in `without_port`, the count of the port's characters or the look at its digits.
    #[test]
    fn l4_a_host_is_compared_without_its_port_and_nothing_else_left_out() {
        let cases: [(&str, &str); 8] = [
            ("127.0.0.1:2773", "127.0.0.1"),
            ("localhost", "localhost"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:", "127.0.0.1:"),
            ("127.0.0.1:80@evil", "127.0.0.1:80@evil"),
            ("127.0.0.1:123456", "127.0.0.1:123456"),
            ("", ""),
        ];
        for (host, name) in cases {
            assert_eq!(without_port(host.as_bytes()), name.as_bytes(), "{host}");
        }
    }

    #[test]
    fn the_scheme_says_what_a_credential_is() {
        for (value, expected, credential) in [
            ("Bearer abc", Scheme::Bearer, "abc"),
            ("bearer  abc ", Scheme::Bearer, "abc"),
            ("Lockstep-IAM e30=", Scheme::Proof, "e30="),
            ("AWS4-HMAC-SHA256 Credential=x", Scheme::Signature, "Credential=x"),
            ("Basic abc", Scheme::Other, ""),
            ("abc", Scheme::Other, ""),
            ("Bearer", Scheme::Other, ""),
            ("Bearerabc x", Scheme::Other, ""),
        ] {
            assert_eq!(scheme(value.as_bytes()), (expected, credential.as_bytes()), "{value}");
        }
    }

    #[test]
    fn no_cache_is_found_among_directives() {
        for (value, expected) in
            [("no-cache", true), ("max-age=0, No-Cache", true), ("no-cached", false), ("no-store", false)]
        {
            assert_eq!(has_no_cache(value.as_bytes()), expected, "{value}");
        }
    }
}
