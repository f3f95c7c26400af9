//! The description of the API held against the API: schemathesis asks whatever it allows and forbids, and looks at every
//! answer. The provider is a real imitation of AWS.

use std::process::Command;

use lockstep_stories::{Lockstep, Running};
use lockstep_testkit::require;
use lockstep_testkit::servers::{Missing, schemathesis_python, unique};

use crate::aws_account::{Account, config};
use crate::policies::Keys;

/// All checks are on, and each of these lines has its reason.
///
/// - The same examples each time; in ASCII, since which other characters a name may have no pattern can say (what looks
///   like another one is refused). Property tests ask for those.
/// - No schema knows how a provider is called in the configuration.
/// - What is invalid may be turned away for its length, or for who asks, before anybody looks at what is wrong with it.
/// - One path lists secrets and reads one whose name has slashes: which parameters go together, OpenAPI can't say. A body's
///   provider can't be set from here. What these two are sent that is valid may be refused with 400.
/// - In a path, a number that stands for a name is a name, and a report of one that is not held is taken.
const SETTINGS: &str = r#"
[generation]
max-examples = 25
deterministic = true
codec = "ascii"
[auth.openapi.bearer]
bearer = "${KEY}"
[parameters]
"query.provider" = ["aws"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "413", "431"]
[[operations]]
include-name = "GET /api/v1/secrets"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = "POST /api/v1/invalidate"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = "POST /api/v1/report-stale/{name}"
checks.negative_data_rejection.enabled = false
"#;

/// An endpoint over Secrets Manager, where `root` may do everything and `nobody` nothing.
fn endpoint(
    python_is_there: Result<std::path::PathBuf, Missing>,
) -> Result<(Running, Keys, std::path::PathBuf), Missing> {
    let (python, account) = (python_is_there?, Account::at_ministack()?);
    let secret = unique("described");
    account.create(&secret, r#"{"user":"app","password":"p"}"#);
    let (keys, auth) = Keys::of(&["root", "nobody"]);
    let more = format!(
        "[auth]\npolicy = '''permit(principal == Caller::\"key:root\", action, resource);'''\n{auth}\n\
         [log]\nlevel = \"error\"\n[listen]\nreport_rate = 0\n"
    );
    let home = Lockstep::new(config(account.url(), &more).as_str(), &account.env());
    Ok((home.start(), keys, python))
}

/// Lets schemathesis ask as this caller.
fn asked_as(who: &str) {
    let (running, keys, python) = require!(endpoint(schemathesis_python()));
    let key = keys.of_name(who).trim_start_matches("Bearer ").to_owned();
    let description = running.bare("GET", "/openapi.json", &[("authorization", keys.of_name(who))], b"");
    assert_eq!(description.status, 200, "{}", description.text());
    let home = running.home();
    home.file("openapi.json", &description.text());
    home.file("schemathesis.toml", SETTINGS);
    let output = Command::new(python)
        .args(["-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", "openapi.json"])
        .args(["--url", &format!("http://{}", running.address), "--no-color"])
        .current_dir(home.folder())
        .env("KEY", key)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let short: Vec<_> = said.lines().map(|line| line.chars().take(300).collect::<String>()).collect();
    assert!(output.status.success(), "{}\n{}", short.join("\n"), String::from_utf8_lossy(&output.stderr));
    let described = description.json();
    let operations = described["paths"].as_object().unwrap().values().map(|methods| methods.as_object().unwrap().len());
    let tested = format!("Tested: {}\n", operations.sum::<usize>());
    assert!(said.contains(&tested), "{tested}{}", short.join("\n"));
}

/// Break: a status in `openapi/description.rs`, a member in `openapi/schemas.rs`, the kind of `Page::bad_token`.
#[test]
fn the_api_is_as_it_is_described_for_who_may_do_everything() {
    asked_as("root");
}

/// Break: `403` in `ANY`.
#[test]
fn the_api_is_as_it_is_described_for_who_may_do_nothing() {
    asked_as("nobody");
}
