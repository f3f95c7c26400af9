//! What the configuration says of an Azure Key Vault, checked once.

use std::path::Path;

use lockstep_core::{Env, Error, ErrorKind, Result};

use crate::Credential;

/// Where a vault is and how to log in.
#[derive(Debug, Clone)]
pub struct AzureSettings {
    /// The vault, such as `https://payments.vault.azure.net`; [`Cloud::address`] makes it of a vault's name.
    pub address: String,
    /// The cloud: its vaults, and its authority unless the variable `AZURE_AUTHORITY_HOST` names another one.
    pub cloud: Cloud,
    /// How to log in; [`AzureAuth::from_environment`] finds out what the environment has.
    pub auth: AzureAuth,
    /// Allows `http://` to other hosts than this one, and an address that is no vault of the cloud, which gets tokens
    /// for its vaults all the same.
    pub insecure: bool,
    /// Keys and items that an answer may have; [`MAX_MEMBERS`](lockstep_core::MAX_MEMBERS) unless told otherwise.
    pub members: usize,
    /// The environment of its scope.
    pub environment: String,
}

/// Microsoft's clouds, which share nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cloud {
    /// Azure.
    #[default]
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure for US Government.
    UsGovernment,
}

impl Cloud {
    /// What its vaults' names end in, without the dot before it.
    pub(super) fn vaults(self) -> &'static str {
        match self {
            Self::Public => "vault.azure.net",
            Self::China => "vault.azure.cn",
            Self::UsGovernment => "vault.usgovcloudapi.net",
        }
    }

    /// Where tokens are given.
    pub(super) fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::China => "https://login.chinacloudapi.cn",
            Self::UsGovernment => "https://login.microsoftonline.us",
        }
    }

    /// The cloud whose vaults have names like this host.
    pub(super) fn of_host(host: &str) -> Option<Self> {
        [Self::Public, Self::China, Self::UsGovernment].into_iter().find(|cloud| cloud.has(host))
    }

    /// Whether this host is one of its vaults.
    pub(super) fn has(self, host: &str) -> bool {
        host.strip_suffix(self.vaults()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    }

    /// The word in the configuration.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::China => "china",
            Self::UsGovernment => "us-government",
        }
    }

    /// The address of the vault with this name.
    ///
    /// # Errors
    /// `Config` when it is no name of a vault.
    pub fn address(self, vault: &str) -> Result<String> {
        let is_name = (3..=24).contains(&vault.len())
            && vault.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && vault.starts_with(|first: char| first.is_ascii_alphabetic())
            && !vault.ends_with('-');
        if is_name {
            return Ok(format!("https://{vault}.{}", self.vaults()));
        }
        let message = "`vault` is no name of a vault: 3 to 24 letters, digits and `-`, a letter first; write for example \
                       `payments`, or write `address` with the whole URL";
        Err(Error::new(ErrorKind::Config, message))
    }
}

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureAuth {
    /// An application with a secret.
    ClientSecret {
        /// The tenant: its id or one of its domains.
        tenant: String,
        /// The application's (client) id. It is a name, not a secret.
        client_id: String,
        /// The secret.
        secret: Credential,
    },
    /// An application with a certificate.
    ClientCertificate {
        /// The tenant: its id or one of its domains.
        tenant: String,
        /// The application's (client) id.
        client_id: String,
        /// Certificate and RSA key without a passphrase, both in one PEM.
        certificate: Credential,
    },
    /// A token of somebody whom the application trusts: Kubernetes, GitHub, another cloud.
    WorkloadIdentity {
        /// The tenant: its id or one of its domains.
        tenant: String,
        /// The application's (client) id.
        client_id: String,
        /// The token; read again at each login, since others renew it.
        token: Credential,
    },
    /// The identity of the machine (IMDS), or of the app (App Service, Functions, Container Apps).
    ManagedIdentity(Option<Identity>),
}

/// Which of the identities of a machine; without it, its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// By client id.
    Client(String),
    /// By object (principal) id.
    Object(String),
    /// By resource id, `/subscriptions/…`.
    Resource(String),
}

impl AzureAuth {
    /// What the environment is set up for: a client secret, a client certificate, a workload's token, and else the
    /// machine's identity. The first that is there decides; what it lacks is an error and leads to no other.
    ///
    /// # Errors
    /// `Config` naming the variable that is missing.
    pub fn from_environment(tenant: Option<&str>, env: &dyn Env) -> Result<Self> {
        let client = |beside: &str| -> Result<(String, String)> {
            let client_id = required(env, "AZURE_CLIENT_ID", beside)?;
            match tenant {
                Some(tenant) => Ok((tenant.to_owned(), client_id)),
                None => Ok((required(env, "AZURE_TENANT_ID", beside)?, client_id)),
            }
        };
        if env.var("AZURE_CLIENT_SECRET").is_some() {
            let (tenant, client_id) = client("AZURE_CLIENT_SECRET")?;
            return Ok(Self::ClientSecret { tenant, client_id, secret: Credential::Env("AZURE_CLIENT_SECRET".into()) });
        }
        let file = |text: String| Credential::File(Path::new(&text).into());
        if let Some(path) = env.var("AZURE_CLIENT_CERTIFICATE_PATH") {
            let (tenant, client_id) = client("AZURE_CLIENT_CERTIFICATE_PATH")?;
            return Ok(Self::ClientCertificate { tenant, client_id, certificate: file(path) });
        }
        if let Some(path) = env.var("AZURE_FEDERATED_TOKEN_FILE") {
            let (tenant, client_id) = client("AZURE_FEDERATED_TOKEN_FILE")?;
            return Ok(Self::WorkloadIdentity { tenant, client_id, token: file(path) });
        }
        Ok(Self::ManagedIdentity(env.var("AZURE_CLIENT_ID").map(Identity::Client)))
    }

