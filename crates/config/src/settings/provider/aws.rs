//! `type = "aws-secrets-manager"` and `type = "aws-parameter-store"`.

use super::shape::{Needs, provider};

provider! {
    /// AWS Secrets Manager. Credentials come from AWS's own chain: environment, profile, web identity, container,
    /// instance.
    pub struct AwsSecretsManager asks {
        /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
        /// A profile of the shared credentials file, as the only source of credentials.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub profile: Option<String>,
        /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_SECRETS_MANAGER` and
        /// `AWS_ENDPOINT_URL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
    }
}

provider! {
    /// AWS Systems Manager Parameter Store. Credentials come from AWS's own chain.
    pub struct AwsParameterStore asks {
        /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
        /// A profile of the shared credentials file, as the only source of credentials.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub profile: Option<String>,
        /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
        /// Whether `SecureString` parameters are decrypted.
        #[serde(default = "yes")]
        pub decrypt: bool,
    }
}

fn yes() -> bool {
    true
}

impl Needs for AwsSecretsManager {}

impl Needs for AwsParameterStore {}
