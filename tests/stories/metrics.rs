//! The numbers, as a real Prometheus reads them.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use lockstep_stories::{Connection, Lockstep, TOKEN, until};
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, free_port};
use serde_json::{Value, json};

const CONFIG: &str = "[providers.f]\ntype = \"file\"\npath = \"s.json\"\n[audit]\nsink = \"none\"\n\
                      [freshness]\njournal = \"memory\"\n[telemetry]\nendpoint = \"http://127.0.0.1:9\"\n";

/// A process that ends with its test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Break: announce a family twice, or leave a `# TYPE` out.
#[test]
fn a_real_prometheus_scrapes_it_and_promtool_has_nothing_to_say() {
    let programs = require!(servers::prometheus());
    let home = Lockstep::new(CONFIG, &[]);
    home.file("s.json", &json!({ "db": "value" }).to_string());
    let running = home.start();
    for path in ["/api/v1/secrets/db", "/api/v1/secrets/db", "/api/v1/secrets/missing"] {
        running.get(path);
    }
    running.bare("GET", "/api/v1/secrets/db", &[], b"");
    let text = running.get("/metrics").text();
    let mut promtool = Command::new(programs.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let complaints = [said.stdout, said.stderr].concat();
    assert!(said.status.success() && complaints.is_empty(), "{}\n{text}", String::from_utf8_lossy(&complaints));

    let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
    let scrape = format!(
        "scrape_configs:\n  - job_name: lockstep\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    authorization:\n      \
         credentials: {TOKEN}\n    static_configs:\n      - targets: [\"{}\"]\n",
        running.address
    );
    std::fs::write(folder.path().join("prometheus.yml"), scrape).unwrap();
    let prometheus = Command::new(programs.join("prometheus"))
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Ending(prometheus);
    let query = |query: &str| -> Option<Vec<Value>> {
        let mut connection = Connection::open(format!("127.0.0.1:{port}").parse().unwrap()).ok()?;
        let request =
            format!("GET /api/v1/query?query={query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        connection.send(request).ok()?;
        let answer = connection.receive().ok()?;
        let found = (answer.status == 200).then(|| answer.json())?["data"]["result"].as_array()?.clone();
        (!found.is_empty()).then_some(found)
    };
    for (name, value) in [
        ("secrets_requests_total{operation=%22get%22,status=%22success%22}", "2"),
        ("secrets_requests_total{operation=%22get%22,status=%22error%22}", "1"),
        ("secrets_cache_hits_total", "1"),
        ("secrets_cache_misses_total", "1"),
        ("secrets_cache_size", "1"),
        ("secrets_rotation_total{status=%22success%22}", "0"),
        ("secrets_errors_total{error_type=%22not_found%22}", "1"),
        ("secrets_breaker_open", "0"),
        ("secrets_request_duration_seconds_count", "3"),
        ("lockstep_refusals_total{reason=%22bad_token%22}", "1"),
        ("count(secrets_journal_age_seconds)", "1"),
        ("up", "1"),
    ] {
        let found = until(name, || query(name));
        assert_eq!(found[0]["value"][1], value, "{name}: {found:?}");
        assert!(found[0]["metric"]["provider"].is_null() || found[0]["metric"]["provider"] == "f");
    }
}
