//! The log of the process, on standard error, and what a panic may print.
//!
//! Only our own events are written. Libraries are left out at every level: what they print at `trace` may hold headers
//! and bodies.

mod lines;

use std::io::{IsTerminal as _, Write as _};

use lockstep_core::{Error, ErrorKind, Result};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use self::lines::Lines;

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Nothing.
    None,
    /// What somebody must look at.
    Error,
    /// And what may become a problem.
    Warn,
    /// And what happens rarely: start, stop, a new login.
    #[default]
    Info,
    /// And every request.
    Debug,
    /// And everything.
    Trace,
}

impl LogLevel {
    /// Reads `none` (or `off`), `error`, `warn`, `info`, `debug` or `trace`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let levels = [
            ("none", Self::None),
            ("off", Self::None),
            ("error", Self::Error),
            ("warn", Self::Warn),
            ("info", Self::Info),
            ("debug", Self::Debug),
            ("trace", Self::Trace),
        ];
        levels.into_iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, level)| level)
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::None => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A line of text, with colours on a terminal only.
    #[default]
    Text,
    /// A line of JSON.
    Json,
}

/// Sets up the log of this process, and [`quiet_panics`].
///
/// # Errors
/// `Internal` when the process has a log already.
pub fn start_log(level: LogLevel, format: LogFormat) -> Result<()> {
    let colours = std::io::stderr().is_terminal();
    tracing::subscriber::set_global_default(subscriber(level, format, colours, std::io::stderr))
        .map_err(|_| Error::new(ErrorKind::Internal, "the log of this process was set up before"))?;
    quiet_panics();
    Ok(())
}

/// From now on a panic prints where it happened and nothing else: its message may hold a value.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic.location().map_or(("?", 0), |location| (location.file(), location.line()));
        if tracing::dispatcher::has_been_set() {
            tracing::error!(target: "lockstep::panic", file, line, "a fault of Lockstep itself: please report it");
        } else {
            // Before there is a log; a failed write has nobody to be told to.
            let _ = writeln!(std::io::stderr(), "a fault of Lockstep itself at {file}:{line}: please report it");
        }
    }));
}

fn subscriber<W>(level: LogLevel, format: LogFormat, colours: bool, out: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = Targets::new().with_target("lockstep", level.filter());
    let layer = tracing_subscriber::fmt::layer().with_writer(out).with_ansi(colours).event_format(Lines::new(format));
    Box::new(tracing_subscriber::registry().with(layer.with_filter(ours)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, format: LogFormat, work: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let out = buffer.clone();
        tracing::subscriber::with_default(subscriber(level, format, false, move || out.clone()), work);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// Break: filter by level alone.
    #[test]
    fn m1_only_our_own_events_are_written_even_at_trace() {
        let text = logged(LogLevel::Trace, LogFormat::Text, || {
            tracing::trace!(target: "lockstep_core::cache", "ours");
            tracing::error!(target: "hyper::proto", "theirs");
        });
        assert!(text.contains("ours") && !text.contains("theirs"), "{text}");
    }

    #[test]
    fn levels_are_read_and_obeyed() {
        assert_eq!(LogLevel::parse("WARN"), Some(LogLevel::Warn));
        assert_eq!(LogLevel::parse("loud"), None);
        let text = logged(LogLevel::Warn, LogFormat::Text, || {
            tracing::info!(target: "lockstep", "quiet");
            tracing::warn!(target: "lockstep", "said");
        });
        assert!(text.contains("said") && !text.contains("quiet"), "{text}");
        assert_eq!(logged(LogLevel::None, LogFormat::Text, || tracing::error!(target: "lockstep", "x")), "");
    }

    /// Break: `with_ansi(true)`, in `subscriber`, or write text for JSON too, in `Lines`.
    #[test]
    fn m6_json_is_one_line_per_event_and_text_escapes_the_terminal() {
        let event = || tracing::info!(target: "lockstep", name = "a\n\u{1b}[31m", "got");
        let json = logged(LogLevel::Info, LogFormat::Json, event);
        assert_eq!(json.lines().count(), 1, "{json}");
        assert!(json.starts_with('{') && json.contains(r"a\n\u001b[31m"), "{json}");
        let text = logged(LogLevel::Info, LogFormat::Text, event);
        assert!(text.lines().count() == 1 && !text.contains('\u{1b}'), "{text}");
    }

    /// Every kind of value, in both formats, behind the time. Break: any line of `json`, or any method
    /// of `Object`.
    #[test]
    fn m6_both_formats_write_every_kind_of_value() {
        let event = || {
            let span = tracing::info_span!(target: "lockstep::span", "work", id = 7, name = "a b");
            let _inside = span.enter();
            let error = std::io::Error::other("broken \"pipe\"");
            tracing::warn!(
                target: "lockstep::native",
                text = "a\"b\u{7f}\u{e9}",
                debug = ?Some("x"),
                display = %"y z",
                yes = true,
                small = -5_i64,
                large = u64::MAX,
                larger = u128::MAX,
                half = 0.5,
                whole = 3.0,
                none = f64::NAN,
                error = &error as &(dyn std::error::Error + 'static),
                r#type = "raw",
                "said {}",
                1
            );
            tracing::error!(target: "lockstep", "no fields");
            tracing::info!(target: "lockstep", fields = "alone");
        };
        let behind_the_time = |format| {
            let lines = logged(LogLevel::Info, format, event);
            let cut = lines.lines().map(|line| {
                let (time, rest) = line.split_once('Z').unwrap();
                assert_eq!(
                    time.trim_start_matches(r#"{"timestamp":""#).len(),
                    "2000-01-01T00:00:00.000000".len(),
                    "{line}"
                );
                format!("{rest}\n")
            });
            cut.collect::<String>()
        };
        let json = concat!(
            r#"","level":"WARN","message":"said 1","text":"a\"b"#,
            "\u{7f}\u{e9}",
            r#"","debug":"Some(\"x\")","display":"y z","yes":true,"small":-5,"large":18446744073709551615,"#,
            r#""larger":"340282366920938463463374607431768211455","half":0.5,"whole":3.0,"none":null,"#,
            r#""error":"broken \"pipe\"","type":"raw","target":"lockstep::native"}"#,
            "\n",
            r#"","level":"ERROR","message":"no fields","target":"lockstep"}"#,
            "\n",
            r#"","level":"INFO","fields":"alone","target":"lockstep"}"#,
            "\n",
        );
        assert_eq!(behind_the_time(LogFormat::Json), json);
        let text = concat!(
            "  WARN work{id=7 name=\"a b\"}: lockstep::native: said 1 text=\"a\\\"b\\u{7f}\u{e9}\" debug=Some(\"x\") display=y z ",
            "yes=true small=-5 large=18446744073709551615 larger=340282366920938463463374607431768211455 half=0.5 ",
            "whole=3.0 none=NaN error=broken \"pipe\" type=\"raw\"\n",
            " ERROR work{id=7 name=\"a b\"}: lockstep: no fields\n",
            "  INFO work{id=7 name=\"a b\"}: lockstep: fields=\"alone\"\n",
        );
        assert_eq!(behind_the_time(LogFormat::Text), text);
    }

    /// Break: print the payload in the hook.
    #[test]
    fn m1_a_panic_prints_where_and_not_what() {
        let text = logged(LogLevel::Info, LogFormat::Text, || {
            quiet_panics();
            let caught = std::panic::catch_unwind(|| panic!("canary-{}", 7));
            let _ = std::panic::take_hook();
            assert!(caught.is_err());
        });
        assert!(text.contains("log.rs") && !text.contains("canary"), "{text}");
    }
}
