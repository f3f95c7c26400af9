//! [`ELSEWHERE`]: where an answer might send us, and [`assert_only`], which finds out whether it did.

use crate::FakeTransport;

/// Scheme, host and port of what no answer may lead to: the metadata service in each of its spellings, this machine, its
/// network, another host, and names that look like a good one.
pub const ELSEWHERE: [&str; 16] = [
    "http://169.254.169.254",
    "https://169.254.169.254",
    "http://[::ffff:a9fe:a9fe]",
    "http://[fd00:ec2::254]",
    "http://0x7f.1",
    "http://2130706433",
    "http://2852039166",
    "http://0251.0376.0251.0376",
    "http://127.0.0.1:2773",
    "https://localhost",
    "http://[::1]:8200",
    "https://10.0.0.1",
    "http://metadata.google.internal",
    "https://evil.test",
    "//evil.test",
    "https://user:c4n4ry@evil.test",
];

/// The same, and what differs from this address (`https://host[:port]`) by a port, a scheme, or what follows its host.
///
/// # Panics
/// When the address is none of `https`.
pub fn elsewhere_than(own: &str) -> Vec<String> {
    let host = own.strip_prefix("https://").unwrap_or_else(|| panic!("{own} is no https"));
    let name = host.split(':').next().unwrap_or(host);
    let near = [
        format!("http://{host}"),
        format!("https://{name}:8443"),
        format!("https://{name}.evil.test"),
        format!("https://{host}@evil.test"),
    ];
    ELSEWHERE.into_iter().map(str::to_owned).chain(near).collect()
}

/// Fails when something was sent to another scheme, host or port than these.
///
/// # Panics
/// Then.
pub fn assert_only(transport: &FakeTransport, allowed: &[&str]) {
    for request in transport.requests() {
        let uri = request.uri();
        let base =
            format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |host| host.as_str()));
        assert!(allowed.contains(&base.as_str()), "something was sent to {uri}");
    }
}
