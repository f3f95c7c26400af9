//! The Lockstep endpoints that a configuration asks.

use std::sync::Arc;

use lockstep_core::Result;
use lockstep_providers::lockstep::{LockstepProvider, LockstepSettings};

use super::remote::{self, profile};
use super::{Config, Made, Ports};
use crate::settings;

pub(super) fn make(config: &Config, ports: &Ports, endpoint: &settings::Lockstep) -> Result<Made> {
    let settings = LockstepSettings {
        address: endpoint.address.clone(),
        token: config.credential(&endpoint.token),
        provider: endpoint.provider.as_ref().map(|alias| alias.0.to_string()),
        members: endpoint.max_members as usize,
        environment: String::new(),
    };
    let ports = remote::ports(ports, &profile(config, &endpoint.tls))?;
    Ok((Arc::new(LockstepProvider::new(settings, ports)?), None))
}
