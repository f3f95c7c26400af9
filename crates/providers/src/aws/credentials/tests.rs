use std::path::Path;
use std::sync::Arc;

use lockstep_core::{FileContent, FileStamp, Files};

use super::chain::Chain;
use super::*;
use crate::aws::clock::SigningClock;
use crate::aws::endpoint::{Endpoint, Service, Variant};
use crate::aws::fake::Host;
use crate::aws::region::Region;
use crate::aws::sts::Sts;

fn chain(host: &Host, profile: Option<&str>) -> Chain {
    let region = Region::parse("eu-west-1").unwrap();
    let endpoint = Endpoint::of(Service::Sts, &region, Variant::default()).unwrap();
    let clock = Arc::new(SigningClock::new(host.ports.clock.clone()));
    let sts = Sts::new(host.ports.transport.clone(), clock, (endpoint, "eu-west-1".to_owned()));
    Chain::new(profile, Arc::new(sts), &host.ports)
}

async fn loaded(host: &Host) -> Result<Credentials> {
    chain(host, None).load(&host.call()).await
}

const HANDED_OUT: &str = r#"{"Code":"Success","AccessKeyId":"HANDED","SecretAccessKey":"canary/secret","Token":"canary+token==","Expiration":"2026-05-01T16:00:00Z"}"#;

#[tokio::test]
async fn the_environment_comes_first_and_needs_both_keys() {
    let host = Host::with_keys();
    assert_eq!(loaded(&host).await.unwrap().access_key_id(), "AKIDEXAMPLE");
    let error = loaded(&Host::new(&[("AWS_ACCESS_KEY_ID", "A")])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("AWS_SECRET_ACCESS_KEY"));
}

#[tokio::test]
async fn a_profile_is_read_from_both_files() {
    let files = "[other]\naws_access_key_id = NO\naws_secret_access_key = no\n\n[team] # ours\n# a comment\n\
                 aws_access_key_id = YES\naws_secret_access_key=a=b/c+d\naws_session_token = t\n";
    let host = Host::new(&[("HOME", "/h"), ("AWS_PROFILE", "team")]);
    host.files.write("/h/.aws/credentials", files);
    assert_eq!(loaded(&host).await.unwrap().access_key_id(), "YES");

    let host = Host::new(&[("AWS_CONFIG_FILE", "/c"), ("AWS_PROFILE", "team")]);
    host.files.write("/c", "[team]\naws_access_key_id=NO\naws_secret_access_key=s\n[profile team]\naws_access_key_id=YES\naws_secret_access_key=s\n");
    assert_eq!(loaded(&host).await.unwrap().access_key_id(), "YES");

    let named = chain(&host, Some("team")).load(&host.call()).await.unwrap();
    assert_eq!(named.access_key_id(), "YES");
}

#[tokio::test]
async fn a_profile_that_needs_more_says_what_is_missing() {
    for (line, hint) in [
        ("mfa_serial = x\nrole_arn = arn:aws:iam::123456789012:role/x", "one-time code"),
        ("credential_process = /bin/x", "runs a process"),
        ("sso_session = x", "SSO"),
    ] {
        let host = Host::new(&[("HOME", "/h"), ("AWS_PROFILE", "team")]);
        host.files.write("/h/.aws/credentials", "");
        host.files.write("/h/.aws/config", format!("[profile team]\n{line}\n"));
        let error = loaded(&host).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(hint), "{error}");
    }
}

/// No file can be read, for this reason.
struct Unreadable(ErrorKind);

impl Files for Unreadable {
    fn read(&self, _path: &Path, _limit: usize) -> Result<FileContent> {
        Err(Error::new(self.0, "told to"))
    }

    fn stamp(&self, _path: &Path) -> Result<FileStamp> {
        Err(Error::new(self.0, "told to"))
    }

    fn append(&self, _path: &Path, _bytes: &[u8]) -> Result<()> {
        Err(Error::new(self.0, "told to"))
    }
}

