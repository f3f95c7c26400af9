use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_core::{Clock as _, ErrorKind};
use lockstep_testkit::{ManualClock, call};

use super::*;

const AHEAD: Ahead = Ahead { advisory: Duration::from_mins(15), mandatory: Duration::from_mins(10) };

/// Gives the number of the login, and fails when it is told to.
struct Counting {
    clock: Arc<ManualClock>,
    lifetime: Duration,
    absolute: bool,
    beyond: Option<Duration>,
    logins: AtomicUsize,
    fails: SyncMutex<Option<Error>>,
}

#[async_trait]
impl LoginSource for Counting {
    type Credential = usize;

    async fn log_in(&self, _: &Call) -> Result<Granted<usize>> {
        let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::task::yield_now().await;
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let end = if self.absolute { End::At(self.clock.wall().plus(self.lifetime)) } else { End::In(self.lifetime) };
        Ok(Granted { credential: number, end, beyond: self.beyond })
    }
}

struct Fixture {
    clock: Arc<ManualClock>,
    cache: LoginCache<Counting>,
}

fn fixture(lifetime: Duration, beyond: Option<Duration>) -> Fixture {
    let clock = ManualClock::new();
    let source = Counting {
        clock: clock.clone(),
        lifetime,
        absolute: true,
        beyond,
        logins: AtomicUsize::new(0),
        fails: SyncMutex::default(),
    };
    let timeline = Arc::new(Timeline::new(clock.clone()));
    Fixture { clock, cache: LoginCache::new(source, AHEAD, timeline) }
}

impl Fixture {
    async fn get(&self) -> Result<usize> {
        Ok(self.cache.get(&call(&self.clock)).await?.credential)
    }

    fn forward(&self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
    }

    fn fail(&self, kind: ErrorKind) {
        *self.cache.source.fails.lock().unwrap() = Some(Error::new(kind, "told to"));
    }

    fn logins(&self) -> usize {
        self.cache.source.logins.load(Ordering::SeqCst)
    }
}

/// Break: compare with `mandatory` alone in `get`.
#[tokio::test]
async fn a_credential_is_renewed_ahead_of_its_end_however_its_end_is_said() {
    for absolute in [true, false] {
        let mut fixture = fixture(Duration::from_hours(1), None);
        fixture.cache.source.absolute = absolute;
        assert_eq!(fixture.get().await.unwrap(), 1);
        fixture.forward(44);
        assert_eq!(fixture.get().await.unwrap(), 1);
        fixture.forward(2);
        assert_eq!(fixture.get().await.unwrap(), 2, "absolute: {absolute}");
    }
}

/// Break: give the error of `load` instead of `current` in `get`, or leave `tried` out.
#[tokio::test]
async fn a_failed_renewal_is_no_error_while_the_old_one_is_accepted() {
    let fixture = fixture(Duration::from_hours(1), None);
    fixture.get().await.unwrap();
    fixture.fail(ErrorKind::Unavailable);
    fixture.forward(46);
    assert_eq!(fixture.get().await.unwrap(), 1);
    assert_eq!(fixture.get().await.unwrap(), 1);
    assert_eq!(fixture.logins(), 2, "a failed renewal is not repeated at once");
    fixture.forward(7);
    assert_eq!(fixture.get().await.unwrap(), 1);
    fixture.forward(8);
    assert_eq!(fixture.get().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Break: leave out the `filter` of `keep`.
#[tokio::test]
async fn what_may_be_used_beyond_its_end_outlives_an_outage_but_no_refusal() {
    let fixture = fixture(Duration::from_hours(1), Some(Duration::from_mins(20)));
    fixture.get().await.unwrap();
    fixture.fail(ErrorKind::Network);
    fixture.forward(61);
    assert_eq!(fixture.get().await.unwrap(), 1);
    fixture.forward(61);
    fixture.fail(ErrorKind::Unauthenticated);
    assert_eq!(fixture.get().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
}

/// Break: leave out `answer_since` in `get`.
#[tokio::test]
async fn a_thousand_waiters_are_one_login_also_when_it_fails() {
    for fails in [false, true] {
        let fixture = fixture(Duration::from_hours(1), None);
        if fails {
            fixture.fail(ErrorKind::Unavailable);
        }
        let answers = futures_util::future::join_all((0..1000).map(|_| fixture.get())).await;
        assert!(answers.iter().all(|answer| answer.is_err() == fails));
        assert_eq!(fixture.logins(), 1, "fails: {fails}");
    }
}

#[tokio::test]
async fn a_cancelled_leader_hands_over() {
    let fixture = fixture(Duration::from_hours(1), None);
    let mut leader = Box::pin(fixture.get());
    assert!(futures_util::poll!(&mut leader).is_pending());
    let mut follower = Box::pin(fixture.get());
    assert!(futures_util::poll!(&mut follower).is_pending());
    drop(leader);
    assert_eq!(follower.await.unwrap(), 2);
}

/// Break: leave `paused` out of `get`.
#[tokio::test]
async fn a_short_lived_credential_is_not_made_for_each_call() {
    let fixture = fixture(Duration::from_mins(5), None);
    for _ in 0..10 {
        fixture.get().await.unwrap();
    }
    assert_eq!(fixture.logins(), 1);
    fixture.forward(2);
    assert_eq!(fixture.get().await.unwrap(), 2);
}

/// Break: drop without comparing the numbers in `refuse`.
#[tokio::test]
async fn a_refused_credential_is_dropped_once() {
    let fixture = fixture(Duration::from_hours(1), None);
    let old = fixture.cache.get(&call(&fixture.clock)).await.unwrap();
    fixture.cache.refuse(&old);
    assert_eq!(fixture.get().await.unwrap(), 2);
    fixture.cache.refuse(&old);
    assert_eq!(fixture.get().await.unwrap(), 2, "the newer one was not refused");
}

/// Break: leave `of_login` out of `load`: a chain would end at a login that was answered with a page of 5 MiB.
#[tokio::test]
async fn what_is_too_large_for_a_login_is_no_answer_about_a_secret() {
    let fixture = fixture(Duration::from_hours(1), None);
    fixture.fail(ErrorKind::TooLarge);
    let error = fixture.get().await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Malformed, Some(Operation::Login)));
    assert!(error.is_transient());
}
