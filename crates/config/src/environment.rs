//! [`Config::found`]: the configuration of a process, wherever it stands.

use std::path::Path;

use lockstep_core::{Env, Error, ErrorKind, Files, Result};

use crate::config::{Config, Document, Format};
use crate::problem::Problems;

/// Bytes of a configuration file.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// The variable with the path of the configuration.
const PATH_VARIABLE: &str = "LOCKSTEP_CONFIG";
/// The variable that may hold the configuration itself.
const CONTENT_VARIABLE: &str = "LOCKSTEP_CONFIG_CONTENT";

/// Where a configuration is looked for, and what is said of a file that can't be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The names of all variables, as for [`Config::load`].
    pub names: &'a [String],
    /// The file that was named: by whoever started the process, or by `LOCKSTEP_CONFIG`.
    pub named: Option<&'a Path>,
    /// The file that lies there, and counts when nothing else does.
    pub lying: Option<&'a Path>,
    /// What stands behind the name of a file that can't be read: `; name a file that exists`.
    pub advice: &'a str,
}

impl Config {
    /// The configuration: the file that was named, the text in `LOCKSTEP_CONFIG_CONTENT`, the file that lies there, or
    /// none.
    ///
    /// # Errors
    /// The file can't be read; or everything that is wrong in it, with its place and what to write instead.
    pub fn found<E: From<Error> + From<Problems>>(
        env: &dyn Env,
        files: &dyn Files,
        sources: Sources<'_>,
    ) -> Result<Self, E> {
        let load = |document: Option<Document<'_>>| Ok(Self::load(document, env, sources.names)?);
        let file = |path: &Path| load(Some(document(path, &read(files, path, sources.advice)?)));
        if let Some(path) = sources.named {
            return file(path);
        }
        if let Some(text) = env.var(CONTENT_VARIABLE) {
            let folder = Path::new("");
            return load(Some(Document { name: CONTENT_VARIABLE, format: Format::Either, text: &text, folder }));
        }
        match sources.lying {
            Some(path) => file(path),
            None => load(None),
        }
    }

    /// The same of a process that has no command line, such as a function's: `LOCKSTEP_CONFIG` names the file.
    ///
    /// # Errors
    /// `Config`, as [`Config::found`].
    pub fn from_environment(env: &dyn Env, files: &dyn Files, names: &[String], lying: Option<&Path>) -> Result<Self> {
        let path = env.var(PATH_VARIABLE);
        let advice = match path {
            Some(_) => " that LOCKSTEP_CONFIG names; put it into the function or a layer",
            None => "; put it into the function or a layer",
        };
        let sources = Sources { names, named: path.as_deref().map(Path::new), lying, advice };
        Self::found(env, files, sources)
    }
}

fn document<'a>(path: &'a Path, text: &'a str) -> Document<'a> {
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    Document {
        name: path.to_str().unwrap_or("lockstep.toml"),
        format: if json { Format::Json } else { Format::Toml },
        text,
        folder: path.parent().unwrap_or(Path::new("")),
    }
}

fn read(files: &dyn Files, path: &Path, advice: &str) -> Result<String> {
    let content = files.read(path, MAX_CONFIG_BYTES).map_err(|error| {
        let message = format!("can't read the configuration {}{advice}", path.display());
        Error::new(ErrorKind::Config, message).because(error)
    })?;
    String::from_utf8(content.bytes.to_vec()).map_err(|_| {
        let message = format!("{} is not UTF-8 text; save it as UTF-8", path.display());
        Error::new(ErrorKind::Config, message)
    })
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::{TestEnv, TestFiles};

    use super::*;
    use crate::settings::LogLevel;

    /// Break: the order of the branches.
    #[test]
    fn a_named_file_counts_before_a_text_and_a_text_before_a_file_that_lies_there() {
        let files = TestFiles::new();
        files.write("named.json", r#"{"log":{"level":"error"}}"#);
        files.write("lying.toml", "[log]\nlevel = \"debug\"\n");
        let named = ("LOCKSTEP_CONFIG", "named.json");
        let text = ("LOCKSTEP_CONFIG_CONTENT", "[log]\nlevel = \"warn\"\n");
        let lying = Some(Path::new("lying.toml"));
        for (variables, file, level) in [
            (&[named, text][..], lying, LogLevel::Error),
            (&[text], lying, LogLevel::Warn),
            (&[], lying, LogLevel::Debug),
            (&[], None, LogLevel::Info),
        ] {
            // Without providers of its own, a configuration reads AWS.
            let env = TestEnv::of(&[variables, &[("AWS_REGION", "eu-west-1")]].concat());
            let config = Config::from_environment(&*env, &*files, &[], file).unwrap();
            assert_eq!(config.settings().log.level, level, "{variables:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_said_and_never_taken_for_none() {
        let gone = TestEnv::of(&[("LOCKSTEP_CONFIG", "gone.toml")]);
        let failed = Config::from_environment(&*gone, &*TestFiles::new(), &[], None).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Config);
        assert!(
            failed.to_string().contains("gone.toml that LOCKSTEP_CONFIG names; put it into the function"),
            "{failed}"
        );
        let env = TestEnv::of(&[]);
        assert!(Config::from_environment(&*env, &*TestFiles::new(), &[], Some(Path::new("gone.toml"))).is_err());
    }
}
