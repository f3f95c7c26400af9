use std::time::Duration;

use lockstep_core::{Provider as _, SecretName, Selector};
use serde_json::json;

use super::super::{SecretsManager, SecretsManagerSettings};
use super::*;
use crate::aws::Role;
use crate::aws::fake::{Host, Sent};

const HOME: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/creds-AbCdEf";
const REPLICA: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db/creds-AbCdEf";
const ELSEWHERE: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db/creds-AbCdEf";

fn provider(host: &Host, replicas: &[&str]) -> Result<SecretsManager> {
    let replicas = replicas.iter().map(|text| (*text).to_owned()).collect();
    SecretsManager::new(host.session(), &SecretsManagerSettings { replicas, ..SecretsManagerSettings::default() })
}

/// With the credentials of a role, and a replica.
fn of_role(host: &Host) -> SecretsManager {
    let role = Role::new("arn:aws:iam::123456789012:role/app").unwrap();
    let replicas = vec!["eu-central-1".to_owned()];
    let settings = SecretsManagerSettings { replicas, ..SecretsManagerSettings::default() };
    SecretsManager::new(host.session().assume(&role).unwrap(), &settings).unwrap()
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn answer(arn: &str) -> String {
    json!({
        "ARN": arn, "Name": "db/creds", "VersionId": "0a1b2c3d-0000-4000-8000-000000000001", "SecretString": "v",
        "VersionStages": ["AWSCURRENT"],
    })
    .to_string()
}

/// The region of each request, and what it asked for.
fn asked(host: &Host) -> Vec<(String, String)> {
    let region = |sent: &Sent| sent.uri.split('.').nth(1).unwrap().to_owned();
    let id = |sent: &Sent| sent.json()["SecretId"].as_str().unwrap_or_default().to_owned();
    host.script.sent().iter().map(|sent| (region(sent), id(sent))).collect()
}

fn at(region: &str, id: &str) -> (String, String) {
    (region.to_owned(), id.to_owned())
}

/// Break: keep the ARN of the replica as identity, or ask for the ARN of another region as it is.
#[tokio::test]
async fn while_a_region_fails_the_replica_answers_as_the_secret_itself() {
    for (spelling, in_replica) in [("db/creds", "db/creds"), (HOME, REPLICA)] {
        for kind in [ErrorKind::Network, ErrorKind::Timeout, ErrorKind::Unavailable] {
            let host = Host::with_keys();
            let provider = provider(&host, &["eu-central-1"]).unwrap();
            host.script.then(200, &answer(HOME));
            let own = provider.get(&host.call(), &name(spelling), &Selector::Current).await.unwrap();
            host.script.then_failure(kind).then(200, &answer(REPLICA));
            let secret = provider.get(&host.call(), &name(spelling), &Selector::Current).await.unwrap();
            assert_eq!(secret.id, own.id);
            assert_eq!((secret.id.name.as_str(), &*secret.id.scope.parts().region), (HOME, "eu-west-1"));
            let expected = [at("eu-west-1", spelling), at("eu-west-1", spelling), at("eu-central-1", in_replica)];
            assert_eq!(asked(&host), expected, "{kind:?}");
            assert!(host.script.sent()[2].headers["authorization"].contains("/eu-central-1/secretsmanager/"));
        }
    }
}

/// An ARN of a replica is a secret of its own region: that is asked first, and is the identity.
#[tokio::test]
async fn an_arn_is_asked_for_in_its_own_region_first() {
    let host = Host::with_keys();
    let provider = provider(&host, &["eu-central-1"]).unwrap();
    host.script.then_failure(ErrorKind::Network).then(200, &answer(HOME));
    let secret = provider.get(&host.call(), &name(REPLICA), &Selector::Current).await.unwrap();
    assert_eq!(secret.id.name.as_str(), REPLICA);
    assert_eq!(asked(&host), [at("eu-central-1", REPLICA), at("eu-west-1", HOME)]);
    // Nobody said that there are replicas of what another region has.
    host.script.then_failure(ErrorKind::Network);
    let error = provider.get(&host.call(), &name(ELSEWHERE), &Selector::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert_eq!(asked(&host)[2..], [at("us-east-1", ELSEWHERE)]);
}

/// Break: go on after any error.
#[tokio::test]
async fn an_answer_is_an_answer_and_no_other_region_is_asked() {
    for (code, kind) in [
        ("ResourceNotFoundException", ErrorKind::NotFound),
        ("AccessDeniedException", ErrorKind::Denied),
        ("ThrottlingException", ErrorKind::Throttled),
        ("DecryptionFailure", ErrorKind::Decrypt),
    ] {
        let host = Host::with_keys();
        let provider = provider(&host, &["eu-central-1"]).unwrap();
        host.script.then_error(code, "no");
        let error = provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap_err();
        assert_eq!((error.kind(), host.script.sent().len()), (kind, 1));
    }
}

/// Break: return the replica's error; a secret that was not replicated would be missing as long as its region fails.
#[tokio::test]
async fn that_a_replica_is_missing_or_denied_says_nothing_of_the_secret() {
    for code in ["ResourceNotFoundException", "AccessDeniedException", "ThrottlingException"] {
        let host = Host::with_keys();
        let provider = provider(&host, &["eu-central-1", "eu-north-1"]).unwrap();
        host.script.then_failure(ErrorKind::Network).then_error(code, "no").then_error(code, "no");
        let error = provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{code}");
        // The home region rests, and is asked all the same once no replica had the secret.
        host.script.then_error(code, "no").then_error(code, "no").then(200, &answer(HOME));
        assert!(provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.is_ok());
        let regions: Vec<_> = asked(&host).into_iter().map(|(region, _)| region).collect();
        let order = ["eu-west-1", "eu-central-1", "eu-north-1", "eu-central-1", "eu-north-1", "eu-west-1"];
        assert_eq!(regions, order);
    }
}

/// Break: `REST` to zero, or leave out the `note` of a failure or of an answer.
#[tokio::test]
async fn a_region_that_failed_rests_for_half_a_minute() {
    let host = Host::with_keys();
    let provider = provider(&host, &["eu-central-1"]).unwrap();
    let get = async || provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap();
    host.script.then_failure(ErrorKind::Network).then(200, &answer(REPLICA)).then(200, &answer(REPLICA));
    get().await;
    get().await;
    host.clock.advance(Duration::from_secs(29));
    host.script.then(200, &answer(REPLICA));
    get().await;
    host.clock.advance(Duration::from_secs(1));
    host.script.then(200, &answer(HOME));
    get().await;
    let regions: Vec<_> = asked(&host).into_iter().map(|(region, _)| region).collect();
    assert_eq!(regions, ["eu-west-1", "eu-central-1", "eu-central-1", "eu-central-1", "eu-west-1"]);
}

/// Break: give each region the whole time; the layer around the provider would end before the second is asked.
#[tokio::test]
async fn all_regions_share_the_time_of_one_call() {
    let host = Host::with_keys();
    let provider = provider(&host, &["eu-central-1"]).unwrap();
    host.script.then_failure(ErrorKind::Timeout).then(200, &answer(REPLICA));
    provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap();
    let times: Vec<_> = host.script.sent().iter().map(|sent| sent.time).collect();
    // No time passes here: the second has all that is left.
    assert_eq!(times, [Duration::from_millis(2500), Duration::from_secs(5)]);
}

/// Break: give each region the whole time in `SecretsManager::check`; one that hangs would be the last that is asked.
#[tokio::test]
async fn a_check_shares_its_time_among_the_regions_too() {
    let host = Host::with_keys();
    let provider = provider(&host, &["eu-central-1", "eu-north-1"]).unwrap();
    host.script.then_failure(ErrorKind::Timeout).then_failure(ErrorKind::Timeout);
    host.script.then_error("ResourceNotFoundException", "no");
    provider.check(&host.call()).await.unwrap();
    let times: Vec<_> = host.script.sent().iter().map(|sent| sent.time).collect();
    let second = Duration::from_secs(1);
    assert_eq!(times, [second * 5 / 3, second * 5 / 2, second * 5]);
}

/// Break: leave out `logged_in` in `Regions::ask` or in `SecretsManager::check`.
#[tokio::test]
async fn a_login_has_the_whole_time_and_no_region_shares_it() {
    for checks in [false, true] {
        let host = Host::with_keys();
        let provider = of_role(&host);
        host.script.then_role("ROLE", "2026-05-01T11:00:00Z").then_failure(ErrorKind::Timeout).then(200, &answer(HOME));
        if checks {
            provider.check(&host.call()).await.unwrap();
        } else {
            provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap();
        }
        let times: Vec<_> = host.script.sent().iter().map(|sent| sent.time).collect();
        let whole = Duration::from_secs(5);
        assert_eq!(times, [whole, whole / 2, whole], "checks: {checks}");
    }
}

/// Break: the arm for logins in `Regions::ask`.
#[tokio::test]
async fn a_login_that_ends_while_regions_are_asked_is_no_failure_of_a_region() {
    let host = Host::with_keys();
    let provider = of_role(&host);
    host.script.then_role("ROLE", "2026-05-01T11:00:00Z").then_failure(ErrorKind::Network);
    host.script.then_sts_error(500, "InternalFailure", "no");
    let call = host.call();
    let name = name("db/creds");
    // The credentials end while the first region is asked.
    let ends = async {
        while host.script.sent().len() < 2 {
            tokio::task::yield_now().await;
        }
        host.clock.advance_wall(Duration::from_hours(2));
    };
    let ((), read) = tokio::join!(biased; ends, provider.get(&call, &name, &Selector::Current));
    let error = read.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some(Operation::Login)));
    assert_eq!(host.script.sent().len(), 3);
}

