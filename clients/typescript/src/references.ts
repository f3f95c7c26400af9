// Finding `{{secret:…}}` in a text, and putting values in the references' place. Nothing is asked here.

import type { ReferenceFailure } from "./errors.js";
import { parse, type Wanted } from "./reference.js";

const OPEN = "{{secret:";
const CLOSE = "}}";

/** A piece of a text: as it is, or a reference and where it stands. */
export type Piece = { text: string } | { at: Place; wanted: Wanted } | { at: Place; wrong: string };

export interface Place {
  line: number;
  column: number;
}

/** The pieces of a text, in one pass from its beginning. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  const place = placer(text);
  let from = 0;
  for (;;) {
    const open = text.indexOf(OPEN, from);
    if (open < 0) break;
    if (open > from && text[open - 1] === "\\") {
      // `\{{secret:` is the text `{{secret:`.
      found.push({ text: text.slice(from, open - 1) + OPEN });
      from = open + OPEN.length;
      continue;
    }
    found.push({ text: text.slice(from, open) });
    const at = place(open);
    const close = text.indexOf(CLOSE, open);
    if (close < 0) {
      found.push({ at, wrong: "the reference has no end; write `}}` behind it, or `\\{{secret:` if none is meant" });
      return found;
    }
    const inside = text.slice(open + OPEN.length, close);
    const read = parse(inside);
    found.push(typeof read === "string" ? { at, wrong: read } : { at, wanted: read });
    from = close + CLOSE.length;
  }
  found.push({ text: text.slice(from) });
  return found;
}

/** Gives line and column of offsets that only grow. Each character is passed once, however many references a line has. */
function placer(text: string): (offset: number) => Place {
  let [seen, line, column] = [0, 1, 1];
  return (offset) => {
    for (const character of text.slice(seen, offset)) {
      column += 1;
      if (character === "\n") [line, column] = [line + 1, 1];
    }
    seen = offset;
    return { line, column };
  };
}

/** What makes two references one question. */
export function identity({ name, provider, key, version }: Wanted): string {
  return JSON.stringify([name, provider ?? null, key ?? null, version ?? null]);
}

/** What came of a question: a text, or why there is none. */
export type Resolved = { value: string } | { code: string; message: string };

/** The text with its values, or every failure. What is put in is not looked at again. */
export function fill(parts: readonly Piece[], answers: ReadonlyMap<string, Resolved>): string | ReferenceFailure[] {
  const failures: ReferenceFailure[] = [];
  let out = "";
  for (const part of parts) {
    if ("text" in part) {
      out += part.text;
    } else if ("wrong" in part) {
      failures.push({ ...part.at, code: "invalid_reference", message: part.wrong });
    } else {
      const answer = answers.get(identity(part.wanted));
      if (answer === undefined) failures.push({ ...part.at, code: "malformed", message: "it was not answered" });
      else if ("value" in answer) out += answer.value;
      else failures.push({ ...part.at, ...answer });
    }
  }
  return failures.length === 0 ? out : failures;
}
