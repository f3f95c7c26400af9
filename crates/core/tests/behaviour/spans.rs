//! Spans: whose trace they are in, which are taken, and what times they tell.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep_core::{
    Sampling, Span, SpanCounts, SpanKind, SpanSink, SpanValue, TraceParent, Tracer, TracerParts, UnixMillis,
};
use lockstep_testkit::{ManualClock, TestRandom};

const START: UnixMillis = UnixMillis(1_767_225_600_000);
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Keeps what it is given.
#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);

impl SpanSink for Kept {
    fn take(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }

    fn counts(&self) -> SpanCounts {
        SpanCounts::default()
    }
}

struct Bench {
    clock: Arc<ManualClock>,
    kept: Arc<Kept>,
    tracer: Arc<Tracer>,
}

impl Bench {
    fn new(follow_caller: bool, ratio: f64) -> Self {
        let (clock, kept) = (ManualClock::at(START), Arc::new(Kept::default()));
        let tracer = Tracer::new(TracerParts {
            clock: clock.clone(),
            random: TestRandom::seeded(7),
            sampling: Sampling { follow_caller, ratio },
            sink: kept.clone(),
        });
        Self { clock, kept, tracer: Arc::new(tracer) }
    }

    /// The span of one request of this caller, if it was taken.
    fn request(&self, caller: &str) -> Option<Span> {
        self.tracer.request(&parent(caller)).end(None);
        self.kept.0.lock().unwrap().pop()
    }
}

fn parent(text: &str) -> TraceParent {
    TraceParent((!text.is_empty()).then(|| text.into()))
}

/// Break: take the times of a span from the wall clock.
#[tokio::test]
async fn times_go_on_evenly_whatever_happens_to_the_wall_clock() {
    let bench = Bench::new(true, 1.0);
    let request = bench.tracer.request(&parent(CALLER));
    bench.clock.advance(Duration::from_micros(1500));
    let inner = request.below("secrets.get");
    bench.clock.set_wall(UnixMillis(1));
    bench.clock.advance_monotonic(Duration::from_nanos(30));
    inner.end(None);
    request.end(Some("unavailable"));
    let spans = bench.kept.0.lock().unwrap().clone();
    let start = START.0 * 1_000_000;
    assert_eq!((spans[0].start, spans[0].end), (start + 1_500_000, start + 1_500_030));
    assert_eq!((spans[1].start, spans[1].end), (start, start + 1_500_030));
    assert_eq!(
        (spans[0].parent, spans[0].trace, spans[0].kind),
        (Some(spans[1].id), spans[1].trace, SpanKind::Internal)
    );
    assert_eq!((spans[1].failure, spans[0].failure), (Some("unavailable"), None));
    assert!(spans[1].attributes.contains(&("error.type", SpanValue::Word("unavailable"))));
}

/// Break: the `Drop` of `OpenSpan`.
#[tokio::test]
async fn a_span_that_is_dropped_says_that_its_work_was_cancelled_and_one_that_is_forgotten_says_nothing() {
    let bench = Bench::new(true, 1.0);
    bench.tracer.request(&parent(CALLER)).forget();
    assert!(bench.kept.0.lock().unwrap().is_empty());
    drop(bench.tracer.request(&parent(CALLER)));
    assert_eq!(bench.kept.0.lock().unwrap()[0].failure, Some("cancelled"));
}

/// Break: a check in `Context::of`.
#[tokio::test]
async fn what_is_no_traceparent_begins_a_trace_of_its_own() {
    let bench = Bench::new(true, 1.0);
    let of_caller = bench.request(CALLER).unwrap();
    assert_eq!(
        (of_caller.trace, of_caller.parent),
        (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, Some(0x00f0_67aa_0ba9_02b7))
    );
    for bad in [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
        "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
    ] {
        let span = bench.request(bad).unwrap();
        assert_eq!(span.parent, None, "{bad:?}");
        assert_ne!(span.trace, of_caller.trace, "{bad:?}");
    }
}

/// Break: `takes_root`, or ask it of a caller's trace too.
#[tokio::test]
async fn a_ratio_takes_its_part_and_the_same_trace_always_in_the_same_way() {
    for (ratio, least, most) in [(0.0, 0, 0), (0.25, 180, 320), (1.0, 1000, 1000)] {
        let bench = Bench::new(true, ratio);
        let taken = (0..1000).filter(|_| bench.request("").is_some()).count();
        assert!((least..=most).contains(&taken), "{ratio}: {taken}");
    }
    // Just below and just above a half of the lower eight bytes, less its lowest bit.
    for (low, taken) in [("7fffffffffffffff", true), ("8000000000000000", false), ("0000000000000000", true)] {
        let caller = format!("00-00000000000000ff{low}-00f067aa0ba902b7-00");
        assert_eq!(Bench::new(false, 0.5).request(&caller).is_some(), taken, "{low}");
        assert!(Bench::new(true, 0.5).request(&caller).is_none(), "the caller has decided");
    }
    assert!(Bench::new(true, 0.0).request(CALLER).is_some(), "the caller has decided");
    assert!(Bench::new(false, 0.0).request(CALLER).is_none());
}
