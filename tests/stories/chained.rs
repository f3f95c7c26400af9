//! An endpoint that asks another endpoint: one cache for a whole region, and no circle.

use lockstep_stories::{Lockstep, Running, TOKEN, Upstream};

use crate::fake_aws::{self, ROUTE};

const ENV: [(&str, &str); 1] = [("REGION_TOKEN", TOKEN)];

/// An endpoint of its own that asks the one at this address.
fn edge(of: &str, more: &str) -> Running {
    let config = format!(
        "{more}[providers.region]\ntype = \"lockstep\"\naddress = \"{of}\"\ntoken = {{ env = \"REGION_TOKEN\" }}\n\
         [providers.region.upstream]\nattempts = 1\nbreaker_failures = 0\n"
    );
    Lockstep::serve(config.as_str(), &ENV)
}

fn url(running: &Running) -> String {
    format!("http://{}", running.address)
}

// Break: ask the provider in `Resolver::lead` for each endpoint that asks, or leave `Age` out of `relay`.
#[test]
fn many_endpoints_share_the_cache_of_one_and_its_age_is_theirs() {
    let upstream = Upstream::start();
    upstream.on(ROUTE, [fake_aws::value("db/creds", "s3cret")]);
    let region = fake_aws::serve(&upstream, "");
    let edges: Vec<_> = (0..5).map(|_| edge(&url(&region), "")).collect();
    for edge in &edges {
        let answer = edge.get("/api/v1/secrets/db/creds");
        assert_eq!((answer.status, answer.member("/value")), (200, "s3cret".to_owned()), "{}", answer.text());
        assert_eq!(answer.member("/provider"), "region");
        assert!(answer.header("age").parse::<u64>().is_ok());
    }
    assert_eq!(upstream.count(ROUTE), 1, "the provider was asked once for all of them");
    assert_eq!(edges[0].get("/api/v1/secrets/db/creds").header("cache-status"), "lockstep; hit");

    let anew = edges[0].get_with("/api/v1/secrets/db/creds", &[("cache-control", "no-cache")]);
    assert_eq!(anew.status, 200);
    assert_eq!(upstream.count(ROUTE), 2, "and once more for who wants no cache on the whole way");
}

// Break: leave `relay.stale` out of `Found::fetched`.
#[test]
fn a_value_past_its_time_there_says_so_here_too() {
    let upstream = Upstream::start();
    upstream.on(ROUTE, [fake_aws::value("db/creds", "s3cret"), fake_aws::down()]);
    let region = fake_aws::serve(&upstream, "[cache]\nttl = \"10ms\"\nmax_stale = \"1h\"\n");
    let edge = edge(&url(&region), "");
    assert_eq!(region.value("db/creds"), "s3cret");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let answer = edge.get("/api/v1/secrets/db/creds");
    assert_eq!(answer.member("/value"), "s3cret");
    assert_eq!(answer.header("cache-status"), "lockstep; hit; detail=stale-unavailable");
}

// Break: leave `through` out of `Api::hops`: the two would ask each other until their time is over.
#[test]
fn two_endpoints_that_ask_each_other_are_told_so_at_once() {
    let port = lockstep_testkit::servers::free_port().unwrap();
    let second = edge(&format!("http://127.0.0.1:{port}"), "");
    let first = Lockstep::new(
        format!(
            "[providers.region]\ntype = \"lockstep\"\naddress = \"{}\"\ntoken = {{ env = \"REGION_TOKEN\" }}\n",
            url(&second)
        )
        .as_str(),
        &ENV,
    )
    .start_on(port);
    for endpoint in [&first, &second] {
        let answer = endpoint.get("/api/v1/secrets/db/creds");
        assert_eq!((answer.status, answer.member("/code")), (508, "circle".to_owned()), "{}", answer.text());
        assert!(answer.member("/detail").contains("look at their providers"), "{}", answer.text());
    }
}
