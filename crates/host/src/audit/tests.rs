use std::path::Path;

use lockstep_config::{Document, Format};
use lockstep_core::{ErrorKind, Outcome, UnixMillis};

use super::*;

fn record(name: &str) -> AuditRecord {
    AuditRecord {
        at: UnixMillis(0),
        request_id: "r1".into(),
        principal: "local".into(),
        peer: None,
        action: "get",
        provider: None,
        name: name.into(),
        version: None,
        outcome: Outcome::Released,
        cached: true,
        policy: None,
        count: 1,
    }
}

fn opened(folder: &Path, audit: &str) -> Result<Audit> {
    let host = Host::new(tokio::runtime::Handle::current());
    let text = format!("[audit]\n{audit}\n[providers.m]\ntype = \"mock\"\n");
    let document = Document { name: "lockstep.toml", format: Format::Toml, text: &text, folder };
    let config = Config::load(Some(document), &*host.env, &[]).unwrap();
    host.audit(&config, Console::Taken)
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// Break: `first` instead of all in `Audit::write`, or one chain for both files.
#[tokio::test]
async fn each_sink_gets_every_record_in_a_chain_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let audit = opened(folder.path(), "sink = [{ file = \"a\" }, { file = \"b\" }]").unwrap();
    audit.write(&record("one")).unwrap();
    audit.write(&record("two")).unwrap();
    let (a, b) = (lines(&folder.path().join("a")), lines(&folder.path().join("b")));
    for written in [&a, &b] {
        assert_eq!(written.len(), 3, "{written:?}");
        assert!(written[0].contains("chain-start") && written[1].contains("one") && written[2].contains("two"));
    }
    assert_ne!(a[0], b[0]);
}

/// Break: `any` instead of `all` in `is_ready`; go on after a refusal and say that all is well.
#[tokio::test]
async fn what_one_sink_has_no_room_for_is_released_by_none_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = "queue = 1\nsink = [{ file = \"a\" }, { http = \"http://127.0.0.1:9/\" }]\nchain = false\n";
    let audit = opened(folder.path(), &format!("{sinks}when_full = \"block\"")).unwrap();
    audit.write(&record("one")).unwrap();
    assert!(!audit.is_ready() && audit.is_delivered());
    assert_eq!(audit.write(&record("two")).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((audit.waiting(), audit.lost()), (1, 0));
}

/// Break: the sum in `lost`.
#[tokio::test]
async fn what_one_sink_loses_the_others_keep() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = "queue = 1\nsink = [{ file = \"a\" }, { http = \"http://127.0.0.1:9/\" }]\nchain = false\n";
    let audit = opened(folder.path(), &format!("{sinks}when_full = \"drop\"")).unwrap();
    for name in ["one", "two", "three"] {
        audit.write(&record(name)).unwrap();
    }
    assert_eq!((audit.lost(), audit.is_ready()), (2, true));
    assert_eq!(lines(&folder.path().join("a")).len(), 3);
}

#[tokio::test]
async fn a_sink_that_can_not_be_opened_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = "sink = [\"stderr\", { http = \"https://audit.internal\", token = { env = \"NOT_SET_ANYWHERE\" } }]";
    let error = opened(folder.path(), sinks).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`audit.sink.1.token`"), "{error}");
}

/// Nothing was ever to be sent, so nothing ends.
#[tokio::test]
async fn with_no_receiver_there_is_nothing_to_deliver() {
    let audit = Audit::default();
    assert!(!audit.is_delivered());
    let delivering = std::pin::pin!(audit.deliver());
    let ready = std::pin::pin!(std::future::ready(()));
    assert!(matches!(futures_util::future::select(delivering, ready).await, futures_util::future::Either::Right(_)));
    assert_eq!(audit.flush(std::time::Duration::from_secs(1)).await, 0);
}
