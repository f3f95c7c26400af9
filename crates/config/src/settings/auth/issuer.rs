//! `[auth.jwt.<name>]`: issuers of signed tokens. Each kind has its own keys, and those that every issuer has.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::provider::tagged;
use crate::settings::{AliasName, Tls};
use crate::units::Period;

/// `[auth.jwt.<name>]`.
pub type Issuers = BTreeMap<AliasName, Issuer>;

/// What every issuer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerCommon<'a> {
    /// Whom tokens have to be for.
    pub audiences: &'a [String],
    /// What else has to stand in them.
    pub required: &'a BTreeMap<String, Vec<String>>,
    /// How far clocks may be apart.
    pub leeway: Period,
    /// How long a token may be made for.
    pub max_lifetime: Option<Period>,
    /// Hosts beside the issuer's own that may have the keys.
    pub key_hosts: &'a [String],
    /// A file with the keys.
    pub keys_file: Option<&'a PathBuf>,
    /// Whether `http://` may go to other machines.
    pub insecure: bool,
    /// Whom TLS trusts.
    pub tls: &'a Tls,
}

/// The settings of one kind of issuer: what stands in the braces, and what every issuer has.
macro_rules! issuer {
    ($(#[$about:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Whom its tokens have to be for: one of these has to stand in `aud`. Mostly the address of this endpoint.
            pub audiences: Vec<String>,
            /// What else has to stand in its tokens: each claim with the texts that it may have; `*` stands for any run
            /// of characters.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub required: BTreeMap<String, Vec<String>>,
            /// How far clocks may be apart; at most 1m.
            #[serde(default = "leeway")]
            pub leeway: Period,
            /// How long a token may be made for, from `iat` to `exp`; without it, any time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub max_lifetime: Option<Period>,
            /// Hosts (`host` or `host:port`) beside the issuer's own where its keys may be.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub key_hosts: Vec<String>,
            /// A file with its keys (a JSON Web Key Set), read at start, instead of asking the issuer for them.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub keys_file: Option<PathBuf>,
            /// Allows `http://` to another machine.
            #[serde(default)]
            pub insecure: bool,
            /// Whom TLS trusts.
            #[serde(default, skip_serializing_if = "Tls::is_default")]
            pub tls: Tls,
        }

        impl $name {
            fn common(&self) -> IssuerCommon<'_> {
                IssuerCommon {
                    audiences: &self.audiences,
                    required: &self.required,
                    leeway: self.leeway,
                    max_lifetime: self.max_lifetime,
                    key_hosts: &self.key_hosts,
                    keys_file: self.keys_file.as_ref(),
                    insecure: self.insecure,
                    tls: &self.tls,
                }
            }
        }
    };
}

fn leeway() -> Period {
    Period::of(Duration::from_secs(30))
}

tagged! {
    /// An issuer of signed tokens; `type` says which kind.
    pub enum Issuer by "type" {
        /// Workflows of GitHub Actions.
        GithubActions(GithubActionsIssuer) = "github-actions",
        /// Service accounts of a Kubernetes cluster.
        Kubernetes(KubernetesIssuer) = "kubernetes",
        /// Identities of an AWS account, by `GetWebIdentityToken`.
        AwsWebIdentity(AwsWebIdentityIssuer) = "aws-web-identity",
        /// Identity tokens of Google.
        Google(GoogleIssuer) = "google",
        /// Access tokens of Microsoft Entra.
        Entra(EntraIssuer) = "entra",
        /// Users and services that Cloudflare Access lets in.
        CloudflareAccess(CloudflareAccessIssuer) = "cloudflare-access",
        /// Any other issuer of OpenID Connect.
        Oidc(OidcIssuer) = "oidc",
    }
}

