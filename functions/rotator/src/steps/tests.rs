//! Rotations from beginning to end, cut off at every write, against a Secrets Manager and an API in memory that lose
//! requests and answers. How databases take them: tests/lambda/rotator.rs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use lockstep_config::settings::{HttpRotator, PasswordRules};
use lockstep_core::{NoExec, Transport};
use lockstep_providers::Ports;
use lockstep_providers::aws::{ServiceSettings, Session, SessionSettings};
use lockstep_testkit::{FakeTransport, ManualClock, Reply, TestEnv, TestFiles, TestRandom, TestSigner, call};
use serde_json::{Value, json};

use super::*;
use crate::http_api::HttpApi;
use crate::password::Rules;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api/key-AbCdEf";
const TOKEN: &str = "0a1b2c3d-0000-4000-8000-000000000001";
const OLD: &str = "0a1b2c3d-0000-4000-8000-000000000002";
const OLDER: &str = "0a1b2c3d-0000-4000-8000-000000000003";

/// What gets lost of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Request,
    Answer,
}

/// Secrets Manager with one secret, and the API whose key it holds.
struct World {
    enabled: Option<bool>,
    /// Values and labels by version.
    versions: BTreeMap<&'static str, (Option<String>, Vec<&'static str>)>,
    /// The key that the API takes.
    key: String,
    /// Every value that was put.
    put: Vec<String>,
    rotation_token: Option<String>,
    writes: usize,
    /// What somebody else puts just before we do.
    raced: Option<String>,
    lost: Option<(usize, Lost)>,
}

impl World {
    /// A rotation has begun: a version is pending, and has no value.
    fn begun() -> Self {
        let versions = [
            (TOKEN, (None, vec!["AWSPENDING"])),
            (OLD, (Some("old".to_owned()), vec!["AWSCURRENT"])),
            (OLDER, (Some("older".to_owned()), vec!["AWSPREVIOUS"])),
        ];
        Self {
            enabled: Some(true),
            versions: versions.into(),
            key: "old".to_owned(),
            put: Vec::new(),
            rotation_token: None,
            writes: 0,
            raced: None,
            lost: None,
        }
    }

    fn answer(&mut self, request: &Request<Bytes>) -> Reply {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let target = header("x-amz-target").to_owned();
        let is_write =
            matches!(target.as_str(), "secretsmanager.PutSecretValue" | "secretsmanager.UpdateSecretVersionStage")
                || request.method() == http::Method::PUT;
        let lost = self.lost.filter(|(at, _)| is_write && *at == self.writes).map(|(_, lost)| lost);
        self.writes += usize::from(is_write);
        let gone = || Reply::Fail(Error::new(ErrorKind::Network, "lost"));
        if lost == Some(Lost::Request) {
            return gone();
        }
        let reply = match target.as_str() {
            "" => self.api(request.method(), header("authorization"), &body),
            "secretsmanager.DescribeSecret" => {
                let stages: BTreeMap<_, _> = self.versions.iter().map(|(id, (_, labels))| (id, labels)).collect();
                Reply::json(
                    200,
                    &json!({ "ARN": ARN, "Name": "api/key", "RotationEnabled": self.enabled, "VersionIdsToStages": stages }),
                )
            }
            "secretsmanager.GetSecretValue" => self.value(&body),
            "secretsmanager.PutSecretValue" => self.put(&body),
            "secretsmanager.UpdateSecretVersionStage" => self.make_current(&body),
            other => panic!("nobody asks for {other}"),
        };
        if lost == Some(Lost::Answer) { gone() } else { reply }
    }

    fn api(&mut self, method: &http::Method, authorization: &str, body: &Value) -> Reply {
        if authorization != format!("Bearer {}", self.key) {
            return Reply::new(401, "c4n4ry");
        }
        if method == http::Method::PUT {
            self.key = body["key"].as_str().unwrap().to_owned();
        }
        Reply::new(204, "")
    }

    fn value(&self, body: &Value) -> Reply {
        let stage = body["VersionStage"].as_str().unwrap();
        let found = self.versions.iter().find(|(id, (_, labels))| {
            labels.contains(&stage) && body["VersionId"].as_str().is_none_or(|wanted| wanted == **id)
        });
        match found {
            Some((id, (Some(value), labels))) => Reply::json(
                200,
                &json!({ "ARN": ARN, "Name": "api/key", "VersionId": id, "SecretString": value, "VersionStages": labels }),
            ),
            _ => refused("ResourceNotFoundException", "can't find the specified secret value for staging label"),
        }
    }