#[tokio::test]
async fn absent_files_are_no_error_unless_a_profile_is_asked_for() {
    let base = [("HOME", "/h"), ("AWS_EC2_METADATA_DISABLED", "true")];
    for (more, hint) in [(("A", "b"), "there are no AWS credentials"), (("AWS_PROFILE", "none"), "no profile `none`")] {
        let mut host = Host::new(&[base[0], base[1], more]);
        host.ports.files = Arc::new(Unreadable(ErrorKind::NotFound));
        let error = loaded(&host).await.unwrap_err();
        assert!(error.message().contains(hint), "{error}");
    }
}

/// Break: take every unreadable file for an absent one; the machine's identity would step in.
#[tokio::test]
async fn a_file_that_may_not_be_read_is_an_error_of_the_login() {
    for vars in [[("HOME", "/h"), ("A", "b")], [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "r")]] {
        let mut host = Host::new(&vars);
        host.ports.files = Arc::new(Unreadable(ErrorKind::Denied));
        let error = loaded(&host).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unauthenticated, Some(Operation::Login)));
    }
}

fn web_identity() -> Host {
    let host = Host::new(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
        ("AWS_ROLE_SESSION_NAME", "pod-1"),
    ]);
    host.files.write("/token", "canary.jwt-1\n");
    host
}

const GRANTED: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
    <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>canary/s</SecretAccessKey><SessionToken>canary+t=</SessionToken>\
    <Expiration>2026-05-01T11:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
    </AssumeRoleWithWebIdentityResponse>";

#[tokio::test]
async fn a_web_identity_is_sent_unsigned_and_its_file_is_read_each_time() {
    let host = web_identity();
    host.script.then(200, GRANTED).then(200, GRANTED);
    let credentials = loaded(&host).await.unwrap();
    assert_eq!(credentials.access_key_id(), "ASIA");
    assert_eq!(credentials.expires, UnixMillis::from_rfc3339("2026-05-01T11:00:00Z"));
    host.files.write("/token", "canary.jwt-2");
    loaded(&host).await.unwrap();
    let sent = host.script.sent();
    assert_eq!(sent[0].uri, "https://sts.eu-west-1.amazonaws.com/");
    assert!(!sent[0].headers.contains_key("authorization"));
    assert_eq!(
        sent[0].body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fapp\
         &RoleSessionName=pod-1&WebIdentityToken=canary.jwt-1"
    );
    assert!(sent[1].body.ends_with("canary.jwt-2"));
}

#[tokio::test]
async fn a_refused_web_identity_and_wrong_xml_say_nothing_of_the_answer() {
    for (status, body, kind) in [
        (
            400,
            "<Error><Code>InvalidIdentityToken</Code><Message>canary</Message></Error>".to_owned(),
            ErrorKind::Unauthenticated,
        ),
        (400, "<Error><Code>IDPCommunicationError</Code></Error>".to_owned(), ErrorKind::Unavailable),
        (200, GRANTED.replace("ASIA", "A&#13;canary"), ErrorKind::Malformed),
        (200, GRANTED.replace("ASIA", "A<b>canary</b>"), ErrorKind::Malformed),
        (200, GRANTED.replace("11:00", "canary"), ErrorKind::Malformed),
        (200, "canary".to_owned(), ErrorKind::Malformed),
    ] {
        let host = web_identity();
        host.script.then(status, &body);
        let error = loaded(&host).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{body}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_container_is_asked_with_its_token() {
    let host = Host::new(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "ignored"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/pod-token"),
    ]);
    host.files.write("/pod-token", "pod-1\n");
    host.script.then(200, HANDED_OUT).then(200, HANDED_OUT);
    assert_eq!(loaded(&host).await.unwrap().access_key_id(), "HANDED");
    host.files.write("/pod-token", "pod-2\n");
    loaded(&host).await.unwrap();
    let sent = host.script.sent();
    assert_eq!(
        (sent[0].uri.as_str(), sent[0].headers["authorization"].as_str()),
        ("http://169.254.170.23/v1/credentials", "pod-1")
    );
    assert_eq!(sent[1].headers["authorization"], "pod-2");

    let host = Host::new(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]);
    host.script.then(200, HANDED_OUT);
    loaded(&host).await.unwrap();
    assert_eq!(host.script.sent()[0].uri, "http://169.254.170.2/v2/x");
}

