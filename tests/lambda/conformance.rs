//! The conformance suite against the endpoint as a function, under AWS's own emulator, through each of the three fronts.

use std::sync::Arc;

use lockstep_conformance::{Differences, Endpoint, Inputs, run};
use lockstep_stories::{World, api_key};
use lockstep_testkit::{require, servers};

use crate::function::{Front, Function};
use crate::gateway::Gateway;

const HOST: (&str, &str) = (
    "a request for another host is refused",
    "AWS routes by the host, and answers by itself for one that leads to no function",
);
const DECODED_PATH: (&str, &str) = (
    "an escape that hides a slash, or is no UTF-8, is no path",
    "an HTTP API decodes a path before the function sees it: an escaped slash is a slash there, and what is no UTF-8 is lost",
);
const DECODED_QUERY: (&str, &str) = (
    "a query that is no UTF-8 is no query",
    "a REST API decodes a query before the function sees it, and what is no UTF-8 is lost",
);

fn holds(front: Front, differences: Differences<'_>) {
    let (emulator, world) = (require!(servers::lambda_emulator()), require!(World::seed()));
    let ((app, app_section), (outsider, outsider_section)) = (api_key("app"), api_key("outsider"));
    let config = format!("{}{}{app_section}{outsider_section}", world.providers(), world.policy(false));
    let [id, secret] = world.env();
    let variables = [("AWS_REGION", "us-east-1"), id, secret, ("LOCKSTEP_CONFIG_CONTENT", &*config)];
    let function = Arc::new(Function::deploy(&emulator, &variables));
    let gateway = Gateway::before(&function, front);
    let url = format!("http://{}", gateway.address);
    let inputs = Inputs { outsider: Some(outsider), ..world.inputs(&url, &app) };
    let report = run(&Endpoint::new(inputs).unwrap(), differences);
    assert!(report.is_ok(), "{report}\n{}", function.log());
    let known = ["its description is there for who may read it", "a journal's cursor comes with a value"];
    assert!(report.skipped().iter().all(|sentence| known.contains(sentence)), "{report}");
}

/// Break: the arm of a function URL in `format_2`.
#[test]
fn lambda_the_conformance_suite_holds_through_a_function_url() {
    holds(Front::Url, &[HOST]);
}

/// Break: encode an HTTP API's path with `PATH`, not with `DECODED_PATH`.
#[test]
fn lambda_the_conformance_suite_holds_through_an_http_api() {
    holds(Front::HttpApi, &[HOST, DECODED_PATH]);
}

/// Break: leave `FORM` out of `rest_api`.
#[test]
fn lambda_the_conformance_suite_holds_through_a_rest_api() {
    holds(Front::RestApi, &[HOST, DECODED_QUERY]);
}