    fn put(&mut self, body: &Value) -> Reply {
        let (value, token) = (body["SecretString"].as_str().unwrap(), body["ClientRequestToken"].as_str().unwrap());
        self.rotation_token = body["RotationToken"].as_str().map(str::to_owned);
        let (id, (held, _)) = self.versions.iter_mut().find(|(id, _)| **id == token).unwrap();
        assert_eq!(*id, TOKEN);
        if let Some(theirs) = self.raced.take() {
            *held = Some(theirs);
        }
        if held.as_ref().is_some_and(|held| held != value) {
            return refused("ResourceExistsException", "c4n4ry");
        }
        *held = Some(value.to_owned());
        self.put.push(value.to_owned());
        Reply::json(200, &json!({}))
    }

    fn make_current(&mut self, body: &Value) -> Reply {
        let (from, to) = (body["RemoveFromVersionId"].as_str(), body["MoveToVersionId"].as_str());
        if !self.versions[from.unwrap()].1.contains(&"AWSCURRENT") {
            return refused("InvalidParameterException", "c4n4ry");
        }
        for (id, (_, labels)) in &mut self.versions {
            labels.retain(|label| !["AWSCURRENT", "AWSPREVIOUS"].contains(label));
            if Some(*id) == from {
                labels.push("AWSPREVIOUS");
            }
            if Some(*id) == to {
                labels.push("AWSCURRENT");
            }
        }
        Reply::json(200, &json!({}))
    }
}

fn refused(code: &str, message: &str) -> Reply {
    Reply::json(400, &json!({ "__type": code, "Message": message }))
}

struct Bench {
    world: Arc<Mutex<World>>,
    secrets: RotationSecrets,
    chosen: Chosen,
    clock: Arc<ManualClock>,
    random: Arc<TestRandom>,
}

impl Bench {
    fn new(world: World) -> Self {
        let world = Arc::new(Mutex::new(world));
        let transport: Arc<dyn Transport> = FakeTransport::by({
            let world = Arc::clone(&world);
            move |request| world.lock().unwrap().answer(request)
        });
        let clock = ManualClock::at(lockstep_core::UnixMillis::from_rfc3339("2026-05-01T10:00:00Z").unwrap());
        let ports = Ports {
            env: TestEnv::of(&[
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "story"),
            ]),
            files: TestFiles::new(),
            transport: Arc::clone(&transport),
            clock: clock.clone(),
            random: TestRandom::seeded(7),
            signer: Arc::new(TestSigner),
            exec: Arc::new(NoExec),
        };
        let session = Session::new(&SessionSettings::default(), ports).unwrap();
        let written: HttpRotator = serde_json::from_value(json!({
            "match": "**", "url": "https://api.internal/key", "body": r#"{"key":"{new}"}"#,
            "headers": { "authorization": "Bearer {current}" },
            "test": { "url": "https://api.internal/me", "headers": { "authorization": "Bearer {new}" } },
        }))
        .unwrap();
        let way = Way::Http(Box::new(HttpApi::new(&written, transport).unwrap()));
        let rules = Rules::new(&PasswordRules::default(), &*TestEnv::of(&[])).unwrap();
        let secrets = RotationSecrets::new(session, &ServiceSettings::default()).unwrap();
        Self { world, secrets, chosen: Chosen { way, rules }, clock, random: TestRandom::seeded(3) }
    }

    async fn step(&self, step: Step) -> Result<Done> {
        let call = call(&self.clock);
        let secret = self.secrets.describe(&call, ARN).await?;
        let rotation = Rotation { secrets: &self.secrets, call: &call, secret: &secret, token: TOKEN };
        let token = SecretValue::from("c4n4ry-token");
        rotation.run(step, &self.chosen, &*self.random, Some(&token)).await
    }

    /// Each step `times` times, and what fails again, as Secrets Manager does.
    async fn rotate(&self, times: usize) -> usize {
        let mut failures = 0;
        for step in [Step::Create, Step::Set, Step::Test, Step::Finish] {
            for _ in 0..times {
                if let Err(error) = self.step(step).await {
                    failures += 1;
                    assert_eq!(error.kind(), ErrorKind::Network, "{step:?}: {error}");
                    self.step(step).await.unwrap_or_else(|error| panic!("{step:?} again: {error}"));
                }
            }
        }
        failures
    }
}

