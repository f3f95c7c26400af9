//! What MySQL and MariaDB say that an account may, said again for another one. Text alone; no connection.

/// A text as SQL has it, where a backslash escapes.
pub(super) fn literal(plain: &str) -> String {
    let mut quoted = String::with_capacity(2 * plain.len() + 2);
    quoted.push('\'');
    for c in plain.chars() {
        match c {
            '\'' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\0' => quoted.push_str("\\0"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// An account as SQL has it.
pub(super) fn account(user: &str, host: &str) -> String {
    format!("{}@{}", literal(user), literal(host))
}

/// A line of `SHOW GRANTS` for the clone; `None` when it grants nothing. Nothing but the rights and how far they may be
/// passed on is taken over: what MariaDB shows behind them is the first user's password.
///
/// # Errors
/// The line is none that is known.
pub(super) fn replayed(line: &str, of: (&str, &str), clone: &str) -> Result<Option<String>, ()> {
    let (user, host) = of;
    let is_default = line.starts_with("SET DEFAULT ROLE ");
    if !is_default && !line.starts_with("GRANT ") {
        return Err(());
    }
    let word = if is_default { " FOR " } else { " TO " };
    // Whoever may name databases could have written one of these into a name: the last one is the account's.
    let marks = ['`', '\''].map(|quote| format!("{word}{}@{}", shown(user, quote), shown(host, quote)));
    let found = marks.iter().filter_map(|mark| line.rfind(mark.as_str()).map(|at| (at, mark.len()))).max();
    let Some((at, length)) = found else { return Err(()) };
    let (rights, rest) = (&line[..at], &line[at + length..]);
    let passed_on = [" WITH GRANT OPTION", " WITH ADMIN OPTION"].into_iter().find(|option| rest.contains(option));
    if rights == "GRANT USAGE ON *.*" && passed_on.is_none() {
        return Ok(None);
    }
    Ok(Some(format!("{rights}{word}{}{}", account(clone, host), passed_on.unwrap_or_default())))
}

/// A name as these servers show it.
fn shown(plain: &str, quote: char) -> String {
    let doubled = format!("{quote}{quote}");
    format!("{quote}{}{quote}", plain.replace(quote, &doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: the escape of either character.
    #[test]
    fn a_text_is_one_text_whatever_stands_in_it() {
        assert_eq!(literal(r"it's \ x"), r"'it\'s \\ x'");
        assert_eq!(account("a'b", "10.0.%"), r"'a\'b'@'10.0.%'");
        assert_eq!(literal(r"\'; DROP USER x; -- "), r"'\\\'; DROP USER x; -- '");
    }

    /// As MariaDB 10.11 and MySQL 5.7 and 8 show them. Break: `rfind`, a quote, an option, or the line that is left out.
    #[test]
    fn grants_are_said_again_without_the_first_users_password() {
        for (line, expected) in [
            ("GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*C4N4RY'", None),
            (
                "GRANT SELECT, INSERT ON `shop`.* TO `app`@`%`",
                Some("GRANT SELECT, INSERT ON `shop`.* TO 'app_clone'@'%'"),
            ),
            (
                "GRANT ALL PRIVILEGES ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*C4N4RY' REQUIRE SSL WITH GRANT OPTION",
                Some("GRANT ALL PRIVILEGES ON *.* TO 'app_clone'@'%' WITH GRANT OPTION"),
            ),
            (
                "GRANT SELECT ON `shop`.* TO 'app'@'%' WITH GRANT OPTION",
                Some("GRANT SELECT ON `shop`.* TO 'app_clone'@'%' WITH GRANT OPTION"),
            ),
            (
                "GRANT `reader` TO `app`@`%` WITH ADMIN OPTION",
                Some("GRANT `reader` TO 'app_clone'@'%' WITH ADMIN OPTION"),
            ),
            ("SET DEFAULT ROLE `reader` FOR `app`@`%`", Some("SET DEFAULT ROLE `reader` FOR 'app_clone'@'%'")),
            (
                "GRANT SELECT ON `x`` TO ``app``@``%```.* TO `app`@`%`",
                Some("GRANT SELECT ON `x`` TO ``app``@``%```.* TO 'app_clone'@'%'"),
            ),
            (
                "GRANT SELECT ON `x TO 'app'@'%'`.* TO 'app'@'%'",
                Some("GRANT SELECT ON `x TO 'app'@'%'`.* TO 'app_clone'@'%'"),
            ),
        ] {
            let again = replayed(line, ("app", "%"), "app_clone");
            assert_eq!(again, Ok(expected.map(str::to_owned)), "{line}");
        }
        for line in ["REVOKE SELECT ON x FROM y", "GRANT SELECT ON `shop`.* TO `other`@`%`", ""] {
            assert_eq!(replayed(line, ("app", "%"), "app_clone"), Err(()), "{line}");
        }
    }
}
