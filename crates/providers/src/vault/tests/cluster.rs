//! Several nodes: failover, the index, and what is never asked twice.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use lockstep_core::{Limits, Transport};
use lockstep_testkit::fake::{Node, VaultCluster};

use super::super::cluster::Cluster;
use super::super::http::{Ask, Http};
use super::super::index::Index;
use super::*;

/// A provider that knows these nodes as `vault-0`, `vault-1`, ...
fn world(cluster: &Arc<VaultCluster>, nodes: usize, forward_stale: bool) -> World {
    let cluster = cluster.clone();
    let transport = FakeTransport::by(move |request| {
        let node = request.uri().host().unwrap().strip_prefix("vault-").unwrap().parse().unwrap();
        Reply::Answer(cluster.answer(node, request))
    });
    of(transport, nodes, forward_stale)
}

fn of(transport: Arc<FakeTransport>, nodes: usize, forward_stale: bool) -> World {
    let auth = VaultAuth::AppRole { mount: "approle".into(), role_id: "role".into(), secret_id: None };
    World::of(auth, transport, |settings| {
        settings.addresses = (0..nodes).map(|node| format!("https://vault-{node}:8200")).collect();
        settings.mounts = BTreeMap::from([("kv".into(), MountKind::Kv2), ("db".into(), MountKind::Dynamic)]);
        settings.namespace = None;
        settings.forward_stale = forward_stale;
    })
}

fn asked(cluster: &VaultCluster) -> Vec<usize> {
    cluster.seen().into_iter().map(|(node, _)| node).collect()
}

/// Break: `cannot_serve`, or `judge` in `Http::send`.
#[tokio::test]
async fn a_node_that_cannot_serve_is_passed_over_and_left_alone_for_half_a_minute() {
    for status in [472, 473, 474, 500, 501, 502, 503, 504, 530] {
        let cluster = VaultCluster::new(&[Node::Refusing(status), Node::Active]);
        cluster.write("a", "x");
        let world = world(&cluster, 2, false);
        world.current("kv/a").await.unwrap();
        assert_eq!(asked(&cluster), [0, 1, 1], "{status}: the login goes on, the read knows already");
        world.clock.advance(Duration::from_secs(29));
        world.current("kv/a").await.unwrap();
        assert_eq!(asked(&cluster), [0, 1, 1, 1], "{status}");
        cluster.set(0, Node::Active);
        world.clock.advance(Duration::from_secs(2));
        world.current("kv/a").await.unwrap();
        assert_eq!(asked(&cluster), [0, 1, 1, 1, 0], "{status}: the first one is asked again, with the same token");
        assert_eq!(world.sent("/login"), 2, "{status}: one login, passed on");
    }
}

/// Break: `order` by leaving out who rests, or the loop of `Http::send` by beginning anew.
#[tokio::test]
async fn each_node_is_asked_once_at_most_and_when_none_serves_that_is_said() {
    let cluster = VaultCluster::new(&[Node::Refusing(503), Node::Refusing(472), Node::Refusing(530)]);
    let world = world(&cluster, 3, false);
    for round in 1..=2 {
        let error = world.current("kv/a").await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unavailable, Retry::After(None)));
        assert_eq!(error.operation(), Some(lockstep_core::Operation::Login));
        assert_eq!(cluster.seen().len(), 3 * round, "nobody is left out, though all rest");
    }
}

#[tokio::test]
async fn a_network_that_fails_leads_to_the_next_node_too() {
    for kind in [ErrorKind::Network, ErrorKind::Timeout, ErrorKind::Tls, ErrorKind::Malformed] {
        let cluster = VaultCluster::new(&[Node::Active, Node::Active]);
        cluster.write("a", "x");
        let behind = cluster.clone();
        let transport = FakeTransport::by(move |request| match request.uri().host().unwrap() {
            "vault-0" => Reply::Fail(Error::new(kind, "it broke")),
            _ => Reply::Answer(behind.answer(1, request)),
        });
        let world = of(transport, 2, false);
        world.current("kv/a").await.unwrap();
        assert_eq!(world.transport.count(), 3, "{kind:?}");
    }
}

/// O7. Break: `cannot_serve` by counting 429 to it.
#[tokio::test]
async fn o7_a_rate_limit_is_the_clusters_and_its_pause_is_kept() {
    let cluster = VaultCluster::new(&[Node::Active, Node::Active]);
    cluster.limit(Some(7));
    let world = world(&cluster, 2, false);
    let error = world.current("kv/a").await.unwrap_err();
    let pause = Retry::After(Some(Duration::from_secs(7)));
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Throttled, pause));
    assert_eq!(asked(&cluster), [0]);
}