/// Break: put without a look at what is pending, set without a look at what is good, or `is_current` in `is_open`.
#[tokio::test]
async fn a_rotation_cut_off_at_any_write_and_asked_for_again_makes_one_value_that_everybody_takes() {
    let cuts =
        [None].into_iter().chain((0..3).flat_map(|at| [Lost::Request, Lost::Answer].map(|lost| Some((at, lost)))));
    for lost in cuts {
        for times in [1, 2] {
            let bench = Bench::new(World { lost, ..World::begun() });
            let failures = bench.rotate(times).await;
            assert_eq!(failures, usize::from(lost.is_some()), "{lost:?}");
            let world = bench.world.lock().unwrap();
            let (value, labels) = &world.versions[TOKEN];
            assert!(labels.contains(&"AWSCURRENT") && labels.contains(&"AWSPENDING"), "{lost:?}: {labels:?}");
            assert_eq!(world.versions[OLD].1, ["AWSPREVIOUS"], "{lost:?}");
            assert_eq!((value.as_deref(), world.key.len()), (Some(world.key.as_str()), 32), "{lost:?}");
            assert_eq!(world.put, std::slice::from_ref(&world.key), "one value was made, once: {lost:?}");
            let again = usize::from(lost.is_some_and(|(_, lost)| lost == Lost::Request));
            assert_eq!(world.writes, 3 + again, "nothing is written that is there: {lost:?}");
            assert_eq!(world.rotation_token.as_deref(), Some("c4n4ry-token"));
        }
    }
}

/// Break: any answer of `is_open`.
#[tokio::test]
async fn a_step_that_is_not_of_an_open_rotation_changes_nothing() {
    let labelled = |labels: &[&'static str]| {
        let mut world = World::begun();
        world.versions.insert(TOKEN, (Some("new".to_owned()), labels.to_vec()));
        world
    };
    let mut unknown = World::begun();
    unknown.versions.remove(TOKEN);
    let moved = World { versions: labelled(&["AWSCURRENT", "AWSPENDING"]).versions, ..World::begun() };
    for (world, expected) in [
        (World { enabled: Some(false), ..World::begun() }, Err((ErrorKind::RotationNotConfigured, "not enabled"))),
        (World { enabled: None, ..World::begun() }, Err((ErrorKind::RotationNotConfigured, "not enabled"))),
        (unknown, Err((ErrorKind::VersionNotFound, "no version with the token"))),
        (labelled(&[]), Err((ErrorKind::Conflict, "not pending any more"))),
        (moved, Ok(Done::Before)),
    ] {
        let bench = Bench::new(world);
        for step in [Step::Create, Step::Set, Step::Test, Step::Finish] {
            match (bench.step(step).await, expected) {
                (Ok(done), Ok(expected)) => assert_eq!(done, expected),
                (Err(error), Err((kind, message))) => {
                    assert!(error.kind() == kind && error.message().contains(message), "{step:?}: {error}");
                }
                (other, expected) => panic!("{step:?}: {other:?}, and not {expected:?}"),
            }
        }
        assert_eq!(bench.world.lock().unwrap().writes, 0);
    }
}

/// Break: leave out the look after a conflict, the previous value in `HttpApi::set`, or what `test` says of a refusal.
#[tokio::test]
async fn what_somebody_else_has_made_is_kept_and_a_cut_off_rotation_before_is_mended() {
    // The one before was cut off: the API still takes the value before the current one.
    let bench = Bench::new(World { key: "older".to_owned(), ..World::begun() });
    assert_eq!(bench.step(Step::Create).await.unwrap(), Done::Now);
    assert_eq!(bench.step(Step::Test).await.unwrap_err().kind(), ErrorKind::Denied);
    bench.step(Step::Set).await.unwrap();
    bench.step(Step::Test).await.unwrap();
    // Somebody else was asked for the same at the same time.
    let bench = Bench::new(World { raced: Some("theirs".to_owned()), ..World::begun() });
    assert_eq!(bench.step(Step::Create).await.unwrap(), Done::Before);
    assert_eq!(bench.world.lock().unwrap().versions[TOKEN].0.as_deref(), Some("theirs"));
    // It takes none that the secret knows.
    let bench = Bench::new(World { key: "unknown".to_owned(), ..World::begun() });
    let missing = bench.step(Step::Set).await.unwrap_err();
    assert!(missing.message().contains("`createSecret` comes first"), "{missing}");
    bench.step(Step::Create).await.unwrap();
    let refused = bench.step(Step::Set).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Denied && refused.message().contains("by hand"), "{refused}");
    assert!(!format!("{refused:?}").contains("c4n4ry"), "{refused:?}");
}