/// Break: drop the check of the host.
#[tokio::test]
async fn a_containers_token_goes_to_this_host_ecs_and_eks_only() {
    for uri in [
        "http://evil.example/",
        "http://169.254.169.254/",
        "http://169.254.170.2.evil.example/",
        "http://user@169.254.170.2/",
        "http://10.0.0.1/",
        "ftp://localhost/",
        "/only/a/path",
    ] {
        let host = Host::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)]);
        assert_eq!(loaded(&host).await.unwrap_err().kind(), ErrorKind::Config, "{uri}");
    }
    for uri in [
        "http://localhost:1234/x",
        "http://127.0.0.1/",
        "http://[::1]:80/",
        "http://[fd00:ec2::23]/v1/credentials",
        "https://a.example/",
    ] {
        let host = Host::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)]);
        host.script.then(200, HANDED_OUT);
        loaded(&host).await.unwrap_or_else(|error| panic!("{uri}: {error}"));
    }
}

/// Break: build the header with `from_bytes` of a cleaned text, or drop `visible`.
#[tokio::test]
async fn o4_control_characters_are_refused_before_anything_is_sent() {
    for bad in ["a\r\nX-Evil: canary", "a\ncanary", "a\0canary", "canary\u{e9}"] {
        let host = Host::new(&[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", bad),
        ]);
        let error = loaded(&host).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{bad:?}");
        assert!(!format!("{error:?}").contains("canary"));
        for (id, secret, token) in [(bad, "s", "t"), ("i", bad, "t"), ("i", "s", bad)] {
            let host = Host::new(&[
                ("AWS_ACCESS_KEY_ID", id),
                ("AWS_SECRET_ACCESS_KEY", secret),
                ("AWS_SESSION_TOKEN", token),
            ]);
            let error = loaded(&host).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{bad:?}");
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}

#[tokio::test]
async fn instance_metadata_is_asked_by_version_two() {
    let host = Host::new(&[]);
    host.script.then(200, "imds-token").then(200, "app-role\n").then(200, HANDED_OUT);
    let credentials = loaded(&host).await.unwrap();
    assert!(credentials.outlives_outage.is_some());
    let sent = host.script.sent();
    assert_eq!((sent[0].method.as_str(), sent[0].uri.as_str()), ("PUT", "http://169.254.169.254/latest/api/token"));
    assert_eq!(sent[0].headers["x-aws-ec2-metadata-token-ttl-seconds"], "21600");
    assert_eq!(sent[2].uri, "http://169.254.169.254/latest/meta-data/iam/security-credentials/app-role");
    assert_eq!(sent[2].headers["x-aws-ec2-metadata-token"], "imds-token");
}

#[tokio::test]
async fn instance_metadata_that_fails_says_how() {
    let host = Host::new(&[]);
    host.script.then(200, "t").then(404, "");
    assert!(loaded(&host).await.unwrap_err().message().contains("instance profile"));
    let host = Host::new(&[]);
    host.script.then(200, "t").then(200, "../../x");
    assert!(loaded(&host).await.unwrap_err().message().contains("no role"));
    let host = Host::new(&[]);
    host.script
        .then(200, "t")
        .then(200, "r")
        .then(200, r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"canary"}"#);
    let error = loaded(&host).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.upstream_code()),
        (ErrorKind::Unauthenticated, Some("AssumeRoleUnauthorizedAccess"))
    );
    let host = Host::new(&[]);
    host.script.then(503, "");
    assert_eq!(loaded(&host).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // Credentials that are past their end are better than none: 15 min and 2 to 10 min more.
    let host = Host::new(&[]);
    host.script.then(200, "t").then(200, "r").then(200, &HANDED_OUT.replace("T16", "T09"));
    let left = loaded(&host).await.unwrap().expires.unwrap().saturating_since(host.ports.clock.wall());
    assert!((17 * 60..=25 * 60).contains(&left.as_secs()), "{left:?}");
}

#[tokio::test]
async fn without_any_source_the_error_lists_where_it_looked() {
    let host = Host::new(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    let error = loaded(&host).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
    assert!(error.message().contains("AWS_ACCESS_KEY_ID") && error.message().contains("AWS_WEB_IDENTITY_TOKEN_FILE"));
    let host = Host::new(&[]);
    host.script.then_failure(ErrorKind::Timeout);
    assert_eq!(loaded(&host).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
}

/// Break: show the id in `Debug` of `Credentials`.
#[tokio::test]
async fn m1_credentials_print_nothing_of_themselves() {
    let printed = format!("{:?}", loaded(&Host::with_keys()).await.unwrap());
    assert!(!printed.contains("canary") && !printed.contains("AKID"), "{printed}");
}

/// What a profile leads to: the actions of STS, each with the key that signed it.
async fn followed(config: &str, vars: &[(&str, &str)], answers: &[&str]) -> (Result<Credentials>, Vec<String>) {
    let vars: Vec<_> = vars.iter().copied().chain([("HOME", "/h"), ("AWS_PROFILE", "team")]).collect();
    let host = Host::new(&vars);
    host.files.write("/h/.aws/config", config);
    host.files.write("/h/.aws/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = canary\n");
    host.files.write("/token", "canary.jwt");
    for id in answers {
        host.script.then_role(id, "2026-05-01T11:00:00Z");
    }
    // The profile alone is asked: the keys of the environment are for `credential_source`.
    let loaded = chain(&host, Some("team")).load(&host.call()).await;
    let action = |body: &str| {
        let part =
            |name: &str| body.split('&').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned();
        format!("{} {}", part("Action="), part("RoleArn=").rsplit("%2F").next().unwrap_or_default())
    };
    let sent = host.script.sent().iter().map(|sent| format!("{} by {}", action(&sent.body), sent.signer())).collect();
    (loaded, sent)
}

fn assuming(profile: &str, more: &str) -> String {
    format!("[profile {profile}]\nrole_arn = arn:aws:iam::123456789012:role/{profile}\n{more}\n")
}

/// Break: do not turn the roles round, or sign each with the first credentials.
#[tokio::test]
async fn a_profile_assumes_its_role_with_what_its_source_has() {
    let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let chained = assuming("team", "source_profile = mid") + &assuming("mid", "source_profile = base");
    let own = assuming("team", "source_profile = team\naws_access_key_id = OWN\naws_secret_access_key = s");
    let of_token = assuming("team", "source_profile = pod") + &assuming("pod", "web_identity_token_file = /token");
    for (config, answers, expected) in [
        (assuming("team", "source_profile = base"), &["ONE"][..], &["AssumeRole team by BASE"][..]),
        (chained, &["ONE", "TWO"], &["AssumeRole mid by BASE", "AssumeRole team by ONE"]),
        (own, &["ONE"], &["AssumeRole team by OWN"]),
        (assuming("team", "credential_source = Environment"), &["ONE"], &["AssumeRole team by ENV"]),
        (assuming("team", "web_identity_token_file = /token"), &["ONE"], &["AssumeRoleWithWebIdentity team by "]),
        (of_token, &["ONE", "TWO"], &["AssumeRoleWithWebIdentity pod by ", "AssumeRole team by ONE"]),
    ] {
        let (loaded, sent) = followed(&config, &keys, answers).await;
        assert_eq!(loaded.unwrap().access_key_id(), *answers.last().unwrap(), "{config}");
        assert_eq!(sent, expected, "{config}");
    }
}

#[tokio::test]
async fn a_profile_sends_its_external_id_session_name_and_length() {
    let more = "source_profile = base\nexternal_id = x-1\nrole_session_name = me\nduration_seconds = 7200";
    let host = Host::new(&[("HOME", "/h")]);
    host.files.write("/h/.aws/config", assuming("team", more));
    host.files.write("/h/.aws/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n");
    host.script.then_role("ONE", "2026-05-01T12:00:00Z");
    chain(&host, Some("team")).load(&host.call()).await.unwrap();
    let body = &host.script.sent()[0].body;
    assert!(body.ends_with("&RoleSessionName=me&DurationSeconds=7200&ExternalId=x-1"), "{body}");
}

/// Break: leave out `seen`, or the bound on `roles`; a file would keep the process busy for ever.
#[tokio::test]
async fn a_profile_that_leads_nowhere_says_so_before_anything_is_sent() {
    let cycle = assuming("team", "source_profile = a")
        + &assuming("a", "source_profile = b")
        + &assuming("b", "source_profile = a");
    let mut long = assuming("team", "source_profile = p0");
    for number in 0..6 {
        long += &assuming(&format!("p{number}"), &format!("source_profile = p{}", number + 1));
    }
    let slow =
        assuming("team", "source_profile = mid\nduration_seconds = 7200") + &assuming("mid", "source_profile = base");
    for (config, kind, hint) in [
        (cycle, ErrorKind::Config, "leads back to `a`"),
        (long, ErrorKind::Config, "more than 5 roles"),
        (slow, ErrorKind::Config, "1 h"),
        (assuming("team", "source_profile = none"), ErrorKind::Unauthenticated, "no profile `none`"),
        (assuming("team", "source_profile = team"), ErrorKind::Unauthenticated, "its own source_profile"),
        (assuming("team", ""), ErrorKind::Config, "not one way"),
        (assuming("team", "source_profile = base\ncredential_source = Environment"), ErrorKind::Config, "not one way"),
        (assuming("team", "credential_source = Magic"), ErrorKind::Config, "unknown credential_source"),
        (assuming("team", "credential_source = Environment"), ErrorKind::Unauthenticated, "AWS_ACCESS_KEY_ID"),
        (assuming("team", "source_profile = base\nduration_seconds = soon"), ErrorKind::Config, "15 min"),
        (assuming("team", "source_profile = base\nmfa_serial = x"), ErrorKind::Unsupported, "one-time code"),
        ("[profile team]\nrole_arn = canary\n".to_owned(), ErrorKind::Config, "ARN of a role"),
        (
            assuming("team", "source_profile = sso") + "[profile sso]\nsso_session = x\n",
            ErrorKind::Unsupported,
            "logs in by SSO",
        ),
    ] {
        let (loaded, sent) = followed(&config, &[], &[]).await;
        let error = loaded.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::Login)), "{config}: {error}");
        assert!(error.message().contains(hint) && !error.to_string().contains("canary"), "{error}");
        assert!(sent.is_empty());
    }
}

