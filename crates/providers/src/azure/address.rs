//! [`Address`]: scheme, host and port of a vault or an authority, and what may be sent there.

use std::net::Ipv4Addr;

use http::Uri;
use http::uri::{Authority, Scheme};
use lockstep_core::{Error, ErrorKind, Result, is_loopback};

/// Scheme, host and port; the port only when it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    scheme: Scheme,
    authority: Authority,
}

impl Address {
    /// Reads `https://host[:port]`. `place` is how messages name it.
    ///
    /// # Errors
    /// `Config` when it has anything else, or would send secrets in the clear to another machine.
    pub(super) fn parse(text: &str, place: &str, insecure: bool) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorKind::Config, format!("`{place}` {what}"));
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| wrong("is no URL; write `https://host`"))?;
        let address = Self::of(&uri).ok_or_else(|| wrong("has no scheme or no host; write `https://host`"))?;
        if address.authority.as_str().contains('@') || uri.path().len() > 1 || uri.query().is_some() {
            return Err(wrong("has a user, path or query; write scheme, host and port only"));
        }
        if address.scheme != Scheme::HTTPS && address.scheme != Scheme::HTTP {
            return Err(wrong("is neither http nor https; write `https://host`"));
        }
        if address.scheme == Scheme::HTTP && !insecure && !address.is_loopback() {
            return Err(wrong("sends secrets over plain http; write `https://`, or set `insecure = true`"));
        }
        Ok(address)
    }

    /// Where a URI leads, its path aside.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let (scheme, authority) = (uri.scheme()?.clone(), uri.authority()?);
        let port = if scheme == Scheme::HTTPS { ":443" } else { ":80" };
        let text = authority.as_str().to_ascii_lowercase();
        let authority = text.strip_suffix(port).unwrap_or(&text).parse().ok()?;
        Some(Self { scheme, authority })
    }

    /// The URI of this path and query, encoded already.
    pub(super) fn uri(&self, path_and_query: &str) -> Result<Uri> {
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        let uri = uri.path_and_query(path_and_query).build();
        uri.map_err(|_| Error::new(ErrorKind::Internal, "the path of a request can't be built"))
    }

    /// `https://host[:port]`.
    pub(super) fn text(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    pub(super) fn host(&self) -> &str {
        self.authority.host()
    }

    /// Whether it is plain http.
    pub(super) fn is_plain(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// An address that no router forwards, such as that of the machine's own metadata.
    pub(super) fn is_link_local(&self) -> bool {
        self.host().parse::<Ipv4Addr>().is_ok_and(|address| address.is_link_local())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: any check of `Address::parse`.
    #[test]
    fn plain_http_and_what_is_no_host_are_refused() {
        for (text, insecure, expected) in [
            ("https://kv.vault.azure.net", false, Ok("https://kv.vault.azure.net")),
            ("https://KV.vault.azure.net:443/", false, Ok("https://kv.vault.azure.net")),
            ("http://127.0.0.1:1", false, Ok("http://127.0.0.1:1")),
            ("http://[::1]:1", false, Ok("http://[::1]:1")),
            ("http://kv.internal:80", true, Ok("http://kv.internal")),
            ("http://kv.internal", false, Err("plain http")),
            ("http://127.0.0.1.evil.test", false, Err("plain http")),
            ("https://u:hunter2@kv.vault.azure.net", true, Err("a user")),
            ("https://kv.vault.azure.net/secrets", true, Err("path")),
            ("https://kv.vault.azure.net?x=1", true, Err("query")),
            ("ftp://kv", true, Err("neither http nor https")),
            ("kv.vault.azure.net", true, Err("no scheme")),
            ("", true, Err("no URL")),
        ] {
            match (Address::parse(text, "address", insecure), expected) {
                (Ok(address), Ok(expected)) => assert_eq!(address.text(), expected),
                (Err(error), Err(part)) => {
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(error.message().contains(part) && !error.message().contains("hunter2"), "{text}: {error}");
                }
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }
}
