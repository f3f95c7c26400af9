//! [`Cluster`]: the nodes of one Vault, which of them to ask first, and which to leave alone for a while.
//!
//! Tokens, leases and the index belong to the cluster, not to a node.

use std::sync::Arc;

use http::StatusCode;
use lockstep_core::{Clock, Error, ErrorKind, Result, Timeline};

use super::settings::address;
use crate::address::Address;
use crate::resting::Resting;

/// A cluster has a handful of nodes.
const MOST_NODES: usize = 16;

/// The nodes, in the order of the configuration.
pub(super) struct Cluster {
    nodes: Vec<Address>,
    resting: Resting,
}

impl Cluster {
    /// # Errors
    /// `Config` for no address, too many, one twice, or one that can't be one.
    pub(super) fn new(addresses: &[String], clock: Arc<dyn Clock>) -> Result<Self> {
        let nodes = addresses.iter().map(|text| address(text)).collect::<Result<Vec<_>>>()?;
        let mut texts: Vec<_> = nodes.iter().map(Address::text).collect();
        texts.sort_unstable();
        texts.dedup();
        if texts.len() != nodes.len() || nodes.is_empty() || nodes.len() > MOST_NODES {
            let message = format!("a vault has from 1 to {MOST_NODES} addresses, each of them once; look at `address`");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self { resting: Resting::new(nodes.len(), Arc::new(Timeline::new(clock))), nodes })
    }

    /// Every node once: those that serve, in the order of the configuration, then those that rest, the longest first.
    pub(super) fn order(&self) -> Vec<usize> {
        let left = self.resting.left();
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|node| left[*node]);
        order
    }

    pub(super) fn node(&self, number: usize) -> &Address {
        &self.nodes[number]
    }

    /// Remembers whether a node could serve.
    pub(super) fn judge(&self, number: usize, serves: bool) {
        self.resting.judge(number, serves);
    }

    /// All addresses as the scope names them.
    pub(super) fn text(&self) -> String {
        let mut texts: Vec<_> = self.nodes.iter().map(Address::text).collect();
        texts.sort_unstable();
        texts.join(" ")
    }
}

/// Whether an answer says that the node can't serve, and another one may: a standby that can't, a sealed or removed
/// node, a failing one. Not 429: a rate limit is the cluster's.
pub(super) fn cannot_serve(status: StatusCode) -> bool {
    matches!(status.as_u16(), 472..=474) || status.is_server_error()
}

/// Whether a failure is the node's or the way's to it.
pub(super) fn is_of_node(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Network | ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Malformed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockstep_testkit::ManualClock;

    use super::*;

    fn addresses(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("https://vault-{number}:8200")).collect()
    }

    /// Break: `REST`, or `sort_by_key`.
    #[test]
    fn a_node_that_could_not_serve_is_last_for_half_a_minute_and_never_left_out() {
        let clock = ManualClock::new();
        let cluster = Cluster::new(&addresses(3), clock.clone()).unwrap();
        assert_eq!(cluster.order(), [0, 1, 2]);
        cluster.judge(0, false);
        assert_eq!(cluster.order(), [1, 2, 0]);
        clock.advance(Duration::from_secs(10));
        cluster.judge(1, false);
        cluster.judge(2, false);
        assert_eq!(cluster.order(), [0, 1, 2], "all rest: whoever has rested longest goes first");
        cluster.judge(1, true);
        assert_eq!(cluster.order(), [1, 0, 2]);
        clock.advance(Duration::from_secs(21));
        assert_eq!(cluster.order(), [0, 1, 2], "31 s after its failure the first one is asked first again");
    }

    #[test]
    fn a_cluster_has_some_addresses_each_once_and_its_order_is_no_part_of_the_scope() {
        let clock = ManualClock::new();
        let refused = |list: &[String]| Cluster::new(list, clock.clone()).err().map(|error| error.kind());
        assert_eq!(refused(&[]), Some(ErrorKind::Config));
        assert_eq!(refused(&addresses(17)), Some(ErrorKind::Config));
        assert_eq!(refused(&["https://v".to_owned(), "https://v/".to_owned()]), Some(ErrorKind::Config));
        let text = |list: &[String]| Cluster::new(list, clock.clone()).unwrap().text();
        let mut list = addresses(16);
        let before = text(&list);
        list.reverse();
        assert_eq!(text(&list), before);
    }
}
