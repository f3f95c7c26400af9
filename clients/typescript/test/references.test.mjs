// What is taken for a reference, and what reading a text costs: nothing is asked.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const dist = process.env.LOCKSTEP_CLIENT_DIST ?? new URL("../dist", import.meta.url).pathname;
const { pieces } = await import(pathToFileURL(`${dist}/references.js`).href);
const { parse } = await import(pathToFileURL(`${dist}/reference.js`).href);

/** How many characters the methods of texts pass while `body` runs. */
function passed(body) {
  const own = Object.fromEntries(["indexOf", "lastIndexOf", "slice", "split"].map((name) => [name, String.prototype[name]]));
  let count = 0;
  String.prototype.indexOf = function (what, from = 0) {
    const at = own.indexOf.call(this, what, from);
    count += (at < 0 ? this.length : at) - from;
    return at;
  };
  String.prototype.lastIndexOf = function (what, from = this.length) {
    const at = own.lastIndexOf.call(this, what, from);
    count += from - Math.max(at, 0);
    return at;
  };
  String.prototype.slice = function (...range) {
    const cut = own.slice.call(this, ...range);
    count += cut.length;
    return cut;
  };
  String.prototype.split = function (...how) {
    count += this.length;
    return own.split.call(this, ...how);
  };
  try {
    body();
  } finally {
    Object.assign(String.prototype, own);
  }
  return count;
}

// Break: count the column from the line's beginning, or look for the next line's beginning at each reference.
test("a text of twice the length costs twice as much, whatever stands in it", () => {
  for (const part of ["{{secret:a}}", "{{secret:}}", "{{secret:a}} ü", "\\{{secret:", "\n{{secret:a}}", "{{secret:{{secret:a}}", "{{secret:a"]) {
    for (const end of ["", "\n", "}}"]) {
      const [once, twice] = [500, 1000].map((times) => passed(() => pieces(part.repeat(times) + end)));
      assert.ok(once > 0 && twice <= 2.2 * once, `${JSON.stringify(part)}: ${once}, then ${twice}`);
    }
  }
});

// Break: count UTF-16 units, or leave the line's end out.
test("a place is told in lines and characters", () => {
  const places = pieces("🔑ü{{secret:a}}\r\n\n\t🔑{{secret:b}}{{secret:c}} {{secret:d").flatMap(({ at }) => (at ? [at] : []));
  const expected = [[1, 3], [3, 3], [3, 15], [3, 28]].map(([line, column]) => ({ line, column }));
  assert.deepEqual(places, expected);
});

// Break: any rule in reference.ts.
test("a reference is read and refused as the endpoint does it", () => {
  const cases = JSON.parse(readFileSync(new URL("../../../tests/conformance/references.json", import.meta.url), "utf8"));
  const writtenOut = (text) => text?.replace(/<([^*>]+)\*(\d+)>/g, (_, part, times) => part.repeat(Number(times)));
  assert.ok(cases.read.length > 50 && cases.refused.length > 150);
  for (const { text, name, alias, key, selector } of cases.read) {
    const expected = { name, provider: alias, key, version: selector };
    const known = Object.entries(expected).flatMap(([part, value]) => (value === undefined ? [] : [[part, writtenOut(value)]]));
    assert.deepEqual(parse(writtenOut(text)), Object.fromEntries(known), text);
  }
  for (const { text, wrong } of cases.refused) {
    const said = parse(writtenOut(text));
    assert.ok(typeof said === "string" && said.includes(cases.says[wrong]), `${JSON.stringify(text)}: ${typeof said}`);
  }
});

// A request that holds one would be refused as a whole. Break: `Cs` in `INVISIBLE`.
test("half of a surrogate pair is no character of a reference", () => {
  for (const text of ["a\ud800", "\udc00a", "a#\ud800", "a@\ud800"]) assert.equal(typeof parse(text), "string");
  assert.deepEqual(parse("a\ud83d\udd11"), { name: "a🔑" });
});
