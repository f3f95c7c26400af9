//! E10: what unknown key ids, empty sets, failures and crowds cost an issuer, and how keys rotate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep_core::{Error, ErrorKind};
use lockstep_testkit::{Gate, Reply};
use serde_json::{Value, json};

use super::forge::{AUDIENCE, Bench, ISSUER, Signers, answers, claims, settings};
use crate::jwt::{Algorithm, JwtSettings, KeySettings, KeySource};
use crate::refused::Refused;

const COOLDOWN: Duration = Duration::from_secs(30);
const MILLI: Duration = Duration::from_millis(1);

/// What the issuer answers, changed by the test.
#[derive(Clone)]
struct Issuer(Arc<Mutex<Box<dyn Fn() -> Reply + Send>>>);

impl Issuer {
    fn new(answer: impl Fn() -> Reply + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(answer))))
    }

    fn answers(&self, answer: impl Fn() -> Reply + Send + 'static) {
        *self.0.lock().unwrap() = Box::new(answer);
    }

    fn serves(&self, jwks: Value) {
        self.answers(move || Reply::json(200, &jwks));
    }

    fn bench(&self, keys: KeySettings) -> Bench {
        let issuer = self.clone();
        let settings_of_login = JwtSettings { keys, ..JwtSettings::default() };
        Bench::new(vec![settings()], settings_of_login, answers(move || issuer.0.lock().unwrap()()))
    }
}

fn serving(jwks: Value) -> Issuer {
    Issuer::new(move || Reply::json(200, &jwks))
}

fn down() -> Reply {
    Reply::Fail(Error::new(ErrorKind::Network, "no way there"))
}

/// Tokens of one issuer.
struct Tokens(Signers);

impl Tokens {
    /// A good token with this key id, over at this second.
    fn of(&self, kid: &str, end: u64) -> String {
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": end});
        self.0.token(Algorithm::Es256, &json!({"alg": "ES256", "kid": kid}), &claims)
    }

    fn set(&self, kids: &[&str]) -> Value {
        json!({"keys": kids.iter().map(|kid| self.0.jwk(Algorithm::Es256, kid)).collect::<Vec<_>>()})
    }
}

fn reason<T>(outcome: Result<T, Refused>) -> (&'static str, bool) {
    outcome.err().map_or(("", false), |refused| (refused.reason, refused.is_transient()))
}

/// What an issuer does wrong.
type Bad = Box<dyn Fn() -> Reply + Send>;

/// Just before this much has passed.
fn just_before(time: Duration) -> Duration {
    time.saturating_sub(MILLI)
}

const LATER: u64 = 4_000_000_000;

/// Break: `is_cooling` in `Keys::step`.
#[tokio::test]
async fn e10_ten_thousand_made_up_key_ids_cost_one_fetch_per_cooldown() {
    let tokens = Tokens(Signers::new());
    let bench = serving(tokens.set(&["k"])).bench(KeySettings::default());
    let good = tokens.of("k", LATER);
    bench.verify(&good).await.unwrap();
    assert_eq!(bench.fetches(), 1);
    let forged = tokens.of("k", LATER);
    let tail = forged.split_once('.').unwrap().1;
    let mut next = 0;
    for round in 1..=3 {
        bench.clock.advance(just_before(COOLDOWN));
        assert_eq!(
            reason(bench.verify(&tokens.of(&format!("early-{round}"), LATER)).await),
            ("jwt_unknown_key", false)
        );
        assert_eq!(bench.fetches(), round, "not before the cooldown is over");
        bench.clock.advance(MILLI);
        for _ in 0..3_334 {
            next += 1;
            let head = super::forge::part(json!({"alg": "ES256", "kid": format!("made-up-{next}")}).to_string());
            assert_eq!(reason(bench.verify(&format!("{head}.{tail}")).await), ("jwt_unknown_key", false));
        }
        assert_eq!(bench.fetches(), round + 1);
        assert!(bench.verify(&good).await.is_ok(), "the good ones go on");
    }
}

