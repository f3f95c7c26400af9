//! [`tagged!`]: an enum that is written as a table whose `type` (`method` for a login) names the variant.
//!
//! Reading goes through [`decode`](crate::decode), which knows places, so serde's own tags are of no use; this is how such
//! an enum is shown, and the one place where each word stands.

/// An enum of tables, each with its word.
macro_rules! tagged {
    (
        $(#[$about:meta])*
        pub enum $name:ident by $tag:literal {
            $($(#[$of_variant:meta])* $variant:ident($settings:ty) = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(tag = $tag))]
        pub enum $name {
            $($(#[$of_variant])* #[serde(rename = $word)] $variant($settings),)+
        }

        impl $name {
            /// The word that names the variant.
            pub fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $word,)+
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                struct Shown<'a, T> {
                    #[serde(rename = $tag)]
                    word: &'static str,
                    #[serde(flatten)]
                    settings: &'a T,
                }
                match self {
                    $(Self::$variant(settings) => Shown { word: self.word(), settings }.serialize(serializer),)+
                }
            }
        }
    };
}

pub(in crate::settings) use tagged;
