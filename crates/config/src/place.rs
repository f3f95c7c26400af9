//! [`Place`]: where a setting was written, so that every problem can say where to look.

use std::fmt;
use std::sync::Arc;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line and column of a text, both counted from 1; columns count characters.
    Text {
        /// The file's path, or the name of the variable that held the text.
        file: Arc<str>,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An environment variable.
    Variable(Arc<str>),
    /// Nobody wrote it: a default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Default => f.write_str("defaults"),
        }
    }
}

/// Turns byte offsets of one text into places.
pub(crate) struct Lines<'a> {
    file: Arc<str>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(file: &str, text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), text, starts }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        self.at(line, column)
    }

    pub(crate) fn at(&self, line: usize, column: usize) -> Place {
        Place::Text { file: Arc::clone(&self.file), line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let lines = Lines::new("a.toml", "é = 1\n\nb = 2");
        for (offset, expected) in
            [(0, "a.toml:1:1"), (3, "a.toml:1:3"), (7, "a.toml:2:1"), (8, "a.toml:3:1"), (99, "a.toml:3:6")]
        {
            assert_eq!(lines.place(offset).to_string(), expected);
        }
    }
}
