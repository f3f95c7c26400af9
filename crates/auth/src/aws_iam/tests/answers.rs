//! What STS may answer.

use lockstep_core::{Error, ErrorKind};
use lockstep_testkit::Reply;

use super::{ARN, Bench, Draft, answer};
use crate::aws_iam::answer::identity;

/// O5. Break: any check of `identity` in `answer`, of `Identity::principal`, or of the status in `IamLogin::verify`.
#[tokio::test]
async fn o5_what_sts_answers_is_one_identity_of_a_listed_account_or_nobody() {
    let good = answer(ARN, "123456789012");
    let of = |arn: &str| answer(arn, "123456789012");
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    let arn_line = format!("<Arn>{ARN}</Arn>");
    let rows: Vec<(&str, u16, String, &str, bool)> = vec![
        ("two ARNs", 200, with("<UserId>", &format!("{arn_line}<UserId>")), "iam_sts_unavailable", true),
        ("an ARN outside", 200, with("<RequestId>", &format!("{arn_line}<RequestId>")), "iam_sts_unavailable", true),
        ("two accounts", 200, with("<UserId>", "<Account>1</Account><UserId>"), "iam_sts_unavailable", true),
        (
            "two results",
            200,
            with("<ResponseMetadata>", "<GetCallerIdentityResult></GetCallerIdentityResult><ResponseMetadata>"),
            "iam_sts_unavailable",
            true,
        ),
        ("no ARN", 200, with(&arn_line, ""), "iam_sts_unavailable", true),
        ("an empty ARN", 200, of(""), "iam_sts_unavailable", true),
        (
            "an ARN in a comment",
            200,
            with(&arn_line, &format!("<!-- {arn_line} -->{arn_line}")),
            "iam_sts_unavailable",
            true,
        ),
        ("a comment", 200, with("<ResponseMetadata>", "<!-- --><ResponseMetadata>"), "iam_sts_unavailable", true),
        ("CDATA", 200, of(&format!("<![CDATA[{ARN}]]>")), "iam_sts_unavailable", true),
        ("an entity", 200, of(&ARN.replace(":sts", "&#58;sts")), "iam_sts_unavailable", true),
        ("a document type", 200, format!("<!DOCTYPE a>{good}"), "iam_sts_unavailable", true),
        ("another answer", 200, good.replace("GetCallerIdentity", "AssumeRole"), "iam_sts_unavailable", true),
        ("another name space", 200, with("2011-06-15", "2010-05-08"), "iam_sts_unavailable", true),
        ("something before", 200, format!("x{good}"), "iam_sts_unavailable", true),
        ("something behind", 200, format!("{good}<a/>"), "iam_sts_unavailable", true),
        ("an empty answer", 200, String::new(), "iam_sts_unavailable", true),
        ("a huge answer", 200, format!("{good}{}", " ".repeat(16 << 10)), "iam_sts_unavailable", true),
        ("another success", 201, good.clone(), "iam_sts_unavailable", true),
        ("a redirect", 307, String::new(), "iam_sts_unavailable", true),
        ("a failure", 500, good.clone(), "iam_sts_unavailable", true),
        (
            "throttled",
            400,
            "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>".into(),
            "iam_sts_unavailable",
            true,
        ),
        ("too many", 429, String::new(), "iam_sts_unavailable", true),
        ("a wrong signature", 403, "<Code>SignatureDoesNotMatch</Code>".into(), "iam_refused_by_sts", false),
        ("a token that is over", 403, "<Code>ExpiredToken</Code>".into(), "iam_refused_by_sts", false),
        ("a proof that is over", 400, "<Code>RequestExpired</Code>".into(), "iam_refused_by_sts", false),
        (
            "another account",
            200,
            answer(&ARN.replace("123456789012", "999999999999"), "999999999999"),
            "iam_wrong_account",
            false,
        ),
        ("two accounts in one identity", 200, answer(ARN, "210987654321"), "iam_identity_malformed", false),
        ("another partition", 200, of(&ARN.replace("arn:aws:", "arn:aws-cn:")), "iam_identity_malformed", false),
        ("a region", 200, of(&ARN.replace("::", ":eu-west-1:")), "iam_identity_malformed", false),
        ("a star", 200, of("arn:aws:sts::123456789012:assumed-role/app/*"), "iam_identity_malformed", false),
        (
            "a session of two parts",
            200,
            of("arn:aws:sts::123456789012:assumed-role/app/a/b"),
            "iam_identity_malformed",
            false,
        ),
        (
            "a role without a session",
            200,
            of("arn:aws:sts::123456789012:assumed-role/app"),
            "iam_identity_malformed",
            false,
        ),
        ("dots", 200, of("arn:aws:sts::123456789012:assumed-role/app/.."), "iam_identity_malformed", false),
        ("the root", 200, of("arn:aws:iam::123456789012:root"), "iam_identity_refused", false),
        ("a role itself", 200, of("arn:aws:iam::123456789012:role/app"), "iam_identity_refused", false),
        ("a service", 200, of("arn:aws:s3::123456789012:user/a"), "iam_identity_refused", false),
    ];
    for (name, status, body, reason, is_transient) in rows {
        let bench = Bench::answering(move || {
            let reply = Reply::new(status, body.clone());
            if status == 307 { reply.header("location", "https://evil.test/") } else { reply }
        });
        let refused = bench.verify(&Draft::new().text()).await.err().unwrap_or_else(|| panic!("{name} was accepted"));
        assert_eq!((refused.reason, refused.is_transient()), (reason, is_transient), "{name}: {refused}");
        assert!(bench.login.verify_at_once(Draft::new().text().as_bytes()).is_none(), "{name}");
        assert_eq!(bench.transport.count(), 1, "{name}");
    }
    let down = Bench::answering(|| Reply::Fail(Error::new(ErrorKind::Network, "no way there")));
    assert!(down.verify(&Draft::new().text()).await.unwrap_err().is_transient());
    for (arn, id) in [
        ("arn:aws:iam::123456789012:user/team/alice", "iam:arn:aws:iam::123456789012:user/team/alice"),
        ("arn:aws:iam::123456789012:user/a+b,c", "iam:arn:aws:iam::123456789012:user/a%2Bb%2Cc"),
        ("arn:aws:sts::123456789012:federated-user/bob", "iam:arn:aws:sts::123456789012:federated-user/bob"),
    ] {
        let body = of(arn);
        let bench = Bench::answering(move || Reply::new(200, body.clone()));
        assert_eq!(&*bench.verify(&Draft::new().text()).await.unwrap().id, id);
    }
    let prolog = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{good}");
    assert!(identity(prolog.as_bytes()).is_some_and(|identity| identity.arn == ARN));
}
