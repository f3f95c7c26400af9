//! The conformance suite against `lockstep serve`: on this machine alone, and for everybody over TLS with logins.

use lockstep_conformance::{Endpoint, Inputs, run};
use lockstep_stories::{Lockstep, TOKEN, World, api_key};
use lockstep_testkit::{require, server_certificate};

/// What is to be skipped where everything is there.
const NOT_THERE: [&str; 1] = ["its description is there for who may read it"];

fn holds(inputs: Inputs, skipped: &[&str]) {
    let report = run(&Endpoint::new(inputs).unwrap(), &[]);
    assert!(report.is_ok(), "{report}");
    // What is skipped is known.
    assert!(report.skipped().iter().all(|sentence| skipped.contains(sentence)), "{report}");
}

/// Break: leave `no-store` out of `respond`, or write an `ETag` without its quotes.
#[test]
fn the_conformance_suite_holds_on_a_local_listener() {
    let world = require!(World::seed());
    let config = format!("{}{}[freshness]\njournal = \"memory://\"\n", world.providers(), world.allow());
    let running = Lockstep::serve(config.as_str(), &world.env());
    let inputs =
        Inputs { is_local: true, has_journal: true, ..world.inputs(&format!("http://{}", running.address), TOKEN) };
    holds(inputs, &[NOT_THERE[0], "who may do nothing is told the same of everything"]);
}

fn over_tls(hides_denied: bool) {
    let world = require!(World::seed());
    let ((app, app_section), (outsider, outsider_section)) = (api_key("app"), api_key("outsider"));
    let config = format!(
        "{}{}{app_section}{outsider_section}[listen]\nallow_remote = true\nallowed_hosts = [\"localhost\"]\n\
         tls = {{ cert_file = \"server.pem\", key_file = \"server.key\" }}\n",
        world.providers(),
        world.policy(hides_denied)
    );
    let home = Lockstep::new(config.as_str(), &world.env());
    let (certificate, private) = server_certificate("localhost");
    home.file("server.pem", &certificate);
    home.file("server.key", &private);
    let running = home.start();
    let inputs = Inputs {
        outsider: Some(outsider),
        ca: Some(running.home().folder().join("server.pem")),
        hides_denied,
        ..world.inputs(&format!("https://localhost:{}", running.address.port()), &app)
    };
    holds(inputs, &[NOT_THERE[0], "a journal's cursor comes with a value"]);
}

/// Break: `Refusal::Login` is 403, or has no `WWW-Authenticate`.
#[test]
fn the_conformance_suite_holds_over_tls_with_logins() {
    over_tls(false);
}

/// Break: leave `told` out of `Api::answer_at`.
#[test]
fn the_conformance_suite_holds_where_what_is_denied_is_hidden() {
    over_tls(true);
}
