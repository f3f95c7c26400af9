//! What the configuration says of a project of Google Cloud.

use lockstep_core::{Error, ErrorKind, MAX_MEMBERS, Result};

use crate::Credential;

/// Which project's secrets, where, and how to log in.
#[derive(Debug, Clone)]
pub struct GcpSettings {
    /// The project, by its id (`acme-prod`) or number.
    pub project: String,
    /// The location of regional secrets, such as `europe-west3`; none for global ones. The two are different secrets.
    pub location: Option<String>,
    /// Instead of Google's address of Secret Manager: scheme, host and port.
    pub endpoint: Option<String>,
    /// Instead of Google's address for tokens: the whole URL, of OAuth for keys and of the security token service for
    /// workload identity. With it, whatever a credentials file says of such an address is not looked at.
    pub token_endpoint: Option<String>,
    /// Instead of Google's address for impersonation: scheme, host and port.
    pub iam_endpoint: Option<String>,
    /// The domain of another cloud that runs Google's software; `googleapis.com` unless told otherwise.
    pub universe_domain: Option<String>,
    /// How to log in.
    pub auth: GcpAuth,
    /// Keys and items that an answer may have; [`MAX_MEMBERS`] unless told otherwise.
    pub members: usize,
    /// The environment of its scope.
    pub environment: String,
}

/// How to log in.
#[derive(Debug, Clone, Default)]
pub struct GcpAuth {
    /// Who we are.
    pub source: GcpSource,
    /// The service account to take the place of, by its e-mail address.
    pub impersonate: Option<String>,
}

/// Who we are.
#[derive(Debug, Clone, Default)]
pub enum GcpSource {
    /// The file that `GOOGLE_APPLICATION_CREDENTIALS` names, else the metadata server.
    #[default]
    Default,
    /// A service account with a key.
    ServiceAccount {
        /// The key, as the JSON that Google made of it. It is read again for each login.
        key: Credential,
        /// Whether tokens are signed here (AIP-4111), which asks nobody, or fetched for a signed assertion.
        self_signed: bool,
    },
    /// The machine's service account, as its metadata server says.
    Metadata,
    /// Somebody else's token, exchanged for one of Google's.
    WorkloadIdentity {
        /// The provider of the pool: `//iam.googleapis.com/projects/…/locations/global/workloadIdentityPools/…`.
        audience: String,
        /// The token. It is read again for each login.
        token: Credential,
        /// What kind of token it is.
        token_type: GcpTokenType,
    },
}

/// The kind of somebody else's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GcpTokenType {
    /// A JWT of an OIDC issuer, such as Kubernetes or GitHub.
    #[default]
    Jwt,
    /// An id token of OpenID Connect.
    IdToken,
    /// A SAML 2.0 assertion.
    Saml2,
}

impl GcpTokenType {
    /// The name in RFC 8693.
    pub(super) fn urn(self) -> &'static str {
        match self {
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
        }
    }
}

impl GcpSettings {
    /// Global secrets of a project, with the login that its machine has.
    pub fn new(project: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            location: None,
            endpoint: None,
            token_endpoint: None,
            iam_endpoint: None,
            universe_domain: None,
            auth: GcpAuth::default(),
            members: MAX_MEMBERS,
            environment: String::new(),
        }
    }

    /// Looks at what becomes part of an address.
    ///
    /// # Errors
    /// `Config`, saying what to write.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |message: &str| Err(Error::new(ErrorKind::Config, message));
        let is_word = |text: &str, more: &[u8]| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
            !text.is_empty() && text.len() <= 63 && text.bytes().all(fits)
        };
        // A project of a domain is `example.com:project`.
        if !is_word(&self.project, b"-.:") {
            return wrong("`project` is no project of Google Cloud; write its id, such as `acme-prod`, or its number");
        }
        if self.location.as_deref().is_some_and(|location| !is_word(location, b"-")) {
            return wrong("`location` is no location of Google Cloud; write for example `europe-west3`");
        }
        if self.universe_domain.as_deref().is_some_and(|domain| !is_word(domain, b"-.") || !domain.contains('.')) {
            return wrong("`universe_domain` is no domain; write for example `googleapis.com`, or remove it");
        }
        if let GcpSource::WorkloadIdentity { audience, .. } = &self.auth.source
            && !audience.starts_with("//iam.")
        {
            return wrong(
                "`audience` is no provider of a workload identity pool; write `//iam.googleapis.com/projects/<number>/\
                 locations/global/workloadIdentityPools/<pool>/providers/<provider>`",
            );
        }
        if self.auth.impersonate.as_deref().is_some_and(|account| !is_account(account)) {
            return wrong(
                "`impersonate` is no service account; write its address, such as \
                 `reader@acme-prod.iam.gserviceaccount.com`",
            );
        }
        Ok(())
    }
}

/// Whether this is the address of a service account, and nothing that could end a path.
pub(super) fn is_account(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+:".contains(&byte);
    text.len() <= 254
        && text.split_once('@').is_some_and(|(user, domain)| {
            !user.is_empty() && domain.contains('.') && user.bytes().chain(domain.bytes()).all(fits)
        })
}
