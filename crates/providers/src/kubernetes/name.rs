//! [`Place`]: where in a cluster a name leads. Kubernetes allows less than a [`SecretName`] does, and says so itself.

use lockstep_core::{Error, ErrorKind, Result, SecretName};

/// The longest name of a namespace (RFC 1123 label) and of a Secret (RFC 1123 subdomain), in bytes.
const LABEL: usize = 63;
const SUBDOMAIN: usize = 253;

/// A Secret in its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) secret: String,
}

impl Place {
    /// `secret` in the namespace of the login, or `namespace/secret`.
    ///
    /// # Errors
    /// `InvalidName` when it can't be one.
    pub(super) fn of(name: &SecretName, namespace: Option<&str>) -> Result<Self> {
        let parts: Vec<&str> = name.segments().collect();
        let (namespace, secret) = match (parts.as_slice(), namespace) {
            ([secret], Some(namespace)) => (namespace, *secret),
            ([namespace, secret], _) => (*namespace, *secret),
            ([_], None) => {
                let message = "there is no namespace for it; write `namespace/secret`, or set `namespace`";
                return Err(Error::new(ErrorKind::InvalidName, message));
            }
            _ => return Err(invalid("a name is `secret` or `namespace/secret`; write no more than one `/`")),
        };
        check_namespace(namespace)?;
        check_secret(secret)?;
        Ok(Self { namespace: namespace.to_owned(), secret: secret.to_owned() })
    }

    /// The canonical name.
    pub(super) fn name(&self) -> Result<SecretName> {
        Ok(SecretName::parse(&format!("{}/{}", self.namespace, self.secret))?)
    }

    /// The path of the object.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", secrets(&self.namespace), self.secret)
    }
}

/// The path of all Secrets of a namespace. What was checked needs no encoding.
pub(super) fn secrets(namespace: &str) -> String {
    format!("api/v1/namespaces/{namespace}/secrets")
}

pub(super) fn check_namespace(text: &str) -> Result<()> {
    if text.len() <= LABEL && is_label(text) {
        return Ok(());
    }
    Err(invalid("a namespace has lower-case letters, digits and `-`, and at most 63 of them; correct it"))
}

fn check_secret(text: &str) -> Result<()> {
    if text.len() <= SUBDOMAIN && text.split('.').all(is_label) {
        return Ok(());
    }
    Err(invalid("a Secret's name has lower-case letters, digits, `-` and `.`, and at most 253 of them; correct it"))
}

fn is_label(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
    text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && edge(text.bytes().next())
        && edge(text.bytes().next_back())
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidName, message)
}

/// A filter as the server reads it: `app=db,team`.
///
/// # Errors
/// `InvalidName` for what can be no label: put into a selector, it could mean another filter.
pub(super) fn selector(tags: &[(String, Option<String>)]) -> Result<String> {
    let is_word = |text: &str, more: &str| {
        text.len() <= SUBDOMAIN + 1 + LABEL
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c) || more.contains(c))
    };
    let mut selector = Vec::new();
    for (key, value) in tags {
        let fits = !key.is_empty() && is_word(key, "/") && value.as_deref().is_none_or(|value| is_word(value, ""));
        if !fits {
            return Err(invalid("a label has letters, digits, `-`, `_` and `.`; its name may have a domain and `/`"));
        }
        selector.push(value.as_ref().map_or_else(|| key.clone(), |value| format!("{key}={value}")));
    }
    Ok(selector.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Option<String> {
        let name = SecretName::parse(name).unwrap();
        Place::of(&name, Some("team")).ok().map(|place| place.path())
    }

    /// Break: any check in `Place::of`.
    #[test]
    fn a_name_is_a_secret_of_the_namespace_or_of_the_one_that_it_names() {
        for (name, path) in [
            ("db", Some("api/v1/namespaces/team/secrets/db")),
            ("db.creds-1", Some("api/v1/namespaces/team/secrets/db.creds-1")),
            ("prod/db", Some("api/v1/namespaces/prod/secrets/db")),
            ("prod/db/more", None),
            ("Prod/db", None),
            ("prod.x/db", None),
            ("prod/Db", None),
            ("prod/-db", None),
            ("prod/db-", None),
            ("prod/d_b", None),
            ("prod/d b", None),
            ("prod/d?b", None),
        ] {
            assert_eq!(place(name).as_deref(), path, "{name}");
        }
        assert!(place(&"a".repeat(253)).is_some() && place(&"a".repeat(254)).is_none());
        assert!(place(&format!("{}/a", "n".repeat(63))).is_some() && place(&format!("{}/a", "n".repeat(64))).is_none());
        let alone = Place::of(&SecretName::parse("db").unwrap(), None).unwrap_err();
        assert!(alone.message().contains("`namespace/secret`"), "{alone}");
    }

    /// Break: the check in `selector`.
    #[test]
    fn o4_a_filter_never_becomes_another_one() {
        let one = |key: &str, value: Option<&str>| selector(&[(key.to_owned(), value.map(str::to_owned))]);
        assert_eq!(one("example.com/app", Some("db_1")).unwrap(), "example.com/app=db_1");
        let two = selector(&[("a".into(), None), ("b".into(), Some(String::new()))]);
        assert_eq!(two.unwrap(), "a,b=");
        for (key, value) in
            [("a,b", None), ("!a", None), ("a", Some("b,c")), ("a in (b)", None), ("", None), ("é", None)]
        {
            assert_eq!(one(key, value).unwrap_err().kind(), ErrorKind::InvalidName, "{key}");
        }
    }
}
