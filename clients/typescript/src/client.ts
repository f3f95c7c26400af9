// The client: each call becomes requests of the native API, and their answers what the interfaces say.

import { CacheError, ConfigurationError, ParseError, ReferencesError, SecretsError } from "./errors.js";
import { Exchange } from "./exchange.js";
import { list, malformed, maybe, object, type Fields } from "./json.js";
import type { Wanted } from "./reference.js";
import { fill, identity, pieces, type Resolved } from "./references.js";
import { metadata, Secret } from "./secret.js";
import type {
  ClientOptions, GetSecretOptions, ListOptions, ListPage, RotationResult, SecretMetadata, SecretsClient, SecretValue,
} from "./types.js";

/** Secrets asked for in one request: what an endpoint takes unless it is configured for less. */
const BATCH = 20;
/** Batches that are under way at once. */
const AT_ONCE = 4;
/** Pages of one list. An endpoint that never ends one is at fault. */
const MAX_PAGES = 10_000;

/** Reads secrets from a Lockstep endpoint over its native API. It keeps none: the endpoint has the cache. */
export class LockstepClient implements SecretsClient {
  readonly #exchange: Exchange;
  readonly #waitUntil: ((promise: Promise<unknown>) => void) | undefined;
  /** Invalidations under way: reads wait for those that were asked for before them. */
  readonly #pending = new Set<Promise<void>>();
  /** The first one that failed since `flush` was last called. */
  #lost: CacheError | undefined;

  constructor(options: ClientOptions) {
    this.#exchange = new Exchange(options);
    this.#waitUntil = options.waitUntil;
  }

  async getSecret(path: string, options: GetSecretOptions = {}): Promise<SecretValue> {
    return this.#read(path, options, undefined);
  }

  async getSecretKey(path: string, key: string): Promise<string> {
    const part = await this.#read(path, {}, key);
    if (part.encoding !== "utf-8") throw notText();
    return part.value;
  }

