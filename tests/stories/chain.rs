//! A route with several providers: who is asked after whom, and what the whole answers.

use lockstep_stories::{Lockstep, Running, Upstream};
use lockstep_testkit::fake::{Action, Seen};

use crate::fake_aws::{self, ROUTE};

/// Two Secrets Managers and a file behind them; each is asked once at most, and nothing is remembered of a miss.
fn serve(first: &Upstream, second: &Upstream) -> Running {
    let one = |alias: &str, url: String| {
        format!(
            "[providers.{alias}]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{url}\"\n\
             [providers.{alias}.upstream]\nattempts = 1\nthrottled_attempts = 1\nbreaker_failures = 0\n"
        )
    };
    let config = format!(
        "[cache]\nnegative_ttl = \"0\"\n{}{}[providers.file]\ntype = \"file\"\npath = \"secrets.yaml\"\n\
         [[routes]]\nmatch = \"filed/**\"\nproviders = [\"first\", \"file\"]\n\
         [[routes]]\nmatch = \"**\"\nproviders = [\"first\", \"second\"]\n",
        one("first", first.url()),
        one("second", second.url())
    );
    let lockstep = Lockstep::new(config.as_str(), &fake_aws::ENV);
    lockstep.file("secrets.yaml", "filed/creds: from the file\n");
    lockstep.start()
}

/// Reads of a value that have arrived: a deletion is made sure of by a call of another kind.
fn reads(upstream: &Upstream) -> usize {
    let is_read = |seen: &&Seen| seen.header("x-amz-target") == Some("secretsmanager.GetSecretValue");
    upstream.seen().iter().filter(is_read).count()
}

/// Name, first answer, second answer, status, code or value, calls at the second.
type Row = (&'static str, Action, Action, u16, &'static str, usize);

// Break: the set of kinds after which core's chain goes on, or the error that it keeps ([down, not found] is down).
#[test]
fn a_chain_goes_on_only_after_not_found_or_a_transient_error_and_down_with_not_found_is_down() {
    let value = |name: &str, from: &str| fake_aws::value(name, from);
    let decrypt = || fake_aws::error(400, "DecryptionFailure", "can't decrypt");
    let deleted = || fake_aws::error(400, "InvalidRequestException", "the secret was marked for deletion");
    let throttled = || fake_aws::error(400, "ThrottlingException", "Rate exceeded");
    let rows: [Row; 11] = [
        ("c1", value("c1", "first"), value("c1", "second"), 200, "first", 0),
        ("c2", fake_aws::not_found(), value("c2", "second"), 200, "second", 1),
        ("c3", fake_aws::down(), value("c3", "second"), 200, "second", 1),
        ("c4", throttled(), value("c4", "second"), 200, "second", 1),
        ("c5", Action::close(), value("c5", "second"), 200, "second", 1),
        ("c6", fake_aws::denied(), value("c6", "second"), 502, "provider_denied", 0),
        ("c7", deleted(), value("c7", "second"), 410, "deleted", 0),
        ("c8", decrypt(), value("c8", "second"), 502, "decrypt", 0),
        ("c9", fake_aws::not_found(), fake_aws::not_found(), 404, "not_found", 1),
        ("c10", fake_aws::down(), fake_aws::not_found(), 503, "unavailable", 1),
        ("c11", fake_aws::not_found(), fake_aws::down(), 503, "unavailable", 1),
    ];
    let (first, second) = (Upstream::start(), Upstream::start());
    let running = serve(&first, &second);
    for (name, one, two, status, expected, calls) in rows {
        first.on(ROUTE, [one]);
        second.on(ROUTE, [two]);
        let before = (reads(&first), reads(&second));
        let answer = running.get(&format!("/api/v1/secrets/{name}"));
        let member = if answer.status == 200 { "/value" } else { "/code" };
        assert_eq!((answer.status, answer.member(member).as_str()), (status, expected), "{name}: {}", answer.text());
        assert_eq!((reads(&first), reads(&second)), (before.0 + 1, before.1 + calls), "{name}");
    }
}

// Break: as above.
#[test]
fn a_file_answers_while_the_provider_before_it_is_down_and_says_that_it_did() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.on(ROUTE, [fake_aws::down()]);
    let running = serve(&first, &second);
    let answer = running.get("/api/v1/secrets/filed/creds");
    assert_eq!((answer.member("/value"), answer.member("/provider")), ("from the file".to_owned(), "file".to_owned()));
    let missing = running.get("/api/v1/secrets/filed/other");
    assert_eq!((missing.status, missing.member("/code")), (503, "unavailable".to_owned()), "{}", missing.text());
    assert_eq!(second.total(), 0);
}

// Break: ask the next provider after a denial.
#[test]
fn a_file_never_answers_for_a_provider_that_denies() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.on(ROUTE, [fake_aws::denied()]);
    let answer = serve(&first, &second).get("/api/v1/secrets/filed/creds");
    assert_eq!((answer.status, answer.member("/code")), (502, "provider_denied".to_owned()));
}
