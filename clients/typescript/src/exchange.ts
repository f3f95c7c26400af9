// One request and its answer: address, credential, time, tries. It knows nothing of secrets, and the only words it takes
// from an answer that failed are those of a problem document.

import { AuthenticationError, ConfigurationError, errorOf, NetworkError, SecretsError } from "./errors.js";
import { malformed, object, type Fields } from "./json.js";
import type { ClientOptions, Credential } from "./types.js";

/** Bytes of an answer that are read. */
const MAX_ANSWER = 32 * 1024 * 1024;
/** Characters of the endpoint's own words that go into a message. */
const MAX_DETAIL = 500;
const TIMEOUT = { least: 1, most: 600_000, default: 10_000 };
const ATTEMPTS = { least: 1, most: 10, default: 3 };
/** Between two tries, in milliseconds, unless the endpoint says how long; half of it is chance. */
const PAUSE = { first: 100, most: 2_000 };

export interface Ask {
  method: "GET" | "POST";
  path: string;
  query?: readonly (readonly [string, string | undefined])[];
  body?: unknown;
  noCache?: boolean;
  /** Whether it may be asked again when nobody knows what came of it. */
  repeatable: boolean;
}

export interface Said {
  body: Fields;
  requestId: string | undefined;
}

export class Exchange {
  readonly #base: URL;
  readonly #credential: Credential;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #timeout: number;
  readonly #attempts: number;

  constructor(options: ClientOptions) {
    this.#base = base(options.baseUrl, options.fetch !== undefined);
    this.#credential = options.credential;
    this.#fetch = options.fetch ?? ((request) => fetch(request));
    this.#timeout = within(options.timeout, TIMEOUT, "timeout");
    this.#attempts = within(options.attempts, ATTEMPTS, "attempts");
  }

  /** When a call has to have ended that begins now. All of its requests have this one time. */
  deadline(): number {
    return Date.now() + this.#timeout;
  }

