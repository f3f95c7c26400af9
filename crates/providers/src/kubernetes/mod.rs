//! Kubernetes: the Secrets of a cluster, by its API.
//!
//! A name is `namespace/secret`; a short one, `secret`, is in the configured namespace, else in that of the login (the
//! pod's own, or the kubeconfig's context). Both lead to the canonical `namespace/secret`. A Secret's `data` are named
//! values: text where the bytes are UTF-8, else binary.
//!
//! A version is `uid.resourceVersion`: it can be compared, and has no order. The API keeps no older versions, so there is
//! nothing to select. Lists, descriptions and the watch ask for metadata alone, so they bring no values, though whoever
//! may list may also read them: grant `get` with `resourceNames` where that is enough. (`kubectl apply` copies the values
//! that it writes into an annotation, which is part of the metadata. It is neither kept nor shown.)

mod access;
mod answer;
mod client;
mod in_cluster;
mod kubeconfig;
mod lines;
mod login;
mod name;
mod plugin;
mod provider;
mod settings;
mod status;
mod watch;

#[cfg(test)]
mod tests;

pub use self::provider::KubernetesProvider;
pub use self::settings::{KubernetesAuth, KubernetesSettings};
pub use self::watch::KubernetesChanges;
