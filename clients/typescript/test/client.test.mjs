// What the client does with an endpoint that misbehaves: a server made for each test answers from a list.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { inspect } from "node:util";
import { pathToFileURL } from "node:url";

const dist = process.env.LOCKSTEP_CLIENT_DIST ?? new URL("../dist", import.meta.url).pathname;
const { LockstepClient, ...names } = await import(pathToFileURL(`${dist}/index.js`).href);

const TOKEN = "token-of-the-caller";
const SECRET = { name: "db", provider: "aws", value: "hunter2", encoding: "utf-8", version: "1", labels: [] };

const json = (body, status = 200, headers = {}) => ({ status, body: JSON.stringify(body), headers });
const problem = (status, code, headers = {}) =>
  json({ title: "A title", detail: "a detail", code, status, request_id: "r-1" }, status, {
    "content-type": "application/problem+json", "x-request-id": "r-1", ...headers,
  });

/** Runs `body` with a client of a server that gives these answers, the last one again and again. */
async function against(answers, body, options = {}) {
  const seen = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
      const answer = answers[Math.min(seen.length, answers.length) - 1];
      if (answer === "hang") return;
      if (answer === "cut") return void request.socket.destroy();
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(answer.body);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const baseUrl = `http://127.0.0.1:${server.address().port}`;
    await body(new LockstepClient({ baseUrl, credential: { bearer: TOKEN }, ...options }), seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const fails = (promise, kind, code) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.constructor.name, kind);
    assert.ok(error instanceof names.SecretsError && error instanceof Error);
    assert.equal(error.name, kind);
    assert.equal(error.code, code);
    return true;
  });

// Break: `repeatable` of a read, or `mayPass`.
test("what may be asked twice is asked again when that may help, and no more often than allowed", async () => {
  for (const answer of [problem(503, "unavailable"), problem(429, "rate_limited"), "cut"]) {
    await against([answer, answer, json(SECRET)], async (client, seen) => {
      assert.equal((await client.getSecret("db")).value, "hunter2");
      assert.equal(seen.length, 3);
    });
    await against([answer], async (client, seen) => {
      await assert.rejects(client.getSecret("db"));
      assert.equal(seen.length, 2);
    }, { attempts: 2 });
  }
});

// Break: `repeatable: false` of a rotation, or a status more in `mayPass`.
test("a rotation, and what another try can't mend, is asked once", async () => {
  for (const answer of [problem(503, "unavailable"), "cut"]) {
    await against([answer, json({ name: "db" })], async (client, seen) => {
      await assert.rejects(client.rotateSecret("db"));
      assert.equal(seen.length, 1);
    });
  }
  for (const [status, code, kind] of [
    [404, "not_found", "SecretNotFoundError"], [403, "denied", "AccessError"], [401, "unauthenticated", "AuthenticationError"],
    [400, "invalid_name", "ParseError"], [409, "rotation_in_progress", "RotationError"], [502, "provider_denied", "ProviderError"],
    [504, "timeout", "NetworkError"], [418, "new_word", "ProviderError"], [500, "config", "ConfigurationError"],
  ]) {
    await against([problem(status, code), json(SECRET)], async (client, seen) => {
      await fails(client.getSecret("db"), kind, code);
      assert.equal(seen.length, 1);
    });
  }
});

// Break: leave `retryAfter` out of `send`.
test("Retry-After is kept, and one that is longer than the call's time ends it", async () => {
  await against([problem(503, "throttled", { "retry-after": "3600" })], async (client, seen) => {
    await assert.rejects(client.getSecret("db"), (error) => error.retryAfter === 3_600_000 && error.requestId === "r-1");
    assert.equal(seen.length, 1);
  });
  await against([problem(503, "throttled", { "retry-after": "0" }), json(SECRET)], async (client) => {
    assert.equal((await client.getSecret("db")).value, "hunter2");
  });
});

// Break: leave `ended` out of the race.
test("a call ends in time, whatever it waits for", { timeout: 20_000 }, async () => {
  const never = () => new Promise(() => {});
  for (const options of [{}, { fetch: never }, { credential: { bearer: never } }]) {
    await against(["hang"], (client) => fails(client.getSecret("db"), "NetworkError", "timeout"), { timeout: 200, ...options });
  }
});

