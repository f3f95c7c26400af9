//! Names: the id of a secret as callers write it, and resource names as Google answers them.

use lockstep_core::{Error, ErrorKind, Result, SecretName};

use super::settings::GcpSettings;

/// The project and the place that a provider reads.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) project: Box<str>,
    pub(super) location: Option<Box<str>>,
}

/// What a caller asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// The id of the secret.
    pub(super) secret: &'a str,
    /// The project, if it was written and is another text than the configured one: then the answer must name it.
    pub(super) project: Option<&'a str>,
}

/// A resource name that Google answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered<'a> {
    /// The number of the project.
    pub(super) project: &'a str,
    pub(super) location: Option<&'a str>,
    pub(super) secret: &'a str,
    /// Of a version.
    pub(super) version: Option<u64>,
}

impl Place {
    pub(super) fn of(settings: &GcpSettings) -> Self {
        Self { project: settings.project.as_str().into(), location: settings.location.as_deref().map(Into::into) }
    }

    /// The path of its secrets, from `/v1` on.
    pub(super) fn path(&self) -> String {
        match &self.location {
            None => format!("/v1/projects/{}/secrets", self.project),
            Some(location) => format!("/v1/projects/{}/locations/{location}/secrets", self.project),
        }
    }

    /// Reads a name: `my-secret`, or the whole `projects/…/secrets/my-secret` of this very project and place. The
    /// project may be written by its number, which only an answer can confirm.
    ///
    /// # Errors
    /// `InvalidName`, saying what to write.
    pub(super) fn asked<'a>(&self, name: &'a SecretName) -> Result<Asked<'a>> {
        let wrong = |message: &str| Err(Error::new(ErrorKind::InvalidName, message));
        let parts: Vec<&str> = name.as_str().split('/').collect();
        let (project, location, secret) = match parts[..] {
            [secret] => (None, self.location.as_deref(), secret),
            ["projects", project, "secrets", secret] => (Some(project), None, secret),
            ["projects", project, "locations", location, "secrets", secret] => (Some(project), Some(location), secret),
            _ => {
                return wrong(
                    "a secret of Secret Manager has no `/` in its name; write `my-secret`, or \
                     `projects/<project>/secrets/my-secret`",
                );
            }
        };
        if !is_id(secret) {
            return wrong(
                "a secret's name there has 1 to 255 letters, digits, `-` and `_`; write it like `db-password`",
            );
        }
        if location != self.location.as_deref() {
            return wrong(
                "the name is of another location than the provider; give that location a provider of its own",
            );
        }
        let project = project.filter(|project| **project != *self.project);
        if project.is_some_and(|project| !project.bytes().all(|byte| byte.is_ascii_digit()) || project.is_empty()) {
            return wrong("the name is of another project than the provider; give that project a provider of its own");
        }
        Ok(Asked { secret, project })
    }

    /// Checks that an answer is about what was asked for.
    ///
    /// # Errors
    /// `InvalidName` when the name has the number of another project, `Malformed` when the answer is about another
    /// secret.
    pub(super) fn confirm<'a>(&self, asked: &Asked<'_>, name: &'a str) -> Result<Answered<'a>> {
        let answered = self.answered(name)?;
        if asked.secret != answered.secret {
            return Err(crate::body::unexpected("is about another secret"));
        }
        if asked.project.is_some_and(|project| project != answered.project) {
            let message = "the name has the number of another project; give that project a provider of its own";
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        Ok(answered)
    }

    /// Reads a resource name.
    ///
    /// # Errors
    /// `Malformed` when it is none, or none of this place.
    pub(super) fn answered<'a>(&self, name: &'a str) -> Result<Answered<'a>> {
        let parts: Vec<&str> = name.split('/').collect();
        let (answered, rest) = match parts[..] {
            ["projects", project, "secrets", secret, ref rest @ ..] => {
                (Answered { project, location: None, secret, version: None }, rest)
            }
            ["projects", project, "locations", location, "secrets", secret, ref rest @ ..] => {
                (Answered { project, location: Some(location), secret, version: None }, rest)
            }
            _ => return Err(unexpected()),
        };
        let version = match rest {
            [] => None,
            ["versions", number] => Some(number_of(number).ok_or_else(unexpected)?),
            _ => return Err(unexpected()),
        };
        let is_ours =
            answered.location == self.location.as_deref() && !answered.project.is_empty() && is_id(answered.secret);
        if is_ours { Ok(Answered { version, ..answered }) } else { Err(unexpected()) }
    }
}

/// Whether this can be the id of a secret.
fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(is_id_byte)
}

/// Whether ids have this byte.
pub(super) fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The number of a version, in its one spelling.
pub(super) fn number_of(text: &str) -> Option<u64> {
    let plain = text.starts_with(|first: char| ('1'..='9').contains(&first));
    text.parse().ok().filter(|_| plain)
}

fn unexpected() -> Error {
    crate::body::unexpected("has a resource name that is none of this project and place")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(location: Option<&str>) -> Place {
        Place { project: "acme-prod".into(), location: location.map(Into::into) }
    }

    /// Break: leave a check of `asked` out.
    #[test]
    fn a_name_is_of_this_project_and_place_or_says_what_to_write() {
        let regional = "projects/acme-prod/locations/europe-west3/secrets/db";
        for (location, name, expected) in [
            (None, "db_Pass-1", Some(("db_Pass-1", None))),
            (None, "projects/acme-prod/secrets/db", Some(("db", None))),
            (None, "projects/123/secrets/db", Some(("db", Some("123")))),
            (Some("europe-west3"), "db", Some(("db", None))),
            (Some("europe-west3"), regional, Some(("db", None))),
            (None, regional, None),
            (Some("europe-west3"), "projects/acme-prod/secrets/db", None),
            (None, "projects/other/secrets/db", None),
            (None, "a/b", None),
            (None, "a.b", None),
            (None, "a b", None),
            (None, "projects/acme-prod/secrets/db/versions/1", None),
        ] {
            let parsed = SecretName::parse(name).unwrap();
            let asked = place(location).asked(&parsed);
            match (asked, expected) {
                (Ok(asked), Some((secret, project))) => assert_eq!(asked, Asked { secret, project }, "{name}"),
                (Err(error), None) => assert_eq!(error.kind(), ErrorKind::InvalidName, "{name}"),
                (asked, _) => panic!("{name}: {asked:?}"),
            }
        }
        assert!(place(None).asked(&SecretName::parse(&"x".repeat(256)).unwrap()).is_err());
    }

    #[test]
    fn an_answer_about_something_else_is_not_taken() {
        let asked = Asked { secret: "db", project: Some("123") };
        let place = place(None);
        assert_eq!(place.confirm(&asked, "projects/123/secrets/db/versions/7").unwrap().version, Some(7));
        for (name, kind) in [
            ("projects/124/secrets/db/versions/7", ErrorKind::InvalidName),
            ("projects/123/secrets/other/versions/7", ErrorKind::Malformed),
            ("projects/123/secrets/db/versions/latest", ErrorKind::Malformed),
            ("projects/123/secrets/db/versions/07", ErrorKind::Malformed),
            ("projects/123/secrets/db/versions/7/x", ErrorKind::Malformed),
            ("projects/123/locations/europe-west3/secrets/db/versions/7", ErrorKind::Malformed),
            ("projects//secrets/db/versions/7", ErrorKind::Malformed),
            ("db", ErrorKind::Malformed),
        ] {
            assert_eq!(place.confirm(&asked, name).unwrap_err().kind(), kind, "{name}");
        }
    }
}