/// The host's clock is 20 min behind. Break: leave `settled` out of `Profile::load`; nobody would try again.
#[tokio::test]
async fn a_wrong_clock_is_corrected_for_the_role_of_a_profile_too() {
    let host = Host::new(&[("HOME", "/h")]);
    host.files.write("/h/.aws/config", assuming("team", "source_profile = base"));
    host.files.write("/h/.aws/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n");
    let body = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>";
    host.script.then_with(403, &[("date", "Fri, 01 May 2026 10:20:00 GMT")], body);
    host.script.then_role("ONE", "2026-05-01T11:20:00Z");
    let chain = chain(&host, Some("team"));
    let error = chain.load(&host.call()).await.unwrap_err();
    assert_eq!(error.retry_hint(), Retry::OnceWithFreshCredentials);
    assert_eq!(chain.load(&host.call()).await.unwrap().access_key_id(), "ONE");
    let dates: Vec<_> = host.script.sent().iter().map(|sent| sent.headers["x-amz-date"].clone()).collect();
    assert_eq!(dates, ["20260501T100000Z", "20260501T102000Z"]);
}

#[tokio::test]
async fn a_refused_role_of_a_profile_is_a_refused_login() {
    let host = Host::new(&[("HOME", "/h")]);
    host.files.write("/h/.aws/config", assuming("team", "source_profile = base"));
    host.files.write("/h/.aws/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n");
    host.script.then_sts_error(403, "AccessDenied", "canary");
    let error = chain(&host, Some("team")).load(&host.call()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
    assert!(!format!("{error:?}").contains("canary"));
}
