//! How much structure a secrets file may have, in each of its languages, before or while it is parsed.
//!
//! JSON and TOML are counted first; YAML is counted while it is read, since only its reader knows what an alias stands
//! for.

use lockstep_core::{Bound, Excess, Structure};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use crate::tree::{DEPTH, Fault, Place, TOO_DEEP, TOO_MANY};

/// Checks JSON.
pub(super) fn json(text: &str, members: usize) -> Result<(), Fault> {
    Structure { members, depth: DEPTH }.check(text.as_bytes()).map_err(fault)
}

/// Checks TOML by its tokens. Each part of a dotted key or header is a table, so it counts as a key and as a level. The
/// point of a number and the comma of an inline table count too: it is the bound that matters, not the count.
pub(super) fn toml(text: &str, members: usize) -> Result<(), Fault> {
    let (mut found, mut brackets, mut dots) = (0, 0_usize, 0);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket => (found, brackets) = (found + 1, brackets + 1),
            TokenKind::LeftCurlyBracket => brackets += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => brackets = brackets.saturating_sub(1),
            TokenKind::Dot => (found, dots) = (found + 1, dots + 1),
            TokenKind::Equals | TokenKind::Comma => (found, dots) = (found + 1, 0),
            TokenKind::Newline => dots = 0,
            _ => {}
        }
        let at = token.span().start();
        if brackets + dots > DEPTH {
            return Err(fault(Excess::at(at, text.as_bytes(), Bound::Depth(DEPTH))));
        }
        if found > members {
            return Err(fault(Excess::at(at, text.as_bytes(), Bound::Members(members))));
        }
    }
    Ok(())
}

fn fault(excess: Excess) -> Fault {
    let what = match excess.bound {
        Bound::Members(_) => TOO_MANY,
        Bound::Depth(_) => TOO_DEEP,
    };
    Fault { place: Some(Place { line: excess.line as u64, column: excess.column as u64 }), what }
}
