// Finding `{{secret:[alias://]name[#key][@selector]}}` in a text, and putting values in their place. Nothing is asked
// here. The rules are the endpoint's own; a reference is never repeated in a message, since a value may stand there by
// mistake.

import type { ReferenceFailure } from "./errors.js";

const OPEN = "{{secret:";
const CLOSE = "}}";
/** The longest reference, in UTF-16 units. */
const MAX_REFERENCE = 16 * 1024;
const ENCODED: ReadonlyMap<string, string> = new Map([["%23", "#"], ["%40", "@"], ["%7d", "}"], ["%25", "%"]]);
const ADDRESSES = ["http", "https", "ws", "wss", "ftp", "tcp", "unix"];

/** What is asked for a reference. */
export interface Wanted {
  name: string;
  provider?: string;
  key?: string;
  version?: string;
}

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

/** Reads what stands between the braces; a text says what is wrong with it. */
function parse(inside: string): Wanted | string {
  if (inside.length > MAX_REFERENCE) return "the reference is too long";
  if (inside.includes("?")) return "a reference has no parameters; the endpoint's configuration has them";
  if (inside.includes("}")) return "a `}` ends a reference; write `%7D` if it belongs to the name";
  const [head, selector, moreSelectors] = inside.split("@");
  if (moreSelectors !== undefined) return "a reference has one `@selector`, at its end; write `%40` for an `@` inside a name";
  if (selector?.includes("#") === true) return "the key stands before `@selector`; write `%23` for a `#` inside a name";
  const [place = "", key, moreKeys] = (head ?? "").split("#");
  if (moreKeys !== undefined) return "a reference has one `#key`; write `%23` for a `#` inside a name or key";
  const scheme = place.indexOf("://");
  const provider = scheme < 0 ? undefined : place.slice(0, scheme);
  if (provider !== undefined && ADDRESSES.includes(provider.toLowerCase())) {
    return "a reference names a provider of the endpoint's configuration, not an address";
  }
  const parts = [scheme < 0 ? place : place.slice(scheme + 3), key, selector].map(decode);
  if (parts.includes(null)) return "only `%23` (#), `%40` (@), `%7D` (}) and `%25` (%) stand for a character";
  const [name, decodedKey, version] = parts as (string | undefined)[];
  if (name === undefined || name === "") return "the reference has no name; write `{{secret:name}}`";
  if (decodedKey === "") return "the key is empty; leave `#` out to read the whole value";
  if (version === "") return "after `@` stands a version's id, a label, `current` or `previous`";
  const wanted: Wanted = { name };
  if (provider !== undefined) wanted.provider = provider;
  if (decodedKey !== undefined) wanted.key = decodedKey;
  if (version !== undefined) wanted.version = version;
  return wanted;
}

/** `null` when a `%` begins none of the four. */
function decode(text: string | undefined): string | undefined | null {
  if (text === undefined) return undefined;
  let isBroken = false;
  const decoded = text.replace(/%.{0,2}/gsu, (code) => {
    const plain = ENCODED.get(code.toLowerCase());
    isBroken ||= plain === undefined;
    return plain ?? "";
  });
  return isBroken ? null : decoded;
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
