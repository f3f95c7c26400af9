//! Where a request goes: scheme, host and port, out of its address.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use lockstep_core::{Error, ErrorKind, Result};

/// Requests with equal targets may share a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// A name or an address; that of IPv6 without its brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

impl Target {
    /// # Errors
    /// `Config` when the address has no host, or a scheme that is not spoken here.
    pub(super) fn of(uri: &Uri, with_tls: bool) -> Result<Self> {
        let tls = match uri.scheme_str() {
            Some("https") if with_tls => true,
            Some("http") => false,
            _ => return Err(not_an_address()),
        };
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(not_an_address());
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: host.into(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The address is not quoted: it may hold a name.
pub(super) fn not_an_address() -> Error {
    Error::new(ErrorKind::Config, "the provider's address is no http:// or https:// URL with a host; correct it")
}

/// The authority for a `Host` header: no user, and no port that goes without saying.
pub(super) fn without_default_port<'a>(authority: &'a str, scheme: Option<&Scheme>) -> &'a str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let default = if scheme == Some(&Scheme::HTTPS) { ":443" } else { ":80" };
    host.strip_suffix(default).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_for_the_connection_and_for_the_host_header() {
        for (address, target, header) in [
            ("http://vault", "vault:80", "vault"),
            ("http://vault:80/", "vault:80", "vault"),
            ("https://vault:443/v1?q", "vault:443", "vault"),
            ("https://vault:80/", "vault:80", "vault:80"),
            ("https://vault:8200/", "vault:8200", "vault:8200"),
            ("http://user:word@vault:8200/", "vault:8200", "vault:8200"),
            ("http://[fd00:ec2::254]/latest", "[fd00:ec2::254]:80", "[fd00:ec2::254]"),
            ("http://169.254.169.254/", "169.254.169.254:80", "169.254.169.254"),
        ] {
            let uri: Uri = address.parse().unwrap();
            assert_eq!(Target::of(&uri, true).unwrap().to_string(), target);
            let authority = uri.authority().unwrap().as_str();
            assert_eq!(without_default_port(authority, uri.scheme()), header);
        }
        let uri: Uri = "http://[fd00:ec2::254]:81/".parse().unwrap();
        let expected = Target { tls: false, host: "fd00:ec2::254".into(), port: 81 };
        assert_eq!(Target::of(&uri, false).unwrap(), expected);
    }

    #[test]
    fn what_is_no_address_is_told_without_quoting_it() {
        for (address, with_tls) in
            [("/c4n4ry", true), ("c4n4ry:80", true), ("ftp://c4n4ry/", true), ("https://c4n4ry/", false)]
        {
            let error = Target::of(&address.parse().unwrap(), with_tls).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{address}");
            assert!(!error.message().contains("c4n4ry"), "{error}");
        }
    }
}
