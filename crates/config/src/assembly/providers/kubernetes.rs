//! The Kubernetes clusters of a configuration.

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Call, ChangeSource, Result};
use lockstep_providers::kubernetes::{KubernetesAuth, KubernetesChanges, KubernetesProvider, KubernetesSettings};

use super::remote::{self, profile};
use super::{Config, Made, Ports};
use crate::settings;

/// What one request of a watch may take until its own bounds hold.
const TIME: Duration = Duration::from_secs(30);

pub(super) fn make(config: &Config, ports: &Ports, kubernetes: &settings::Kubernetes) -> Result<Made> {
    let tls = profile(config, &kubernetes.tls);
    let settings = KubernetesSettings {
        auth: auth(config, kubernetes),
        namespace: kubernetes.namespace.clone(),
        tls: tls.clone(),
        insecure: kubernetes.insecure,
        watch: kubernetes.watch,
        watch_names: kubernetes.watch_names.clone(),
        members: kubernetes.max_members as usize,
        environment: String::new(),
    };
    let of_provider = remote::ports(ports, &tls)?;
    let provider = Arc::new(KubernetesProvider::new(settings, of_provider, Arc::clone(&ports.transports))?);
    let source = kubernetes.watch.then(|| {
        let call = Call::new(Arc::clone(&ports.clock), Arc::clone(&ports.spawn), "kubernetes-watch", TIME);
        Box::new(KubernetesChanges::new(&provider, &call)) as Box<dyn ChangeSource>
    });
    Ok((provider, source))
}

fn auth(config: &Config, kubernetes: &settings::Kubernetes) -> Option<KubernetesAuth> {
    Some(match kubernetes.auth.as_ref()? {
        settings::KubernetesAuth::InCluster(_) => KubernetesAuth::InCluster,
        settings::KubernetesAuth::Kubeconfig(login) => KubernetesAuth::Kubeconfig {
            path: login.path.as_ref().map(|path| config.path(path)),
            context: login.context.clone(),
            exec: login.exec,
        },
        settings::KubernetesAuth::Token(login) => KubernetesAuth::Token {
            address: kubernetes.address.clone().unwrap_or_default(),
            token: config.credential(&login.token),
        },
    })
}

/// What this machine lacks for the login: said at start, and not at the first read.
pub(super) fn missing(config: &Config, ports: &Ports, kubernetes: &settings::Kubernetes) -> Option<String> {
    let auth = auth(config, kubernetes);
    KubernetesAuth::look(auth.as_ref(), &*ports.env, &*ports.files).err().map(|error| error.message().to_owned())
}
