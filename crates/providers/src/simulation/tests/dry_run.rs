//! A dry run asks nobody, and says what it would have asked.

use lockstep_core::{Capabilities, ErrorKind, Filter, KeyPath, Page, Pattern};

use super::*;
use crate::simulation::{DryRun, Placeholder};

fn placeholder(pattern: &str, text: &str) -> Placeholder {
    Placeholder { pattern: Pattern::parse(pattern).unwrap(), text: text.into() }
}

/// M1. Break: ask `self.inner` in `DryRun::get`, or put the placeholder into the log.
#[tokio::test]
async fn m1_a_dry_run_asks_nobody_and_logs_names_without_values() {
    let (studio, mock, heard) = (Studio::new(), mock(&[("db/creds", CANARY)]), Heard::default());
    let listening = tracing::subscriber::set_default(heard.clone());
    let dry = DryRun::new(mock.clone(), vec![placeholder("db/**", "stand-in")]);
    let (call, creds) = (studio.call(), name("db/creds"));
    assert_eq!(text(&studio.replayed(&dry, "db/creds").await.unwrap()), "stand-in");
    assert_eq!(text(&dry.get(&call, &creds, &dry.selector("3").unwrap()).await.unwrap()), "stand-in");
    assert_eq!(text(&studio.replayed(&dry, "not/there").await.unwrap()), "(dry run)");
    let many = dry.get_many(&call, &[(creds.clone(), Selector::Previous), (name("x"), Selector::Current)]).await;
    assert!(many.iter().all(Result::is_ok));
    for refused in [
        dry.describe(&call, &creds).await.err(),
        dry.versions(&call, &creds, Page::default()).await.err(),
        dry.list(&call, "db/", &Filter::default(), Page::default()).await.err(),
        dry.rotate(&call, &creds).await.err(),
    ] {
        assert_eq!(refused.unwrap().kind(), ErrorKind::Unsupported);
    }
    dry.check(&call).await.unwrap();
    assert_eq!(mock.calls(), 0);
    assert_eq!(dry.capabilities(), Capabilities::default());

    let lines = heard.lines();
    drop(listening);
    let expected = [
        r#"operation="get" name="db/creds" selector="current""#,
        r#"operation="get" name="db/creds" selector="3""#,
        r#"operation="get" name="not/there" selector="current""#,
        r#"operation="get" name="db/creds" selector="previous""#,
        r#"operation="get" name="x" selector="current""#,
        r#"operation="describe" name="db/creds""#,
        r#"operation="versions" name="db/creds""#,
        r#"operation="list" name="db/""#,
        r#"operation="rotate" name="db/creds""#,
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with("INFO ") && line.contains(expected), "{line}");
        assert!(!line.contains("stand-in") && !line.contains("(dry run)") && !line.contains(CANARY), "{line}");
    }
}

/// Break: take the last placeholder that fits.
#[tokio::test]
async fn the_first_placeholder_that_fits_counts_and_a_key_of_it_is_read() {
    let studio = Studio::new();
    let placeholders = vec![placeholder("db/*", r#"{"password": "stand-in"}"#), placeholder("**", "other")];
    let dry = DryRun::new(mock(&[]), placeholders);
    let secret = studio.replayed(&dry, "db/creds").await.unwrap();
    let field = secret.payload.select(&KeyPath::parse("password").unwrap()).unwrap();
    assert_eq!(field.value.expose(), b"stand-in");
    assert_eq!(text(&studio.replayed(&dry, "db/deep/creds").await.unwrap()), "other");
}
