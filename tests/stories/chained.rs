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

// Break: leave `reported` out of `Resolver::fetch`: the endpoint in between would answer what it holds.
#[test]
fn a_login_that_was_refused_leads_to_the_provider_through_every_cache_and_once() {
    let upstream = Upstream::start();
    upstream.on(
        ROUTE,
        [1, 2].map(|number| fake_aws::version("db/creds", ["before", "after"][usize::from(number) - 1], number)),
    );
    let region = fake_aws::serve(&upstream, "");
    let edge = edge(&url(&region), "");
    let read = || {
        let answer = edge.get("/api/v1/secrets/db/creds");
        (answer.member("/value"), answer.member("/version"))
    };
    let (value, version) = read();
    assert_eq!(value, "before");
    let report = |version: &str| {
        let body = serde_json::json!({ "version": version }).to_string();
        let answer = edge.send("POST", "/api/v1/report-stale/db/creds", &[], body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.member("/outcome")
    };
    assert_eq!(report("another"), "newer");
    assert_eq!((read().0.as_str(), upstream.count(ROUTE)), ("before", 1));
    assert_eq!(report(&version), "refetching");
    assert_eq!((read().0.as_str(), upstream.count(ROUTE)), ("after", 2));
    assert_eq!(report(&version), "newer");
    // What is the newest there is may be reported, too: once.
    let (_, version) = read();
    assert_eq!([report(&version), report(&version)], ["refetching", "recent"]);
    assert_eq!((read().0.as_str(), upstream.count(ROUTE)), ("after", 3));
    assert_eq!(report(&version), "recent");
    assert_eq!((read().0.as_str(), upstream.count(ROUTE)), ("after", 3));
    for (body, status) in [("{}", 400), ("", 400), ("{\"version\":\"1\",\"more\":1}", 400)] {
        assert_eq!(edge.send("POST", "/api/v1/report-stale/db/creds", &[], body.as_bytes()).status, status, "{body}");
    }
    assert_eq!(edge.get("/api/v1/report-stale/db/creds").status, 405);
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
