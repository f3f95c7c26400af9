//! `type = "kubernetes"`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shape::{Needs, provider};
use super::{Credential, Need, tagged};

provider! {
    /// The Secrets of a Kubernetes cluster.
    pub struct Kubernetes asks {
        /// The API server, such as `https://10.0.0.1:6443`, for a login by token; the other logins say it themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<String>,
        /// Where names without a namespace are, and what is watched; else that of the pod, or of the kubeconfig's context.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// How to log in; without it, as the pod that Lockstep runs in, or else by the kubeconfig.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub auth: Option<KubernetesAuth>,
        /// Watches the namespace, which takes the right to list and watch its Secrets. Changes need a journal to be heard.
        #[serde(default)]
        pub watch: bool,
        /// The only Secrets that are watched, each by itself: then the rights may be on these alone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub watch_names: Vec<String>,
    }
}

tagged! {
    /// How to log in at a Kubernetes cluster; `method` says which way.
    pub enum KubernetesAuth by "method" {
        /// As the service account of the pod that Lockstep runs in.
        InCluster(KubernetesInCluster) = "in-cluster",
        /// As a kubeconfig says.
        Kubeconfig(KubernetesKubeconfig) = "kubeconfig",
        /// With a token that somebody else renews.
        Token(KubernetesToken) = "token",
    }
}

/// A login as the service account of the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KubernetesInCluster {}

/// A login as a kubeconfig says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesKubeconfig {
    /// The file; else those that the variable `KUBECONFIG` names, else `~/.kube/config`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The context; else the file's current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Allows to run the program that the file names for a credential. A kubeconfig is often somebody else's: look at it
    /// first.
    pub exec: bool,
}

/// A login with a token that somebody else renews. It is read anew every minute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KubernetesToken {
    /// The token.
    pub token: Credential,
}

impl Needs for Kubernetes {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        match &self.auth {
            Some(KubernetesAuth::Token(login)) => vec![("auth.token", Need::Credential(&login.token))],
            Some(KubernetesAuth::Kubeconfig(login)) => {
                login.path.iter().map(|path| ("auth.path", Need::File(path))).collect()
            }
            Some(KubernetesAuth::InCluster(_)) | None => Vec::new(),
        }
    }
}
