//! Who is let in: the local token, the users of a Unix socket, and the logins of `[auth]`.
//!
//! Where others log in there is no local token but one that was written down: none is made, and none is taken from a
//! variable that may hold something else, such as the session of a Lambda function.

use lockstep_auth::{Callers, LocalToken, TokenOrigin};

use super::{Front, Ports};
use crate::config::Config;
use crate::problem::Problems;
use crate::settings::Credential;

impl Config {
    /// Everybody who may be let in.
    pub(super) fn callers(
        &self,
        front: Front,
        ports: &Ports,
        timeline: &std::sync::Arc<lockstep_core::Timeline>,
    ) -> Result<Callers, Problems> {
        let callers = Callers {
            token: self.local_token(front, ports)?,
            socket_users: self.settings().listen.socket_users.clone(),
            ..Callers::default()
        };
        #[cfg(feature = "callers")]
        let callers = logins::add(self, ports, timeline, callers)?;
        let _ = timeline;
        Ok(callers)
    }

    /// The local token: `listen.token`, else the first variable of `aws.ssrf_env_variables` that is set, else it is made.
    fn local_token(&self, front: Front, ports: &Ports) -> Result<Option<LocalToken>, Problems> {
        let settings = self.settings();
        let (key, origins) = match &settings.listen.token {
            Some(Credential::Env(name)) => ("listen.token", vec![TokenOrigin::Variable(name.clone())]),
            Some(Credential::File(path)) => {
                ("listen.token", vec![TokenOrigin::File(self.path(path).to_string_lossy().into_owned())])
            }
            None if settings.auth.has_logins() => return Ok(None),
            None if front == Front::Platform => {
                let message = "nobody could call: configure a login under `[auth]`, or write `listen.token`; no variable \
                               is looked at for a token here, and none is made";
                return Err(self.problem("auth", message).into());
            }
            None => {
                let variables = settings.aws.ssrf_env_variables.iter().cloned().map(TokenOrigin::Variable);
                ("aws.ssrf_env_variables", variables.chain([TokenOrigin::Made]).collect())
            }
        };
        let token = LocalToken::load(&origins, &*ports.env, &*ports.files, &*ports.random);
        Ok(Some(token.map_err(|error| self.problem(key, error.message()))?))
    }
}

#[cfg(feature = "callers")]
mod logins {
    use std::sync::Arc;

    use lockstep_auth::{
        Algorithm, ApiKeyHash, ApiKeySettings, ApiKeys, AwsAccounts, Callers, CertificateLogin, CertificateMatch,
        CertificateRule, ClaimPattern, EntraVersion, IamLogin, IamSettings, IssuerSettings, JwtLogin, JwtSettings,
        KeySource, Profile, RememberedSettings,
    };
    use lockstep_core::{Error, ErrorKind, Result, Timeline, TlsProfile, UnixMillis};

    use crate::assembly::Ports;
    use crate::assembly::providers::remote::profile;
    use crate::config::Config;
    use crate::problem::Problems;
    use crate::settings::{ApiKey, AwsIam, EntraTokenVersion, Issuer, OidcIssuer};

    /// Bytes of a file with an issuer's keys.
    const MAX_KEYS_BYTES: usize = 64 << 10;

    pub(super) fn add(
        config: &Config,
        ports: &Ports,
        timeline: &Arc<Timeline>,
        callers: Callers,
    ) -> Result<Callers, Problems> {
        let auth = &config.settings().auth;
        let mut problems = Vec::new();
        let mut note = |key: String, error: &Error| problems.push(config.problem(&key, error.message()));

        let mut issuers = Vec::new();
        for (name, issuer) in &auth.jwt {
            match issuer_settings(config, ports, name.0.as_str(), issuer) {
                Ok(settings) => issuers.push(settings),
                Err(error) => note(format!("auth.jwt.{}", name.0), &error),
            }
        }
        let mut keys = Vec::new();
        for (name, key) in &auth.keys {
            match key_settings(name.0.as_str(), key) {
                Ok(settings) => keys.push(settings),
                Err(error) => note(format!("auth.keys.{}", name.0), &error),
            }
        }
        let mut rules = Vec::new();
        for (name, certificate) in &auth.certificates {
            let key = format!("auth.certificates.{}", name.0);
            if certificate.any_of.is_empty() {
                let advice =
                    "nothing says which certificate is meant; write `any_of = [\"spiffe://acme/ns/prod/sa/api\"]`";
                note(key.clone(), &Error::new(ErrorKind::Config, advice));
            }
            for text in &certificate.any_of {
                match CertificateMatch::parse(text) {
                    Ok(matches) => rules.push(CertificateRule {
                        name: name.0.to_string(),
                        matches,
                        issuer: certificate.issuer.clone(),
                    }),
                    Err(error) => note(key.clone(), &error),
                }
            }
        }
        let mut found = |key: &str, error: Error| problems.push(config.problem(key, error.message()));
        let mut callers = callers;
        if !auth.jwt.is_empty() {
            let made = JwtLogin::new(issuers, JwtSettings::default(), &*ports.transports, Arc::clone(timeline));
            callers.jwt = made.map_err(|error| found("auth.jwt", error)).ok();
        }
        if !auth.keys.is_empty() {
            callers.keys = ApiKeys::new(keys).map_err(|error| found("auth.keys", error)).ok();
        }
        if !auth.certificates.is_empty() {
            callers.certificates = CertificateLogin::new(rules).map_err(|error| found("auth.certificates", error)).ok();
        }
        if let Some(iam) = &auth.aws_iam {
            match aws(iam, ports, timeline) {
                Ok((accounts, login)) => (callers.aws_accounts, callers.iam) = (Some(accounts), login),
                Err(error) => found("auth.aws_iam", error),
            }
        }
        match Problems::from_list(problems) {
            Some(problems) => Err(problems),
            None => Ok(callers),
        }
    }

