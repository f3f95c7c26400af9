use std::future::Future;

use lockstep_core::{ChainVerifier, Outcome, UnixMillis};
use lockstep_testkit::{FakeTransport, ManualClock, Reply, TestRandom};

use super::*;

fn record(name: &str) -> AuditRecord {
    AuditRecord {
        at: UnixMillis(0),
        request_id: "r1".into(),
        principal: "local".into(),
        peer: None,
        action: "get",
        provider: None,
        name: name.into(),
        version: None,
        outcome: Outcome::Released,
        cached: true,
        policy: None,
        count: 1,
    }
}

struct Bench {
    clock: Arc<ManualClock>,
    transport: Arc<FakeTransport>,
    delivery: AuditDelivery,
}

fn limits() -> DeliveryLimits {
    DeliveryLimits {
        queue: 100,
        when_full: WhenFull::Block,
        batch_records: 10,
        batch_bytes: 64 << 10,
        batch_wait: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
    }
}

fn bench(limits: DeliveryLimits, replies: impl IntoIterator<Item = Reply>) -> Bench {
    let (clock, transport) = (ManualClock::new(), FakeTransport::in_order(replies));
    let delivery = AuditDelivery::new(DeliveryParts {
        transport: transport.clone(),
        clock: clock.clone(),
        random: TestRandom::seeded(1),
        address: Uri::from_static("https://audit.test/v1/records"),
        token: Some(Box::new(|| Ok(SecretValue::from("the-token")))),
        chain: true,
        key: None,
        writer: ChainWriter::default(),
        limits,
    });
    Bench { clock, transport, delivery }
}

impl Bench {
    fn write(&self, count: usize) {
        (0..count).for_each(|_| self.delivery.write(&record("db")).unwrap());
    }

    fn batches(&self) -> Vec<(String, String)> {
        let header = |request: &Request<Bytes>| {
            let id = request.headers()[BATCH_HEADER].to_str().unwrap();
            id.split_once(':').unwrap().1.to_owned()
        };
        let body = |request: &Request<Bytes>| String::from_utf8(request.body().to_vec()).unwrap();
        self.transport.requests().iter().map(|request| (header(request), body(request))).collect()
    }

    /// Runs it while time goes on, until it has come to an end or waits for something else.
    async fn sending<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = Box::pin(future);
        loop {
            tokio::select! {
                biased;
                result = &mut future => return result,
                () = tokio::task::yield_now() => { self.clock.advance_to_next(); }
            }
        }
    }
}

fn ok() -> Reply {
    Reply::new(204, "")
}

/// Break: a limit of `next`.
#[tokio::test]
async fn batches_are_bounded_named_and_whole_together() {
    let bench = bench(limits(), [ok(), ok(), ok()]);
    bench.write(24);
    assert_eq!(bench.sending(bench.delivery.flush(Duration::from_mins(1))).await, 0);
    let batches = bench.batches();
    assert_eq!(batches.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["0-9", "10-19", "20-24"]);
    let mut verifier = ChainVerifier::new(Vec::new());
    for (_, body) in &batches {
        assert!(verifier.feed(body.as_bytes()));
    }
    let report = verifier.finish();
    assert_eq!((report.broken, report.records), (None, 24));
    let request = &bench.transport.requests()[0];
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer the-token");
    assert!(!format!("{request:?}").contains("the-token"), "{request:?}");
}

#[tokio::test]
async fn a_record_that_is_larger_than_a_batch_goes_alone() {
    let bench = bench(DeliveryLimits { batch_bytes: 10, ..limits() }, (0..5).map(|_| ok()));
    bench.write(2);
    assert_eq!(bench.sending(bench.delivery.flush(Duration::from_mins(1))).await, 0);
    assert_eq!(bench.batches().iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["0-0", "1-1", "2-2"]);
}

