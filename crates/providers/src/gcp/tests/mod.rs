//! The provider over the fake project of the testkit.

mod elsewhere;
mod logins;
mod reads;
mod refusals;

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Error, Provider, Secret, SecretName, Selector};
use lockstep_native::RingSigner;
use lockstep_testkit::fake::gcp::{Google, PROJECT};
use lockstep_testkit::{FakeTransport, ManualClock, TestEnv, TestFiles, TestRandom, call};

use super::{GcpAuth, GcpSecretManager, GcpSettings, GcpSource};
use crate::{Credential, Ports};

const MINUTE: Duration = Duration::from_mins(1);
/// Where the key file is.
const KEY_FILE: &str = "/run/key.json";

struct World {
    google: Arc<Google>,
    transport: Arc<FakeTransport>,
    clock: Arc<ManualClock>,
    env: Arc<TestEnv>,
    files: Arc<TestFiles>,
}

/// Reads with the machine's token.
fn machine() -> GcpSettings {
    let auth = GcpAuth { source: GcpSource::Metadata, impersonate: None };
    GcpSettings { auth, ..GcpSettings::new(PROJECT) }
}

/// Reads with the key in [`KEY_FILE`].
fn with_key(self_signed: bool) -> GcpSettings {
    let source = GcpSource::ServiceAccount { key: file(KEY_FILE), self_signed };
    GcpSettings { auth: GcpAuth { source, impersonate: None }, ..GcpSettings::new(PROJECT) }
}

fn file(path: &str) -> Credential {
    Credential::File(std::path::Path::new(path).into())
}

impl World {
    fn new() -> Self {
        let (clock, env, files) = (ManualClock::new(), TestEnv::of(&[]), TestFiles::new());
        files.write(KEY_FILE, Google::key_file(None));
        let google = Google::new(clock.clone());
        google.put("db", b"c4n4ry one");
        Self { transport: google.transport(), google, clock, env, files }
    }

    fn ports(&self) -> Ports {
        Ports {
            transport: self.transport.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
            random: TestRandom::seeded(7),
            signer: Arc::new(RingSigner),
            exec: Arc::new(lockstep_core::NoExec),
        }
    }

    fn provider(&self, settings: &GcpSettings) -> GcpSecretManager {
        GcpSecretManager::new(settings, self.ports()).unwrap()
    }

    async fn get(&self, provider: &GcpSecretManager, name: &str, selector: Selector) -> Result<Secret, Error> {
        provider.get(&call(&self.clock), &SecretName::parse(name).unwrap(), &selector).await
    }

    async fn current(&self, provider: &GcpSecretManager, name: &str) -> Result<Secret, Error> {
        self.get(provider, name, Selector::Current).await
    }
}

fn id(number: &str) -> Selector {
    Selector::Id(number.into())
}

fn label(text: &str) -> Selector {
    Selector::Label(text.into())
}

/// The number of a version.
fn number(secret: &Secret) -> u64 {
    secret.version.as_ref().and_then(|version| version.order).unwrap()
}
