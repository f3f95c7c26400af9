//! House rules that no compiler knows, looked for line by line in the files that are checked in.

use std::fs;
use std::path::Path;

use crate::failure::{Doing as _, Outcome};
use crate::workspace::Workspace;

/// Lines from which a source file gets a hard look.
const LONG: usize = 500;

/// Every broken rule as `path:line: what`; files that are too long are printed as a warning only.
pub(super) fn check(workspace: &Workspace) -> Outcome<Vec<String>> {
    let mut broken = Vec::new();
    for path in workspace.files()? {
        let full = workspace.root().join(&path);
        // What isn't text has no lines.
        let Ok(text) = String::from_utf8(fs::read(&full).at("read", &full)?) else { continue };
        let shown = path.display();
        if path.file_name().is_none_or(|name| name != "Cargo.lock") {
            broken.extend(numbered(&text, leak).map(|(line, what)| format!("{shown}:{line}: {what}")));
        }
        if shipped(&path) {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            broken.extend(numbered(code, token_compare).map(|(line, what)| format!("{shown}:{line}: {what}")));
            let lines = text.lines().count();
            if lines > LONG {
                println!("warning: {shown} has {lines} lines: a file has one job and stays below {LONG}");
            }
        }
    }
    Ok(broken)
}

/// Rust that runs in production: sources, without the tests beside them and the kits for tests.
fn shipped(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let source = text.ends_with(".rs") && text.contains("/src/");
    let tests = text.ends_with("/tests.rs") || text.contains("/tests/");
    source && !tests && !["crates/testkit/", "crates/xtask/"].iter().any(|kit| text.starts_with(kit))
}

fn numbered(text: &str, rule: fn(&str) -> Option<&'static str>) -> impl Iterator<Item = (usize, &'static str)> + '_ {
    text.lines().enumerate().filter_map(move |(index, line)| rule(line).map(|what| (index + 1, what)))
}

/// Paths of one person's machine, and hosts of package registries: a mirror's user could not follow them.
fn leak(line: &str) -> Option<&'static str> {
    // Put together here, so that this file keeps its own rule.
    let folders = [["/", "root/"], ["/", "home/"], ["/", "work/"], ["/", "Users/"]];
    let hosts = [
        ["index.", "crates.io"],
        ["static.", "crates.io"],
        ["pypi.", "org"],
        ["files.", "pythonhosted.org"],
        ["registry.", "npmjs.org"],
        ["deb.", "debian.org"],
        ["proxy.", "golang.org"],
    ];
    if folders.iter().any(|parts| begins_a_path(line, &parts.concat())) {
        return Some("a path of one machine");
    }
    hosts.iter().any(|parts| line.contains(&parts.concat())).then_some("the host of a package registry")
}

/// Whether `folder` stands in the line as the beginning of a path, not in the middle of one.
fn begins_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}*".contains(c))
    })
}

/// L2: tokens are compared in constant time, so never with `==`.
fn token_compare(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    let compared = ["==", "!="].iter().any(|operator| {
        code.match_indices(operator).any(|(at, _)| {
            let before = code[..at].trim_end().rsplit(|c: char| !word(c)).next().unwrap_or_default();
            let after = code[at + 2..].trim_start().trim_start_matches(['&', '*']);
            if is_state(after) {
                return false;
            }
            let after = after.split(|c: char| !word(c)).next().unwrap_or_default();
            is_token(before) || is_token(after)
        })
    });
    compared.then_some("a token is compared with == or !=: use its constant-time compare (L2)")
}

/// `Once::Missing`, `None`: whether there is a token is no secret, and no byte of one is compared.
fn is_state(after: &str) -> bool {
    let path = after.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).next().unwrap_or_default();
    let last = path.rsplit("::").next().unwrap_or_default();
    let variant = last.starts_with(char::is_uppercase) && last.contains(char::is_lowercase);
    variant && !after[path.len()..].starts_with(['(', '{'])
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || "_.()".contains(c)
}

/// `token`, `self.token`, `local_token.as_bytes()`: the name that is compared ends with "token".
fn is_token(expression: &str) -> bool {
    expression
        .split('.')
        .map(|part| part.trim_matches(['(', ')']).to_lowercase())
        .rfind(|part| !["as_bytes", "as_str", "as_ref", "as_slice", "to_vec", "clone"].contains(&part.as_str()))
        .is_some_and(|name| name == "token" || name.ends_with("_token") || name.ends_with("secret_value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Break: drop an operator, or one side of it.
    #[test]
    fn l2_a_token_compared_with_equals_is_found() {
        for line in [
            "if token == given {",
            "if given == self.token {",
            "let same = given.as_bytes() != local_token.as_bytes();",
            "(given == &token)",
            "token == Token::from(given)",
            "token == TOKEN",
        ] {
            assert!(token_compare(line).is_some(), "{line}");
        }
        for line in [
            "// a token == another",
            "if kind == Kind::Token {",
            "if name == TOKEN_HEADER {",
            "if tokens.len() == 2 {",
            "if token.len() == 0 {",
            "token.matches(given)",
            "head.token == Once::Missing && open",
            "token == None",
        ] {
            assert!(token_compare(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_machines_path_and_a_registrys_host_are_found() {
        let path = ["see /", "home/ann/x"].concat();
        let host = ["https://index.", "crates.io/x"].concat();
        assert_eq!(leak(&path), Some("a path of one machine"));
        assert_eq!(leak(&host), Some("the host of a package registry"));
        for line in ["crates/core/home/x", "/opt/extensions", "${X}/home/y", "from crates.io", "$HOME/.aws/config"] {
            assert_eq!(leak(line), None, "{line}");
        }
    }

    #[test]
    fn only_what_runs_in_production_is_held_to_the_token_rule() {
        for (path, held) in [
            ("crates/auth/src/token.rs", true),
            ("functions/extension/src/main.rs", true),
            ("crates/auth/src/token/tests.rs", false),
            ("crates/api/tests/story.rs", false),
            ("crates/testkit/src/fake.rs", false),
            ("README.md", false),
        ] {
            assert_eq!(shipped(Path::new(path)), held, "{path}");
        }
    }
}