// Time passes where an answer comes, and nowhere else. Break: ask `deadline` for each page, or for each batch.
test("all pages of a list, and all batches of references, have the time of one call", async () => {
  const now = Date.now;
  for (const [call, asked] of [
    [(client) => client.listSecrets("p"), [1, 1, 1]],
    // Four batches are under way at once.
    [(client) => client.resolveReferences(Array.from({ length: 400 }, (_, at) => `{{secret:n${at}}}`).join("")), [4, 4, 4]],
  ]) {
    let [passed, rounds, seen] = [0, [], 0];
    const fetch = async (request) => {
      const text = await request.text();
      if (rounds.at(-1)?.at !== passed) rounds.push({ at: passed, count: 0 });
      rounds.at(-1).count += 1;
      seen += 1;
      const from = passed;
      await new Promise((resolve) => setTimeout(resolve, 5));
      passed = Math.max(passed, from + 4_000);
      const next = seen < 50 ? { next: String(seen) } : {};
      return Response.json(text === "" ? { secrets: [], ...next } : { results: JSON.parse(text).secrets.map(() => ({ secret: SECRET })) });
    };
    const client = new LockstepClient({ baseUrl: "http://bound", credential: { bearer: TOKEN }, fetch });
    Date.now = () => now() + passed;
    try {
      await fails(call(client), "NetworkError", "timeout");
    } finally {
      Date.now = now;
    }
    assert.deepEqual(rounds.map(({ count }) => count), asked);
  }
});

// Break: `#begun` asks for `deadline` after it has waited.
test("a read waits for what is to be forgotten in its own time", async () => {
  const now = Date.now;
  let passed = 0;
  const asked = [];
  const fetch = async (request) => {
    asked.push(new URL(request.url).pathname);
    passed += 12_000;
    return Response.json(SECRET);
  };
  const client = new LockstepClient({ baseUrl: "http://bound", credential: { bearer: TOKEN }, fetch });
  Date.now = () => now() + passed;
  try {
    client.invalidateCache("db");
    await fails(client.getSecret("db"), "NetworkError", "timeout");
  } finally {
    Date.now = now;
  }
  assert.deepEqual(asked, ["/api/v1/invalidate"]);
});

// Break: leave `#renews` out of `send`.
test("a function is asked for another token after a refusal, once", async () => {
  const given = [];
  const bearer = async () => {
    given.push(given.length);
    return `token-${given.length}`;
  };
  await against([problem(401, "unauthenticated"), json(SECRET)], async (client, seen) => {
    await client.getSecret("db");
    assert.deepEqual(seen.map(({ headers }) => headers.authorization), ["Bearer token-1", "Bearer token-2"]);
  }, { credential: { bearer } });
  await against([problem(401, "unauthenticated")], async (client, seen) => {
    await fails(client.getSecret("db"), "AuthenticationError", "unauthenticated");
    assert.equal(seen.length, 2);
  }, { credential: { bearer } });
  await against([json(SECRET)], (client) => fails(client.getSecret("db"), "AuthenticationError", "token_failed"), {
    credential: { bearer: () => { throw new Error(TOKEN); } },
  });
});

test("each credential goes into its header", async () => {
  for (const [credential, header, value] of [
    [{ apiKey: "lks_app_x" }, "authorization", "Bearer lks_app_x"],
    [{ localToken: "local" }, "x-aws-parameters-secrets-token", "local"],
  ]) {
    await against([json(SECRET)], async (client, seen) => {
      await client.getSecret("db");
      assert.equal(seen[0].headers[header], value);
    }, { credential });
  }
});

// Break: `redirect: "manual"`.
test("a redirect is not followed", async () => {
  await against([{ status: 307, body: "", headers: { location: "/elsewhere" } }, json(SECRET)], async (client, seen) => {
    await assert.rejects(client.getSecret("db"), names.ProviderError);
    assert.equal(seen.length, 1);
  });
});

