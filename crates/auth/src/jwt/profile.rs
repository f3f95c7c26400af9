//! [`Profile`]: well-known issuers, with what is needed to accept their tokens safely.
//!
//! Some of them give tokens to anybody: GitHub to every repository, Google to every account, each with any audience. A
//! profile of such an issuer asks whose tokens are meant, and has no way to leave that out.

use lockstep_core::{Error, ErrorKind, Result};

use super::algorithm::Algorithm;
use super::issuer::{IssuerSettings, KeySource};
use super::pattern::ClaimPattern;

/// A well-known issuer. [`Profile::settings`] makes [`IssuerSettings`] of it, which may be changed further.
///
/// ```
/// use lockstep_auth::{ClaimPattern, Profile};
/// let github = Profile::GitHubActions { owner: "acme".to_owned() };
/// let mut settings = github.settings("github", "https://lockstep.acme.com")?;
/// settings.required.push(("ref".to_owned(), vec![ClaimPattern::new("refs/heads/main")]));
/// assert_eq!(settings.issuer, "https://token.actions.githubusercontent.com");
/// assert!(Profile::Google { emails: vec!["*".to_owned()] }.settings("google", "us").is_err());
/// # Ok::<(), lockstep_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Workflows of GitHub Actions, of the repositories of one owner. The subject is `sub`, such as
    /// `repo:acme/shop:ref:refs/heads/main`.
    GitHubActions {
        /// The user or organization that the repositories belong to.
        owner: String,
    },
    /// Service accounts of a Kubernetes cluster, by projected tokens. The subject is `sub`:
    /// `system:serviceaccount:<namespace>:<name>`. Keys are found by discovery; where the cluster says that they are at
    /// the address of its API server, list that in [`IssuerSettings::key_hosts`].
    Kubernetes {
        /// The cluster's issuer, as `kubectl get --raw /.well-known/openid-configuration` shows it.
        issuer: String,
    },
    /// Identities of an AWS account, by `sts:GetWebIdentityToken`. The subject is `sub`, the role's or user's ARN.
    AwsWebIdentity {
        /// The account's issuer, as `aws iam get-outbound-web-identity-federation-info` shows it.
        issuer: String,
        /// The account's 12 digits.
        account: String,
    },
    /// Identity tokens of Google, such as those of service accounts. The subject is `email`, which has to be verified.
    Google {
        /// Whose tokens are accepted: patterns of e-mail addresses, such as `*@acme-prod.iam.gserviceaccount.com`.
        emails: Vec<String>,
    },
    /// Access tokens of Microsoft Entra for an application of ours. The subject is `oid`, the id of the service
    /// principal, managed identity or user.
    Entra {
        /// The tenant's id.
        tenant: String,
        /// Which form the application's tokens have.
        version: EntraVersion,
    },
    /// Users and service tokens that Cloudflare Access lets in. The audience is the application's AUD tag. The subject is
    /// `email:<address>` of a user, and `common_name:<client id>` of a service token.
    CloudflareAccess {
        /// The team's name: `acme` of `acme.cloudflareaccess.com`.
        team: String,
    },
}

/// Which form tokens of Entra have: `requestedAccessTokenVersion` in the manifest of the application they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntraVersion {
    /// 1, or nothing: issued by `sts.windows.net`.
    V1,
    /// 2: issued by `login.microsoftonline.com`.
    V2,
}

