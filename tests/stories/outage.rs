//! The provider goes away after a value was read: what is served on, for how long, and how a caller knows.

use lockstep_stories::{Response, Running, Upstream, until};
use lockstep_testkit::fake::Action;

use crate::fake_aws::{self, ROUTE};

/// The shortest times that are not zero, so that the test waits for no long one.
fn serve(upstream: &Upstream, max_stale: &str) -> Running {
    let cache = format!(
        "[cache]\nttl = \"1s\"\nrefresh_ahead = \"0\"\nnegative_ttl = \"0\"\njitter = false\nmax_stale = \"{max_stale}\"\n"
    );
    fake_aws::serve(upstream, &cache)
}

fn read(running: &Running) -> Response {
    running.get("/api/v1/secrets/db/creds")
}

fn is_stale(answer: &Response) -> bool {
    answer.header("cache-status").contains("stale")
}

// Break: `stale_until` in core's cache; the `detail=stale-…` of the native API.
#[test]
fn c5_an_outage_serves_stale_until_max_stale_and_every_stale_answer_says_so() {
    let upstream = Upstream::start();
    upstream.on(ROUTE, [fake_aws::value("db/creds", "first value")]);
    let running = serve(&upstream, "2s");
    assert_eq!(running.value("db/creds"), "first value");
    upstream.on(ROUTE, [fake_aws::down()]);
    let calls = upstream.total();
    let mut stale = 0;
    let failed = until("the end of max_stale", || {
        let answer = read(&running);
        if answer.status != 200 {
            return Some(answer);
        }
        assert_eq!(answer.member("/value"), "first value");
        // Whatever was served after the provider was asked in vain is marked.
        assert!(is_stale(&answer) || upstream.total() == calls, "{answer:?}");
        stale += usize::from(is_stale(&answer));
        assert!(!is_stale(&answer) || answer.header("cache-status") == "lockstep; hit; detail=stale-unavailable");
        None
    });
    assert!(stale > 0, "nothing was served stale");
    assert_eq!((failed.status, failed.member("/code")), (503, "unavailable".to_owned()));
    upstream.on(ROUTE, [fake_aws::value("db/creds", "second value")]);
    assert_eq!(running.value("db/creds"), "second value");
}

// Break: as above, the other way: let `max_stale = "0"` mean no end.
#[test]
fn c5_without_max_stale_nothing_stale_is_served() {
    let upstream = Upstream::start();
    upstream.on(ROUTE, [fake_aws::value("db/creds", "value")]);
    let running = serve(&upstream, "0");
    assert_eq!(running.value("db/creds"), "value");
    upstream.on(ROUTE, [fake_aws::down()]);
    let failed = until("the end of the TTL", || {
        let answer = read(&running);
        assert!(!is_stale(&answer), "{answer:?}");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(failed.status, 503);
}

// Break: make Denied or NotFound transient in `ErrorKind::is_transient`, or leave out the eviction after an answer.
#[test]
fn c4_denied_not_found_and_deleted_are_never_answered_with_what_was_read_before() {
    let deleted = fake_aws::error(
        400,
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    );
    let answers: [(Action, u16, &str); 3] = [
        (fake_aws::denied(), 502, "provider_denied"),
        (fake_aws::not_found(), 404, "not_found"),
        (deleted, 410, "deleted"),
    ];
    for (refusal, status, code) in answers {
        let upstream = Upstream::start();
        upstream.on(ROUTE, [fake_aws::value("db/creds", "value")]);
        let running = serve(&upstream, "1h");
        assert_eq!(running.value("db/creds"), "value");
        upstream.on(ROUTE, [refusal]);
        let failed = until("the end of the TTL", || {
            let answer = read(&running);
            assert!(!is_stale(&answer), "{answer:?}");
            (answer.status != 200).then_some(answer)
        });
        assert_eq!((failed.status, failed.member("/code").as_str()), (status, code));
        // The answer has evicted the value: an outage after it brings nothing back.
        upstream.on(ROUTE, [fake_aws::down()]);
        let after = read(&running);
        assert_eq!((after.status, after.member("/code")), (503, "unavailable".to_owned()), "after {code}");
    }
}

// Break: cache an error of transport as a miss.
#[test]
fn c8_a_transport_error_is_not_remembered() {
    let upstream = Upstream::start();
    upstream.on(ROUTE, [Action::close(), fake_aws::value("db/creds", "value")]);
    let running = fake_aws::serve(&upstream, "");
    assert_eq!(read(&running).status, 502);
    assert_eq!(running.value("db/creds"), "value");
}