    fn issuer_settings(config: &Config, ports: &Ports, name: &str, issuer: &Issuer) -> Result<IssuerSettings> {
        let common = issuer.common();
        let audience = common.audiences.first().map(String::as_str).unwrap_or_default();
        let of = |profile: Profile| profile.settings(name, audience);
        let mut settings = match issuer {
            Issuer::GithubActions(github) => of(Profile::GitHubActions { owner: github.owner.clone() })?,
            Issuer::Kubernetes(cluster) => of(Profile::Kubernetes { issuer: cluster.issuer.clone() })?,
            Issuer::AwsWebIdentity(aws) => {
                of(Profile::AwsWebIdentity { issuer: aws.issuer.clone(), account: aws.account.clone() })?
            }
            Issuer::Google(google) => of(Profile::Google { emails: google.emails.clone() })?,
            Issuer::Entra(entra) => {
                let version = match entra.version {
                    EntraTokenVersion::V1 => EntraVersion::V1,
                    EntraTokenVersion::V2 => EntraVersion::V2,
                };
                of(Profile::Entra { tenant: entra.tenant.clone(), version })?
            }
            Issuer::CloudflareAccess(access) => of(Profile::CloudflareAccess { team: access.team.clone() })?,
            Issuer::Oidc(oidc) => plain(name, audience, oidc)?,
        };
        settings.audiences = common.audiences.to_vec();
        // What a profile asks for stays: this only adds to it.
        settings.required.extend(common.required.iter().map(|(claim, texts)| {
            (claim.clone(), texts.iter().map(|text| ClaimPattern::new(text.as_str())).collect())
        }));
        settings.leeway = common.leeway.get();
        settings.max_lifetime = common.max_lifetime.map(crate::units::Period::get);
        settings.key_hosts = common.key_hosts.to_vec();
        settings.insecure = common.insecure;
        settings.tls = profile(config, common.tls);
        if let Some(url) = issuer.keys_url() {
            settings.keys = KeySource::Url(url.to_owned());
        }
        if let Some(path) = common.keys_file {
            let content = ports.files.read(&config.path(path), MAX_KEYS_BYTES)?;
            let text = std::str::from_utf8(&content.bytes);
            let text = text
                .map_err(|_| Error::new(ErrorKind::Config, "`keys_file` is no UTF-8 text; write a JSON Web Key Set"))?;
            settings.keys = KeySource::Static(text.to_owned());
        }
        Ok(settings)
    }

    fn plain(name: &str, audience: &str, oidc: &OidcIssuer) -> Result<IssuerSettings> {
        let unknown = |text: &String| {
            let message = format!(
                "`{}` is no algorithm that is accepted; write `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, \
                 `ES256`, `ES384` or `EdDSA`",
                text.escape_debug()
            );
            Error::new(ErrorKind::Config, message)
        };
        let algorithms = oidc.algorithms.iter().map(|text| Algorithm::parse(text).ok_or_else(|| unknown(text)));
        let settings = IssuerSettings::new(name, oidc.issuer.as_str(), audience);
        Ok(IssuerSettings {
            algorithms: algorithms.collect::<Result<_>>()?,
            types: oidc.types.clone(),
            subject: oidc.subject.clone(),
            ..settings
        })
    }

    fn key_settings(name: &str, key: &ApiKey) -> Result<ApiKeySettings> {
        let hashes = key.hashes.iter().map(|written| {
            let expires = written.expires.as_deref().map(|text| {
                UnixMillis::from_rfc3339(text).ok_or_else(|| {
                    Error::new(ErrorKind::Config, "`expires` is no time; write one like `2027-01-31T00:00:00Z`")
                })
            });
            ApiKeyHash::parse(&written.hash, expires.transpose()?)
        });
        Ok(ApiKeySettings {
            id: key.id.clone().unwrap_or_else(|| name.to_owned()),
            name: name.to_owned(),
            hashes: hashes.collect::<Result<_>>()?,
            tags: key.tags.clone(),
        })
    }

    fn aws(settings: &AwsIam, ports: &Ports, timeline: &Arc<Timeline>) -> Result<(AwsAccounts, Option<IamLogin>)> {
        let accounts = AwsAccounts::parse(&settings.accounts)?;
        let Some(server_id) = &settings.server_id else { return Ok((accounts, None)) };
        let default = IamSettings::new(server_id.as_str(), "", accounts.clone());
        let endpoint = settings.endpoint.as_deref().map(|text| {
            let wrong =
                |_| Error::new(ErrorKind::Config, "`endpoint` is no address; write one like `https://sts.example.com`");
            text.parse().map_err(wrong)
        });
        let wanted = IamSettings {
            regions: settings.regions.clone(),
            global: settings.global,
            max_age: settings.max_age.get(),
            remembered: RememberedSettings { time: settings.remember.get(), ..default.remembered },
            endpoint: endpoint.transpose()?,
            ..default
        };
        let transport = ports.transports.build(&TlsProfile::default())?;
        Ok((accounts, Some(IamLogin::new(wanted, transport, Arc::clone(timeline))?)))
    }
}
