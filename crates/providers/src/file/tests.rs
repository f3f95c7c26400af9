use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use lockstep_core::{
    Call, ChangeKind, ChangeSource, ChangedName, Encoding, ErrorKind, Page, Payload, Provider, Result, SecretName,
    Selector,
};
use lockstep_testkit::contract::{self, Harness, Shape};
use lockstep_testkit::{ManualClock, TestFiles, TestRandom, call};
use proptest::prelude::*;

use super::{FileChanges, FileProvider, FileSettings};

const YAML: &str = "/etc/lockstep/secrets.yaml";

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn open(files: &Arc<TestFiles>, path: &str) -> Result<FileProvider> {
    FileProvider::new(FileSettings::new(path), files.clone(), &*TestRandom::seeded(1))
}

fn read(path: &str, text: &str) -> Result<FileProvider> {
    let files = TestFiles::new();
    files.write(path, text);
    open(&files, path)
}

async fn payload(provider: &FileProvider, of: &str) -> Payload {
    let call = call(&ManualClock::new());
    provider.get(&call, &name(of), &Selector::Current).await.unwrap().payload
}

/// A file that is written as the suite asks for it.
struct FileWorld {
    provider: FileProvider,
    files: Arc<TestFiles>,
    secrets: Mutex<serde_json::Map<String, serde_json::Value>>,
    clock: Arc<ManualClock>,
}

impl FileWorld {
    fn write(&self, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
        let mut secrets = self.secrets.lock().unwrap();
        change(&mut secrets);
        self.files.write("/s.json", serde_json::to_string(&*secrets).unwrap());
    }
}

#[async_trait]
impl Harness for FileWorld {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }
    fn call(&self) -> Call {
        call(&self.clock)
    }
    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite/{word}"))
    }
    fn prefix(&self) -> String {
        "suite/".into()
    }
    async fn put(&self, name: &SecretName, payload: &Payload) {
        let text = |field: &lockstep_core::Field| field.value.expose_text().unwrap().to_owned();
        let value = match payload {
            Payload::Whole(field) if field.encoding == Encoding::Binary => {
                serde_json::json!({ "binary": base64::engine::general_purpose::STANDARD.encode(field.value.expose()) })
            }
            Payload::Whole(field) => text(field).into(),
            Payload::Fields(fields) => {
                fields.iter().map(|(key, field)| (key.to_string(), text(field))).collect::<serde_json::Value>()
            }
        };
        self.write(|secrets| {
            secrets.insert(name.as_str().to_owned(), value);
        });
    }
    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.write(|secrets| {
            secrets.remove(name.as_str());
        });
        ErrorKind::NotFound
    }
    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary, Shape::Fields]
    }
    fn missing_version(&self) -> Selector {
        Selector::Id("1".into())
    }
    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Label("3".into())), ("blue", Selector::Label("blue".into()))]
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let files = TestFiles::new();
    files.write("/s.json", "{}");
    let provider = open(&files, "/s.json").unwrap();
    let world = FileWorld { provider, files, secrets: Mutex::default(), clock: ManualClock::new() };
    let ran = contract::run(&world).await;
    for section in ["current", "values", "many", "describe", "list", "list by prefix", "unsupported"] {
        assert!(ran.contains(&section), "{section} in {ran:?}");
    }
}