  /** Asks, and again where that may help and is allowed. */
  async send(ask: Ask, end: number): Promise<Said> {
    let fresh = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(ask, end);
      } catch (error) {
        if (!(error instanceof SecretsError)) throw error;
        // A token can have ended since it was made: a function is asked for another one, once.
        if (error instanceof AuthenticationError && error.status === 401 && this.#renews() && !fresh) {
          fresh = true;
          continue;
        }
        const pause = error.retryAfter ?? pauseAfter(attempt);
        if (!ask.repeatable || !mayPass(error) || attempt >= this.#attempts || Date.now() + pause >= end) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  #renews(): boolean {
    return "bearer" in this.#credential && typeof this.#credential.bearer === "function";
  }

  /** What comes of the work before then. It ends whatever is waited for: a token's function, or a `fetch` that knows no signal. */
  async before<T>(end: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = () => new NetworkError(`no answer within ${this.#timeout} ms`, { code: "timeout" });
    const left = end - Date.now();
    if (left <= 0) throw late();
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ended = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(late());
        stop.abort();
      }, left);
    });
    try {
      return await Promise.race([work(stop.signal), ended]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** One try. */
  async #once(ask: Ask, end: number): Promise<Said> {
    try {
      return await this.before(end, (signal) => this.#asked(ask, signal));
    } catch (error) {
      if (error instanceof SecretsError) throw error;
      // What a runtime says can hold a header. Its code is a word.
      throw new NetworkError(`no connection to the endpoint${reason(error)}`, { code: "connection_failed" });
    }
  }

  async #asked(ask: Ask, signal: AbortSignal): Promise<Said> {
    const url = new URL(this.#base);
    url.pathname = (url.pathname === "/" ? "" : url.pathname) + ask.path;
    url.search = (ask.query ?? [])
      .filter((pair): pair is readonly [string, string] => pair[1] !== undefined)
      .map(([name, value]) => `${name}=${encode(value)}`)
      .join("&");
    const headers = new Headers({ accept: "application/json" });
    headers.set(...(await header(this.#credential)));
    if (ask.noCache === true) headers.set("cache-control", "no-cache");
    const init: RequestInit = { method: ask.method, headers, redirect: "manual", signal };
    if (ask.body !== undefined) {
      headers.set("content-type", "application/json");
      init.body = JSON.stringify(ask.body);
    }
    const response = await this.#fetch(new Request(url, init));
    return judge(response, await read(response));
  }
}

function base(address: string, hasOwnFetch: boolean): URL {
  const wrong = (what: string) => new ConfigurationError(`baseUrl ${what}`, { code: "invalid_base_url" });
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw wrong("is no address; write https://host");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw wrong("has more than scheme, host and path; a credential goes into `credential`");
  }
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && (isHere || hasOwnFetch))) {
    throw wrong("must begin with https://; http:// is for this machine, or for a `fetch` of your own");
  }
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

function within(given: number | undefined, range: { least: number; most: number; default: number }, name: string): number {
  const value = given ?? range.default;
  if (!Number.isInteger(value) || value < range.least || value > range.most) {
    const message = `${name} must be a whole number from ${range.least} to ${range.most}`;
    throw new ConfigurationError(message, { code: "invalid_option" });
  }
  return value;
}

/** As a component of a URL; half of a surrogate pair, which has no form in UTF-8, is refused. */
function encode(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    throw new ConfigurationError("a name, key or version is no well-formed text", { code: "invalid_option" });
  }
}

async function header(credential: Credential): Promise<[string, string]> {
  const [name, prefix, secret] =
    "localToken" in credential
      ? (["x-aws-parameters-secrets-token", "", credential.localToken] as const)
      : (["authorization", "Bearer ", "apiKey" in credential ? credential.apiKey : await made(credential.bearer)] as const);
  // Checked here, since a runtime's own words about a bad header repeat it.
  if (typeof secret !== "string" || !/^[\x21-\x7e]+$/.test(secret)) {
    const message = "the credential is empty, or has characters that no header can carry";
    throw new ConfigurationError(message, { code: "invalid_credential" });
  }
  return [name, prefix + secret];
}

async function made(bearer: string | (() => string | Promise<string>)): Promise<string> {
  if (typeof bearer === "string") return bearer;
  try {
    return await bearer();
  } catch (error) {
    // What it threw is not repeated: it may quote the token.
    const kind = error instanceof Error ? error.name : typeof error;
    throw new AuthenticationError(`the function that gives the token failed (${kind})`, { code: "token_failed" });
  }
}

/** The whole body, within the limit. */
async function read(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let size = 0;
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > MAX_ANSWER) {
      await reader.cancel();
      throw malformed(`it has more than ${MAX_ANSWER} bytes`, response.status);
    }
    text += decode(decoder, value, response.status);
  }
  return text + decode(decoder, undefined, response.status);
}

function decode(decoder: TextDecoder, bytes: Uint8Array | undefined, status: number): string {
  try {
    return decoder.decode(bytes, { stream: bytes !== undefined });
  } catch {
    throw malformed("it is no UTF-8", status);
  }
}

function judge(response: Response, text: string): Said {
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const status = response.status;
  let body: Fields | undefined;
  try {
    body = object(JSON.parse(text), "the body");
  } catch {
    // The parser's own words can quote the body.
    body = undefined;
  }
  if (response.ok) {
    if (body === undefined) throw malformed("the body is no JSON object", status, requestId);
    return { body, requestId };
  }
  const word = (name: string) => (typeof body?.[name] === "string" ? (body[name] as string).slice(0, MAX_DETAIL) : undefined);
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") === true;
  const code = (isProblem ? word("code") : undefined) ?? `http_${status}`;
  const said = isProblem ? [word("title"), word("detail")].filter((part) => part !== undefined).join(": ") : "";
  throw errorOf(said === "" ? `the endpoint answered ${status}` : said, {
    code,
    status,
    requestId: requestId ?? (isProblem ? word("request_id") : undefined),
    retryAfter: seconds(response.headers.get("retry-after")),
  });
}

/** `Retry-After` in whole seconds, as the endpoint writes it. */
function seconds(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}

/** Whether the same request may be answered a moment later. */
function mayPass(error: SecretsError): boolean {
  return error.status === 429 || error.status === 503 || error.code === "connection_failed";
}

function pauseAfter(attempt: number): number {
  const whole = Math.min(PAUSE.most, PAUSE.first * 2 ** (attempt - 1));
  return whole / 2 + (Math.random() * whole) / 2;
}

function reason(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code) ? ` (${code})` : "";
}
