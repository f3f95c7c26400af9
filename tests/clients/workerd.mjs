// The calls in workerd, started and stopped here. Arguments: the folder with `node_modules`, and the built client. Standard
// input and output as in node.mjs.

import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [, , tools, dist] = process.argv;
const { Miniflare } = createRequire(join(tools, "package.json"))("miniflare");
const told = JSON.parse(readFileSync(0, "utf8"));

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lockstep-worker-"));
for (const file of ["worker.mjs", "behind.mjs", "calls.mjs"]) cpSync(join(here, file), join(folder, file));
cpSync(dist, join(folder, "client"), { recursive: true });
process.chdir(folder);

const shared = {
  modules: true,
  modulesRoot: folder,
  modulesRules: [{ type: "ESModule", include: ["**/*.js", "**/*.mjs"] }],
  compatibilityDate: "2026-04-01",
};
const miniflare = new Miniflare({
  host: "127.0.0.1",
  port: 0,
  cf: false,
  workers: [
    { ...shared, name: "caller", scriptPath: join(folder, "worker.mjs"), serviceBindings: { LOCKSTEP: "behind" } },
    { ...shared, name: "behind", scriptPath: join(folder, "behind.mjs"), bindings: { BASE_URL: told.baseUrl } },
  ],
});
try {
  await miniflare.ready;
  const answer = await miniflare.dispatchFetch("http://caller/", { method: "POST", body: JSON.stringify(told) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the Worker failed: ${answer.status} ${text}`);
  console.log(text);
} finally {
  await miniflare.dispose();
  rmSync(folder, { recursive: true, force: true });
}
