//! [`Period`] and [`Size`]: durations and sizes as a person writes them, with their unit.
//!
//! The grammar is strict, so that no overflow, sign, fraction or guess can make a time that never ends.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration such as `250ms`, `30s`, `5m`, `1h` or `7d`: one whole number and one unit, at most 30 days. `0` needs no
/// unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Period(Duration);

impl Period {
    /// The longest period that can be written: 30 days.
    pub const MAX: Duration = Duration::from_hours(30 * 24);

    pub(crate) const fn of(duration: Duration) -> Self {
        Self(duration)
    }

    /// The duration.
    pub fn get(self) -> Duration {
        self.0
    }

    /// Whether it is zero, which switches most things off.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::default());
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let duration = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?);
        (duration <= Self::MAX).then_some(Self(duration))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")] {
            if millis != 0 && millis.is_multiple_of(unit) {
                return write!(f, "{}{name}", millis / unit);
            }
        }
        if millis == 0 { f.write_str("0s") } else { write!(f, "{millis}ms") }
    }
}

const PERIOD: &str = "a duration up to 30 days with its unit, such as \"250ms\", \"30s\", \"5m\" or \"1h\"";
const SIZE: &str = "a size up to 16GiB with its unit, such as \"512KiB\" or \"32MiB\"";

/// A size such as `512KiB`, `32MiB` or `1GiB`; a plain number counts bytes. At most 16 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// The largest size that can be written: 16 GiB.
    pub const MAX: u64 = 16 << 30;

    pub(crate) const fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let unit: u64 = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        let bytes = number.parse::<u64>().ok()?.checked_mul(unit)?;
        (bytes <= Self::MAX).then_some(Self(bytes))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{name}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

struct Written<T>(&'static str, fn(&str) -> Option<T>);

impl<T> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.1(text.trim()).ok_or_else(|| E::custom(format!("this can't be read; write {}", self.0)))
    }

    /// Only numbers that mean the same in every unit: `0`, and bytes.
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.1(&number.to_string()).ok_or_else(|| E::custom(format!("this has no unit; write {}", self.0)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Err(E::custom(format!("this number does not fit here; write {}", self.0)))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written(PERIOD, Self::parse))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written(SIZE, Self::parse))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    impl JsonSchema for super::Period {
        fn schema_name() -> Cow<'static, str> {
            "Period".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": format!("Write {}. `0` needs no unit.", super::PERIOD),
                "anyOf": [{ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d)|0)$" }, { "const": 0 }],
            })
        }
    }

    impl JsonSchema for super::Size {
        fn schema_name() -> Cow<'static, str> {
            "Size".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": format!("Write {}.", super::SIZE),
                "anyOf": [
                    { "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)?$" },
                    { "type": "integer", "minimum": 0, "maximum": super::Size::MAX },
                ],
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Break: leave out the bound in `Period::parse`, or take another unit for seconds.
    #[test]
    fn t3_a_period_is_one_number_and_one_unit_and_bounded() {
        for (text, expected) in [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("30d", Some(30 * 86_400_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("31d", None),
            ("5", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("10y", None),
            ("1e99", None),
            ("1e3s", None),
            ("18446744073709551615s", None),
            ("99999999999999999999ms", None),
            ("s", None),
            ("", None),
            ("5 m", None),
            ("5M", None),
            ("1h30m", None),
        ] {
            assert_eq!(Period::parse(text).map(|period| period.get().as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn a_size_is_bytes_or_has_a_binary_unit() {
        for (text, expected) in [
            ("32MiB", Some(32 << 20)),
            ("512KiB", Some(512 << 10)),
            ("16GiB", Some(16 << 30)),
            ("7", Some(7)),
            ("17GiB", None),
            ("32MB", None),
            ("-1", None),
            ("18446744073709551615GiB", None),
        ] {
            assert_eq!(Size::parse(text).map(|size| size.0), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(millis in 0_u64..=30 * 86_400_000, bytes in 0..=Size::MAX) {
            let period = Period(Duration::from_millis(millis));
            prop_assert_eq!(Period::parse(&period.to_string()), Some(period));
            prop_assert_eq!(Size::parse(&Size(bytes).to_string()), Some(Size(bytes)));
        }

        /// Break: leave out the bound in `Period::parse`.
        #[test]
        fn t3_no_text_makes_a_longer_period_than_the_longest(text in "[-+]?[0-9]{0,24}[a-z.]{0,3}") {
            prop_assert!(Period::parse(&text).is_none_or(|period| period.get() <= Period::MAX));
        }
    }
}
