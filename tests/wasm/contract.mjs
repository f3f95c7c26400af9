// Runs the suite in Node: `node contract.mjs MODULE WORLD`. Its sections go to standard output, as a list in JSON.

import { createRequire } from "node:module";

const [module, world] = process.argv.slice(2);
const { contract } = createRequire(import.meta.url)(module);
// After a panic the suite never comes to its end, and Node has nothing left to do.
process.exitCode = 1;
const ran = await contract(world);
process.exitCode = 0;
process.stdout.write(ran);
