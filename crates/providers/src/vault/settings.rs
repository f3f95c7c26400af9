//! What the configuration says of a Vault, checked once.

use std::collections::BTreeMap;
use std::path::Path;

use http::HeaderValue;
use lockstep_core::{Error, ErrorKind, Result};

use crate::Credential;
use crate::address::Address;

/// Where a Vault is and how to log in.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// The server, such as `https://vault.internal:8200`; with a path when a proxy puts one before `/v1`. Several are
    /// the nodes of one cluster, from 1 to 16: the first that can serve is asked.
    pub addresses: Vec<String>,
    /// The namespace, such as `team/prod`. Sent as `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// How to log in.
    pub auth: VaultAuth,
    /// Whether each request logs in by itself, without a token (OpenBao 2.4 and later). It needs `mounts`, and reads
    /// nothing that has a lease. Only AppRole, Kubernetes, JWT and userpass can.
    pub inline: bool,
    /// Whether a node that is behind what this client has seen (412) is asked to forward to the active one. Vault
    /// Enterprise with performance standbys can.
    pub forward_stale: bool,
    /// What is mounted where, for policies that hide `sys/internal/ui/mounts`: mount path -> kind. A mount named here
    /// is never asked for.
    pub mounts: BTreeMap<String, MountKind>,
    /// Keys and items that an answer may have; [`MAX_MEMBERS`](lockstep_core::MAX_MEMBERS) unless told otherwise.
    pub members: usize,
    /// The environment of its scope.
    pub environment: String,
}

/// How to log in. A `mount` is where the method is mounted, without `auth/`. Every credential is read anew for each
/// login.
#[derive(Debug, Clone)]
pub enum VaultAuth {
    /// A token that somebody else renews, such as an agent. It is read again once the server refuses it.
    Token(Handed),
    /// AppRole.
    AppRole {
        /// Mostly `approle`.
        mount: String,
        /// The role id. It is a name, not a secret.
        role_id: String,
        /// The secret id; none where the role binds by address alone.
        secret_id: Option<Handed>,
    },
    /// The service account of a pod.
    Kubernetes {
        /// Mostly `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// The token of the service account, which the cluster renews.
        jwt: Credential,
    },
    /// A JWT that an identity provider has signed.
    Jwt {
        /// Mostly `jwt`.
        mount: String,
        /// The role; none is the default one of the mount.
        role: Option<String>,
        /// The JWT.
        jwt: Credential,
    },
    /// The AWS identity of this process, shown by a `GetCallerIdentity` that Vault sends to STS.
    #[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
    Aws {
        /// Mostly `aws`.
        mount: String,
        /// The role; none is the one that is named like the identity.
        role: Option<String>,
        /// What the mount's `iam_server_id_header_value` says, if it says something.
        server_id: Option<String>,
        /// The region whose STS is asked; none is the global one, which signs for `us-east-1`.
        region: Option<String>,
        /// Whose credentials sign.
        session: std::sync::Arc<crate::aws::Session>,
    },
    /// The client certificate of the TLS profile.
    Cert {
        /// Mostly `cert`.
        mount: String,
        /// The certificate role; none lets the server look for one that fits.
        name: Option<String>,
        /// Where the certificate stands. It tells two identities apart; it is not read here.
        certificate: Box<Path>,
    },
    /// A name and a password.
    Userpass {
        /// Mostly `userpass`.
        mount: String,
        /// The name.
        username: String,
        /// The password.
        password: Credential,
    },
}

/// A credential that is handed over as it is, or wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Where it, or its wrapping token, stands.
    pub from: Credential,
    /// That what stands there is a wrapping token. It is unwrapped once; what was in it is kept in memory.
    pub wrapped: Option<Wrapping>,
}

/// What is known of a wrapping token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wrapping {
    /// The path that the wrapped answer must come from, such as `auth/approle/role/app/secret-id`. It is looked up
    /// before the token is used.
    pub creation_path: Option<String>,
}

impl From<Credential> for Handed {
    fn from(from: Credential) -> Self {
        Self { from, wrapped: None }
    }
}

/// What a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// Key/value without versions.
    Kv1,
    /// Key/value with versions.
    Kv2,
    /// Anything else: each read makes a credential (`database`, `ssh`, `pki`, ...).
    Dynamic,
}

/// Where a Vault is.
pub(super) fn address(text: &str) -> Result<Address> {
    Address::parse(text).ok_or_else(bad_address)
}

fn bad_address() -> Error {
    let message = "`address` of a vault is a URL without user and query; write `https://vault.internal:8200`";
    Error::new(ErrorKind::Config, message)
}

/// A namespace as a header, `/` at its ends removed.
pub(super) fn namespace_header(text: &str) -> Result<HeaderValue> {
    let text = text.trim_matches('/');
    let is_plain = !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    let value = HeaderValue::from_str(text).ok().filter(|_| is_plain);
    value.ok_or_else(|| {
        let message = "`namespace` of a vault is a path of printable characters; write for example `team/prod`";
        Error::new(ErrorKind::Config, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_a_config_error() {
        assert_eq!(address("vault.internal").unwrap_err().kind(), ErrorKind::Config);
    }

    /// O4: break the check in `namespace_header`.
    #[test]
    fn o4_a_namespace_with_a_line_break_is_a_config_error() {
        for bad in ["", "/", "a\r\nX-Vault-Token: y", "a\nb", "a\0b", "a b", "é"] {
            assert_eq!(namespace_header(bad).unwrap_err().kind(), ErrorKind::Config, "{bad:?}");
        }
        assert_eq!(namespace_header("/team/prod/").unwrap(), "team/prod");
    }
}
