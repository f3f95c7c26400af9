//! The endpoint behind a platform: everybody may try, and the process's own variables let nobody in.

use lockstep_core::{FrontDoor as _, Peer};

use super::{MOCK, bench};
use crate::assembly::Front;
use crate::tests::load;

const TOKEN: &str = "token-of-the-operator-0123456789abcdef";
const SESSION: &str = "session-of-the-function-0123456789abcd";

/// L1: what holds the function's own session is no token of a caller's.
/// Break: leave `front == Front::Platform` out of `local_token`.
#[test]
fn l1_behind_a_platform_no_token_is_made_or_taken_from_a_variable() {
    for variables in [
        &[][..],
        &[("AWS_TOKEN", TOKEN)],
        &[("AWS_SESSION_TOKEN", SESSION)],
        &[("AWS_CONTAINER_AUTHORIZATION_TOKEN", SESSION)],
    ] {
        let bench = bench(variables);
        let config = load(MOCK, variables).unwrap();
        let assembly = config.assemble(&bench.ports).unwrap();
        let refused = config.endpoint_behind(Front::Platform, &bench.ports, &assembly).err().unwrap().to_string();
        assert!(refused.contains("nobody could call: configure a login"), "{refused}");
        assert!(config.endpoint(&bench.ports, &assembly).is_ok(), "a listener has its token");
    }
}

async fn status(front: Front, more: &str, peer: &Peer, headers: &[(&str, &str)]) -> u16 {
    let variables = [("AWS_SESSION_TOKEN", SESSION), ("OPERATOR", TOKEN)];
    let bench = bench(&variables);
    let config = load(&format!("{MOCK}[listen]\ntoken = {{ env = \"OPERATOR\" }}\n{more}"), &variables).unwrap();
    let assembly = config.assemble(&bench.ports).unwrap();
    let endpoint = config.endpoint_behind(front, &bench.ports, &assembly).unwrap();
    let mut request = http::Request::get("/api/v1/secrets/db/creds");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    endpoint.call(peer, request.body(bytes::Bytes::new()).unwrap()).await.status().as_u16()
}

/// L4. Break: begin with `default_hosts` for a platform too; or take `local` from the settings alone.
#[tokio::test]
async fn l4_behind_a_platform_its_host_counts_or_those_that_are_configured() {
    let routed = Peer { host: Some("id.lambda-url.eu-west-1.on.aws".into()), ..Peer::default() };
    let token = ("authorization", format!("Bearer {TOKEN}"));
    let listed = "allowed_hosts = [\"secrets.acme.com\"]\n";
    for (front, more, host, expected) in [
        (Front::Platform, "", "id.lambda-url.eu-west-1.on.aws", 200),
        (Front::Platform, "", "127.0.0.1", 403),
        (Front::Platform, "", "secrets.acme.com", 403),
        (Front::Platform, listed, "secrets.acme.com", 200),
        (Front::Platform, listed, "id.lambda-url.eu-west-1.on.aws", 403),
        (Front::Platform, listed, "localhost", 403),
        // What passes requests on to a listener of this machine is refused there: it is not the one that was asked.
        (Front::Listener, "", "127.0.0.1", 400),
    ] {
        let headers = [("host", host), (token.0, token.1.as_str()), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(status(front, more, &routed, &headers).await, expected, "{front:?} {more} {host}");
    }
    let session = [("host", "id.lambda-url.eu-west-1.on.aws"), ("x-vault-token", SESSION)];
    assert_eq!(status(Front::Platform, "", &routed, &session).await, 403);
}
