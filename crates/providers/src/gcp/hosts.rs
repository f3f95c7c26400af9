//! [`Hosts`]: where requests go, and to whom a credentials file may send us (O5).
//!
//! What the operator writes into the configuration is explicit and taken as it is. A credentials file is not the
//! operator's word: it comes from whoever made the key or the pool. An address in it must be one of Google's own, to
//! the letter, or nothing is sent.

use http::Uri;
use http::uri::Scheme;
use lockstep_core::{Error, ErrorKind, Result};

use super::settings::GcpSettings;
use crate::address::Address;

const GOOGLE: &str = "googleapis.com";
/// The one path of each address that is exchanged for tokens.
const OAUTH_PATH: &str = "/token";
const STS_PATH: &str = "/v1/token";

/// The addresses of one provider.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    api: Address,
    iam: Address,
    token: Option<Uri>,
    universe: Box<str>,
}

impl Hosts {
    /// The addresses of these settings.
    ///
    /// # Errors
    /// `Config` when one of them is none.
    pub(super) fn of(settings: &GcpSettings) -> Result<Self> {
        let universe = settings.universe_domain.as_deref().unwrap_or(GOOGLE);
        let api = match (&settings.endpoint, &settings.location) {
            (Some(endpoint), _) => written(endpoint, "endpoint")?,
            (None, None) => google(&format!("secretmanager.{universe}"))?,
            // The global host serves no regional secret.
            (None, Some(location)) => google(&format!("secretmanager.{location}.rep.{universe}"))?,
        };
        let iam = match &settings.iam_endpoint {
            Some(endpoint) => written(endpoint, "iam_endpoint")?,
            None => google(&format!("iamcredentials.{universe}"))?,
        };
        let token = settings.token_endpoint.as_deref().map(|text| url(text, "token_endpoint")).transpose()?;
        Ok(Self { api, iam, token, universe: universe.into() })
    }

    /// Of Secret Manager, as the scope names it.
    pub(super) fn text(&self) -> String {
        self.api.text()
    }

    /// The domain of the cloud.
    pub(super) fn universe(&self) -> &str {
        &self.universe
    }

    /// An address of Secret Manager; the path is encoded already.
    pub(super) fn api(&self, path: &str) -> Result<Uri> {
        self.api.uri(path.trim_start_matches('/'))
    }

    /// An address of IAM's credentials.
    pub(super) fn iam(&self, path: &str) -> Result<Uri> {
        self.iam.uri(path.trim_start_matches('/'))
    }

    /// Where an assertion is exchanged: the operator's word, else the file's, else Google's.
    pub(super) fn oauth(&self, written: Option<&str>) -> Result<Uri> {
        self.exchange("oauth2", OAUTH_PATH, "token_uri", written)
    }

    /// Where somebody else's token is exchanged.
    pub(super) fn sts(&self, written: Option<&str>) -> Result<Uri> {
        self.exchange("sts", STS_PATH, "token_url", written)
    }

    /// The service account that the impersonation address of a credentials file means.
    ///
    /// # Errors
    /// `Config` when the address is not one of IAM's.
    pub(super) fn impersonated<'a>(&self, written: &'a str) -> Result<&'a str> {
        let hosts = self.allowed("iamcredentials");
        let account = hosts.iter().find_map(|host| {
            let rest = written.strip_prefix(&format!("https://{host}/v1/projects/-/serviceAccounts/"))?;
            rest.strip_suffix(":generateAccessToken")
        });
        account
            .filter(|account| super::settings::is_account(account))
            .ok_or_else(|| hostile("service_account_impersonation_url", "iam_endpoint"))
    }

    fn exchange(&self, service: &str, path: &str, member: &str, written: Option<&str>) -> Result<Uri> {
        if let Some(uri) = &self.token {
            return Ok(uri.clone());
        }
        let own = format!("https://{service}.{}{path}", self.universe);
        let text = match written {
            None => own,
            Some(text) if self.allowed(service).iter().any(|host| text == format!("https://{host}{path}")) => {
                text.to_owned()
            }
            Some(_) => return Err(hostile(member, "token_endpoint")),
        };
        text.parse().map_err(|_| Error::new(ErrorKind::Internal, "an address for tokens can't be built"))
    }

    fn allowed(&self, service: &str) -> [String; 2] {
        [format!("{service}.{GOOGLE}"), format!("{service}.{}", self.universe)]
    }
}

/// A host of Google's cloud, or of the one that was named.
fn google(host: &str) -> Result<Address> {
    let address = Address::parse(&format!("https://{host}")).filter(|address| !address.has_path());
    address.ok_or_else(|| Error::new(ErrorKind::Config, "`universe_domain` makes no host"))
}

/// An address that the operator wrote, without a path.
fn written(text: &str, key: &str) -> Result<Address> {
    let address = Address::parse(text).ok_or_else(|| no_url(key))?;
    if address.has_path() {
        let message = format!("`{key}` has a path; write scheme, host and port alone");
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(address)
}

/// An address that the operator wrote, with its path.
fn url(text: &str, key: &str) -> Result<Uri> {
    let uri: Uri = text.parse().map_err(|_| no_url(key))?;
    let is_http = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
    let has_host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if is_http && has_host && uri.query().is_none() { Ok(uri) } else { Err(no_url(key)) }
}

fn no_url(key: &str) -> Error {
    let message = format!("`{key}` is no URL without user and query; write it like `https://host:port`");
    Error::new(ErrorKind::Config, message)
}

/// The address is not quoted: whoever wrote it would speak through us.
fn hostile(member: &str, setting: &str) -> Error {
    let message = format!(
        "`{member}` of the credentials file is not one of Google's own addresses, and nothing was sent there; look at \
         who wrote the file, or write the address as `{setting}` into the configuration if it is meant"
    );
    Error::new(ErrorKind::Config, message)
}
