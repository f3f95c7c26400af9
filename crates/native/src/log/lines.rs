//! [`Lines`]: an event as a line, in either format. One type for both, so that what stands around it is compiled once.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::ser::{CompactFormatter, Compound};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;

/// Writes events in a format.
pub(super) struct Lines {
    text: Format<Full>,
    format: LogFormat,
}

impl Lines {
    pub(super) fn new(format: LogFormat) -> Self {
        Self { text: Format::default(), format }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match self.format {
            LogFormat::Text => self.text.format_event(context, writer, event),
            LogFormat::Json => {
                let line = json(event)?;
                writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
            }
        }
    }
}

/// One object: when, how bad, the fields of the event, and whose it is. The spans that it is within are left out.
fn json(event: &Event<'_>) -> Result<Vec<u8>, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut line);
    let map = serializer.serialize_map(None).map_err(|_| fmt::Error)?;
    let mut object = Object { map, result: Ok(()) };
    object.entry("timestamp", &time);
    object.entry("level", event.metadata().level().as_str());
    event.record(&mut object);
    object.entry("target", event.metadata().target());
    object.result.and_then(|()| object.map.end()).map_err(|_| fmt::Error)?;
    line.push(b'\n');
    Ok(line)
}

/// An object that is being written.
struct Object<'a> {
    map: Compound<'a, &'a mut Vec<u8>, CompactFormatter>,
    result: serde_json::Result<()>,
}

impl Object<'_> {
    fn entry<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        if self.result.is_ok() {
            self.result = self.map.serialize_entry(name, value);
        }
    }
}

/// What JSON has no kind for is written as text.
impl Visit for Object<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.entry(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.entry(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.entry(field.name(), &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.entry(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.entry(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.entry(field.name(), &*format!("{value:?}"));
    }
}
