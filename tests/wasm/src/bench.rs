//! [`Bench`]: the ports of a run, and an operator's requests at the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use lockstep_core::{
    Call, Clock as _, Field, Limits, MAX_MEMBERS, NoExec, Payload, SecretName, Spawn, Transport, UnixMillis,
};
use lockstep_providers::Ports;
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, TestRandom, TestSigner};
use serde_json::Value;

use crate::world::Host;

pub(crate) struct Bench {
    transport: Arc<dyn Transport>,
    spawn: Arc<dyn Spawn>,
    clock: Arc<ManualClock>,
    pub(crate) env: Arc<TestEnv>,
    pub(crate) files: Arc<TestFiles>,
    pub(crate) random: Arc<TestRandom>,
}

impl Bench {
    pub(crate) fn new(host: Host, now: u64) -> Self {
        Self {
            transport: host.transport,
            spawn: host.spawn,
            clock: ManualClock::at(UnixMillis(now)),
            env: TestEnv::of(&[]),
            files: TestFiles::new(),
            random: TestRandom::seeded(now),
        }
    }

    /// For a provider whose login signs nothing.
    pub(crate) fn ports(&self) -> Ports {
        Ports {
            transport: self.transport.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            signer: Arc::new(TestSigner),
            exec: Arc::new(NoExec),
        }
    }

    pub(crate) fn call(&self) -> Call {
        Call::new(self.clock.clone(), self.spawn.clone(), "contract", Duration::from_secs(30))
    }

    /// The time at which the clock stands, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.wall().0
    }

    /// Puts an operator's request together and sends it.
    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> (u16, Value) {
        self.ask(request.body(body.into()).unwrap_or_else(|error| panic!("a request: {error}"))).await
    }

    /// An operator's request with this header of a login and this body, none for `null`. Gives the status.
    pub(crate) async fn operate(&self, method: &str, url: &str, (header, login): (&str, &str), body: Value) -> u16 {
        let request =
            Request::builder().method(method).uri(url).header(header, login).header("content-type", "application/json");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(request, body).await.0
    }

    /// Sends an operator's request. Gives the status, and the answer if it is JSON.
    pub(crate) async fn ask(&self, request: Request<Bytes>) -> (u16, Value) {
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
        let answer = self.transport.send(request, limits).await;
        let answer = answer.unwrap_or_else(|error| panic!("the operator gets no answer: {error:?}"));
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
    }
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap_or_else(|error| panic!("{text:?} is a name: {error:?}"))
}

pub(crate) fn whole(payload: &Payload) -> &Field {
    let Payload::Whole(field) = payload else { panic!("it keeps whole values") };
    field
}

pub(crate) fn text(field: &Field) -> &str {
    field.value.expose_text().unwrap_or_else(|| panic!("it keeps text"))
}
