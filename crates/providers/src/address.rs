//! [`Address`]: where a server is, in the form that requests are built from.

use http::uri::{Authority, Scheme, Uri};
use lockstep_core::{Error, ErrorKind, Result};

/// Scheme, host and port, with a path when a proxy puts one before the API.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    scheme: Scheme,
    authority: Authority,
    /// What stands before the API's own paths, without a `/` at its end.
    base: String,
}

impl Address {
    /// `None` when the text is no URL of `http` or `https`, or has a user or a query.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = text.trim_end_matches('/').parse::<Uri>().ok()?.into_parts();
        let (scheme, authority, path) = (parts.scheme?, parts.authority?, parts.path_and_query);
        let has_query = path.as_ref().is_some_and(|path| path.query().is_some());
        if (scheme != Scheme::HTTP && scheme != Scheme::HTTPS) || authority.as_str().contains('@') || has_query {
            return None;
        }
        let base = path.map_or_else(String::new, |path| path.path().trim_end_matches('/').to_owned());
        Some(Self { scheme, authority, base })
    }

    /// The URI of a path of the API, which is already encoded and has no `/` at its beginning.
    ///
    /// # Errors
    /// `InvalidName`: what can't stand in an address came in with a name.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}/{path}", self.base))
            .build()
            .map_err(|_| Error::new(ErrorKind::InvalidName, "the name makes no valid address; look at its characters"))
    }

    /// The address as the scope names it.
    pub(crate) fn text(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.base)
    }

    /// Whether it has a path.
    #[cfg(feature = "gcp-secret-manager")]
    pub(crate) fn has_path(&self) -> bool {
        !self.base.is_empty()
    }

    /// Whether what is sent there is encrypted, or stays on this machine.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn is_private(&self) -> bool {
        self.scheme == Scheme::HTTPS || lockstep_core::is_loopback(self.authority.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_path_and_nothing_else() {
        let uri = |text: &str| Address::parse(text).unwrap().uri("v1/sys/health").unwrap().to_string();
        assert_eq!(uri("https://vault.internal:8200"), "https://vault.internal:8200/v1/sys/health");
        assert_eq!(uri("http://127.0.0.1:8200/proxy/"), "http://127.0.0.1:8200/proxy/v1/sys/health");
        for bad in ["", "vault.internal", "ftp://vault", "https://", "https://u:p@vault", "https://vault?x=1", "/x"] {
            assert!(Address::parse(bad).is_none(), "{bad}");
        }
    }
}
