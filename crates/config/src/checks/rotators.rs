//! What can be said of a rotator before it rotates anything.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Checks, MILLIS};
use crate::settings::{HttpRotator, PasswordRules, Rotator, Settings};

impl Checks<'_> {
    /// Every rotator.
    pub(super) fn rotators(&mut self, settings: &Settings) {
        for (index, rotator) in settings.rotators.iter().enumerate() {
            let key = format!("rotators.{index}");
            self.password_rules(&format!("{key}.password"), rotator.password());
            match rotator {
                Rotator::Database(database) => {
                    if database.insecure && database.ca_file.is_some() {
                        let message = "without TLS nobody shows a certificate; remove this, or `insecure`";
                        self.wrong(&format!("{key}.ca_file"), message);
                    }
                }
                Rotator::Http(http) => self.http_rotator(&key, http),
                Rotator::Random(_) => {}
            }
        }
    }

    fn password_rules(&mut self, key: &str, rules: &PasswordRules) {
        if let Some(length) = rules.length {
            self.number(&format!("{key}.length"), length, 1, 4096);
        }
    }

    fn http_rotator(&mut self, key: &str, http: &HttpRotator) {
        self.address(&format!("{key}.url"), Some(&http.url), http.insecure);
        self.address(&format!("{key}.test.url"), Some(&http.test.url), http.insecure);
        self.tls(key, &http.tls);
        self.period(&format!("{key}.timeout"), http.timeout, MILLIS(10), Duration::from_mins(1));
        for (key, method) in
            [(format!("{key}.method"), &http.method), (format!("{key}.test.method"), &http.test.method)]
        {
            if method.parse::<http::Method>().is_err() {
                self.wrong(&key, "this is no method of HTTP; write for example `PUT`");
            }
        }
        if serde_json::from_str::<serde_json::Value>(&http.body).is_err() {
            let message = "the body is no JSON; write for example `'{ \"password\": \"{new}\" }'`";
            self.wrong(&format!("{key}.body"), message);
        }
        let headers = |headers: &BTreeMap<String, String>| headers.keys().cloned().collect::<Vec<_>>();
        for (key, names) in [
            (format!("{key}.headers"), headers(&http.headers)),
            (format!("{key}.test.headers"), headers(&http.test.headers)),
        ] {
            for name in names.iter().filter(|name| name.parse::<http::HeaderName>().is_err()) {
                self.wrong(&format!("{key}.{name}"), "this is no name of a header");
            }
        }
    }
}
