//! Addresses of providers: what may be sent where.

use http::Uri;
use lockstep_core::is_loopback;

/// Says what is wrong with an address. It is never quoted: it may hold a password.
pub(crate) fn check(text: &str, insecure: bool) -> Result<(), &'static str> {
    let uri: Uri = text.parse().map_err(|_| "this is no address; write for example `https://vault.internal:8200`")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("the address has no scheme or no host; write for example `https://vault.internal:8200`");
    };
    if authority.as_str().contains('@') {
        return Err("a secret never stands in the configuration; remove the user and password from the address");
    }
    if uri.query().is_some() {
        return Err("an address has no `?`; remove it and what follows");
    }
    match scheme {
        "https" => Ok(()),
        "http" if insecure || is_loopback(uri.host().unwrap_or_default()) => Ok(()),
        "http" => Err("`http://` to another machine would send secrets in the clear; write `https://`, or add \
                       `insecure = true` if that is what you want"),
        _ => Err("the address begins with neither `https://` nor `http://`"),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn plain_http_stays_on_this_machine_unless_told_otherwise() {
        for (address, insecure, fine) in [
            ("https://vault.internal:8200", false, true),
            ("https://vault.internal/proxy/", false, true),
            ("http://127.0.0.1:8200", false, true),
            ("http://[::1]:8200", false, true),
            ("http://localhost:8200", false, true),
            ("http://vault.internal:8200", true, true),
            ("http://vault.internal:8200", false, false),
            ("http://127.0.0.1.evil.test", false, false),
            ("http://localhost.evil.test", false, false),
            ("https://user:hunter2@vault.internal", true, false),
            ("https://vault.internal?token=x", true, false),
            ("ftp://vault.internal", true, false),
            ("vault.internal:8200", true, false),
            ("", true, false),
        ] {
            let result = check(address, insecure);
            assert_eq!(result.is_ok(), fine, "{address}");
            assert!(result.err().is_none_or(|message| !message.contains("hunter2")));
        }
    }
}
