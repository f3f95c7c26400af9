//! YAML (1.2, core schema) into the tree of a file, from a parser's events.
//!
//! Aliases and merge keys are expanded here, so the bounds stand here too: a small file can't become a large tree. The
//! parser beneath hands out events alone; a deserializer over it costs the extension 300 KB.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::vec::IntoIter;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use zeroize::Zeroizing;

use crate::tree::{DEPTH, Entry, Fault, Node, Place, TOO_DEEP, TOO_MANY};

const MAX_ALIASES: usize = 1_000;
/// Bytes of all values, with every alias expanded: twice the largest file.
const MAX_TEXT: usize = 16 << 20;

const INVALID: &str = "this is not valid YAML; write `name: value`, one name per line";
const TOO_LARGE: &str = "this YAML has too many aliases, or too much text behind them; write the values out";

/// Reads one document of at most so many keys, with every alias expanded.
pub(crate) fn parse(text: &str, members: usize) -> Result<Node, Fault> {
    let mut tree = Tree { parts: flatten(text, nodes(members))?.into_iter(), text: 0 };
    match tree.parts.next() {
        Some(root) => tree.node(root, 0),
        None => Ok(Node::Other),
    }
}

/// Scalars, maps and lists that YAML of so many members may have: a key and its value are two, and the map around all of
/// them is one.
fn nodes(members: usize) -> usize {
    members.saturating_mul(2).saturating_add(1)
}

/// What a document is made of, in its order.
#[derive(Clone)]
struct Part {
    what: What,
    place: Place,
}

#[derive(Clone)]
enum What {
    /// Shared by its aliases, and wiped after the last of them.
    Scalar(Kind, Rc<Zeroizing<String>>),
    Map,
    List,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// A number or boolean.
    Verbatim,
    Null,
    /// The key `<<`, whose maps belong to the map that it stands in.
    Merge,
}

fn flatten(text: &str, max_nodes: usize) -> Result<Vec<Part>, Fault> {
    let mut parser = Parser::new_from_str(text);
    let mut parts: Vec<Part> = Vec::new();
    // Where the maps and lists that are still open begin, each with its anchor (0 is none).
    let mut open = Vec::new();
    let mut anchored = BTreeMap::new();
    let (mut documents, mut aliases, mut nodes) = (0, 0, 0);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Fault { place: Some(place(*error.marker())), what: INVALID })?;
        let place = place(span.start);
        let fault = |what| Fault { place: Some(place), what };
        let begin = parts.len();
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(fault("a second document is not valid YAML here; remove the `---` between the two"));
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                let kind = kind(&value, style, tag.as_deref()).map_err(fault)?;
                let value = Rc::new(Zeroizing::new(value.into_owned()));
                parts.push(Part { what: What::Scalar(kind, value), place });
                anchored.insert(anchor, begin..parts.len());
            }
            Event::MappingStart(_, anchor, _) => {
                open.push((anchor, begin));
                parts.push(Part { what: What::Map, place });
            }
            Event::SequenceStart(_, anchor, _) => {
                open.push((anchor, begin));
                parts.push(Part { what: What::List, place });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                parts.push(Part { what: What::End, place });
                if let Some((anchor, begin)) = open.pop() {
                    anchored.insert(anchor, begin..parts.len());
                }
            }
            Event::Alias(anchor) => {
                let Some(range) = anchored.get(&anchor) else {
                    return Err(fault("an alias stands within what it names; write the value out"));
                };
                aliases += 1;
                if aliases > MAX_ALIASES {
                    return Err(fault(TOO_LARGE));
                }
                // Each node has two parts at most.
                if begin + range.len() > 2 * max_nodes {
                    return Err(fault(TOO_MANY));
                }
                parts.extend_from_within(range.clone());
                parts[begin].place = place;
            }
            _ => {}
        }
        nodes += parts[begin..].iter().filter(|part| !matches!(part.what, What::End)).count();
        if nodes > max_nodes {
            return Err(fault(TOO_MANY));
        }
        if open.len() > DEPTH {
            return Err(fault(TOO_DEEP));
        }
    }
    Ok(parts)
}

fn place(mark: Marker) -> Place {
    Place { line: mark.line() as u64, column: mark.col() as u64 + 1 }
}

