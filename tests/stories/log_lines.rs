//! What callers can write into log and audit: nothing but words inside one line.

use lockstep_stories::Lockstep;

const CONFIG: &str = "[log]\nlevel = \"trace\"\nformat = \"json\"\n[providers.m]\ntype = \"mock\"\n\
                      [providers.m.secrets.plain]\nversions = [\"text\"]\n";

// Break: write a name or path into a line of audit or log without escaping it.
#[test]
fn m6_a_name_or_header_with_line_breaks_escapes_or_markup_stays_inside_its_line() {
    let running = Lockstep::serve(CONFIG, &[]);
    for name in [
        "a%0a{%22forged%22:1}",
        "a%0d%0aforged",
        "a%1b[31mred",
        "%3Cscript%3Ealert(1)",
        "a%22,%22forged%22:%221",
        "%e2%80%aerevo",
    ] {
        for path in [
            format!("/v1/{name}"),
            format!("/secretsmanager/get?secretId={name}"),
            format!("/api/v1/secrets/{name}"),
            format!("/api/v1/secrets/plain?version={name}"),
            format!("/api/v1/secrets/plain?key={name}"),
            format!("/api/v1/secrets/plain?provider={name}"),
            format!("/nowhere/{name}"),
        ] {
            let answer = running
                .get_with(&path, &[("x-request-id", "a\tb{\"forged\":1}"), ("traceparent", "00-{\"forged\":1}")]);
            assert!(answer.status >= 400, "{path}: {answer:?}");
            assert!(!answer.text().contains(['\u{1b}', '\r', '\n', '\u{202e}']), "{path}: {answer:?}");
        }
    }
    let said = running.stop().stderr;
    assert!(said.lines().filter(|line| line.contains("forged")).count() > 0, "nothing of it was told at all");
    for line in said.lines().filter(|line| !line.starts_with("token: ")) {
        let parsed: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(parsed.get("forged").is_none(), "{line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

// Break: take the peer of audit and log from a header.
#[test]
fn m5_the_peer_of_every_record_is_the_sockets_own() {
    let running = Lockstep::serve(CONFIG, &[]);
    for header in ["x-forwarded-for", "x-real-ip", "forwarded", "x-client-ip", "true-client-ip", "client-ip"] {
        running.get_with("/api/v1/secrets/plain", &[(header, "203.0.113.7")]);
        running.get_with("/api/v1/secrets/missing", &[(header, "203.0.113.7")]);
    }
    let said = running.stop().stderr;
    assert!(said.contains("\"peer\":\"127.0.0.1:"), "{said}");
    assert!(!said.contains("203.0.113.7"), "{said}");
}
