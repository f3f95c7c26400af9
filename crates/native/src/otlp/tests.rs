//! The queue and what an exporter does with a collector's answers. What a real reader makes of the bytes is in
//! `tests/stories/traces.rs`.

#![expect(clippy::disallowed_methods, reason = "a test's own tasks belong to no call")]

use lockstep_core::{SpanKind, SpanValue};
use lockstep_testkit::{FakeTransport, ManualClock, Reply, TestRandom};

use super::*;

const QUEUE: usize = 4;
/// `partial_success { rejected_spans: 2 }`, and a text that is not to be read.
const PARTIAL: &[u8] = &[0x0a, 0x05, 0x08, 0x02, 0x12, 0x01, b'x'];

struct Bench {
    clock: Arc<ManualClock>,
    transport: Arc<FakeTransport>,
    exporter: Arc<OtlpExporter>,
}

fn bench(replies: impl IntoIterator<Item = Reply>) -> Bench {
    let (clock, transport) = (ManualClock::new(), FakeTransport::in_order(replies));
    let exporter = OtlpExporter::new(OtlpParts {
        transport: transport.clone(),
        clock: clock.clone(),
        random: TestRandom::seeded(1),
        address: Uri::from_static("http://127.0.0.1:4318/v1/traces"),
        headers: Box::new(|| Ok(HeaderMap::new())),
        resource: vec![("service.name".to_owned(), "test".to_owned())],
        queue: QUEUE,
        timeout: Duration::from_secs(10),
    });
    Bench { clock, transport, exporter: Arc::new(exporter) }
}

fn span(id: u64) -> Span {
    Span {
        trace: 1,
        id,
        parent: None,
        flags: 1,
        name: (SpanValue::Word("secrets.get"), ""),
        kind: SpanKind::Internal,
        start: 1,
        end: 2,
        attributes: Vec::new(),
        failure: None,
    }
}

impl Bench {
    fn take(&self, spans: std::ops::Range<u64>) {
        spans.for_each(|id| self.exporter.take(span(id)));
    }

    /// Exported, dropped, rejected and waiting.
    fn counts(&self) -> [u64; 4] {
        let counts = self.exporter.counts();
        [counts.exported, counts.dropped, counts.rejected, counts.waiting]
    }
}

/// Break: leave out the check in `take`, or take the oldest span out instead.
#[tokio::test]
async fn what_has_no_room_is_dropped_and_counted_and_what_is_sent_makes_room() {
    let bench = bench([Reply::new(200, ""), Reply::new(200, "")]);
    bench.take(0..7);
    assert_eq!(bench.counts(), [0, 3, 0, 4]);
    assert_eq!(bench.exporter.send(Duration::from_secs(1)).await, 0);
    assert_eq!(bench.counts(), [4, 3, 0, 0]);
    bench.take(7..8);
    bench.exporter.flush(Duration::from_secs(1)).await;
    assert_eq!(bench.counts(), [5, 3, 0, 0]);
}

/// Break: count what was refused of a batch as taken, or send it again.
#[tokio::test]
async fn what_a_collector_will_never_take_is_counted_and_not_sent_again() {
    let too_large = vec![0; ANSWER_BYTES + 1];
    for (reply, counts) in [
        (Reply::new(200, PARTIAL), [1, 0, 2, 0]),
        // An answer that can't be read is a yes all the same.
        (Reply::new(200, "<p>ok</p>"), [3, 0, 0, 0]),
        (Reply::new(202, ""), [3, 0, 0, 0]),
        (Reply::new(400, ""), [0, 0, 3, 0]),
        (Reply::new(413, ""), [0, 0, 3, 0]),
        (Reply::new(302, ""), [0, 0, 3, 0]),
        (Reply::new(500, ""), [0, 0, 3, 0]),
        (Reply::new(200, too_large), [0, 0, 3, 0]),
    ] {
        let bench = bench([reply]);
        bench.take(0..3);
        assert_eq!(bench.exporter.send(Duration::from_secs(1)).await, 0);
        assert_eq!(bench.counts(), counts);
        assert_eq!(bench.transport.count(), 1);
    }
}

/// Break: `max(asked)` in `send_all`, or an arm of `Again`.
#[tokio::test]
async fn what_a_collector_may_take_later_is_sent_again_not_before_it_says() {
    let refused = || Reply::Fail(Error::new(ErrorKind::Network, "nobody listens"));
    for (reply, asked) in [
        (Reply::new(429, ""), "7"),
        (Reply::new(502, ""), "0"),
        (Reply::new(503, ""), "7"),
        // Longer than the longest pause.
        (Reply::new(504, ""), "3600"),
        (refused(), "0"),
    ] {
        let bench = bench([reply.header("retry-after", asked), Reply::new(200, "")]);
        bench.take(0..2);
        let exporter = bench.exporter.clone();
        let sending = tokio::spawn(async move { exporter.send(Duration::from_mins(1)).await });
        bench.transport.until_sent(1).await;
        bench.clock.until_sleeping(2).await;
        assert_eq!(bench.counts(), [0, 0, 0, 2]);
        let pause = bench.clock.advance_to_next().unwrap();
        assert_eq!(sending.await.unwrap(), 0);
        assert_eq!(bench.counts(), [2, 0, 0, 0]);
        let requests = bench.transport.requests();
        assert_eq!(requests[0].body(), requests[1].body());
        let expected = match asked {
            "0" => FIRST_PAUSE / 2..=FIRST_PAUSE,
            "7" => Duration::from_secs(7)..=Duration::from_secs(7),
            _ => LONGEST_PAUSE..=LONGEST_PAUSE,
        };
        assert!(expected.contains(&pause), "{asked} {pause:?}");
    }
}

/// Break: wait for `send_all` alone in `send`.
#[tokio::test]
async fn a_collector_that_says_nothing_holds_an_end_up_no_longer_than_the_limit() {
    let bench = bench([Reply::Hang]);
    bench.take(0..2);
    let exporter = bench.exporter.clone();
    let ending = tokio::spawn(async move { exporter.flush(Duration::from_secs(2)).await });
    bench.transport.until_sent(1).await;
    bench.clock.until_sleeping(1).await;
    assert_eq!(bench.clock.advance_to_next(), Some(Duration::from_secs(2)));
    ending.await.unwrap();
    assert_eq!(bench.counts(), [0, 2, 0, 0]);
}

/// Break: send at once in `run`, or wait for a batch that is full already.
#[tokio::test]
async fn a_batch_that_is_not_full_waits_for_more() {
    let bench = bench([Reply::new(200, "")]);
    let exporter = bench.exporter.clone();
    let running = tokio::spawn(async move { exporter.run().await });
    bench.take(0..1);
    bench.clock.until_sleeping(1).await;
    bench.take(1..3);
    assert_eq!(bench.transport.count(), 0);
    bench.clock.advance(BATCH_WAIT);
    bench.transport.until_sent(1).await;
    while bench.exporter.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.counts(), [3, 0, 0, 0]);
    running.abort();
}