/// What a scalar is. Tags of YAML's own say it; without one, a scalar that is not in quotes is what it looks like.
fn kind(value: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Kind, &'static str> {
    let plain = style == ScalarStyle::Plain;
    match tag.map(|tag| (tag.core_suffix(), tag)) {
        Some((Some("str"), _)) => Ok(Kind::Text),
        Some((Some("null"), _)) => Ok(Kind::Null),
        Some((Some("bool" | "int" | "float"), _)) => match core_kind(value) {
            Kind::Verbatim => Ok(Kind::Verbatim),
            _ => Err("the value is not what its tag says; leave the tag out"),
        },
        // Base64 is bytes, and text with this tag would pass for the value.
        Some((None, tag)) if tag.suffix() == "binary" => Err("write `{ binary: … }` instead of a tag for bytes"),
        Some((None, tag)) if tag.parts() == ("", "!") => Ok(Kind::Text),
        _ if plain && value == "<<" => Ok(Kind::Merge),
        _ if plain => Ok(core_kind(value)),
        _ => Ok(Kind::Text),
    }
}

/// The core schema's scalars: <https://yaml.org/spec/1.2.2/#1032-tag-resolution>. `yes`, `on` and `1_000` are text.
fn core_kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | ".nan" | ".NaN" | ".NAN" => Kind::Verbatim,
        _ if is_number(text) => Kind::Verbatim,
        _ => Kind::Text,
    }
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(hex) = text.strip_prefix("0x") {
        return !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return !octal.is_empty() && octal.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    }
    let signless = |text| str::strip_prefix(text, ['-', '+']).unwrap_or(text);
    let number = signless(text);
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = signless(exponent);
    matches!(number, ".inf" | ".Inf" | ".INF")
        || (digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()))
            && (digits(exponent) && !exponent.is_empty())
}

/// Builds the nodes.
struct Tree {
    parts: IntoIter<Part>,
    /// Bytes of the values so far.
    text: usize,
}

impl Tree {
    fn node(&mut self, first: Part, depth: usize) -> Result<Node, Fault> {
        match first.what {
            What::Scalar(Kind::Null, _) | What::End => Ok(Node::Other),
            What::Scalar(kind, value) => {
                self.text += value.len();
                if self.text > MAX_TEXT {
                    return Err(Fault { place: Some(first.place), what: TOO_LARGE });
                }
                let value = value.as_str().into();
                Ok(if kind == Kind::Verbatim { Node::Verbatim(value) } else { Node::Text(value) })
            }
            What::Map | What::List if depth == DEPTH => Err(Fault { place: Some(first.place), what: TOO_DEEP }),
            What::Map => self.map(depth + 1).map(Node::Map),
            What::List => {
                let mut items = Vec::new();
                while let Some(part) = self.parts.next() {
                    if matches!(part.what, What::End) {
                        break;
                    }
                    items.push(self.node(part, depth + 1)?);
                }
                Ok(Node::List(items))
            }
        }
    }

    /// The entries of a map whose beginning is read.
    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Fault> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        while let Some(Part { what, place }) = self.parts.next() {
            let place = Some(place);
            match what {
                What::End => break,
                What::Scalar(Kind::Merge, _) => self.merge(depth, place, &mut merged)?,
                What::Scalar(Kind::Text | Kind::Verbatim, key) => {
                    let Some(value) = self.parts.next() else { break };
                    entries.push(Entry { key: key.as_str().to_owned(), place, node: self.node(value, depth)? });
                }
                _ => return Err(Fault { place, what: "a key is text; write `name: value`" }),
            }
        }
        if !merged.is_empty() {
            // A key of the map itself goes before a merged one, and an earlier merged one before a later.
            let mut known: BTreeSet<String> = entries.iter().map(|entry: &Entry| entry.key.clone()).collect();
            entries.extend(merged.into_iter().filter(|entry: &Entry| known.insert(entry.key.clone())));
        }
        Ok(entries)
    }

    /// What stands behind `<<`: a map, or a list of maps.
    fn merge(&mut self, depth: usize, place: Option<Place>, into: &mut Vec<Entry>) -> Result<(), Fault> {
        let mut listed = false;
        while let Some(part) = self.parts.next() {
            match part.what {
                What::Map => {
                    if let Node::Map(entries) = self.node(part, depth)? {
                        into.extend(entries);
                    }
                }
                What::List if !listed => listed = true,
                What::End if listed => break,
                _ => return Err(Fault { place, what: "`<<` takes a map; write `<<: *name`" }),
            }
            if !listed {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
