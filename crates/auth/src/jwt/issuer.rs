//! [`IssuerSettings`]: an issuer whose tokens are accepted, and [`Issuer`]: the same, checked.
//!
//! Nothing is accepted that was not written down: no algorithm, audience or type of token. What is too wide to be meant,
//! such as an issuer without an audience, is an error at the start and not a surprise later.

use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use lockstep_core::{Alias, Error, ErrorKind, Result, TlsProfile, is_loopback};

use super::algorithm::Algorithm;
use super::jwks::KeySet;
use super::pattern::ClaimPattern;

/// The longest leeway.
pub const MAX_LEEWAY: Duration = Duration::from_mins(1);

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Where `{issuer}/.well-known/openid-configuration` says (OpenID Connect Discovery 1.0). The address has to be on the
    /// issuer's own host and port, or on one of [`IssuerSettings::key_hosts`].
    Discovery,
    /// At this address.
    Url(String),
    /// Here: a JSON Web Key Set. It changes with the configuration alone.
    Static(String),
}

/// An issuer whose tokens are accepted. The [profiles](super::Profile) fill it in for well-known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Its name in principals' ids: `jwt:<name>:<subject>`. 1 to 63 lower-case letters, digits, `-` and `_`, beginning
    /// with a letter.
    pub name: String,
    /// What stands in `iss`, to the letter.
    pub issuer: String,
    /// Where its keys are. The default is [`KeySource::Discovery`].
    pub keys: KeySource,
    /// Whom its tokens are for: one of these has to stand in `aud`. At least one.
    pub audiences: Vec<String>,
    /// How its tokens may be signed. The default is RS256 and ES256.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may be, without `application/`, in any case. An empty text stands for tokens without one. The default
    /// is `JWT` or none.
    pub types: Vec<String>,
    /// What else has to stand in its tokens: each claim with patterns, one of which has to fit. A list fits when one of
    /// its items does. The default is nothing.
    pub required: Vec<(String, Vec<ClaimPattern>)>,
    /// The claims that name the caller; the first that is there, and not empty, counts. With more than one, the claim's
    /// name stands before its text in the id, so that no two kinds of callers share one. The default is `sub`.
    pub subject: Vec<String>,
    /// How far clocks may be apart, at `exp`, `nbf` and `iat`. At most [`MAX_LEEWAY`]. The default is 30 s.
    pub leeway: Duration,
    /// How long a token may be made for, from `iat` to `exp`, both of which it then has to have. The default is any time.
    pub max_lifetime: Option<Duration>,
    /// How old a token may be, from `iat`, which it then has to have. The default is any age.
    pub max_age: Option<Duration>,
    /// Hosts beside the issuer's own, as `host` or `host:port`, where discovery may say that the keys are.
    pub key_hosts: Vec<String>,
    /// Whether its addresses may be `http://` elsewhere than on this machine.
    pub insecure: bool,
    /// Whom the connection to it trusts.
    pub tls: TlsProfile,
}

impl IssuerSettings {
    /// Settings with every default.
    pub fn new(name: impl Into<String>, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            keys: KeySource::Discovery,
            audiences: vec![audience.into()],
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            types: vec!["JWT".to_owned(), String::new()],
            required: Vec::new(),
            subject: vec!["sub".to_owned()],
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            max_age: None,
            key_hosts: Vec::new(),
            insecure: false,
            tls: TlsProfile::default(),
        }
    }
}

/// Where the keys of an [`Issuer`] are, read.
pub(crate) enum Place {
    /// The address of the discovery document.
    Discovery(Uri),
    Url(Uri),
    Static(KeySet),
}

/// An issuer whose settings were checked.
pub(crate) struct Issuer {
    pub(crate) settings: IssuerSettings,
    pub(crate) place: Place,
}

