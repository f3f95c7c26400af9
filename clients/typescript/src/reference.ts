// One reference, `[alias://]name[#key][@selector]`: its parts, or what is wrong with it. The rules are the endpoint's own,
// and tests/conformance/references.json has them case by case. A message never repeats the text, since a value may stand
// there by mistake.

/** Bytes of UTF-8, and levels of a key. */
const MAX = { reference: 16 * 1024, name: 2048, key: 1024, levels: 32, selector: 256 };
const ENCODED: ReadonlyMap<string, string> = new Map([["%23", "#"], ["%40", "@"], ["%7d", "}"], ["%25", "%"]]);
/** Words that look like a provider and are an address. */
const ADDRESSES = ["http", "https", "ws", "wss", "ftp", "tcp", "unix"];
/** What other tools let a reference set. Here only the endpoint's configuration does. */
const PARAMETERS = [
  "address=", "endpoint=", "proto=", "profile=", "token=", "token_env=", "token_file=", "role_arn=", "role_id=",
  "secret_id=", "secret_id_file=",
];
/** Controls, what nobody can see, and halves of a surrogate pair. */
const INVISIBLE = new RegExp(
  "[\\p{Cc}\\p{Cs}\\p{Noncharacter_Code_Point}\\xAD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B-\\u200F" +
    "\\u2028-\\u202E\\u2060-\\u206F\\u2800\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF0-\\uFFFD\\u{13430}-\\u{1345F}" +
    "\\u{1BCA0}-\\u{1BCA3}\\u{1D173}-\\u{1D17A}\\u{E0000}-\\u{E0FFF}]",
  "u",
);
/** What is read as a separator or a space, and is another character. */
const LOOKALIKE = new RegExp(
  "[\\u02D0\\u0337\\u0338\\u0589\\u05C3\\u0701\\u0702\\u1680\\u1735\\u2041\\u2044\\u2215\\u2216\\u2236\\u2571\\u27CB\\u27CD" +
    "\\u29F5\\u29F8\\u29F9\\u3033\\u31D3\\u31D4\\uA4F8\\uA4FD\\uA789\\u{1D20F}\\u{1D23A}\\u{1D23B}]",
  "u",
);

/** What is asked for a reference. */
export interface Wanted {
  name: string;
  provider?: string;
  key?: string;
  version?: string;
}

/** Reads what stands between the braces; a text says what is wrong with it. */
export function parse(inside: string): Wanted | string {
  if (isLonger(inside, MAX.reference)) return `the reference is longer than ${MAX.reference} bytes`;
  if (inside.includes("?")) return PARAMETER;
  if (inside.includes("}")) return "a `}` ends a reference; write `%7D` if it belongs to the name";
  const [head = "", selector, moreSelectors] = inside.split("@");
  if (moreSelectors !== undefined) return "a reference has one `@selector`, at its end; write `%40` for an `@` inside a name or key";
  const [place = "", key, moreKeys] = head.split("#");
  if (moreKeys !== undefined || selector?.includes("#") === true) {
    return "a reference has one `#key`; write `%23` for a `#` inside a name or key, and the key before `@selector`";
  }
  const scheme = place.indexOf("://");
  const alias = scheme < 0 ? undefined : place.slice(0, scheme);
  const parts = [scheme < 0 ? place : place.slice(scheme + 3), key, selector].map(decode);
  if (parts.includes(null)) return "only `%23` (#), `%40` (@), `%7D` (}) and `%25` (%) stand for a character; write any other as it is";
  const [name = "", wantedKey, version] = parts as (string | undefined)[];
  const wrong = wrongAlias(alias) ?? wrongName(name) ?? wrongKey(wantedKey) ?? wrongSelector(version);
  if (wrong !== undefined) return wrong;
  const wanted: Wanted = { name };
  if (alias !== undefined) wanted.provider = alias;
  if (wantedKey !== undefined) wanted.key = wantedKey;
  if (version !== undefined) wanted.version = version;
  return wanted;
}

const PARAMETER = "a reference has no parameters; the endpoint's configuration has addresses, credentials and roles";

function wrongAlias(alias: string | undefined): string | undefined {
  if (alias === undefined) return undefined;
  if (ADDRESSES.includes(alias.toLowerCase())) return "a reference names a provider of the endpoint's configuration, not an address";
  if (/^[a-z][a-z0-9_-]{0,62}$/.test(alias)) return undefined;
  return "a provider's alias is 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a letter";
}

function wrongName(name: string): string | undefined {
  if (name.split(/[&;,]/).some((begin) => PARAMETERS.some((word) => begin.startsWith(word)))) return PARAMETER;
  if (name === "" || name === "/") return "the name is empty; write `{{secret:name}}`";
  if (isLonger(name, MAX.name)) return `the name is longer than ${MAX.name} bytes`;
  if (name.includes("\\")) return "the name has a backslash; separate segments with `/`";
  if (INVISIBLE.test(name)) return "the name has a control or invisible character; remove it";
  // Of characters that are younger than the runtime's tables, the endpoint decides.
  if (name.normalize("NFKC") !== name || LOOKALIKE.test(name)) {
    return "the name has a character that is not composed (Unicode NFC), or looks like another; write the plain character";
  }
  if (/%[0-9a-f]{2}/i.test(name)) return "the name has a percent-encoded character; write the character itself";
  for (const segment of name.replace(/^\//, "").split("/")) {
    if (segment === "") return "the name has an empty segment; write `a/b`, without doubled or trailing `/`";
    if (/^\.\.?(;|$)/.test(segment)) return "the name has a `.` or `..` segment; write the whole path of the secret instead";
    if (/^ |[ .]$/.test(segment)) return "a segment of the name ends in a dot, or begins or ends in a space; remove it";
  }
  return undefined;
}

function wrongKey(key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (key === "") return "the key is empty; leave `#` out to read the whole value";
  if (isLonger(key, MAX.key)) return `the key is longer than ${MAX.key} bytes`;
  if (INVISIBLE.test(key)) return "the key has a control or invisible character; remove it";
  if (!key.startsWith("/")) return undefined;
  if (key.split("/").length - 1 > MAX.levels) return `the key goes more than ${MAX.levels} levels deep`;
  return /~(?![01])/.test(key) ? "in a key that starts with `/`, write `~0` for `~` and `~1` for `/`" : undefined;
}

function wrongSelector(selector: string | undefined): string | undefined {
  if (selector === undefined) return undefined;
  const fits = selector !== "" && !isLonger(selector, MAX.selector) && selector.trim() === selector;
  if (fits && !INVISIBLE.test(selector)) return undefined;
  return `after \`@\` stands a version's id, a label, \`current\` or \`previous\`: 1 to ${MAX.selector} bytes, no control characters`;
}

/** In UTF-8. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || new TextEncoder().encode(text).length > bytes;
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
