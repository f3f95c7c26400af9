// The calls in Node. Arguments: the built client. Standard input: { baseUrl, credential, calls }; output: the outcomes.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

import { outcomes } from "./calls.mjs";

const [, , dist] = process.argv;
const { LockstepClient } = await import(pathToFileURL(`${dist}/index.js`).href);
const { baseUrl, credential, calls } = JSON.parse(readFileSync(0, "utf8"));
const client = new LockstepClient({ baseUrl, credential: { bearer: () => credential } });
const printed = (thing) => inspect(thing, { depth: Infinity, showHidden: true });
console.log(JSON.stringify(await outcomes(client, calls, { credential, printed })));
