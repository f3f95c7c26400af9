//! [`provider!`]: the settings of one kind of provider: its own keys, and those that every provider has.

use super::Need;

/// What has to be there besides the settings: credentials, files.
pub(super) trait Needs {
    /// Each by the key that names it.
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        Vec::new()
    }
}

/// A table of settings. What stands in the braces are the keys of this kind alone; after `asks` come those of every
/// provider that asks a server as well. The type implements [`Needs`].
macro_rules! provider {
    ($(#[$about:meta])* pub struct $name:ident asks { $($own:tt)* }) => {
        $crate::settings::provider::shape::provider! {
            $(#[$about])*
            pub struct $name {
                $($own)*
                /// Allows `http://` to other hosts than this one.
                #[serde(default)]
                pub insecure: bool,
                /// Keys and items that an answer may have, in all; from 1000 to 1000000.
                #[serde(default = "super::members")]
                pub max_members: u32,
                /// Whom TLS trusts, and what it shows.
                #[serde(default, skip_serializing_if = "super::Tls::is_default")]
                pub tls: super::Tls,
            } insecure insecure, members max_members
        }
    };
    ($(#[$about:meta])* pub struct $name:ident { $($own:tt)* } $(insecure $insecure:ident,)? $(members $members:ident)?) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Makes the names that the provider is asked for, such as `{organization}/{environment}/{key}`; the
            /// variables but `{key}` stand in `[context]`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub name_template: Option<String>,
            /// What it may be asked for; without it, everything.
            #[serde(default, skip_serializing_if = "super::Only::is_default")]
            pub only: super::Only,
            /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub ttl: Option<$crate::units::Period>,
            /// The layers around the provider.
            #[serde(default)]
            pub upstream: super::Upstream,
        }

        impl $name {
            pub(super) fn common(&self) -> super::Common<'_> {
                super::Common {
                    ttl: self.ttl,
                    name_template: self.name_template.as_deref(),
                    $(insecure: self.$insecure,)?
                    $(max_members: Some(self.$members),)?
                    needs: $crate::settings::provider::shape::Needs::needs(self),
                    ..super::Common::of(&self.upstream, &self.only)
                }
            }
        }
    };
}

pub(super) use provider;
