//! The names that an ARN stands for. A rule about a name is about its ARN too: who may not rotate `prod/db` must not by
//! writing its ARN.
//!
//! Secrets Manager puts a dash and six characters behind a name, and takes an ARN without them: which of both a text is,
//! only AWS knows. So both are looked at.

/// What Secrets Manager puts behind a name: `-` and six letters or digits.
const SUFFIX: usize = 7;

/// The other names of what goes by this one.
pub(super) fn others(name: &str) -> Vec<String> {
    let mut parts = name.splitn(6, ':');
    let is_arn = parts.next() == Some("arn");
    let service = parts.nth(1);
    let Some(rest) = parts.nth(2).filter(|_| is_arn) else { return Vec::new() };
    match service {
        Some("secretsmanager") => {
            let Some(inner) = rest.strip_prefix("secret:") else { return Vec::new() };
            let mut names = vec![inner.to_owned()];
            if let Some((short, suffix)) = inner.len().checked_sub(SUFFIX).and_then(|at| inner.split_at_checked(at))
                && !short.is_empty()
                && suffix.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
            {
                names.push(short.to_owned());
            }
            names
        }
        // `parameter/a/b` is `/a/b`, and `parameter/a` is `a`.
        Some("ssm") => {
            rest.strip_prefix("parameter/").map(|inner| vec![inner.to_owned(), format!("/{inner}")]).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_stands_for_the_names_that_it_may_be_of() {
        for (name, others_of) in [
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf", vec!["prod/db-AbCdEf", "prod/db"]),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db", vec!["prod/db"]),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a:b-AbCdEf", vec!["a:b-AbCdEf", "a:b"]),
            ("arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db", vec!["prod/db", "/prod/db"]),
            ("arn:aws:ssm:eu-west-1:123456789012:parameter/db", vec!["db", "/db"]),
            ("arn:aws:s3:::bucket", vec![]),
            ("prod/db", vec![]),
            ("arn", vec![]),
            ("arn:aws:secretsmanager", vec![]),
        ] {
            assert_eq!(others(name), others_of, "{name}");
        }
    }
}
