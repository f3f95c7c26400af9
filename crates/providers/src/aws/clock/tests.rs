use std::time::Duration;

use lockstep_testkit::ManualClock;

use super::*;

fn dated(text: &str) -> HeaderMap {
    HeaderMap::from_iter([(DATE, text.parse().unwrap())])
}

/// Break: compare with the correction in force instead of the time of this request's signature.
#[test]
fn a_request_that_was_signed_before_another_corrected_the_clock_is_signed_again() {
    let clock = SigningClock::new(ManualClock::at(UnixMillis::from_rfc3339("2026-05-01T10:00:00Z").unwrap()));
    let signed = clock.now();
    let theirs = dated("Fri, 01 May 2026 10:20:00 GMT");
    assert!(clock.correct(signed, &theirs) && clock.correct(signed, &theirs));
    assert_eq!(clock.now(), signed.plus(Duration::from_mins(20)));
    assert!(!clock.correct(clock.now(), &theirs) && !clock.correct(signed, &HeaderMap::new()));
}

#[test]
fn dates_of_http_are_read() {
    assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), UnixMillis::from_rfc3339("1994-11-06T08:49:37Z"));
    for bad in ["", "now", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"] {
        assert_eq!(http_date(bad), None, "{bad}");
    }
}
