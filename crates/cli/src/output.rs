//! [`Output`]: data to standard output, everything else to standard error, as text or JSON.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use lockstep_core::{Error, ErrorKind};
use lockstep_host::Console;
use serde_json::{Value, json};

use crate::arguments::Everywhere;
use crate::failure::{Failure, next_step};

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    colours: bool,
}

impl Output {
    pub(crate) fn new(everywhere: &Everywhere) -> Self {
        Self { json: everywhere.json, quiet: everywhere.quiet, colours: io::stderr().is_terminal() }
    }

    /// Whether standard output is free for others.
    pub(crate) fn console(self) -> Console {
        if self.json { Console::Taken } else { Console::Free }
    }

    /// Whether a person looks at standard output.
    pub(crate) fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Prints data as it is.
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Prints bytes as they are. A reader who went away wants no more, and that is no failure.
    #[expect(clippy::unused_self, reason = "what prints is asked of the output, whatever it needs for it")]
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::new(ErrorKind::Internal, "can't write to standard output").because(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Prints a JSON document on one line.
    pub(crate) fn json(self, value: &Value) -> Result<(), Failure> {
        self.data(&format!("{value}\n"))
    }

    /// Says something to a person, unless they want quiet.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says something that a person must hear.
    #[expect(clippy::unused_self, reason = "what prints is asked of the output, whatever it needs for it")]
    pub(crate) fn say(self, text: &str) {
        // With standard error gone there is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says why the command failed: what, its causes, and the next step.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            self.say(&in_json(failure).to_string());
            return;
        }
        let (red, bold, plain) = if self.colours { ("\x1b[31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let mut text = String::new();
        match failure {
            Failure::Config(problems) => {
                for problem in problems {
                    let _ = writeln!(text, "{red}error:{plain} {}", printable(&problem.to_string()));
                }
            }
            Failure::Reference(error) | Failure::Key(error) | Failure::Verdict(error) | Failure::Error(error) => {
                let _ = writeln!(text, "{red}error:{plain} {}", printable(&error.to_string()));
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    let _ = writeln!(text, "{bold}cause:{plain} {}", printable(&error.to_string()));
                    cause = error.source();
                }
            }
        }
        if let Some(next) = next_step(failure) {
            let _ = writeln!(text, "{bold}next:{plain} {next}");
        }
        self.say(text.trim_end());
    }
}

fn in_json(failure: &Failure) -> Value {
    let kind = failure.kind();
    match failure {
        Failure::Config(problems) => {
            let problems: Vec<_> = problems.iter().map(problem_json).collect();
            json!({ "error": { "code": kind.code(), "problems": problems, "next": next_step(failure) } })
        }
        Failure::Reference(error) | Failure::Key(error) | Failure::Verdict(error) | Failure::Error(error) => {
            json!({ "error": {
            "code": kind.code(),
            "message": error.to_string(),
            "next": next_step(failure),
            "request_id": error.upstream_request_id(),
        } })
        }
    }
}

fn problem_json(problem: &lockstep_config::Problem) -> Value {
    let place = match &problem.place {
        lockstep_config::Place::Text { file, line, column } => {
            json!({ "file": &**file, "line": line, "column": column })
        }
        lockstep_config::Place::Variable(name) => json!({ "variable": &**name }),
        lockstep_config::Place::Default => Value::Null,
    };
    json!({ "place": place, "key": problem.key, "message": problem.message })
}

/// Text that came from elsewhere, safe for a terminal: every character that could steer it is escaped.
pub(crate) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M6: break `printable`.
    #[test]
    fn m6_nothing_from_elsewhere_steers_the_terminal() {
        assert_eq!(printable("a\n\u{1b}[31m\u{202e}é"), "a\\n\\u{1b}[31m\\u{202e}é");
    }
}
