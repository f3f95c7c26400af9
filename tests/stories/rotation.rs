//! boto3 writes, `lockstep serve` reads: TTL, refresh, versions, bytes, spellings and signatures, on two imitations of AWS
//! that were written by different hands.

use lockstep_stories::{CountingProxy, Lockstep, Running, until};
use lockstep_testkit::{require, servers};

use crate::aws_account::{Account, config};

/// How the calls look at the server.
const GET: &str = "secretsmanager.GetSecretValue";

fn serve(account: &Account, proxy: &CountingProxy, cache: &str) -> Running {
    Lockstep::serve(config(&proxy.url(), cache).as_str(), &account.env())
}

/// `:` and `/` as clients send them.
fn encoded(arn: &str) -> String {
    arn.replace(':', "%3A").replace('/', "%2F")
}

/// What the drop-in surface answers for this query.
fn drop_in(running: &Running, query: &str, member: &str) -> String {
    let answer = running.get(&format!("/secretsmanager/get?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.member(member)
}

fn a_new_version(account: &Account) {
    let name = servers::unique("stories/rotated");
    let first = account.create(&name, "first value");
    let proxy = CountingProxy::to(account.url());
    let keeping = serve(account, &proxy, "[cache]\nttl = \"1h\"\n");
    let expiring = serve(account, &proxy, "[cache]\nttl = \"1s\"\nrefresh_ahead = \"0\"\n");
    let plain = format!("secretId={name}");
    assert_eq!(drop_in(&keeping, &plain, "/SecretString"), "first value");
    assert_eq!(expiring.value(&name), "first value");
    let before = proxy.count(GET);
    let second = account.put(&name, "second value");

    // Within the TTL: the old one, without a call.
    assert_eq!(drop_in(&keeping, &plain, "/SecretString"), "first value");
    assert_eq!(drop_in(&keeping, &plain, "/VersionId"), first.version);
    let held = keeping.get(&format!("/api/v1/secrets/{name}"));
    assert_eq!((held.member("/value").as_str(), held.header("cache-status")), ("first value", "lockstep; hit"));
    assert_eq!(proxy.count(GET), before);
    // After the TTL: the new one.
    until("the new version after the TTL", || (expiring.value(&name) == "second value").then_some(()));
    // At once, for whoever asks so, and for everybody after that.
    assert_eq!(drop_in(&keeping, &format!("{plain}&refreshNow=true"), "/SecretString"), "second value");
    let refreshed = proxy.count(GET);
    assert_eq!(drop_in(&keeping, &plain, "/VersionId"), second.version);
    assert_eq!(proxy.count(GET), refreshed);

    for (query, expected) in [
        ("versionStage=AWSPREVIOUS".to_owned(), "first value"),
        ("versionStage=AWSCURRENT".to_owned(), "second value"),
        (format!("versionId={}", first.version), "first value"),
        (format!("versionId={}", second.version), "second value"),
    ] {
        assert_eq!(drop_in(&keeping, &format!("{plain}&{query}"), "/SecretString"), expected, "{query}");
    }
    for (version, expected) in [
        ("previous", "first value"),
        ("current", "second value"),
        (first.version.as_str(), "first value"),
        (second.version.as_str(), "second value"),
    ] {
        assert_eq!(keeping.value(&format!("{name}?version={version}")), expected, "{version}");
    }
}

// Break: the comparison with `fresh_until` in core's cache, or `refreshNow` in the AWS surface.
#[test]
fn within_the_ttl_the_old_version_is_served_and_after_it_or_on_refresh_the_new_one_on_moto() {
    a_new_version(&require!(Account::at_strict_moto()));
}

// Break: as above.
#[test]
fn within_the_ttl_the_old_version_is_served_and_after_it_or_on_refresh_the_new_one_on_ministack() {
    a_new_version(&require!(Account::at_ministack()));
}

fn bytes(account: &Account) {
    // No UTF-8, with a NUL and every awkward byte.
    let base64 = "AP/+gIEAChsiXHt9";
    let name = servers::unique("stories/binary");
    account.create_binary(&name, base64);
    let proxy = CountingProxy::to(account.url());
    let running = serve(account, &proxy, "");
    assert_eq!(drop_in(&running, &format!("secretId={name}"), "/SecretBinary"), base64);
    let native = running.get(&format!("/api/v1/secrets/{name}"));
    assert_eq!((native.member("/value"), native.member("/encoding")), (base64.to_owned(), "base64".to_owned()));
}

// Break: write `SecretBinary` as text in the AWS surface, or leave out its decoding in the provider.
#[test]
fn a_binary_secret_is_the_same_bytes_on_both_surfaces_on_moto() {
    bytes(&require!(Account::at_moto()));
}

// Break: as above.
#[test]
fn a_binary_secret_is_the_same_bytes_on_both_surfaces_on_ministack() {
    bytes(&require!(Account::at_ministack()));
}

fn spellings(account: &Account) {
    let name = servers::unique("stories/spelled");
    let arn = account.create(&name, "first value").arn;
    // The partial ARN ends before the six random characters.
    let partial = arn[..arn.rfind('-').unwrap()].to_owned();
    let proxy = CountingProxy::to(account.url());
    let running = serve(account, &proxy, "[cache]\nttl = \"1h\"\n");
    let read = |spelling: &str| drop_in(&running, &format!("secretId={}", encoded(spelling)), "/SecretString");
    let all = [name.as_str(), arn.as_str(), partial.as_str()];

    // A spelling is never guessed: the first answer to each tells which secret it is.
    for spelling in all {
        assert_eq!(read(spelling), "first value");
    }
    let learned = proxy.count(GET);
    assert!(learned <= all.len(), "{learned}");
    for spelling in all {
        assert_eq!(read(spelling), "first value");
    }
    assert_eq!(proxy.count(GET), learned);
    let metrics = running.get("/metrics").text();
    assert!(metrics.contains("\nsecrets_cache_size 1\n"), "{metrics}");

    // One entry: what one spelling refreshes, all of them see.
    account.put(&name, "second value");
    assert_eq!(
        drop_in(&running, &format!("secretId={}&refreshNow=true", encoded(&partial)), "/SecretString"),
        "second value"
    );
    for spelling in all {
        assert_eq!(read(spelling), "second value", "{spelling}");
    }
    assert_eq!(proxy.count(GET), learned + 1);
}

// Break: key the cache by the name that was asked for, instead of the canonical id.
#[test]
fn name_partial_arn_and_arn_are_one_entry_on_moto() {
    spellings(&require!(Account::at_moto()));
}

// Break: as above.
#[test]
fn name_partial_arn_and_arn_are_one_entry_on_ministack() {
    spellings(&require!(Account::at_ministack()));
}

// Break: any input of the signature in `providers/aws/sign.rs`.
#[test]
fn a_request_is_signed_so_that_a_server_that_verifies_takes_it_and_a_wrong_key_is_refused() {
    for account in [require!(Account::at_strict_moto()), require!(Account::at_ministack())] {
        // Everything that a canonical request escapes.
        let name = servers::unique("stories/Signed_+=.@-a b").replace(' ', "/");
        account.create(&name, "value");
        let config = config(account.url(), "");
        let query = name.replace('+', "%2B").replace('=', "%3D").replace('@', "%40");
        assert_eq!(Lockstep::serve(config.as_str(), &account.env()).value(&query), "value");
        let [id, _] = account.env();
        let wrong = Lockstep::serve(config.as_str(), &[id, ("AWS_SECRET_ACCESS_KEY", "wrong")]);
        let refused = wrong.get(&format!("/api/v1/secrets/{query}"));
        assert_eq!(refused.status, 502, "{}", refused.text());
        assert!(refused.member("/code").starts_with("provider_"), "{}", refused.text());
    }
}
