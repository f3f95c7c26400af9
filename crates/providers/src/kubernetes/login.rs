//! [`Login`]: from what the configuration says to an [`Access`], for the cache of logins.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, Error, ErrorKind, Result, TlsProfile, Transport, Transports};

use super::access::{Access, Found};
use super::in_cluster;
use super::kubeconfig::Kubeconfig;
use super::settings::KubernetesAuth;
use crate::Ports;
use crate::address::Address;
use crate::login::{Ahead, End, Granted, LoginSource};

/// Plugins print tokens that live for minutes.
pub(super) const AHEAD: Ahead = Ahead { advisory: Duration::from_mins(1), mandatory: Duration::from_secs(10) };

/// Where logins come from.
pub(super) struct Login {
    pub(super) auth: KubernetesAuth,
    pub(super) namespace: Option<String>,
    pub(super) tls: TlsProfile,
    pub(super) insecure: bool,
    pub(super) ports: Ports,
    pub(super) transports: Arc<dyn Transports>,
    pub(super) state: Mutex<State>,
}

/// What stays from one login to the next.
#[derive(Default)]
pub(super) struct State {
    /// The way out, which keeps its connections as long as the profile is the same.
    built: Option<(TlsProfile, Arc<dyn Transport>)>,
    /// Where the first login led: address, namespace, who.
    first: Option<(String, Option<String>, String)>,
}

impl Login {
    async fn found(&self, call: &Call) -> Result<Found> {
        match &self.auth {
            KubernetesAuth::InCluster => in_cluster::found(&self.ports, self.namespace.as_deref(), &self.tls),
            KubernetesAuth::Kubeconfig { path, context, exec } => {
                let kubeconfig = Kubeconfig::read(&self.ports, path.as_deref())?;
                kubeconfig.found(call, &self.ports, context.as_deref(), *exec, &self.tls).await
            }
            KubernetesAuth::Token { address, token } => Ok(Found {
                address: parsed(address)?,
                namespace: None,
                tls: self.tls.clone(),
                token: Some(token.read(&*self.ports.env, &*self.ports.files)?),
                end: End::In(in_cluster::AGAIN),
                who: String::new(),
            }),
        }
    }

    /// What is cached was read from where the first login led. A file that leads elsewhere now would mix two clusters, or
    /// two people, under one name.
    fn stays(state: &mut State, found: &Found) -> Result<()> {
        let now = (found.address.text(), found.namespace.clone(), found.who.clone());
        if state.first.get_or_insert_with(|| now.clone()) == &now {
            return Ok(());
        }
        let message =
            "the login leads to another server, namespace or user than before; start anew, or name a `context`";
        Err(Error::new(ErrorKind::Config, message))
    }

    fn transport(&self, state: &mut State, tls: &TlsProfile) -> Result<Arc<dyn Transport>> {
        if let Some((built, transport)) = &state.built
            && built == tls
        {
            return Ok(Arc::clone(transport));
        }
        let transport = self.transports.build(tls)?;
        state.built = Some((tls.clone(), Arc::clone(&transport)));
        Ok(transport)
    }
}

#[async_trait]
impl LoginSource for Login {
    type Credential = Arc<Access>;

    async fn log_in(&self, call: &Call) -> Result<Granted<Arc<Access>>> {
        let mut found = self.found(call).await?;
        if !self.insecure && !found.address.is_private() {
            let message = "`http://` to another machine would send secrets in the clear; use `https://`, or add \
                           `insecure = true` if that is what you want";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.namespace.is_some() {
            found.namespace.clone_from(&self.namespace);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Self::stays(&mut state, &found)?;
        let transport = self.transport(&mut state, &found.tls)?;
        let Found { address, namespace, token, end, .. } = found;
        Ok(Granted { credential: Arc::new(Access { address, namespace, transport, token }), end, beyond: None })
    }
}

/// The address of an API server.
pub(super) fn parsed(text: &str) -> Result<Address> {
    Address::parse(text).ok_or_else(|| {
        let message =
            "the address of a Kubernetes server is a URL without user and query; write `https://10.0.0.1:6443`";
        Error::new(ErrorKind::Config, message)
    })
}