  async listSecrets(prefix: string, options: ListOptions = {}): Promise<SecretMetadata[]> {
    const { maxResults, ...rest } = options;
    const found: SecretMetadata[] = [];
    if (maxResults !== undefined && maxResults < 1) return found;
    const end = await this.#begun();
    let nextToken = options.nextToken;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { secrets, nextToken: next } = await this.#page(prefix, nextToken === undefined ? rest : { ...rest, nextToken }, end);
      found.push(...secrets);
      if (maxResults !== undefined && found.length >= maxResults) return found.slice(0, maxResults);
      if (next === undefined) return found;
      nextToken = next;
    }
    throw malformed(`the list has more than ${MAX_PAGES} pages`);
  }

  /** One page of a list; `maxResults` is the most that it may hold. */
  async listPage(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    return this.#page(prefix, options, await this.#begun());
  }

  async #page(prefix: string, options: ListOptions, end: number): Promise<ListPage> {
    const tags = Object.entries(options.tags ?? {}).map(([name, value]) => ["tag", `${name}=${value}`] as const);
    const { body } = await this.#exchange.send({
      method: "GET",
      path: "/api/v1/secrets",
      query: [
        ["prefix", prefix], ["provider", options.provider], ["page", options.nextToken],
        ["limit", options.maxResults?.toString()], ...tags,
      ],
      repeatable: true,
    }, end);
    const secrets = list(body["secrets"], "`secrets`").map((item) => metadata(object(item, "an item")));
    const next = maybe(body, "next");
    return next === undefined ? { secrets } : { secrets, nextToken: next };
  }

  async describeSecret(path: string): Promise<SecretMetadata> {
    const end = await this.#begun();
    const { body } = await this.#exchange.send({
      method: "GET", path: "/api/v1/metadata", query: [["name", path]], repeatable: true,
    }, end);
    return metadata(body);
  }

  /** Asked once, whatever comes of it: nobody knows whether a rotation without an answer has begun. */
  async rotateSecret(path: string): Promise<RotationResult> {
    const { body } = await this.#exchange.send({
      method: "POST", path: "/api/v1/rotate", query: [["name", path]], repeatable: false,
    }, this.#exchange.deadline());
    const versionId = maybe(body, "version");
    return versionId === undefined ? { triggered: true, status: "pending" } : { triggered: true, versionId, status: "pending" };
  }

  async resolveReferences(text: string): Promise<string> {
    const parts = pieces(text);
    const wanted = new Map<string, Wanted>();
    for (const part of parts) {
      if ("wanted" in part) wanted.set(identity(part.wanted), part.wanted);
    }
    const filled = fill(parts, await this.#many([...wanted]));
    if (typeof filled === "string") return filled;
    throw new ReferencesError(filled);
  }

  /** The endpoint forgets the secret. Reads that follow wait for it; `flush` tells whether it was reached. */
  invalidateCache(path: string): void {
    this.#invalidate({ name: path });
  }

  /** The endpoint forgets everything below the prefix. */
  invalidateCachePrefix(prefix: string): void {
    this.#invalidate({ prefix });
  }

  /** Waits for the invalidations that were asked for; fails with the first one that did not reach the endpoint. */
  async flush(): Promise<void> {
    await this.#settled();
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) throw lost;
  }

  #invalidate(body: { name: string } | { prefix: string }): void {
    const ask = { method: "POST", path: "/api/v1/invalidate", body, repeatable: true } as const;
    const sent = this.#exchange.send(ask, this.#exchange.deadline());
    const done: Promise<void> = sent
      .then(
        () => undefined,
        (error: unknown) => {
          const known = error instanceof SecretsError;
          const details = known ? error : { code: "internal" };
          this.#lost ??= new CacheError(`not invalidated: ${known ? error.message : "a fault of this client"}`, {
            code: details.code, ...(known ? { status: error.status } : {}),
          });
        },
      )
      .finally(() => this.#pending.delete(done));
    this.#pending.add(done);
    this.#waitUntil?.(done);
  }

  async #settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** A read begins: it waits for what is to be forgotten before it. When the read has to have ended. */
  async #begun(): Promise<number> {
    const end = this.#exchange.deadline();
    await this.#exchange.before(end, () => this.#settled());
    return end;
  }

  async #read(path: string, options: GetSecretOptions, key: string | undefined): Promise<Secret> {
    const { version, stage, provider, skipCache } = options;
    if (version !== undefined && stage !== undefined) {
      throw new ConfigurationError("`version` and `stage` both say which version: write one", { code: "invalid_option" });
    }
    const end = await this.#begun();
    const { body } = await this.#exchange.send({
      method: "GET",
      path: "/api/v1/secrets",
      query: [["name", path], ["provider", provider], ["version", version ?? stage], ["key", key]],
      noCache: skipCache === true,
      repeatable: true,
    }, end);
    return new Secret(body);
  }

  /** Asks for each of these, some batches at a time. */
  async #many(wanted: readonly (readonly [string, Wanted])[]): Promise<Map<string, Resolved>> {
    const answers = new Map<string, Resolved>();
    if (wanted.length === 0) return answers;
    const end = await this.#begun();
    const batches: (readonly (readonly [string, Wanted])[])[] = [];
    for (let from = 0; from < wanted.length; from += BATCH) batches.push(wanted.slice(from, from + BATCH));
    const workers = Array.from({ length: Math.min(AT_ONCE, batches.length) }, async () => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        const { body } = await this.#exchange.send({
          method: "POST", path: "/api/v1/secrets:batch", body: { secrets: batch.map(([, one]) => one) }, repeatable: true,
        }, end);
        const results = list(body["results"], "`results`");
        if (results.length !== batch.length) throw malformed("a batch has fewer results than were asked for");
        batch.forEach(([id], at) => answers.set(id, resolved(object(results[at], "a result"))));
      }
    });
    await Promise.all(workers);
    return answers;
  }
}

function resolved(result: Fields): Resolved {
  if (result["error"] !== undefined) {
    const error = object(result["error"], "`error`");
    const words = [maybe(error, "title"), maybe(error, "detail")].filter((word) => word !== undefined);
    return { code: maybe(error, "code") ?? "malformed", message: words.join(": ") };
  }
  const secret = new Secret(object(result["secret"], "`secret`"));
  if (secret.encoding === "utf-8") return { value: secret.value };
  const { code, message } = notText();
  return { code, message };
}

function notText(): ParseError {
  return new ParseError("the value is no UTF-8 text; read it with `getSecret`, as bytes", { code: "not_text" });
}