/// Break: the look at `unknown` in `Keys::step`.
#[tokio::test]
async fn e10_a_key_id_that_is_known_to_be_unknown_leads_to_no_fetch_for_a_while() {
    let tokens = Tokens(Signers::new());
    let bench = serving(tokens.set(&["k"])).bench(KeySettings::default());
    let withdrawn = tokens.of("withdrawn", LATER);
    for (pause, fetches) in [(0, 1), (30, 1), (30, 1), (60, 2), (30, 2)] {
        bench.clock.advance(Duration::from_secs(pause));
        assert_eq!(reason(bench.verify(&withdrawn).await), ("jwt_unknown_key", false));
        assert_eq!(bench.fetches(), fetches, "after {pause} s");
    }
}

/// Break: the bound in `State::forget_unknown`.
#[tokio::test]
async fn e10_what_is_remembered_of_unknown_key_ids_is_bounded() {
    let tokens = Tokens(Signers::new());
    let cooldown = Duration::from_secs(1);
    let settings = KeySettings { unknown_entries: 2, cooldown, ..KeySettings::default() };
    let bench = serving(tokens.set(&["k"])).bench(settings);
    for (kid, fetches) in [("a", 1), ("b", 2), ("a", 2), ("c", 3), ("b", 3), ("a", 4)] {
        assert_eq!(reason(bench.verify(&tokens.of(kid, LATER)).await), ("jwt_unknown_key", false));
        assert_eq!(bench.fetches(), fetches, "{kid}");
        bench.clock.advance(cooldown);
    }
}

/// Break: set `tried` for good fetches alone, or take a set without keys, in `Keys::land`.
#[tokio::test]
async fn e10_neither_an_empty_set_nor_a_failure_wipes_the_keys_or_gets_around_the_cooldown() {
    let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "a".repeat(512 << 10));
    let many = json!({"keys": vec![json!({"kty": "oct"}); 101]}).to_string();
    let tokens = Tokens(Signers::new());
    let weak = json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}, {"kty": "RSA", "n": super::forge::part([0xff; 128]), "e": "AQAB", "kid": "k"}]});
    let bad: Vec<(&str, Bad)> = vec![
        ("empty", Box::new(|| Reply::json(200, &json!({"keys": []})))),
        ("without keys", Box::new(|| Reply::json(200, &json!({})))),
        ("weak", Box::new(move || Reply::json(200, &weak))),
        ("no JSON", Box::new(|| Reply::new(200, "<html>c4n4ry</html>"))),
        ("huge", Box::new(move || Reply::new(200, huge.clone()))),
        ("many", Box::new(move || Reply::new(200, many.clone()))),
        ("404", Box::new(|| Reply::new(404, "c4n4ry"))),
        ("500", Box::new(|| Reply::new(500, "c4n4ry"))),
        ("a redirect", Box::new(|| Reply::new(302, "").header("location", "https://evil.test/keys"))),
        ("down", Box::new(down)),
    ];
    for (name, answer) in bad {
        let issuer = serving(tokens.set(&["k"]));
        let bench = issuer.bench(KeySettings::default());
        bench.verify(&tokens.of("k", LATER)).await.unwrap();
        issuer.answers(answer);
        bench.clock.advance(COOLDOWN);
        for nth in 0..100 {
            let refused = bench.verify(&tokens.of(&format!("made-up-{nth}"), LATER)).await.unwrap_err();
            assert_eq!((refused.reason, refused.is_transient()), ("jwt_keys_unavailable", true), "{name}");
            assert!(!refused.to_string().contains("c4n4ry") && !refused.to_string().contains("evil"), "{refused}");
        }
        assert_eq!(bench.fetches(), 2, "{name}");
        // A token that nobody remembers, so that the key itself has to be there.
        assert!(bench.verify(&tokens.of("k", LATER - 1)).await.is_ok(), "{name}");
        // A login that never had keys is no better off.
        let bench = issuer.bench(KeySettings::default());
        for _ in 0..100 {
            let outcome = bench.verify(&tokens.of("k", LATER)).await;
            assert_eq!(reason(outcome), ("jwt_keys_unavailable", true), "{name}");
        }
        assert_eq!(bench.fetches(), 1, "{name}");
        issuer.serves(tokens.set(&["k"]));
        bench.clock.advance(COOLDOWN);
        assert!(bench.verify(&tokens.of("k", LATER)).await.is_ok(), "{name}: it comes back");
    }
}

