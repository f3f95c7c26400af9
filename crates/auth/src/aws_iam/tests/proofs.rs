//! What a proof may look like.

use lockstep_testkit::assert_only;
use serde_json::json;

use super::{Bench, Draft, SERVER, SIGNATURE, SIGNED, authorization};
use crate::aws_iam::MAX_PROOF_BYTES;

/// O5, each refused before anybody is asked. Break: any check of `Proof::parse`.
#[tokio::test]
async fn o5_a_proof_that_is_not_exactly_one_is_refused_and_sent_nowhere() {
    let good = Draft::new;
    let twice = good().headers.to_string().replace(r#""Host""#, r#""host":["evil.test"],"Host""#);
    let rows: Vec<(&str, String, &str)> = vec![
        ("GET", Draft { method: json!("GET"), ..good() }.text(), "iam_wrong_request"),
        ("post", Draft { method: json!("post"), ..good() }.text(), "iam_wrong_request"),
        ("a method of two", Draft { method: json!(["POST"]), ..good() }.text(), "iam_wrong_request"),
        ("another action", good().body("Action=GetSessionToken&Version=2011-06-15").text(), "iam_wrong_request"),
        (
            "an action twice",
            good().body("Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15").text(),
            "iam_wrong_request",
        ),
        (
            "one thing more",
            good().body("Action=GetCallerIdentity&Version=2011-06-15&RoleArn=x").text(),
            "iam_wrong_request",
        ),
        ("another version", good().body("Action=GetCallerIdentity&Version=2010-05-08").text(), "iam_wrong_request"),
        ("encoded letters", good().body("Action=%47etCallerIdentity&Version=2011-06-15").text(), "iam_wrong_request"),
        ("no body", good().body("").text(), "iam_wrong_request"),
        ("JSON for a form", good().header("Content-Type", "application/json").text(), "iam_wrong_request"),
        ("a host of somebody else", good().header("Host", "evil.test").text(), "iam_wrong_endpoint"),
        (
            "a host that looks like it",
            good().header("Host", "sts.eu-west-1.amazonaws.com.evil.test").text(),
            "iam_wrong_endpoint",
        ),
        ("a host with a port", good().header("Host", "sts.eu-west-1.amazonaws.com:444").text(), "iam_wrong_endpoint"),
        (
            "a host with a user",
            good().header("Host", "sts.eu-west-1.amazonaws.com@evil.test").text(),
            "iam_wrong_endpoint",
        ),
        (
            "a region that is not listed",
            good()
                .header("Host", "sts.us-east-1.amazonaws.com")
                .header("Authorization", authorization("us-east-1", SIGNED))
                .url("https://sts.us-east-1.amazonaws.com/")
                .text(),
            "iam_wrong_endpoint",
        ),
        (
            "the host of another region",
            good().header("Host", "sts.us-east-1.amazonaws.com").text(),
            "iam_wrong_endpoint",
        ),
        ("the global host", good().header("Host", "sts.amazonaws.com").text(), "iam_wrong_endpoint"),
        (
            "a region that is a host",
            good().header("Authorization", authorization("eu-west-1.evil.test", SIGNED)).text(),
            "iam_wrong_endpoint",
        ),
        ("a URL elsewhere", good().url("https://evil.test/").text(), "iam_wrong_endpoint"),
        ("a URL in the clear", good().url("http://sts.eu-west-1.amazonaws.com/").text(), "iam_wrong_endpoint"),
        (
            "a URL with a query",
            good().url("https://sts.eu-west-1.amazonaws.com/?Action=AssumeRole").text(),
            "iam_wrong_endpoint",
        ),
        ("no server id", good().without("X-Lockstep-Server-Id").text(), "iam_unsigned"),
        (
            "another server id",
            good().header("X-Lockstep-Server-Id", "https://other.example.com").text(),
            "iam_wrong_server",
        ),
        (
            "a server id with more behind",
            good().header("X-Lockstep-Server-Id", format!("{SERVER}/")).text(),
            "iam_wrong_server",
        ),
        (
            "a server id that is not signed",
            good().signing("content-type;host;x-amz-date;x-amz-security-token").text(),
            "iam_unsigned",
        ),
        (
            "a host that is not signed",
            good().signing("content-type;x-amz-date;x-amz-security-token;x-lockstep-server-id").text(),
            "iam_unsigned",
        ),
        (
            "a time that is not signed",
            good().signing("content-type;host;x-amz-security-token;x-lockstep-server-id").text(),
            "iam_unsigned",
        ),
        ("a token that is not signed", good().signing("host;x-amz-date;x-lockstep-server-id").text(), "iam_unsigned"),
        (
            "a list out of order",
            good().signing("host;content-type;x-amz-date;x-amz-security-token;x-lockstep-server-id").text(),
            "iam_unsigned",
        ),
        ("a header twice in the list", good().signing(&format!("content-type;{SIGNED}")).text(), "iam_unsigned"),
        (
            "a header that is signed and not there",
            good()
                .signing("content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-lockstep-server-id")
                .text(),
            "iam_header_refused",
        ),
        (
            "a header that is signed and left out",
            good().signing("content-type;host;user-agent;x-amz-date;x-amz-security-token;x-lockstep-server-id").text(),
            "iam_header_refused",
        ),
        ("no signature", good().without("Authorization").text(), "iam_unsigned"),
        ("a signature of another kind", good().header("Authorization", "Bearer abc").text(), "iam_unsigned"),
        (
            "a signature of version 4A",
            good().header("Authorization", authorization("eu-west-1", SIGNED).replace("HMAC", "ECDSA-P256")).text(),
            "iam_unsigned",
        ),
        (
            "a signature for another service",
            good().header("Authorization", authorization("eu-west-1", SIGNED).replace("/sts/", "/s3/")).text(),
            "iam_unsigned",
        ),
        (
            "a signature and something behind",
            good().header("Authorization", format!("{}, Signature=00", authorization("eu-west-1", SIGNED))).text(),
            "iam_unsigned",
        ),
        ("a header twice", good().with_headers(&twice), "iam_header_refused"),
        (
            "a header of two values",
            good().header("Host", json!(["sts.eu-west-1.amazonaws.com", "evil.test"])).text(),
            "iam_header_refused",
        ),
        ("a header of none", good().header("Host", json!([])).text(), "iam_header_refused"),
        ("a header that is a number", good().header("Content-Length", json!(43)).text(), "iam_header_refused"),
        ("a header that splits", good().header("X-Amz-Security-Token", "a\r\nX-Evil: b").text(), "iam_header_refused"),
        ("a header with a tab", good().header("X-Amz-Security-Token", "a\tb").text(), "iam_header_refused"),
        ("a header nobody needs", good().header("X-Forwarded-Host", "evil.test").text(), "iam_header_refused"),
        ("Vault's header", good().header("X-Vault-AWS-IAM-Server-ID", SERVER).text(), "iam_header_refused"),
        ("too old", good().header("X-Amz-Date", "20251231T234500Z").text(), "iam_malformed"),
        (
            "too old, signed on its day",
            good()
                .header("X-Amz-Date", "20251231T234500Z")
                .header("Authorization", authorization("eu-west-1", SIGNED).replace("20260101", "20251231"))
                .text(),
            "iam_expired",
        ),
        ("from the future", good().header("X-Amz-Date", "20260101T001501Z").text(), "iam_expired"),
        ("no time", good().header("X-Amz-Date", "now").text(), "iam_malformed"),
        ("no JSON", "POST / HTTP/1.1".into(), "iam_malformed"),
        ("nothing", String::new(), "iam_malformed"),
        ("a member more", good().text().replacen('{', r#"{"role":"admin","#, 1), "iam_malformed"),
        ("a member twice", good().text().replacen('{', r#"{"iam_request_url":"","#, 1), "iam_malformed"),
        ("too long", good().header("X-Amz-Security-Token", "a".repeat(MAX_PROOF_BYTES)).text(), "iam_malformed"),
    ];
    let bench = Bench::good();
    for (name, proof, reason) in rows {
        let refused = bench.verify(&proof).await.err().unwrap_or_else(|| panic!("{name} was accepted"));
        assert_eq!((refused.reason, refused.is_transient()), (reason, false), "{name}: {refused}");
        let told = format!("{refused} {refused:?}");
        assert!(!["evil", SIGNATURE, "AKIA", "t0k3n"].iter().any(|part| told.contains(part)), "{name}: {told}");
    }
    assert_eq!(bench.transport.count(), 0);
    // The same, good again.
    let other_order = good().body("Version=2011-06-15&Action=GetCallerIdentity").text();
    assert!(bench.verify(&other_order).await.is_ok());
    assert!(bench.verify(&good().header("Host", "sts.eu-west-1.amazonaws.com").text()).await.is_ok());
    assert_only(&bench.transport, &["https://sts.eu-west-1.amazonaws.com"]);
}
