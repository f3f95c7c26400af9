//! One name over three clouds: Azure, then Google, then AWS. Whatever becomes of the first, the next one answers, and
//! the first is asked again once it is well.

use lockstep_stories::{CountingProxy, Lockstep, Response, Running, Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::fake::gcp::Google;

use crate::cloud_fakes::{Azure, Gcp, KEY_FILE, azure, azure_env, gcp};
use crate::fake_aws::{self, ROUTE};

const NAME: &str = "/api/v1/secrets/creds";

/// Three clouds with a value each. What goes to Azure goes by way of a proxy, which can lead elsewhere.
struct Clouds {
    azure: Azure,
    to_azure: CountingProxy,
    google: Gcp,
    to_google: CountingProxy,
    aws: Upstream,
    hostile: Upstream,
}

/// What has become of a cloud.
type State = (&'static str, Option<Action>);

/// Down, slow, lying about its length in both ways, and answering garbage of several kinds. No action: nobody listens.
fn states() -> [State; 7] {
    let long = r#"{"value":"not this one"}"#;
    // The proxy passes one request on, and then ends the connection.
    let page =
        |status| Action::with_headers(status, &[("content-type", "text/html"), ("connection", "close")], "<html>");
    [
        ("down", None),
        ("slow", Some(Action::stall())),
        ("slow in the middle", Some(Action::answer(200, long).stall_after(60))),
        ("lying about its length", Some(Action::lying(200, 1 << 20, long))),
        ("garbage", Some(Action::nonsense("\u{0}\u{1}SSH-2.0-OpenSSH_9.2\r\n\r\n"))),
        ("a page with 200", Some(page(200))),
        ("a page with 502", Some(page(502))),
    ]
}

impl Clouds {
    fn start() -> Self {
        let (azure, google) = (Azure::start(), Gcp::start());
        let (to_azure, to_google) = (CountingProxy::to(&azure.url()), CountingProxy::to(&google.url()));
        azure.vault.at(&to_azure.url());
        azure.put("creds", "from azure");
        google.google.put("creds", b"from gcp");
        let aws = Upstream::start();
        aws.on(ROUTE, [fake_aws::value("creds", "from aws")]);
        Self { azure, to_azure, google, to_google, aws, hostile: Upstream::start() }
    }

    /// The endpoint: nothing is kept, so that each read is one call at each cloud that is asked.
    fn serve(&self, stack: &str) -> Running {
        let stack = |alias: &str| {
            format!(
                "[providers.{alias}.upstream]\nattempts = 1\nthrottled_attempts = 1\ntimeout = \"300ms\"\n{stack}\n"
            )
        };
        let config = format!(
            "[cache]\nttl = \"0\"\nnegative_ttl = \"0\"\nmax_stale = \"0\"\n{}{}{}{}{}{}[[routes]]\nmatch = \"**\"\n\
             providers = [\"azure\", \"gcp\", \"aws\"]\n",
            azure(&self.to_azure.url()),
            stack("azure"),
            gcp(&self.to_google.url()),
            stack("gcp"),
            crate::aws_account::config(&self.aws.url(), ""),
            stack("aws"),
        );
        let url = self.to_azure.url();
        let mut env = azure_env(&url).to_vec();
        env.extend(fake_aws::ENV);
        let lockstep = Lockstep::new(config.as_str(), &env);
        lockstep.file(KEY_FILE, &Google::key_file(None));
        lockstep.start()
    }

    /// Puts a cloud into a state.
    fn make(&self, proxy: &CountingProxy, state: &State) {
        match &state.1 {
            None => proxy.leave(),
            Some(action) => {
                self.hostile.on("*", [action.clone()]);
                proxy.lead_to(&self.hostile.url());
            }
        }
    }

    fn heal(&self) {
        for (proxy, url) in [(&self.to_azure, self.azure.url()), (&self.to_google, self.google.url())] {
            proxy.lead_to(&url);
            proxy.come_back();
        }
    }
}

fn from(answer: &Response) -> (u16, String, String) {
    (answer.status, answer.member("/provider"), answer.member("/value"))
}

fn answered(by: &str) -> (u16, String, String) {
    (200, by.to_owned(), format!("from {by}"))
}

/// How often a provider was called: what the breaker keeps back is not counted.
fn calls(running: &Running, provider: &str) -> u64 {
    let start = format!("secrets_provider_calls_total{{provider=\"{provider}\"");
    let text = running.get("/metrics").text();
    let counts = text.lines().filter(|line| line.starts_with(&start)).filter_map(|line| line.rsplit(' ').next());
    counts.map(|count| count.parse::<u64>().unwrap()).sum()
}

fn is_open(running: &Running, provider: &str) -> bool {
    let line = format!("secrets_breaker_open{{provider=\"{provider}\"}} ");
    let text = running.get("/metrics").text();
    let found = text.lines().find_map(|have| have.strip_prefix(&line));
    found.unwrap_or_else(|| panic!("no breaker of {provider} in {text}")) == "1"
}

// Break: take `Malformed` or `Timeout` out of the kinds after which core's chain goes on, or the timeout per attempt.
#[test]
fn a_chain_over_three_clouds_answers_from_the_second_while_the_first_is_down_slow_lying_or_garbage() {
    let clouds = Clouds::start();
    // Each state is met with a login in hand, and without one: then it is the login that fails.
    let logged_in = clouds.serve("breaker_failures = 0");
    assert_eq!(from(&logged_in.get(NAME)), answered("azure"));
    for state in states() {
        let fresh = clouds.serve("breaker_failures = 0");
        clouds.make(&clouds.to_azure, &state);
        for (which, running) in [("with a login", &logged_in), ("without a login", &fresh)] {
            assert_eq!(from(&running.get(NAME)), answered("gcp"), "{} {which}", state.0);
            assert!(calls(running, "azure") > 0, "{}: the first was not asked", state.0);
        }
        // The second in the same state: the third.
        clouds.make(&clouds.to_google, &state);
        for running in [&logged_in, &fresh] {
            assert_eq!(from(&running.get(NAME)), answered("aws"), "{} twice", state.0);
        }
        clouds.heal();
        assert_eq!(from(&logged_in.get(NAME)), answered("azure"), "after {}", state.0);
    }
}

// Break: `State::Open` in the breaker's `record`, or the chain's going on after `CircuitOpen`.
#[test]
fn a_chain_over_three_clouds_leaves_the_first_alone_once_its_breaker_is_open() {
    let clouds = Clouds::start();
    for state in states() {
        let running = clouds.serve("breaker_failures = 3\nbreaker_reset = \"1h\"");
        assert!(!is_open(&running, "azure"));
        clouds.make(&clouds.to_azure, &state);
        for _ in 0..3 {
            assert!(!is_open(&running, "azure"), "{}", state.0);
            assert_eq!(from(&running.get(NAME)), answered("gcp"), "{}", state.0);
        }
        assert!(is_open(&running, "azure"), "{}", state.0);
        assert!(!is_open(&running, "gcp"), "{}", state.0);
        let (called, arrived) = (calls(&running, "azure"), clouds.to_azure.total());
        // Well again, and not asked for an hour all the same.
        clouds.heal();
        for _ in 0..10 {
            assert_eq!(from(&running.get(NAME)), answered("gcp"), "{}", state.0);
        }
        assert_eq!((calls(&running, "azure"), clouds.to_azure.total()), (called, arrived), "{}", state.0);
    }
}

// Break: the way from `State::Open` to a probe in the breaker's `admit`, or the successes that close it.
#[test]
fn a_chain_over_three_clouds_the_breaker_of_the_first_opens_and_heals_alone() {
    let clouds = Clouds::start();
    for state in states() {
        let running = clouds.serve("breaker_failures = 2\nbreaker_successes = 1\nbreaker_reset = \"50ms\"");
        assert_eq!(from(&running.get(NAME)), answered("azure"), "before {}", state.0);
        clouds.make(&clouds.to_azure, &state);
        for _ in 0..5 {
            assert_eq!(from(&running.get(NAME)), answered("gcp"), "{}", state.0);
        }
        // Probes fail too, and leave it open.
        assert!(is_open(&running, "azure"), "{}", state.0);
        clouds.heal();
        until("the first cloud again", || {
            let answer = from(&running.get(NAME));
            assert!(answer == answered("gcp") || answer == answered("azure"), "{}: {answer:?}", state.0);
            (answer.1 == "azure").then_some(())
        });
        assert!(!is_open(&running, "azure"), "after {}", state.0);
    }
}