/// Break: make a new flight in `Keys::fly` whatever is under way.
#[tokio::test]
async fn e10_a_thousand_at_once_cost_one_fetch_and_share_its_end() {
    for (answer_is_good, expected) in [(true, ("", false)), (false, ("jwt_keys_unavailable", true))] {
        let tokens = Tokens(Signers::new());
        let (gate, jwks) = (Gate::new(), tokens.set(&["k"]));
        let held = gate.clone();
        let issuer = Issuer::new(move || if answer_is_good { Reply::json(200, &jwks) } else { down() }.behind(&held));
        let bench = Arc::new(issuer.bench(KeySettings::default()));
        let token: Arc<str> = tokens.of("k", LATER).into();
        let done = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..1_000)
            .map(|_| {
                let (bench, token, done) = (bench.clone(), token.clone(), done.clone());
                #[expect(clippy::disallowed_methods, reason = "callers of a test")]
                tokio::spawn(async move {
                    let outcome = reason(bench.verify(&token).await);
                    done.fetch_add(1, Ordering::Relaxed);
                    outcome
                })
            })
            .collect();
        bench.transport.until_sent(2).await;
        // The one who drives the fetch goes away: somebody else drives on the same one.
        tasks[0].abort();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!((bench.fetches(), done.load(Ordering::Relaxed)), (1, 0));
        gate.open();
        for task in tasks.into_iter().skip(1) {
            assert_eq!(task.await.unwrap(), expected);
        }
        assert_eq!(bench.fetches(), 1);
    }
}

/// Break: `max_stale` or `max_age` in `Keys::step`.
#[tokio::test]
async fn e10_the_last_good_keys_do_while_their_issuer_is_down_up_to_a_day() {
    let tokens = Tokens(Signers::new());
    let issuer = serving(tokens.set(&["k"]));
    let bench = issuer.bench(KeySettings::default());
    let mut end = LATER;
    let mut fresh = || {
        end += 1;
        tokens.of("k", end)
    };
    bench.verify(&fresh()).await.unwrap();
    issuer.answers(down);
    bench.clock.advance(just_before(Duration::from_hours(1)));
    assert!(bench.verify(&fresh()).await.is_ok());
    assert_eq!(bench.fetches(), 1, "they are young");
    bench.clock.advance(MILLI);
    for _ in 0..50 {
        assert!(bench.verify(&fresh()).await.is_ok());
    }
    assert_eq!(bench.fetches(), 2, "they are old, and one request asks for new ones");
    bench.clock.advance(just_before(Duration::from_hours(23)));
    let kept = fresh();
    assert!(bench.verify(&kept).await.is_ok());
    assert!(bench.login.verify_at_once(kept.as_bytes()).is_some());
    bench.clock.advance(MILLI);
    assert!(bench.login.verify_at_once(kept.as_bytes()).is_none(), "nothing remembered outlives them");
    assert_eq!(reason(bench.verify(&kept).await), ("jwt_keys_unavailable", true));
    issuer.serves(tokens.set(&["k"]));
    bench.clock.advance(COOLDOWN);
    assert!(bench.verify(&kept).await.is_ok());
}

