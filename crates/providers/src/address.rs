//! [`Address`]: where a server is, in the form that requests are built from.

use http::uri::{Authority, Scheme, Uri};
use lockstep_core::{Error, ErrorKind, Result};

/// Scheme, authority and a path before everything.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    scheme: Scheme,
    authority: Authority,
    /// Without a `/` at its end.
    base: String,
}

impl Address {
    /// Reads an address that the operator wrote. `example` is what to write instead of a wrong one.
    ///
    /// # Errors
    /// `Config` unless it is `http` or `https`, a host, and perhaps a port and a path.
    pub(crate) fn parse(text: &str, example: &str) -> Result<Self> {
        let wrong = || {
            let message = format!("the address is no URL without user and query; write for example `{example}`");
            Error::new(ErrorKind::Config, message)
        };
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(wrong()) };
        let path = parts.path_and_query;
        let has_query = path.as_ref().is_some_and(|path| path.query().is_some());
        if (scheme != Scheme::HTTP && scheme != Scheme::HTTPS) || authority.as_str().contains('@') || has_query {
            return Err(wrong());
        }
        let base = path.map_or_else(String::new, |path| path.path().trim_end_matches('/').to_owned());
        Ok(Self { scheme, authority, base })
    }

    /// The URI of a path, which begins with `/` and is encoded already.
    ///
    /// # Errors
    /// `InvalidName` when it makes no URI: all but the name is ours.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.base))
            .build()
            .map_err(|_| Error::new(ErrorKind::InvalidName, "the name makes no valid address; look at its characters"))
    }

    /// The address as a scope names it.
    pub(crate) fn text(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: any part of the check in `parse`.
    #[test]
    fn an_address_may_have_a_path_and_nothing_else() {
        let uri = |text: &str| Address::parse(text, "https://x").unwrap().uri("/v1/a").unwrap().to_string();
        assert_eq!(uri("https://vault.internal:8200"), "https://vault.internal:8200/v1/a");
        assert_eq!(uri("http://127.0.0.1:8200/proxy/"), "http://127.0.0.1:8200/proxy/v1/a");
        for bad in ["", "vault.internal", "ftp://vault", "https://", "https://u:p@vault", "https://vault?x=1", "/x"] {
            let error = Address::parse(bad, "https://x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
            assert!(error.message().contains("`https://x`") && !error.message().contains("u:p"), "{error}");
        }
    }
}