#[tokio::test]
async fn many_values_descriptions_and_checks_come_from_replicas_too() {
    let host = Host::with_keys();
    let provider = provider(&host, &["eu-central-1"]).unwrap();
    let other = HOME.replace("db/creds", "db/other");
    let page = |one: &str, errors: serde_json::Value| {
        let value: serde_json::Value = serde_json::from_str(&answer(one)).unwrap();
        json!({"SecretValues": [value], "Errors": errors}).to_string()
    };
    let missing =
        json!([{"SecretId": other.replace("eu-west-1", "eu-central-1"), "ErrorCode": "ResourceNotFoundException"}]);
    host.script.then_failure(ErrorKind::Network).then(200, &page(REPLICA, missing));
    // The replica that is missing is asked for apart, and then where the secret is at home.
    host.script.then_error("ResourceNotFoundException", "no").then(200, &answer(&other));
    let wanted = [(name(HOME), Selector::Current), (name(&other), Selector::Current)];
    let ids: Vec<_> =
        provider.get_many(&host.call(), &wanted).await.into_iter().map(|one| one.unwrap().id.name).collect();
    assert_eq!(ids, [name(HOME), name(&other)]);
    assert_eq!(host.script.operations()[..2], ["BatchGetSecretValue", "BatchGetSecretValue"]);
    assert_eq!(host.script.sent()[1].json()["SecretIdList"][0], REPLICA);

    host.script.then_failure(ErrorKind::Network).then(200, &json!({"ARN": REPLICA, "Name": "db/creds"}).to_string());
    assert_eq!(provider.describe(&host.call(), &name("db/creds")).await.unwrap().id.name, name(HOME));
    host.script.then_error("ResourceNotFoundException", "no");
    provider.check(&host.call()).await.unwrap();
    assert!(host.script.sent().last().unwrap().uri.contains("eu-central-1"));
}

/// Break: leave out `logged_in` and the arm for logins; each region would log in anew.
#[tokio::test]
async fn a_failed_login_is_the_same_in_every_region() {
    let host = Host::new(&[("AWS_REGION", "eu-west-1")]);
    let provider = provider(&host, &["eu-central-1"]).unwrap();
    host.script.then(200, "t").then(503, "");
    let error = provider.get(&host.call(), &name("db/creds"), &Selector::Current).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some(Operation::Login)));
    assert_eq!(host.script.sent().len(), 2);
}

#[test]
fn regions_are_checked_and_tell_providers_apart() {
    let host = Host::with_keys();
    for (replicas, hint) in [
        (&["eu-west-1"][..], "twice"),
        (&["eu-central-1", "eu-central-1"][..], "twice"),
        (&["evil.example"][..], "is none"),
        (&["cn-north-1"][..], "partitions"),
    ] {
        let error = provider(&host, replicas).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(hint), "{error}");
    }
    let scope = |replicas: &[&str]| provider(&host, replicas).unwrap().scope().clone();
    assert_ne!(scope(&[]), scope(&["eu-central-1"]));
    assert_eq!(scope(&[]).parts().transform, "");
}
