// Makes the calls of tests/conformance/calls.json through the TypeScript client, in any runtime, and says what came of each.
// Nothing here is of Node or of workerd.

/** What came of every call, in order. `printed` turns a thing into the text that a log would get. */
export async function outcomes(client, calls, { credential, printed }) {
  const all = [];
  for (const call of calls) {
    const { outcome, held } = await outcomeOf(client, call);
    for (const thing of [client, ...held]) {
      const text = `${printed(thing)}\n${JSON.stringify(thing) ?? ""}\n${String(thing)}\n${thing?.stack ?? ""}`;
      if (text.includes("canary") || text.includes("NBTkFSWQ") || text.includes(credential)) {
        throw new Error(`a value or a credential is printed: ${call.sentence}`);
      }
    }
    all.push(outcome);
  }
  return all;
}

async function outcomeOf(client, call) {
  try {
    const [value, held] = await made(client, call);
    return { outcome: { value }, held: held === undefined ? [] : [held] };
  } catch (error) {
    if (typeof error?.code !== "string") throw error;
    const { code, status, requestId, failures } = error;
    const outcome = { error: { kind: error.constructor.name, code, status, requestId: typeof requestId === "string", failures } };
    return { outcome, held: [error] };
  }
}

/** The value to compare, and what a caller could print by mistake. */
async function made(client, { call, path, key, text, options }) {
  switch (call) {
    case "getSecret": {
      const secret = await client.getSecret(path, options);
      const { value, encoding, version, createdAt, metadata } = secret;
      const bytes = [...secret.bytes()].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return [{ value, encoding, version, name: metadata.name, hasTime: !Number.isNaN(createdAt.getTime()), bytes }, secret];
    }
    case "getSecretKey":
      return [await client.getSecretKey(path, key)];
    case "listSecrets": {
      const found = await client.listSecrets(path, options);
      return [{ names: found.map(({ name }) => name).sort() }, found];
    }
    case "listPages": {
      const pages = [];
      let nextToken;
      do {
        pages.push(await client.listPage(path, nextToken === undefined ? options : { ...options, nextToken }));
        ({ nextToken } = pages.at(-1));
      } while (nextToken !== undefined);
      const names = pages.flatMap(({ secrets }) => secrets.map(({ name }) => name)).sort();
      return [{ names, isBounded: pages.every(({ secrets }) => secrets.length <= options.maxResults) }, pages];
    }
    case "describeSecret": {
      const { name, tags } = await client.describeSecret(path);
      return [{ name, tags }];
    }
    case "rotateSecret":
      return [{ triggered: (await client.rotateSecret(path)).triggered }];
    case "invalidateCache":
    case "invalidateCachePrefix":
      client[call](path);
      await client.flush();
      return [null];
    case "resolveReferences":
      return [await client.resolveReferences(text)];
    default:
      throw new Error(`there is no call ${call}`);
  }
}
