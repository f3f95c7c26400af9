//! What no single value of `[auth]` can say. What a login itself asks of its settings, it says when it is assembled.

use std::time::Duration;

use super::{Checks, MILLIS, ZERO};
use crate::settings::Settings;

impl Checks<'_> {
    pub(super) fn callers(&mut self, settings: &Settings) {
        for (name, issuer) in &settings.auth.jwt {
            let key = format!("auth.jwt.{}", name.0);
            let common = issuer.common();
            self.period(&format!("{key}.leeway"), common.leeway, ZERO, Duration::from_mins(1));
            self.tls(&key, common.tls);
            if issuer.keys_url().is_some() && common.keys_file.is_some() {
                self.wrong(&format!("{key}.keys_file"), "its keys are named twice; write `keys_url` or `keys_file`");
            }
        }
        if let Some(iam) = &settings.auth.aws_iam {
            let quarter = Duration::from_mins(15);
            self.period("auth.aws_iam.max_age", iam.max_age, MILLIS(1000), quarter);
            self.period("auth.aws_iam.remember", iam.remember, ZERO, quarter);
            self.address("auth.aws_iam.endpoint", iam.endpoint.as_deref(), iam.insecure);
            if iam.server_id.is_none() && (iam.global || !iam.regions.is_empty() || iam.endpoint.is_some()) {
                let message = "STS is asked for signatures that are meant for this endpoint; write `server_id` too, mostly \
                               the address of this endpoint";
                self.wrong("auth.aws_iam", message);
            }
        }
        let tls = settings.listen.tls.as_ref();
        if !settings.auth.certificates.is_empty() && tls.is_some_and(|tls| tls.client_ca_file.is_none()) {
            let message =
                "nobody is asked for a certificate; write `listen.tls.client_ca_file` with the roots that they have";
            self.wrong("auth.certificates", message);
        }
    }
}
