//! What is written for the function rotator.

use super::{load, problems};
use crate::settings::{Rotator, Users};

/// Break: any check of a rotator, or one of the defaults.
#[test]
fn a_rotator_says_what_to_write_where_it_is_wrong() {
    let http = |more: &str| {
        format!(
            "[[rotators]]\nmatch = \"a/**\"\ntype = \"http\"\nurl = \"https://api.internal/key\"\n\
             body = '{{ \"key\": \"{{new}}\" }}'\ntest = {{ url = \"https://api.internal/me\", headers = {{}} }}\n{more}"
        )
    };
    for (text, expected) in [
        (
            "[[rotators]]\nmatch = \"a\"\ntype = \"random\"\npassword = { length = 0 }".to_owned(),
            "write from 1 to 4096",
        ),
        (
            "[[rotators]]\nmatch = \"a\"\ntype = \"database\"\ninsecure = true\nca_file = \"r.pem\"".to_owned(),
            "without TLS nobody shows a certificate",
        ),
        (http("").replace("https://api.internal/key", "http://api.internal/key"), "`insecure = true`"),
        (http("").replace("https://api.internal/me", "http://api.internal/me"), "rotators.0.test.url"),
        (http("").replace("'{ ", "'{ { "), "the body is no JSON"),
        (http("method = \"P T\""), "no method of HTTP"),
        (http("headers = { \"a b\" = \"c\" }"), "no name of a header"),
        (http("timeout = \"2m\""), "write from 10ms to 1m"),
        (http("tls = { client_cert = \"c.pem\" }"), "needs its key"),
        ("[[rotators]]\nmatch = \"a\"\ntype = \"datbase\"".to_owned(), "did you mean `database`"),
    ] {
        let said = problems(&text, &[]);
        assert!(said.contains(expected), "{text}: {said}");
    }
    let text = http("") + "[[rotators]]\nmatch = \"**\"\ntype = \"database\"\nusers = \"alternating\"";
    let config = load(&text, &[]).unwrap();
    let [Rotator::Http(http), Rotator::Database(database)] = config.settings().rotators.as_slice() else {
        panic!("{:?}", config.settings().rotators)
    };
    assert_eq!((http.method.as_str(), http.test.method.as_str(), http.timeout.get().as_secs()), ("PUT", "GET", 10));
    assert_eq!((database.users, database.insecure), (Some(Users::Alternating), false));
}
