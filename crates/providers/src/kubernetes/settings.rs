//! What the configuration says of a cluster.

use std::path::PathBuf;

use lockstep_core::{Env, Files, Result, TlsProfile};

use super::{in_cluster, kubeconfig};
use crate::Credential;

/// Which cluster, and how to log in.
#[derive(Debug, Clone)]
pub struct KubernetesSettings {
    /// How to log in. Without it: as the pod that this runs in, or else by the kubeconfig.
    pub auth: Option<KubernetesAuth>,
    /// Where names without a namespace are, and what is watched; else the login says it.
    pub namespace: Option<String>,
    /// What TLS trusts and shows where the login says nothing of it.
    pub tls: TlsProfile,
    /// Allows `http://` to another machine.
    pub insecure: bool,
    /// Whether somebody is going to ask for its Changes.
    pub watch: bool,
    /// The only Secrets that are watched, each by itself; all of the namespace if it is empty.
    pub watch_names: Vec<String>,
    /// Keys and items that an answer may have; [`MAX_MEMBERS`](lockstep_core::MAX_MEMBERS) unless told otherwise.
    pub members: usize,
    /// The environment of its scope.
    pub environment: String,
}

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubernetesAuth {
    /// As the service account of the pod that this runs in.
    InCluster,
    /// As a kubeconfig says.
    Kubeconfig {
        /// The file; else those that `KUBECONFIG` names, else `~/.kube/config`.
        path: Option<PathBuf>,
        /// The context; else the file's current one, as it is at the first use.
        context: Option<String>,
        /// Whether a program that the file names may be run for a credential. A kubeconfig is often somebody else's, a
        /// cloud's or a colleague's: that it is trusted with an address is not that it may run things here.
        exec: bool,
    },
    /// With a token that somebody else renews, read anew every minute.
    Token {
        /// The server, such as `https://10.0.0.1:6443`.
        address: String,
        /// The token.
        token: Credential,
    },
}

impl KubernetesAuth {
    /// The login where none is configured.
    pub(super) fn found(env: &dyn Env) -> Self {
        match env.var(in_cluster::HOST) {
            Some(_) => Self::InCluster,
            None => Self::Kubeconfig { path: None, context: None, exec: false },
        }
    }

    /// Whether this machine has what the login is made from, by a look at variables and names of files.
    ///
    /// # Errors
    /// `Unauthenticated`, saying what to write.
    pub fn look(configured: Option<&Self>, env: &dyn Env, files: &dyn Files) -> Result<()> {
        match configured.cloned().unwrap_or_else(|| Self::found(env)) {
            Self::InCluster => in_cluster::look(env, files),
            Self::Kubeconfig { path, .. } => kubeconfig::look(env, files, path.as_deref()),
            Self::Token { .. } => Ok(()),
        }
    }

    /// Which cluster, as far as it is known before the login: two that differ are never taken for one.
    pub(super) fn place(&self, env: &dyn Env) -> String {
        match self {
            Self::InCluster => {
                in_cluster::address(env).map_or_else(|_| "in-cluster".to_owned(), |address| address.text())
            }
            Self::Kubeconfig { path, context, .. } => {
                let path = path.as_ref().map(|path| path.display().to_string());
                let path = path.or_else(|| env.var("KUBECONFIG")).unwrap_or_else(|| "~/.kube/config".to_owned());
                format!("kubeconfig {path} {}", context.as_deref().unwrap_or_default())
            }
            Self::Token { address, .. } => address.trim_end_matches('/').to_owned(),
        }
    }

    /// Who logs in.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::InCluster => "in-cluster".to_owned(),
            Self::Kubeconfig { .. } => "kubeconfig".to_owned(),
            Self::Token { token, .. } => format!("token {token:?}"),
        }
    }
}
