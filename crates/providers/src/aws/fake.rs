//! What the tests of this folder stand on: testkit's ports, and a transport that answers from a script and remembers
//! what it was asked in AWS's terms.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::{Call, Error, ErrorKind, Limits, Result, Transport, UnixMillis};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, TestRandom, TestSigner, call};

use super::session::{Session, SessionSettings};
use crate::Ports;

/// A request that was sent, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// How long it may have taken.
    pub(crate) time: Duration,
}

impl Sent {
    /// The id of the key that signed it; nothing when nobody did.
    pub(crate) fn signer(&self) -> &str {
        let authorization = self.headers.get("authorization").map_or("", String::as_str);
        authorization.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default()
    }

    pub(crate) fn target(&self) -> &str {
        self.headers.get("x-amz-target").map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers from a script, in order. A request without an answer left is a failed test.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<Response<Bytes>>>>,
    sent: Mutex<Vec<Sent>>,
}

impl Script {
    pub(crate) fn then(&self, status: u16, body: &str) -> &Self {
        self.then_with(status, &[], body)
    }

    pub(crate) fn then_with(&self, status: u16, headers: &[(&str, &str)], body: &str) -> &Self {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        self.answers.lock().unwrap().push_back(Ok(response.body(Bytes::from(body.to_owned())).unwrap()));
        self
    }

    /// An AWS error: a code and a message.
    pub(crate) fn then_error(&self, code: &str, message: &str) -> &Self {
        self.then(400, &serde_json::json!({"__type": code, "Message": message}).to_string())
    }

    /// STS's answer to `AssumeRole`: the key's id, and the end of the session.
    pub(crate) fn then_role(&self, id: &str, end: &str) -> &Self {
        self.then(
            200,
            &format!(
                "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser><Credentials>\
                 <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>canary-{id}</SecretAccessKey>\
                 <SessionToken>canary-token-{id}</SessionToken><Expiration>{end}</Expiration></Credentials>\
                 </AssumeRoleResult></AssumeRoleResponse>"
            ),
        )
    }

    /// An error of STS.
    pub(crate) fn then_sts_error(&self, status: u16, code: &str, message: &str) -> &Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        self.then(status, &body)
    }

    pub(crate) fn then_failure(&self, kind: ErrorKind) -> &Self {
        self.answers.lock().unwrap().push_back(Err(Error::new(kind, "scripted")));
        self
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// What was asked for, in order, without the services' prefixes.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.sent().iter().map(|sent| sent.target().rsplit('.').next().unwrap().to_owned()).collect()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers.iter();
        self.sent.lock().unwrap().push(Sent {
            method: parts.method.to_string(),
            uri: parts.uri.to_string(),
            headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
            time: limits.time,
        });
        let answer = self.answers.lock().unwrap().pop_front();
        // Who else wants to ask at the same time gets the chance.
        tokio::task::yield_now().await;
        answer.unwrap_or_else(|| panic!("nothing is scripted for {:?}", self.sent().last().unwrap()))
    }
}

/// The ports, and the handles on what is behind them.
pub(crate) struct Host {
    pub(crate) script: Arc<Script>,
    pub(crate) files: Arc<TestFiles>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ports: Ports,
}

impl Host {
    /// A host with this environment, on 2026-05-01 at 10:00 UTC.
    pub(crate) fn new(vars: &[(&str, &str)]) -> Self {
        let (script, files) = (Arc::new(Script::default()), TestFiles::new());
        let clock = ManualClock::at(UnixMillis::from_rfc3339("2026-05-01T10:00:00Z").unwrap());
        let ports = Ports {
            env: TestEnv::of(vars),
            files: files.clone(),
            transport: script.clone(),
            clock: clock.clone(),
            random: TestRandom::seeded(7),
            signer: Arc::new(TestSigner),
            exec: Arc::new(lockstep_core::NoExec),
        };
        Self { script, files, clock, ports }
    }

    /// A host with keys in its environment, in `eu-west-1`.
    pub(crate) fn with_keys() -> Self {
        Self::new(&[
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
            ("AWS_SESSION_TOKEN", "canary-session-token"),
        ])
    }

    pub(crate) fn session(&self) -> Arc<Session> {
        Session::new(&SessionSettings::default(), self.ports.clone()).unwrap()
    }

    pub(crate) fn call(&self) -> Call {
        call(&self.clock)
    }
}