impl Profile {
    /// Settings of this issuer, under this name, for tokens with this audience.
    ///
    /// # Errors
    /// `Config` when a field can't be what it is for, with what to write.
    pub fn settings(&self, name: &str, audience: &str) -> Result<IssuerSettings> {
        let of = |issuer: &str| IssuerSettings::new(name, issuer, audience);
        let only = |text: &str| vec![ClaimPattern::new(text)];
        match self {
            Self::GitHubActions { owner } => {
                let owner = plain(owner, "`owner` is the user or organization on GitHub; write it like `acme`")?;
                let issuer = "https://token.actions.githubusercontent.com";
                Ok(IssuerSettings {
                    keys: KeySource::Url(format!("{issuer}/.well-known/jwks")),
                    algorithms: vec![Algorithm::Rs256],
                    types: vec!["JWT".to_owned()],
                    required: vec![("repository_owner".to_owned(), only(owner))],
                    ..of(issuer)
                })
            }
            Self::Kubernetes { issuer } => {
                Ok(IssuerSettings { required: vec![("sub".to_owned(), only("system:serviceaccount:*"))], ..of(issuer) })
            }
            Self::AwsWebIdentity { issuer, account } => {
                if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(wrong("`account` is the 12 digits of an AWS account; write it like `123456789012`"));
                }
                Ok(IssuerSettings {
                    algorithms: vec![Algorithm::Rs256, Algorithm::Es384],
                    required: vec![("sub".to_owned(), only(&format!("arn:*:iam::{account}:*")))],
                    ..of(issuer)
                })
            }
            Self::Google { emails } => {
                // `*` alone would be everybody who has an account.
                if emails.is_empty() || emails.iter().any(|email| !is_email_pattern(email)) {
                    let advice = "`emails` says whose tokens are accepted; write addresses, or patterns with a whole \
                                  domain such as `*@acme-prod.iam.gserviceaccount.com`";
                    return Err(wrong(advice));
                }
                let patterns = emails.iter().map(|email| ClaimPattern::new(email.as_str())).collect();
                Ok(IssuerSettings {
                    keys: KeySource::Url("https://www.googleapis.com/oauth2/v3/certs".to_owned()),
                    algorithms: vec![Algorithm::Rs256],
                    types: vec!["JWT".to_owned()],
                    required: vec![("email".to_owned(), patterns), ("email_verified".to_owned(), only("true"))],
                    subject: vec!["email".to_owned()],
                    ..of("https://accounts.google.com")
                })
            }
            Self::Entra { tenant, version } => {
                // `common` and its like stand for every tenant there is.
                let shape = "00000000-0000-0000-0000-000000000000";
                let is_id = tenant.len() == shape.len()
                    && tenant.bytes().zip(shape.bytes()).all(|(byte, like)| match like {
                        b'-' => byte == b'-',
                        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
                    });
                if !is_id {
                    return Err(wrong(
                        "`tenant` is the tenant's id; write it like `6babcaad-604b-40ac-a9d7-9fd97c0b779f`",
                    ));
                }
                let login = format!("https://login.microsoftonline.com/{tenant}");
                let (issuer, keys) = match version {
                    EntraVersion::V1 => {
                        (format!("https://sts.windows.net/{tenant}/"), format!("{login}/discovery/keys"))
                    }
                    EntraVersion::V2 => (format!("{login}/v2.0"), format!("{login}/discovery/v2.0/keys")),
                };
                Ok(IssuerSettings {
                    keys: KeySource::Url(keys),
                    algorithms: vec![Algorithm::Rs256],
                    types: vec!["JWT".to_owned(), "at+jwt".to_owned()],
                    required: vec![("tid".to_owned(), only(tenant))],
                    subject: vec!["oid".to_owned()],
                    ..of(&issuer)
                })
            }
            Self::CloudflareAccess { team } => {
                let team = plain(team, "`team` is the team's name; write `acme` for `acme.cloudflareaccess.com`")?;
                let issuer = format!("https://{team}.cloudflareaccess.com");
                Ok(IssuerSettings {
                    keys: KeySource::Url(format!("{issuer}/cdn-cgi/access/certs")),
                    algorithms: vec![Algorithm::Rs256],
                    required: vec![("type".to_owned(), only("app"))],
                    subject: vec!["email".to_owned(), "common_name".to_owned()],
                    ..of(&issuer)
                })
            }
        }
    }
}

/// A text that is one label, and no pattern.
fn plain<'a>(text: &'a str, advice: &'static str) -> Result<&'a str> {
    let fits = (1..=63).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(text) } else { Err(wrong(advice)) }
}

/// Whether a pattern has an `@`, and a domain without a `*` behind it.
fn is_email_pattern(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('*'))
}

fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::issuer::Issuer;

    const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";

    fn profiles() -> Vec<Profile> {
        vec![
            Profile::GitHubActions { owner: "acme".into() },
            Profile::Kubernetes { issuer: "https://kubernetes.default.svc".into() },
            Profile::AwsWebIdentity {
                issuer: "https://abc.tokens.sts.global.api.aws".into(),
                account: "123456789012".into(),
            },
            Profile::Google { emails: vec!["*@acme.iam.gserviceaccount.com".into()] },
            Profile::Entra { tenant: TENANT.into(), version: EntraVersion::V1 },
            Profile::Entra { tenant: TENANT.into(), version: EntraVersion::V2 },
            Profile::CloudflareAccess { team: "acme".into() },
        ]
    }

    #[test]
    fn every_profile_makes_an_issuer_that_asks_for_more_than_a_signature() {
        for profile in profiles() {
            let settings = profile.settings("it", "https://lockstep.example.com").unwrap();
            assert!(!settings.required.is_empty(), "{profile:?}");
            assert_eq!(settings.audiences, ["https://lockstep.example.com"]);
            assert!(!settings.insecure && settings.issuer.starts_with("https://"));
            Issuer::new(settings).unwrap();
        }
    }

    /// Break: any check in `Profile::settings`.
    #[test]
    fn no_profile_can_be_made_to_mean_everybody() {
        for profile in [
            Profile::GitHubActions { owner: "*".into() },
            Profile::GitHubActions { owner: String::new() },
            Profile::GitHubActions { owner: "acme/shop".into() },
            Profile::AwsWebIdentity { issuer: "https://a.example".into(), account: "*".into() },
            Profile::Google { emails: Vec::new() },
            Profile::Google { emails: vec!["*".into()] },
            Profile::Google { emails: vec!["a@acme.com".into(), "*@*".into()] },
            Profile::Entra { tenant: "common".into(), version: EntraVersion::V2 },
            Profile::Entra { tenant: "*".into(), version: EntraVersion::V1 },
            Profile::CloudflareAccess { team: "acme.evil.test/".into() },
        ] {
            let error = profile.settings("it", "us").unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.message().contains("write"), "{profile:?}: {error}");
        }
    }
}