impl Issuer {
    /// Checks settings.
    ///
    /// # Errors
    /// `Config`, with what to write instead.
    pub(crate) fn new(settings: IssuerSettings) -> Result<Self> {
        if Alias::parse(&settings.name).is_err() {
            let message = "the name of an issuer of tokens is 1 to 63 lower-case letters, digits, `-` and `_`, beginning \
                           with a letter, such as `github`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let place = settings.check()?;
        Ok(Self { settings, place })
    }

    /// Whether a token's `typ` is one of those accepted.
    pub(crate) fn takes_type(&self, kind: Option<&str>) -> bool {
        let kind = kind.unwrap_or_default();
        let short = match kind.split_at_checked("application/".len()) {
            Some((before, rest)) if before.eq_ignore_ascii_case("application/") => rest,
            _ => kind,
        };
        self.settings.types.iter().any(|known| known.eq_ignore_ascii_case(short))
    }
}

impl IssuerSettings {
    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Config, format!("the issuer `{}`: {what}", self.name))
    }

    fn check(&self) -> Result<Place> {
        if self.issuer.is_empty()
            || self.issuer.len() > 1024
            || !self.issuer.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(self.wrong("`issuer` is what stands in `iss`; write a URL like `https://token.example.com`"));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(self.wrong(
                "there is no audience; write the one that its tokens are made for here, such as this endpoint's address",
            ));
        }
        if self.algorithms.is_empty() {
            return Err(self.wrong("there is no algorithm; write those that it signs with, such as `RS256`"));
        }
        if self.types.is_empty() {
            return Err(self.wrong("there is no type; write `JWT`, and an empty text for tokens without `typ`"));
        }
        if self.subject.is_empty() || self.subject.iter().any(|claim| claim.is_empty() || claim.contains(':')) {
            return Err(self.wrong("no claim names the caller; write one without a `:`, such as `sub`"));
        }
        if let Some((claim, _)) = self.required.iter().find(|(claim, any)| claim.is_empty() || any.is_empty()) {
            return Err(self.wrong(format!(
                "the required claim `{}` has no pattern; write what it has to be, or `*` for anything",
                claim.escape_debug()
            )));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(self.wrong("the leeway is longer than a minute; write at most `60s`"));
        }
        if self.max_lifetime.is_some_and(|time| time.is_zero()) || self.max_age.is_some_and(|time| time.is_zero()) {
            return Err(self.wrong("no token is that young; leave the limit out, or write one like `1h`"));
        }
        match &self.keys {
            KeySource::Static(text) => KeySet::parse(text.as_bytes())
                .map(Place::Static)
                .map_err(|error| self.wrong(format!("its key set can't be used: {error}"))),
            KeySource::Url(url) => self.address(url, "the address of its keys").map(Place::Url),
            KeySource::Discovery => {
                let document = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
                if self.issuer.contains(['?', '#']) {
                    return Err(
                        self.wrong("`issuer` has a query, so it has no discovery; write the address of its keys")
                    );
                }
                self.address(&document, "`issuer`").map(Place::Discovery)
            }
        }
    }

    /// An address that the operator has written.
    fn address(&self, text: &str, what: &str) -> Result<Uri> {
        let uri: Uri = text
            .parse()
            .ok()
            .filter(is_plain)
            .ok_or_else(|| self.wrong(format!("{what} is no URL; write one like `https://token.example.com`")))?;
        let is_private = uri.scheme() == Some(&Scheme::HTTPS) || is_loopback(uri.host().unwrap_or_default());
        if is_private || self.insecure {
            Ok(uri)
        } else {
            Err(self.wrong(format!("{what} is not encrypted; write `https://`, or `insecure = true` if that is meant")))
        }
    }
}

/// Whether an address is one of `http` or `https` with a host, and without a user.
pub(crate) fn is_plain(uri: &Uri) -> bool {
    let is_http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    is_http
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut IssuerSettings);

    fn good() -> IssuerSettings {
        IssuerSettings::new("ci", "https://token.example.com", "https://lockstep.example.com")
    }

    /// Break: any check of `IssuerSettings::check`.
    #[test]
    fn a_wrong_issuer_says_what_to_write() {
        assert!(Issuer::new(good()).is_ok());
        let rows: [(Change, &str); 18] = [
            (|s| s.name = "GitHub".into(), "lower-case letters"),
            (|s| s.name = "a:b".into(), "lower-case letters"),
            (|s| s.issuer = String::new(), "write a URL"),
            (|s| s.issuer = "https://a b".into(), "write a URL"),
            (|s| s.issuer = "token.example.com".into(), "no URL"),
            (|s| s.issuer = "https://u:p@token.example.com".into(), "no URL"),
            (|s| s.issuer = "ftp://token.example.com".into(), "no URL"),
            (|s| s.issuer = "http://token.example.com".into(), "not encrypted"),
            (|s| s.issuer = "https://token.example.com?tenant=1".into(), "has a query"),
            (|s| s.audiences.clear(), "no audience"),
            (|s| s.audiences.push(String::new()), "no audience"),
            (|s| s.algorithms.clear(), "no algorithm"),
            (|s| s.types.clear(), "no type"),
            (|s| s.subject.clear(), "names the caller"),
            (|s| s.required.push(("email".into(), Vec::new())), "has no pattern"),
            (|s| s.leeway = Duration::from_secs(61), "at most `60s`"),
            (|s| s.max_age = Some(Duration::ZERO), "no token is that young"),
            (|s| s.keys = KeySource::Static(r#"{"keys":[]}"#.into()), "no key that can be used"),
        ];
        for (change, says) in rows {
            let mut settings = good();
            change(&mut settings);
            let error = Issuer::new(settings).err().unwrap_or_else(|| panic!("{says}"));
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(says), "{says}: {error}");
        }
        let mut local = good();
        local.issuer = "http://127.0.0.1:8080/realm/".into();
        let Place::Discovery(uri) = Issuer::new(local.clone()).unwrap().place else { panic!("no discovery") };
        assert_eq!(uri.to_string(), "http://127.0.0.1:8080/realm/.well-known/openid-configuration");
        local.issuer = "http://token.internal".into();
        local.insecure = true;
        assert!(Issuer::new(local).is_ok());
    }

    /// Break: the cut of `application/`, or the comparison without case.
    #[test]
    fn e9_a_type_is_one_that_was_written_down() {
        let mut settings = good();
        settings.types = vec!["at+jwt".into()];
        let issuer = Issuer::new(settings).unwrap();
        for (kind, taken) in [
            (Some("at+jwt"), true),
            (Some("AT+JWT"), true),
            (Some("application/at+jwt"), true),
            (Some("JWT"), false),
            (Some("at+jwt "), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(issuer.takes_type(kind), taken, "{kind:?}");
        }
        assert!(Issuer::new(good()).unwrap().takes_type(None));
    }
}