// Break: put the body, or what a parser says, into a message; make `#value` a plain field.
test("no value and no credential is printed", async () => {
  const shown = (thing) => `${inspect(thing, { depth: 9, showHidden: true })}${JSON.stringify(thing)}${thing}${thing.stack}`;
  const quiet = (thing) => assert.ok(!/hunter2|token-of/.test(shown(thing)), shown(thing));
  await against([json(SECRET)], async (client) => {
    quiet(client);
    quiet(await client.getSecret("db"));
  });
  for (const answer of [
    { status: 200, body: '{"value":"hunter2"', headers: {} },
    { status: 200, body: '"hunter2"', headers: {} },
    json({ ...SECRET, encoding: "hunter2" }),
    json({ value: "hunter2" }),
    json({ code: "hunter2", detail: "hunter2" }, 500),
  ]) {
    await against([answer], async (client) => {
      const error = await client.getSecret("db").then(() => assert.fail(), (error) => error);
      assert.ok(error instanceof names.SecretsError, String(error));
      quiet(error);
    });
  }
  await against([json(SECRET)], async (client) => {
    const error = await client.getSecret("db").catch((error) => error);
    assert.equal(error.code, "invalid_credential");
    quiet(error);
  }, { credential: { bearer: `${TOKEN}\nhunter2` } });
});

// Break: leave `#settled` out of `#begun`.
test("a read waits for what is forgotten before it, and flush tells what was not", async () => {
  await against([json({ invalidated: 1 }), json(SECRET)], async (client, seen) => {
    assert.equal(client.invalidateCache("db"), undefined);
    await client.getSecret("db");
    assert.deepEqual(seen.map(({ url }) => url), ["/api/v1/invalidate", "/api/v1/secrets?name=db"]);
    assert.equal(seen[0].body, '{"name":"db"}');
    await client.flush();
  });
  await against([problem(403, "denied")], async (client) => {
    client.invalidateCachePrefix("db");
    await fails(client.flush(), "CacheError", "denied");
    await client.flush();
  });
});

// Break: `BATCH`, or leave out the check of a batch's length.
test("references are asked for once each, in batches", async () => {
  const answer = (request) => JSON.parse(request.body).secrets.map((one) => ({ name: one.name, secret: { ...SECRET, value: one.name } }));
  const seen = [];
  const client = new LockstepClient({
    baseUrl: "http://bound",
    credential: { bearer: TOKEN },
    fetch: async (request) => {
      seen.push({ body: await request.text() });
      return Response.json({ results: answer(seen.at(-1)) });
    },
  });
  const many = Array.from({ length: 45 }, (_, at) => `{{secret:n${at}}}`).join(" ");
  assert.equal(await client.resolveReferences(`${many}\n${many}`), `${many}\n${many}`.replace(/\{\{secret:(n\d+)\}\}/g, "$1"));
  assert.deepEqual(seen.map(({ body }) => JSON.parse(body).secrets.length).sort(), [20, 20, 5].sort());
  await against([json({ results: [] })], (client) => fails(client.resolveReferences("{{secret:a}}"), "ProviderError", "malformed"));
});

test("a client is set up rightly or not at all", () => {
  for (const options of [
    { baseUrl: "no address" }, { baseUrl: "ftp://host" }, { baseUrl: "http://host" }, { baseUrl: "https://u:p@host" },
    { baseUrl: "https://host/?token=x" }, { baseUrl: "https://host", timeout: 0 }, { baseUrl: "https://host", attempts: 11 },
    { baseUrl: "https://host", timeout: Number.NaN },
  ]) {
    assert.throws(() => new LockstepClient({ credential: { bearer: TOKEN }, ...options }), names.ConfigurationError);
  }
  for (const baseUrl of ["https://host/base/", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"]) {
    assert.ok(new LockstepClient({ baseUrl, credential: { bearer: TOKEN } }));
  }
});

test("two ways to say which version are one too many", async () => {
  await against([json(SECRET)], async (client, seen) => {
    await fails(client.getSecret("db", { version: "1", stage: "AWSPREVIOUS" }), "ConfigurationError", "invalid_option");
    assert.equal(seen.length, 0);
  });
});