/// Break: `has` in `Keys::hold`, or what an entry is remembered `with`.
#[tokio::test]
async fn a_new_key_is_accepted_after_one_fetch_and_what_a_removed_one_has_signed_is_not() {
    let (old, new) = (Tokens(Signers::new()), Tokens(Signers::new()));
    let issuer = serving(old.set(&["old"]));
    let bench = issuer.bench(KeySettings::default());
    let by_old = old.of("old", LATER);
    bench.verify(&by_old).await.unwrap();
    let both = json!({"keys": [old.0.jwk(Algorithm::Es256, "old"), new.0.jwk(Algorithm::Es256, "new")]});
    issuer.serves(both);
    bench.clock.advance(COOLDOWN);
    let by_new = new.of("new", LATER);
    bench.verify(&by_new).await.unwrap();
    assert_eq!(bench.fetches(), 2);
    assert!(bench.login.verify_at_once(by_old.as_bytes()).is_some());
    issuer.serves(new.set(&["new"]));
    bench.clock.advance(COOLDOWN);
    assert_eq!(reason(bench.verify(&new.of("other", LATER)).await), ("jwt_unknown_key", false));
    assert!(bench.login.verify_at_once(by_old.as_bytes()).is_none());
    assert_eq!(reason(bench.verify(&by_old).await), ("jwt_unknown_key", false));
    assert!(bench.login.verify_at_once(by_new.as_bytes()).is_some(), "the other one's stay");
    // The same name for another key is another key.
    issuer.serves(old.set(&["new"]));
    bench.clock.advance(COOLDOWN);
    assert_eq!(reason(bench.verify(&new.of("another", LATER)).await), ("jwt_unknown_key", false));
    assert!(bench.login.verify_at_once(by_new.as_bytes()).is_none());
    assert_eq!(reason(bench.verify(&by_new).await), ("jwt_bad_signature", false));
}