#[tokio::test]
async fn the_three_languages_say_the_same() {
    let yaml = "db/creds:\n  user: app\n  port: 5432\n  odd: 0x1f\n  on: true\nwhole: text\nnumber: 1.50\n\
                zip: 0123\nbytes: { binary: aGk= }\nyes: no\nblock: |\n  a\n  b\n";
    let json = r#"{ "db/creds": {"user": "app", "port": 5432, "odd": "0x1f", "on": true}, "whole": "text",
        "number": 1.50, "zip": "0123", "bytes": {"binary": "aGk="}, "yes": "no", "block": "a\nb\n" }"#;
    let toml = "whole = 'text'\nnumber = 1.50\nzip = '0123'\nyes = 'no'\nblock = \"a\\nb\\n\"\nbytes = { binary = 'aGk=' }\n\
                [\"db/creds\"]\nuser = 'app'\nport = 5432\nodd = 0x1f\non = true\n";
    for (path, text) in [("/s.yaml", yaml), ("/s.yml", yaml), ("/s.json", json), ("/s.toml", toml)] {
        let provider = read(path, text).unwrap();
        assert_eq!(payload(&provider, "whole").await, Payload::text("text"), "{path}");
        assert_eq!(payload(&provider, "number").await, Payload::text("1.50"), "{path}: as it is spelled");
        assert_eq!(payload(&provider, "zip").await, Payload::text("0123"), "{path}: as it is spelled");
        assert_eq!(payload(&provider, "yes").await, Payload::text("no"), "{path}");
        assert_eq!(payload(&provider, "block").await, Payload::text("a\nb\n"), "{path}");
        assert_eq!(payload(&provider, "bytes").await, Payload::binary(&b"hi"[..]), "{path}");
        let Payload::Fields(fields) = payload(&provider, "db/creds").await else { panic!("{path}: fields") };
        let fields: Vec<_> =
            fields.iter().map(|(key, field)| (&**key, field.value.expose_text().unwrap(), field.encoding)).collect();
        let expected = [
            ("odd", "0x1f", Encoding::Text),
            ("on", "true", Encoding::Json),
            ("port", "5432", Encoding::Json),
            ("user", "app", Encoding::Text),
        ];
        assert_eq!(fields, expected, "{path}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_without_the_content() {
    for (path, text, expected) in [
        ("/s.yaml", "a: 'c4n4ry\n", "line "),
        ("/s.yaml", "a: c4n4ry\na: c4n4ry2\n", "line 2, column 1: "),
        ("/s.yaml", "a: c4n4ry\nb:\n  - c4n4ry\n", "line 2, column 1: a secret is text, a number or a map"),
        ("/s.yaml", "a: c4n4ry\nc4n4ry/../b: x\n", "line 2, column 1: the key is no secret name"),
        ("/s.yaml", "a:\n  b:\n    c: c4n4ry\n", "line 2, column 3: a value of a secret is text or a number"),
        ("/s.yaml", "a:\n", "line 1, column 1: a secret is text"),
        ("/s.yaml", "a: { binary: 'c4n4ry!' }\n", "line 1, column 6: `binary` holds no base64"),
        ("/s.yaml", "c4n4ry", "the file holds no map"),
        ("/s.yaml", " \n", "the file is empty"),
        ("/s.yaml", "a: &x c4n4ry\nb: *y\n", "line 2, column 4: "),
        ("/s.yaml", "a: c4n4ry\n---\nb: c4n4ry\n", "valid YAML"),
        ("/s.json", "{\"a\": \"c4n4ry\",\n \"a\": \"c4n4ry\"}", "line 2, column "),
        ("/s.json", "{\"a\": \"c4n4ry\"\n", "line 2, column 0: this is not valid JSON"),
        ("/s.json", r#"{"a": {"b": "c4n4ry", "b": "x"}}"#, "line 1, column 28: the key stands twice"),
        ("/s.json", r#"{"a": "\ud800c4n4ry"}"#, "this JSON can't be read"),
        ("/s.toml", "a = 'c4n4ry'\nb = c4n4ry\n", "line 2, column 5: this is not valid TOML"),
        ("/s.toml", "a = 'c4n4ry'\na = 'c4n4ry'\n", "line 2, column 1: this is not valid TOML"),
        ("/s.toml", "a = 'c4n4ry'\nb = 2026-01-01\n", "line 2, column 1: a secret is text"),
        ("/s.txt", "a", "end it in `.yaml`, `.json` or `.toml`"),
    ] {
        let error = read(path, text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        assert!(error.message().contains(expected), "{text:?}: {error}");
        let printed = format!("{error} {error:?} {:?}", std::error::Error::source(&error).map(ToString::to_string));
        assert!(!printed.contains("c4n4ry"), "{printed}");
    }
}

#[test]
fn a_file_that_others_may_open_is_refused_unless_told_otherwise() {
    for (mode, own, advice) in [
        (0o644, true, Some("chmod 600")),
        (0o640, true, Some("chmod 600")),
        (0o601, true, Some("chmod 600")),
        (0o600, false, Some("chown")),
        (0o600, true, None),
        (0o400, true, None),
        (0, true, None),
    ] {
        let files = TestFiles::new();
        files.write(YAML, "a: b");
        files.restamp(YAML, |stamp| (stamp.mode, stamp.own) = (mode, own));
        let outcome = open(&files, YAML);
        match advice {
            None => assert!(outcome.is_ok(), "{mode:o}"),
            Some(advice) => assert!(outcome.unwrap_err().message().contains(advice), "{mode:o}"),
        }
        let settings = FileSettings { insecure_permissions: true, ..FileSettings::new(YAML) };
        assert!(FileProvider::new(settings, files, &*TestRandom::seeded(1)).is_ok(), "{mode:o}");
    }
}

#[tokio::test]
async fn it_is_read_again_when_its_stamp_changes_and_only_then() {
    let files = TestFiles::new();
    files.write(YAML, "a: one");
    let provider = open(&files, YAML).unwrap();
    for _ in 0..3 {
        assert_eq!(payload(&provider, "a").await, Payload::text("one"));
    }
    assert_eq!(files.reads(YAML), 1);
    files.write(YAML, "a: two");
    assert_eq!(payload(&provider, "a").await, Payload::text("two"));
    assert_eq!(files.reads(YAML), 2);
}

#[tokio::test]
async fn a_broken_edit_is_not_taken_over_and_the_check_says_so() {
    let (files, clock) = (TestFiles::new(), ManualClock::new());
    files.write(YAML, "a: one");
    let provider = open(&files, YAML).unwrap();
    for broken in ["a: 'two", "", "a: [two]"] {
        files.write(YAML, broken);
        assert_eq!(payload(&provider, "a").await, Payload::text("one"), "{broken:?}");
        assert_eq!(provider.check(&call(&clock)).await.unwrap_err().kind(), ErrorKind::Config, "{broken:?}");
    }
    files.write(YAML, "a: two");
    assert!(provider.check(&call(&clock)).await.is_ok());
    assert_eq!(payload(&provider, "a").await, Payload::text("two"));
    files.write(YAML, "a: three");
    files.restamp(YAML, |stamp| stamp.mode = 0o644);
    assert_eq!(payload(&provider, "a").await, Payload::text("two"), "what others may have written is not taken over");
}

#[tokio::test]
async fn a_file_that_is_gone_is_unavailable_and_back_when_it_is_back() {
    let (files, clock) = (TestFiles::new(), ManualClock::new());
    files.write(YAML, "a: one");
    let provider = open(&files, YAML).unwrap();
    files.remove(YAML);
    let error = provider.get(&call(&clock), &name("a"), &Selector::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    files.write(YAML, "a: two");
    assert_eq!(payload(&provider, "a").await, Payload::text("two"));
}

#[tokio::test]
async fn edits_become_one_change_per_secret() {
    let (files, clock) = (TestFiles::new(), ManualClock::new());
    files.write(YAML, "a: one\nb: one\nc: one\n");
    let provider = Arc::new(open(&files, YAML).unwrap());
    let mut changes = FileChanges::new(provider.clone(), clock.clone());
    files.write(YAML, "a: two\nc: one\nd: new\n");
    let told = tell(&mut changes, &clock).await;
    let kinds: Vec<_> = told.iter().map(|change| (change.name.clone(), change.kind)).collect();
    let one = |text| ChangedName::one(&name(text));
    let expected = [(one("a"), ChangeKind::Updated), (one("d"), ChangeKind::Updated), (one("b"), ChangeKind::Deleted)];
    assert_eq!(kinds, expected);
    let current = provider.get(&call(&clock), &name("a"), &Selector::Current).await.unwrap();
    assert_eq!(told[0].version, current.version.map(|version| version.id), "a Change names the version that is read");

    // Back to what it was: the same version as at first, but a Change of its own.
    files.write(YAML, "a: one\nc: one\nd: new\n");
    let back = tell(&mut changes, &clock).await;
    assert_eq!(back.len(), 1);
    assert_ne!(back[0].id, told[0].id);
    assert_ne!(back[0].version, told[0].version);
}

async fn tell(changes: &mut FileChanges, clock: &Arc<ManualClock>) -> Vec<lockstep_core::Change> {
    let (told, ()) = tokio::join!(changes.next(), async {
        clock.until_sleeping(1).await;
        clock.advance(Duration::from_secs(1));
    });
    told
}

#[tokio::test]
async fn a_touched_or_broken_file_is_no_change() {
    let (files, clock) = (TestFiles::new(), ManualClock::new());
    files.write(YAML, "a: one");
    let provider = Arc::new(open(&files, YAML).unwrap());
    let mut changes = FileChanges::new(provider, clock.clone());
    let (told, ()) = tokio::join!(changes.next(), async {
        for text in ["a: one", "a: 'broken", "a: one # touched"] {
            clock.until_sleeping(1).await;
            files.write(YAML, text);
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        clock.until_sleeping(1).await;
        files.write(YAML, "a: two");
        clock.advance(Duration::from_secs(1));
    });
    assert_eq!(told.len(), 1);
}

/// S6 in spirit: break `VersionKey::new` by leaving the key at zero, or the digest by leaving the key out.
#[tokio::test]
async fn a_version_is_no_digest_that_could_be_guessed() {
    let files = TestFiles::new();
    files.write(YAML, "a: hunter2");
    let call = call(&ManualClock::new());
    let mut versions = Vec::new();
    for seed in [1, 2] {
        let provider = FileProvider::new(FileSettings::new(YAML), files.clone(), &*TestRandom::seeded(seed)).unwrap();
        let page = provider.list(&call, "", &lockstep_core::Filter::default(), Page::default()).await.unwrap();
        versions.push(page.items[0].version.clone().unwrap());
    }
    assert_ne!(versions[0], versions[1], "two processes never print the same version of the same value");
}

/// M1: break `Debug` of `FileProvider` by deriving it down to the text.
#[test]
fn m1_the_provider_prints_no_value() {
    let provider = read(YAML, "a: c4n4ry").unwrap();
    assert!(!format!("{provider:?}").contains("c4n4ry"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "[a-c:{}\\[\\]\"'&*!|>#,\\- \n\t0-9]{0,60}") {
        for path in ["/s.yaml", "/s.json", "/s.toml"] {
            let _ = read(path, &text);
        }
    }

    #[test]
    fn what_json_writes_is_read_back(value in "\\PC{0,40}", key in "[a-z]{1,8}(/[a-z]{1,8}){0,2}") {
        let text = serde_json::to_string(&serde_json::json!({ &key: &value })).unwrap();
        for path in ["/s.json", "/s.yaml"] {
            let provider = read(path, &text).unwrap();
            let read = futures_util::FutureExt::now_or_never(payload(&provider, &key)).unwrap();
            prop_assert_eq!(read, Payload::text(value.as_str()), "{}", path);
        }
    }
}

/// Break: leave out one of the three calls in `Syntax::parse` or `yaml`; `2` in `yaml::nodes`; the `Equals` or the
/// `Dot` in `structure::toml`.
#[test]
fn o3_a_file_of_too_many_keys_is_refused_with_the_place_in_every_language() {
    let open = |path: &str, text: &str| {
        let files = TestFiles::new();
        files.write(path, text);
        let mut settings = FileSettings::new(path);
        settings.members = 3;
        FileProvider::new(settings, files, &*TestRandom::seeded(1))
            .map(drop)
            .map_err(|error| error.message().to_owned())
    };
    for (path, fits, too_many, place) in [
        ("/s.yaml", "a: 1\nb: { c: c4n4ry }\n", "a: 1\nb: { c: c4n4ry, d: 2 }\n", "line 2, column 17"),
        ("/s.json", "{\"a\":1,\n\"b\":{\"c\":\"c4n4ry\"}}", "{\"a\":1,\n\"b\":{\"c\":1,\"d\":1}}", "line 2, column 11"),
        ("/s.toml", "a = 1\n[b]\nc = \"=,.c4n4ry\"", "a = 1\nb.c = 1\nd = 2", "line 3, column 3"),
    ] {
        assert_eq!(open(path, fits), Ok(()), "{path}");
        let what = "the file has more keys than `max_members` allows; split it, or raise `max_members`";
        assert_eq!(open(path, too_many), Err(format!("{path}: {place}: {what}")), "{path}");
    }
}

/// Break: leave out `depth` in `structure::json`, `brackets` or `dots` in `structure::toml`, or the look at
/// `open` in `yaml::flatten`.
#[test]
fn o3_a_deep_file_is_refused_and_costs_no_stack() {
    let times = 1 << 19;
    for (path, text) in [
        ("/s.json", format!("{}1{}", "{\"a\":".repeat(times), "}".repeat(times))),
        ("/s.json", "[".repeat(times)),
        ("/s.toml", format!("{}a = 1", "a.".repeat(times))),
        ("/s.toml", format!("[{}a]", "a.".repeat(times))),
        ("/s.toml", format!("a = {}", "[".repeat(times))),
        ("/s.yaml", format!("a: {}1{}", "[".repeat(40), "]".repeat(40))),
    ] {
        let error = read(path, &text).map(drop).unwrap_err();
        assert!(error.message().contains("this nests too deep"), "{error}");
    }
    // Here YAML's scanner has had enough before its budget is used up.
    for open in ["[", "{a: ", "- "] {
        assert!(read("/s.yaml", &format!("a: {}", open.repeat(times))).is_err());
    }
}
