use std::sync::Mutex;

use super::*;

/// Two clocks that stand where they are put.
struct Hands(Mutex<(Duration, UnixMillis)>);

#[async_trait]
impl Clock for Hands {
    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn wall(&self) -> UnixMillis {
        self.0.lock().unwrap().1
    }

    async fn sleep(&self, _: Duration) {}
}

impl Hands {
    fn put(&self, monotonic: u64, wall: u64) {
        *self.0.lock().unwrap() = (Duration::from_millis(monotonic), UnixMillis(wall));
    }
}

fn clocks() -> (Arc<Hands>, Timeline) {
    let hands = Arc::new(Hands(Mutex::default()));
    hands.put(1_000, 1_000_000);
    (hands.clone(), Timeline::new(hands))
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn seconds_are_whole_one_way_and_fractional_the_other() {
    assert_eq!(UnixMillis(1_999).seconds(), 1);
    assert_eq!(UnixMillis::from_seconds(1_700_000_000.123_6), Some(UnixMillis(1_700_000_000_124)));
    for absurd in [-0.001, f64::NAN, f64::INFINITY, 1e12] {
        assert_eq!(UnixMillis::from_seconds(absurd), None, "{absurd}");
    }
}

#[test]
fn times_are_written_as_they_are_read() {
    let time = UnixMillis::from_rfc3339("2026-05-01T12:00:00.5+02:00").unwrap();
    assert_eq!((time, time.to_rfc3339().as_str()), (UnixMillis(1_777_629_600_500), "2026-05-01T10:00:00.5Z"));
    assert_eq!(format!("{time:?}"), time.to_rfc3339());
    for none in ["", "2026-05-01", "1969-12-31T23:59:59Z"] {
        assert_eq!(UnixMillis::from_rfc3339(none), None, "{none}");
    }
    assert_eq!(UnixMillis(u64::MAX).to_rfc3339(), u64::MAX.to_string());
}

#[test]
fn nothing_of_a_time_overflows() {
    let (early, late) = (UnixMillis(5), UnixMillis(7));
    assert_eq!((late.saturating_since(early), early.saturating_since(late)), (millis(2), Duration::ZERO));
    assert_eq!((early.plus(millis(2)), late.plus(Duration::MAX)), (late, UnixMillis(u64::MAX)));
}

/// Break: `max` in `Moment::since`, as either of the two ages alone.
#[test]
fn c6_an_age_is_the_larger_of_what_the_clocks_say() {
    for (monotonic, wall, age) in
        [(1_000, 1_000_000, 0), (1_000, 1_000_300, 300), (1_500, 1_000_000, 500), (1_200, 1_000_300, 300)]
    {
        let (hands, timeline) = clocks();
        let before = timeline.now();
        hands.put(monotonic, wall);
        let now = timeline.now();
        assert_eq!(now.since(before), Some(millis(age)));
        assert_eq!(now.is_later_than(before), age > 0);
        assert!(now.is_past(before, millis(age)) && !now.is_past(before, millis(age + 1)));
        assert_eq!(now.since(now.back(millis(40))), Some(millis(40)));
        assert!(!before.is_later_than(now));
    }
}

/// Break: `wall < mark` in `Timeline::now`, the setbacks in `Moment::since`, or the new mark after a setback.
#[test]
fn c6_after_a_wall_clock_that_was_set_back_nobody_knows_an_age() {
    let (hands, timeline) = clocks();
    let before = timeline.now();
    assert_eq!(timeline.now(), before, "a clock that stands still was not set back");
    hands.put(1_001, 999_999);
    let after = timeline.now();
    assert_eq!(after.since(before), None);
    assert!(after.is_past(before, Duration::MAX) && !after.is_later_than(before));
    assert_eq!(timeline.now(), after, "it was set back once");
    hands.put(1_002, 1_000_000);
    assert_eq!(timeline.now().since(after), Some(millis(1)), "from there on it is known again");
    assert_eq!(timeline.now().since(before), None);
}

/// Break: `outside` in `Timeline::now`, or `at_least` as a store.
#[test]
fn c6_a_clock_outside_counts_where_ours_stand_still_and_never_backwards() {
    let (_hands, timeline) = clocks();
    let before = timeline.now();
    timeline.at_least(UnixMillis(1_000_700));
    timeline.at_least(UnixMillis(1_000_100));
    assert_eq!(timeline.now().since(before), Some(millis(700)));
    assert!(format!("{timeline:?}").starts_with("Timeline"));
}
