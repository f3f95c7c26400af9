//! What is recorded is replayed, to the byte; whose key it is not reads nothing; a dry run asks nobody.

mod dry_run;
mod kept;
mod tampered;
mod written;

use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::{Call, Provider, Result, Secret, SecretName, Selector};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, TestRandom, call};

use super::{Ports, Record, Recording, Replay};
use crate::Credential;
use crate::mock::{MockProvider, MockSecret, MockSettings};

const FILE: &str = "/run/trace.lockstep";
const CANARY: &str = "c4n4ry-of-the-recording";

/// Where recordings are made and played.
struct Studio {
    files: Arc<TestFiles>,
    clock: Arc<ManualClock>,
    env: Arc<TestEnv>,
    random: Arc<TestRandom>,
}

impl Studio {
    fn new() -> Self {
        let key = STANDARD.encode([7; 32]);
        Self {
            files: TestFiles::new(),
            clock: ManualClock::new(),
            env: TestEnv::of(&[("KEY", &key)]),
            random: TestRandom::seeded(1),
        }
    }

    fn ports(&self) -> Ports {
        Ports {
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        }
    }

    fn try_record(&self, inner: &Arc<impl Provider + 'static>) -> Result<Record> {
        Record::new(inner.clone(), recording(), self.ports())
    }

    fn record(&self, inner: &Arc<impl Provider + 'static>) -> Record {
        self.try_record(inner).unwrap()
    }

    fn replay(&self) -> Replay {
        Replay::new(recording(), &self.ports()).unwrap()
    }

    fn call(&self) -> Call {
        call(&self.clock)
    }

    fn bytes(&self) -> Vec<u8> {
        use lockstep_core::Files as _;
        self.files.read(Path::new(FILE), usize::MAX).unwrap().bytes.to_vec()
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.bytes()).unwrap().lines().map(str::to_owned).collect()
    }

    fn write_lines(&self, lines: &[String]) {
        self.files.write(FILE, lines.join("\n") + "\n");
    }

    /// What the replay answers for this name now.
    async fn replayed(&self, provider: &dyn Provider, text: &str) -> Result<Secret> {
        provider.get(&self.call(), &name(text), &Selector::Current).await
    }
}

fn recording() -> Recording {
    Recording { file: Path::new(FILE).into(), key: Credential::Env("KEY".into()) }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

/// A mock of these secrets, each with one value.
fn mock(secrets: &[(&str, &str)]) -> Arc<MockProvider> {
    let secrets = secrets.iter().map(|&(name, value)| (name.to_owned(), MockSecret::text(value))).collect();
    Arc::new(MockProvider::new(MockSettings { secrets, ..MockSettings::default() }).unwrap())
}

fn text(secret: &Secret) -> &str {
    match &secret.payload {
        lockstep_core::Payload::Whole(field) => field.value.expose_text().unwrap(),
        lockstep_core::Payload::Fields(_) => panic!("it has fields"),
    }
}

/// Keeps the text of every event.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Heard {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                use std::fmt::Write as _;
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
