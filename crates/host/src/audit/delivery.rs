//! Records that are sent to another system: when, and for how long.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lockstep_auth::AuditDelivery;
use lockstep_config::settings::AuditHttp;
use lockstep_config::{Config, DeliveryPorts};
use lockstep_core::Result;
use lockstep_native::{AuditSettings, chain_writer};

use super::Audit;
use crate::Host;

pub(super) fn open(
    host: &Host,
    config: &Config,
    at: &str,
    http: &AuditHttp,
    settings: AuditSettings,
) -> Result<AuditDelivery> {
    let ports = DeliveryPorts {
        transports: &host.transports(),
        clock: settings.clock,
        env: Arc::clone(&host.env),
        files: Arc::clone(&host.files),
        random: settings.random,
        writer: chain_writer(),
        chain: settings.chain,
        key: settings.key,
    };
    Ok(config.audit_delivery(at, http, ports)?)
}

impl Audit {
    /// Sends records away, for as long as it is polled. It never ends.
    pub async fn deliver(&self) {
        join_all(self.deliveries.iter().map(AuditDelivery::run)).await;
        // There was nothing to send, and there never will be.
        std::future::pending::<()>().await;
    }

    /// Whether records are sent at all.
    pub fn is_delivered(&self) -> bool {
        !self.deliveries.is_empty()
    }

    /// Records that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.deliveries.iter().map(AuditDelivery::waiting).sum()
    }

    /// Sends what waits, for this long at most. Says how many records are left; they wait for the next time.
    pub async fn send(&self, limit: Duration) -> usize {
        join_all(self.due().map(|delivery| delivery.send(limit))).await.into_iter().sum()
    }

    /// The same when there is no next time. Says how many records are lost.
    pub async fn flush(&self, limit: Duration) -> usize {
        join_all(self.due().map(|delivery| delivery.flush(limit))).await.into_iter().sum()
    }

    fn due(&self) -> impl Iterator<Item = &AuditDelivery> {
        self.deliveries.iter().filter(|delivery| delivery.waiting() > 0)
    }
}
