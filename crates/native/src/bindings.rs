//! [`NoBindings`]: what is bound to a process on Linux, which is nothing.

use async_trait::async_trait;
use lockstep_core::{Bindings, Error, ErrorKind, Result, SecretValue};

/// No bindings.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBindings;

#[async_trait]
impl Bindings for NoBindings {
    fn available(&self) -> Result<()> {
        let message =
            "only a Cloudflare Worker has bindings; ask the Worker's endpoint with a provider of type `lockstep`";
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    async fn secret(&self, _: &str) -> Result<SecretValue> {
        self.available().map(|()| SecretValue::from(""))
    }
}