/// Break: `once` in `VaultProvider::credential`, or `is_unsent` in `Http::send`.
#[tokio::test]
async fn a_credential_is_made_at_another_node_only_if_nothing_was_sent_to_the_first() {
    type Case = (&'static str, fn() -> Reply, bool);
    let failures: [Case; 5] = [
        ("sealed", || Reply::new(503, ""), false),
        ("failed", || Reply::new(500, ""), false),
        ("broke", || Reply::Fail(Error::new(ErrorKind::Network, "the connection broke")), false),
        ("late", || Reply::Fail(Error::new(ErrorKind::Timeout, "no answer")), false),
        ("refused", || Reply::Fail(Error::new(ErrorKind::Network, "no connection").unsent()), true),
    ];
    for (what, failure, goes_on) in failures {
        let cluster = VaultCluster::new(&[Node::Active, Node::Active]);
        let behind = cluster.clone();
        let transport = FakeTransport::by(move |request| match (request.uri().host().unwrap(), request.uri().path()) {
            ("vault-0", "/v1/db/creds/app") => failure(),
            (host, _) => Reply::Answer(behind.answer(usize::from(host == "vault-1"), request)),
        });
        let world = of(transport, 2, false);
        let outcome = world.current("db/creds/app").await;
        assert_eq!((outcome.is_ok(), cluster.made()), (goes_on, usize::from(goes_on)), "{what}");
        if let Err(error) = outcome {
            assert_eq!(error.retry_hint(), Retry::Never, "{what}");
        }
        let minting: Vec<_> = world
            .transport
            .requests()
            .into_iter()
            .filter(|request| request.uri().path().starts_with("/v1/db"))
            .collect();
        assert!(
            minting.iter().all(|request| request.extensions().get::<lockstep_core::SendOnce>().is_some()),
            "{what}"
        );
    }
}

/// Vault's eventual consistency: the token itself has to reach a standby. Break: `learn` or the header in
/// `Http::exchange`; then the standby answers 403, as if the policies refused.
#[tokio::test]
async fn a_standby_that_is_behind_our_own_login_says_so_and_serves_once_it_caught_up() {
    let cluster = VaultCluster::new(&[Node::Standby]);
    cluster.write("a", "x");
    let world = world(&cluster, 1, false);
    let error = world.current("kv/a").await.unwrap_err();
    assert_eq!((error.kind(), error.upstream_status()), (ErrorKind::Unavailable, Some(412)));
    assert_eq!(error.retry_hint(), Retry::After(None));
    cluster.catch_up();
    world.current("kv/a").await.unwrap();
    assert_eq!(world.sent("/login"), 1);
}

/// Break: `forward` in `Http::ask_node`.
#[tokio::test]
async fn a_standby_that_is_behind_forwards_when_it_is_asked_to() {
    let cluster = VaultCluster::new(&[Node::Standby]);
    cluster.write("a", "x");
    let world = world(&cluster, 1, true);
    world.current("kv/a").await.unwrap();
    let requests = world.transport.requests();
    assert_eq!(requests.len(), 3, "the login, the read, and once more");
    assert!(requests[..2].iter().all(|request| !request.headers().contains_key("x-vault-inconsistent")));
    assert_eq!(requests[2].headers()["x-vault-inconsistent"], "forward-active-node");
    let error = world.current("db/creds/app").await.unwrap_err();
    assert_eq!((error.upstream_status(), cluster.made()), (Some(412), 0), "what makes something is not asked again");
}

/// A node that is behind and takes its time to say so: 12 s for each answer, or what it is given.
struct Slow {
    clock: Arc<ManualClock>,
    times: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Transport for Slow {
    async fn send(&self, _: http::Request<Bytes>, limits: Limits) -> Result<http::Response<Bytes>, Error> {
        self.times.lock().unwrap().push(limits.time);
        self.clock.advance(Duration::from_secs(12).min(limits.time));
        Ok(http::Response::builder().status(412).body(Bytes::new()).unwrap())
    }
}

/// Break: give the second exchange of `Http::ask_node` the time of the first.
#[tokio::test]
async fn what_is_forwarded_has_what_is_left_of_its_nodes_time() {
    let clock = ManualClock::new();
    let slow = Arc::new(Slow { clock: clock.clone(), times: Mutex::default() });
    let nodes = ["https://vault-0", "https://vault-1"].map(str::to_owned);
    let http = Http {
        cluster: Cluster::new(&nodes, clock.clone()).unwrap(),
        index: Index::default(),
        forward_stale: true,
        namespace: None,
        members: MAX_MEMBERS,
        transport: slow.clone(),
    };
    http.send(&call(&clock), &Ask::get("kv/data/a")).await.unwrap();
    // Of 30 s the first of two nodes has 15.
    assert_eq!(*slow.times.lock().unwrap(), [Duration::from_secs(15), Duration::from_secs(3)]);
}

/// The index belongs to the cluster: another node is held to it. Break: an index per node.
#[tokio::test]
async fn the_index_and_the_token_go_with_us_to_the_next_node() {
    let cluster = VaultCluster::new(&[Node::Active, Node::Standby]);
    cluster.write("a", "x");
    let world = world(&cluster, 2, false);
    world.current("kv/a").await.unwrap();
    cluster.set(0, Node::Refusing(503));
    assert_eq!(world.current("kv/a").await.unwrap_err().upstream_status(), Some(412));
    cluster.catch_up();
    world.current("kv/a").await.unwrap();
    assert_eq!(world.sent("/login"), 1, "no node needs a login of its own");
}