    /// The credential that it reads, if any.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::ClientSecret { secret: credential, .. }
            | Self::ClientCertificate { certificate: credential, .. }
            | Self::WorkloadIdentity { token: credential, .. } => Some(credential),
            Self::ManagedIdentity(_) => None,
        }
    }

    /// The tenant that it logs in at; a managed identity has its own.
    pub(super) fn tenant(&self) -> Option<&str> {
        match self {
            Self::ClientSecret { tenant, .. }
            | Self::ClientCertificate { tenant, .. }
            | Self::WorkloadIdentity { tenant, .. } => Some(tenant),
            Self::ManagedIdentity(_) => None,
        }
    }

    /// What tells two logins apart, without a credential.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::ClientSecret { client_id, .. } => format!("client-secret {client_id}"),
            Self::ClientCertificate { client_id, .. } => format!("client-certificate {client_id}"),
            Self::WorkloadIdentity { client_id, token, .. } => format!("workload-identity {client_id} {token:?}"),
            Self::ManagedIdentity(identity) => format!("managed-identity {identity:?}"),
        }
    }

    /// Looks at what goes into addresses.
    pub(super) fn check(&self) -> Result<()> {
        let Some(tenant) = self.tenant() else { return Ok(()) };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if tenant.is_empty() || tenant.len() > 253 || !tenant.bytes().all(is_plain) || tenant.starts_with('.') {
            let message =
                "`tenant` is the tenant's id or one of its domains; write for example `contoso.onmicrosoft.com`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }
}

fn required(env: &dyn Env, variable: &str, beside: &str) -> Result<String> {
    env.var(variable).ok_or_else(|| {
        let message =
            format!("{beside} is set, and {variable} is not; set it, or write `auth` for another way to log in");
        Error::new(ErrorKind::Config, message)
    })
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::TestEnv;

    use super::*;

    /// Break: the order in `from_environment`, or fall through where a variable is missing.
    #[test]
    fn the_first_that_the_environment_has_decides_and_what_it_lacks_is_said() {
        const ID: (&str, &str) = ("AZURE_CLIENT_ID", "app");
        const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "t");
        const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "c4n4ry");
        const CERTIFICATE: (&str, &str) = ("AZURE_CLIENT_CERTIFICATE_PATH", "/app.pem");
        const TOKEN: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/token");
        for (variables, expected) in [
            (&[ID, TENANT, SECRET, CERTIFICATE, TOKEN][..], Ok("client-secret app")),
            (&[ID, TENANT, CERTIFICATE, TOKEN], Ok("client-certificate app")),
            (&[ID, TENANT, TOKEN], Ok("workload-identity app File(\"/token\")")),
            (&[], Ok("managed-identity None")),
            (&[ID, TENANT], Ok("managed-identity Some(Client(\"app\"))")),
            (&[SECRET, TENANT, TOKEN], Err("AZURE_CLIENT_SECRET is set, and AZURE_CLIENT_ID is not")),
            (&[CERTIFICATE, ID], Err("AZURE_CLIENT_CERTIFICATE_PATH is set, and AZURE_TENANT_ID is not")),
            (&[TOKEN, ID], Err("AZURE_FEDERATED_TOKEN_FILE is set, and AZURE_TENANT_ID is not")),
        ] {
            match (AzureAuth::from_environment(None, &*TestEnv::of(variables)), expected) {
                (Ok(auth), Ok(identity)) => {
                    assert_eq!(auth.identity(), identity);
                    assert!(!format!("{auth:?}").contains("c4n4ry"));
                }
                (Err(error), Err(part)) => {
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(error.message().starts_with(part) && !error.message().contains("c4n4ry"), "{error}");
                }
                (other, _) => panic!("{variables:?}: {other:?}"),
            }
        }
        let auth = AzureAuth::from_environment(Some("mine"), &*TestEnv::of(&[ID, TENANT, SECRET])).unwrap();
        assert_eq!(auth.tenant(), Some("mine"), "what is configured comes before the environment");
    }

    #[test]
    fn a_vault_is_addressed_in_its_cloud() {
        assert_eq!(Cloud::Public.address("kv-1").unwrap(), "https://kv-1.vault.azure.net");
        assert_eq!(Cloud::China.address("kv1").unwrap(), "https://kv1.vault.azure.cn");
        assert_eq!(Cloud::UsGovernment.address("kv1").unwrap(), "https://kv1.vault.usgovcloudapi.net");
        for bad in ["", "kv", "1kv", "kv1-", "kv.evil.test/", "kv_1", "a-name-that-is-far-too-long"] {
            assert_eq!(Cloud::Public.address(bad).unwrap_err().kind(), ErrorKind::Config, "{bad:?}");
        }
    }

    /// O4. Break: `AzureAuth::check`.
    #[test]
    fn o4_a_tenant_that_leads_elsewhere_is_refused() {
        for (tenant, fine) in [
            ("72f988bf-86f1-41af-91ab-2d7cd011db47", true),
            ("contoso.onmicrosoft.com", true),
            ("", false),
            ("..", false),
            ("a/b", false),
            ("a?b", false),
            ("a\r\nx: y", false),
        ] {
            let token = Credential::Env("T".into());
            let auth = AzureAuth::WorkloadIdentity { tenant: tenant.into(), client_id: "c".into(), token };
            assert_eq!(auth.check().is_ok(), fine, "{tenant:?}");
        }
    }
}