/// Refused, redirected, hung up, without an answer: the same batch comes again, under the same name, whatever has come
/// into the queue meanwhile. Break: `cut` in `next`, or any answer but a 2xx in `attempt`.
#[tokio::test]
async fn a_batch_is_sent_until_it_is_taken_and_stays_the_same() {
    let replies = [
        Reply::new(500, "no"),
        Reply::new(307, "").header("location", "https://elsewhere.test/"),
        Reply::new(429, "").header("retry-after", "20"),
        Reply::Fail(Error::new(ErrorKind::Network, "the connection broke")),
        Reply::Fail(Error::new(ErrorKind::Timeout, "no answer")),
        ok(),
        ok(),
    ];
    let bench = bench(limits(), replies);
    bench.write(3);
    bench
        .sending(async {
            let flushing = bench.delivery.flush(Duration::from_mins(10));
            let more = async {
                bench.transport.until_sent(1).await;
                bench.write(2);
            };
            tokio::join!(flushing, more).0
        })
        .await;
    let batches = bench.batches();
    assert_eq!(batches.len(), 7);
    assert!(batches[..6].iter().all(|batch| *batch == batches[0]), "{batches:?}");
    assert_eq!((batches[0].0.as_str(), batches[6].0.as_str()), ("0-3", "4-5"));
    assert!(bench.transport.requests().iter().all(|request| request.uri().host() == Some("audit.test")));
}

/// Break: the arm of `WhenFull::Block` in `write`, or `is_ready`.
#[tokio::test]
async fn a_full_queue_that_blocks_refuses_until_there_is_room() {
    let bench = bench(DeliveryLimits { queue: 5, ..limits() }, [ok()]);
    bench.write(4);
    let error = bench.delivery.write(&record("db")).unwrap_err();
    assert_eq!((error.kind(), bench.delivery.is_ready(), bench.delivery.lost()), (ErrorKind::Unavailable, false, 0));
    assert!(error.to_string().contains("queue is full"), "{error}");
    bench.sending(bench.delivery.flush(Duration::from_mins(1))).await;
    assert!(bench.delivery.is_ready());
    bench.write(1);
}

/// Break: `untold`, or the count of an access in it.
#[tokio::test]
async fn a_full_queue_that_drops_counts_what_is_lost_and_says_so_in_the_chain() {
    let bench = bench(DeliveryLimits { queue: 5, when_full: WhenFull::Drop, ..limits() }, [ok(), ok()]);
    bench.write(4 + 7);
    bench.delivery.write(&AuditRecord { count: 3, ..record("db") }).unwrap();
    assert_eq!((bench.delivery.waiting(), bench.delivery.lost(), bench.delivery.is_ready()), (5, 10, true));
    bench.sending(bench.delivery.flush(Duration::from_mins(1))).await;
    bench.write(1);
    bench.sending(bench.delivery.flush(Duration::from_mins(1))).await;
    let text: String = bench.batches().into_iter().map(|(_, body)| body).collect();
    let mut verifier = ChainVerifier::new(Vec::new());
    verifier.feed(text.as_bytes());
    let report = verifier.finish();
    assert_eq!((report.broken, report.records, report.lost), (None, 5, 10));
}

/// Break: `select_biased!` in `flush`.
#[tokio::test]
async fn a_flush_ends_in_time_and_says_what_is_left() {
    let bench = bench(limits(), [Reply::Hang]);
    bench.write(3);
    assert_eq!(bench.sending(bench.delivery.flush(Duration::from_secs(2))).await, 4);
}

/// Break: `until_filled`, or the wait in `run`.
#[tokio::test]
async fn it_waits_for_records_and_then_for_more_of_them() {
    let bench = bench(limits(), [ok(), ok()]);
    let run = bench.delivery.run();
    let test = async {
        tokio::task::yield_now().await;
        assert_eq!(bench.transport.count(), 0);
        bench.write(1);
        bench.clock.until_sleeping(1).await;
        bench.write(1);
        assert_eq!(bench.transport.count(), 0, "a batch that is not full waits");
        bench.clock.advance(Duration::from_secs(1));
        bench.transport.until_sent(1).await;
        bench.write(10);
        bench.transport.until_sent(2).await;
    };
    tokio::select! {
        () = run => unreachable!("it runs on"),
        () = test => {}
    }
    let ids: Vec<_> = bench.batches().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["0-2", "3-12"]);
}