impl Issuer {
    /// What every issuer has.
    pub fn common(&self) -> IssuerCommon<'_> {
        match self {
            Self::GithubActions(issuer) => issuer.common(),
            Self::Kubernetes(issuer) => issuer.common(),
            Self::AwsWebIdentity(issuer) => issuer.common(),
            Self::Google(issuer) => issuer.common(),
            Self::Entra(issuer) => issuer.common(),
            Self::CloudflareAccess(issuer) => issuer.common(),
            Self::Oidc(issuer) => issuer.common(),
        }
    }

    /// The address of its keys, where one may be written.
    pub fn keys_url(&self) -> Option<&str> {
        match self {
            Self::Kubernetes(issuer) => issuer.keys_url.as_deref(),
            Self::Oidc(issuer) => issuer.keys_url.as_deref(),
            _ => None,
        }
    }
}

issuer! {
    /// Workflows of GitHub Actions, of the repositories of one owner. The subject is `sub`, such as
    /// `repo:acme/shop:ref:refs/heads/main`.
    pub struct GithubActionsIssuer {
        /// The user or organization that the repositories belong to.
        pub owner: String,
    }
}

issuer! {
    /// Service accounts of a Kubernetes cluster. The subject is `system:serviceaccount:<namespace>:<name>`.
    pub struct KubernetesIssuer {
        /// The cluster's issuer, as `kubectl get --raw /.well-known/openid-configuration` shows it.
        pub issuer: String,
        /// The address of its keys, such as `https://10.0.0.1:6443/openid/v1/jwks`; else discovery says it. It is asked
        /// without a login.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub keys_url: Option<String>,
    }
}

issuer! {
    /// Identities of an AWS account, by `sts:GetWebIdentityToken`. The subject is the ARN.
    pub struct AwsWebIdentityIssuer {
        /// The account's issuer, as `aws iam get-outbound-web-identity-federation-info` shows it.
        pub issuer: String,
        /// The account's 12 digits.
        pub account: String,
    }
}

issuer! {
    /// Identity tokens of Google. The subject is the verified e-mail address.
    pub struct GoogleIssuer {
        /// Whose tokens are accepted: addresses, or patterns with a whole domain such as
        /// `*@acme-prod.iam.gserviceaccount.com`.
        pub emails: Vec<String>,
    }
}

issuer! {
    /// Access tokens of Microsoft Entra for an application of yours. The subject is `oid`.
    pub struct EntraIssuer {
        /// The tenant's id.
        pub tenant: String,
        /// Which form the application's tokens have: `requestedAccessTokenVersion` in its manifest.
        #[serde(default)]
        pub version: EntraTokenVersion,
    }
}

/// Which form tokens of Entra have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum EntraTokenVersion {
    /// 1, or nothing, in the manifest.
    V1,
    /// 2 in the manifest.
    #[default]
    V2,
}

issuer! {
    /// Users and service tokens that Cloudflare Access lets in; the audience is the application's AUD tag. The subject is
    /// `email:<address>` or `common_name:<client id>`.
    pub struct CloudflareAccessIssuer {
        /// The team's name: `acme` of `acme.cloudflareaccess.com`.
        pub team: String,
    }
}

issuer! {
    /// Any issuer of OpenID Connect, or of tokens like its own.
    pub struct OidcIssuer {
        /// What stands in `iss`, to the letter.
        pub issuer: String,
        /// The address of its keys (a JSON Web Key Set); else discovery says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub keys_url: Option<String>,
        /// How tokens may be signed: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `EdDSA`.
        #[serde(default = "algorithms")]
        pub algorithms: Vec<String>,
        /// What `typ` may be; an empty text stands for tokens without one.
        #[serde(default = "types")]
        pub types: Vec<String>,
        /// The claims that name the caller; the first that is there counts.
        #[serde(default = "subject")]
        pub subject: Vec<String>,
    }
}

fn algorithms() -> Vec<String> {
    vec!["RS256".to_owned(), "ES256".to_owned()]
}

fn types() -> Vec<String> {
    vec!["JWT".to_owned(), String::new()]
}

fn subject() -> Vec<String> {
    vec!["sub".to_owned()]
}
