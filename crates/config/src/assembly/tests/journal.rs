//! Journals that several processes share: what they are made of, and what they lack.

use super::{MOCK, bench};
use crate::tests::load;

/// Break: any arm of `journal::build`, or a check in it.
#[test]
fn a_shared_journal_is_made_of_its_address_or_what_it_lacks_is_said_with_its_place() {
    let text = |journal: &str, more: &str| format!("[freshness]\njournal = \"{journal}\"\n{more}\n{MOCK}");
    for (journal, more, variables) in [
        ("dynamodb://lockstep-journal", "", &[("AWS_REGION", "eu-west-1")][..]),
        ("dynamodb://lockstep-journal?region=eu-west-1", "", &[]),
        ("redis://127.0.0.1", "", &[]),
        ("redis://[::1]:7000/a:b", "", &[]),
        ("rediss://app@cache.internal:6380/journal", "journal_token = { env = \"REDIS\" }", &[("REDIS", "p")]),
        ("redis://cache.internal", "insecure = true", &[]),
        ("https://secrets.internal:2773", "journal_token = { env = \"FEED\" }", &[("FEED", "t")]),
        ("http://127.0.0.1:2773", "journal_token = { env = \"FEED\" }", &[("FEED", "t")]),
    ] {
        let config = load(&text(journal, more), &[]).unwrap();
        let shown = config.settings().freshness.journal.as_ref().unwrap().to_string();
        assert!(shown.starts_with(journal), "{shown} is what was written, or more");
        let assembly = config.assemble(&bench(variables).ports).unwrap();
        assert!(!assembly.warnings.iter().any(|warning| warning.contains("no journal")), "{:?}", assembly.warnings);
    }
    for (journal, more, expected) in [
        ("dynamodb://table", "", "lockstep.toml:2:11: `freshness.journal`: AWS has no region; "),
        ("dynamodb://table?region=Europe", "", "lockstep.toml:2:11: `freshness.journal`: the AWS region is not one"),
        (
            "redis://cache.internal",
            "",
            "lockstep.toml:2:11: `freshness.journal`: `redis://` to another machine is open ",
        ),
        ("https://secrets.internal", "", "lockstep.toml:2:11: `freshness.journal`: an endpoint asks for a token; "),
        ("http://secrets.internal", "", "lockstep.toml:2:11: `freshness.journal`: `http://` to another machine "),
        (
            "https://secrets.internal",
            "journal_token = { env = \"FEED\" }",
            "lockstep.toml:3:17: `freshness.journal_token`: the variable FEED is not set, or empty",
        ),
        (
            "rediss://cache.internal",
            "journal_token = { env = \"REDIS\" }",
            "lockstep.toml:3:17: `freshness.journal_token`: the variable REDIS is not set, or empty",
        ),
    ] {
        let problems = load(&text(journal, more), &[]).unwrap().assemble(&bench(&[]).ports).err().expect(journal);
        assert!(problems.to_string().starts_with(expected), "{problems}");
    }
}