/// Break: `is_young` in `Keys::hold`: what is remembered would put off the look at old keys.
#[tokio::test]
async fn a_key_that_is_withdrawn_is_noticed_within_the_age_of_the_keys_whatever_is_remembered() {
    let tokens = Tokens(Signers::new());
    let issuer = serving(tokens.set(&["k"]));
    let bench = issuer.bench(KeySettings::default());
    let token = tokens.of("k", LATER);
    bench.verify(&token).await.unwrap();
    issuer.serves(tokens.set(&["next"]));
    let mut passed = Duration::ZERO;
    while passed < Duration::from_hours(1) {
        assert!(bench.verify(&token).await.is_ok());
        bench.clock.advance(Duration::from_mins(1));
        passed += Duration::from_mins(1);
    }
    assert!(bench.login.verify_at_once(token.as_bytes()).is_none());
    assert_eq!(reason(bench.verify(&token).await), ("jwt_unknown_key", false));
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_told_to_come_again_and_spoils_nothing() {
    let tokens = Tokens(Signers::new());
    let (gate, jwks) = (Gate::new(), tokens.set(&["k"]));
    let held = gate.clone();
    let issuer = Issuer::new(move || Reply::json(200, &jwks).behind(&held));
    let bench = issuer.bench(KeySettings::default());
    let token = tokens.of("k", LATER);
    let hasty = bench.call().within(Duration::ZERO);
    assert_eq!(reason(bench.login.verify(&hasty, token.as_bytes()).await), ("jwt_keys_unavailable", true));
    gate.open();
    assert!(bench.verify(&token).await.is_ok());
    assert_eq!(bench.fetches(), 1, "the fetch that it had begun was brought to its end");
}

/// On hosts where nothing waits for another request. Break: leave `single_flight` out of `Keys::step` or `land`.
#[tokio::test]
async fn where_requests_can_not_wait_for_each_other_each_fetches_and_every_answer_counts() {
    let tokens = Tokens(Signers::new());
    let (gate, jwks) = (Gate::new(), tokens.set(&["k"]));
    let held = gate.clone();
    let issuer = Issuer::new(move || Reply::json(200, &jwks).behind(&held));
    let bench = issuer.bench(KeySettings { single_flight: false, ..KeySettings::default() });
    let (first, second) = (tokens.of("k", LATER), tokens.of("k", LATER + 1));
    let both = futures_util::future::join(bench.verify(&first), bench.verify(&second));
    let opened = async {
        bench.transport.until_sent(4).await;
        gate.open();
    };
    let ((one, other), ()) = futures_util::future::join(both, opened).await;
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert_eq!(bench.fetches(), 2);
    for nth in 0..50 {
        assert_eq!(reason(bench.verify(&tokens.of(&nth.to_string(), LATER)).await), ("jwt_unknown_key", false));
    }
    assert_eq!(bench.fetches(), 2);
}

#[tokio::test]
async fn keys_that_stand_in_the_configuration_are_never_fetched() {
    let tokens = Tokens(Signers::new());
    let mut issuer = settings();
    issuer.keys = KeySource::Static(tokens.set(&["k"]).to_string());
    let transport = answers(|| panic!("nobody asks"));
    let bench = Bench::new(vec![issuer], JwtSettings::default(), transport);
    let token = tokens.of("k", LATER);
    assert!(bench.verify(&token).await.is_ok());
    assert!(bench.login.verify_at_once(token.as_bytes()).is_some());
    assert_eq!(reason(bench.verify(&tokens.of("x", LATER)).await), ("jwt_unknown_key", false));
    assert_eq!(bench.transport.count(), 0);
}

/// Break: `end` in `JwtLogin::verify`.
#[tokio::test]
async fn what_is_remembered_ends_with_the_token() {
    let signers = Signers::new();
    let jwks = signers.jwks();
    let bench = Bench::new(vec![settings()], JwtSettings::default(), answers(move || Reply::json(200, &jwks)));
    let mut claims = claims(bench.now());
    claims["exp"] = json!(bench.now().seconds() + 60);
    let token = signers.token(Algorithm::EdDsa, &json!({"alg": "Ed25519", "kid": "ed25519"}), &claims);
    bench.verify(&token).await.unwrap();
    bench.clock.advance(just_before(Duration::from_mins(1)));
    assert!(bench.login.verify_at_once(token.as_bytes()).is_some());
    bench.clock.advance(MILLI);
    assert!(bench.login.verify_at_once(token.as_bytes()).is_none());
    assert!(bench.verify(&token).await.is_ok(), "within the leeway");
    bench.clock.advance(COOLDOWN);
    assert_eq!(reason(bench.verify(&token).await), ("jwt_expired", false));
}

/// E10. Break: `call.spawn` in `Keys::fly`, or `peek` in `Keys::step`.
#[tokio::test]
async fn e10_a_renewal_goes_on_when_whoever_began_it_hangs_up() {
    use futures_util::FutureExt as _;
    let tokens = Tokens(Signers::new());
    let issuer = serving(tokens.set(&["k"]));
    let bench = issuer.bench(KeySettings::default());
    bench.verify(&tokens.of("k", LATER)).await.unwrap();
    // Its key is withdrawn, and it takes a moment to say so.
    let gate = Gate::new();
    let (held, jwks) = (gate.clone(), tokens.set(&["next"]));
    issuer.answers(move || Reply::json(200, &jwks).behind(&held));
    bench.clock.advance(Duration::from_hours(1));
    assert!(bench.verify(&tokens.of("k", LATER + 1)).now_or_never().is_none(), "it waits, and hangs up");
    gate.open();
    // The renewal needs nobody but the runtime.
    let mut accepted = 0;
    for nth in 2..1_000 {
        tokio::task::yield_now().await;
        match bench.verify(&tokens.of("k", LATER + nth)).now_or_never() {
            Some(Err(_)) => break,
            Some(Ok(_)) => accepted += 1,
            None => {}
        }
    }
    assert!(accepted < 900, "{accepted}");
    assert_eq!(reason(bench.verify(&tokens.of("k", LATER + 2_000)).await).0, "jwt_unknown_key");
    assert_eq!(bench.fetches(), 2);
}
