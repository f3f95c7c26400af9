//! The made-up secrets of a configuration.

use lockstep_core::{Alias, Payload};
use lockstep_providers::mock::{MockSecret, MockSettings};

use crate::checks::error_kind;
use crate::settings::{self, MockValue};

pub(super) fn settings(alias: &Alias, mock: &settings::Mock) -> MockSettings {
    let payloads = |values: &[MockValue]| values.iter().map(|value| Payload::text(value.0.as_str())).collect();
    let secret = |secret: &settings::MockSecret| MockSecret {
        versions: payloads(&secret.versions),
        rotations: payloads(&secret.rotations),
        error: secret.error.as_deref().and_then(error_kind),
        delay: secret.delay.get(),
    };
    MockSettings {
        instance: alias.to_string(),
        environment: String::new(),
        secrets: mock.secrets.iter().map(|(name, kept)| (name.clone(), secret(kept))).collect(),
        delay: mock.delay.get(),
    }
}
