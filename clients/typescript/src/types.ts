// What callers write and get: the interfaces of the client. Nothing here does anything.

/** Reads secrets from a Lockstep endpoint. */
export interface SecretsClient {
  getSecret(path: string, options?: GetSecretOptions): Promise<SecretValue>;
  /** One part of a value: a top-level JSON key, or a JSON Pointer when it starts with `/`. */
  getSecretKey(path: string, key: string): Promise<string>;
  /** Metadata of what begins with the prefix, from all pages. */
  listSecrets(prefix: string, options?: ListOptions): Promise<SecretMetadata[]>;
  describeSecret(path: string): Promise<SecretMetadata>;
  rotateSecret(path: string): Promise<RotationResult>;
  /** The text with every `{{secret:…}}` replaced; with one that fails, nothing but the list of all that failed. */
  resolveReferences(text: string): Promise<string>;
  invalidateCache(path: string): void;
  invalidateCachePrefix(prefix: string): void;
}

/** A secret. Printing it or turning it into JSON shows everything but the value. */
export interface SecretValue {
  /** The text; base64 where `encoding` says so. */
  readonly value: string;
  /** `base64` when the value is bytes that are no text. */
  readonly encoding: "utf-8" | "base64";
  /** Empty where the provider has no versions. */
  readonly version: string;
  /** `Invalid Date` where the provider does not say. */
  readonly createdAt: Date;
  readonly updatedAt?: Date;
  /** What a read says of it: `tags` and `rotationEnabled` are known to `describeSecret` alone. */
  readonly metadata: SecretMetadata;
  /** The value as bytes, whatever its encoding. */
  bytes(): Uint8Array;
}

/** Facts about a secret, never its value. */
export interface SecretMetadata {
  name: string;
  /** What the provider calls it where that is another text than the name: an ARN, an id. */
  arn?: string;
  description?: string;
  /** Empty where the provider does not say. */
  currentVersion: string;
  /** The labels of the version: `AWSCURRENT` and the like. */
  stages: string[];
  tags: Record<string, string>;
  rotationEnabled: boolean;
  nextRotation?: Date;
  /** `Invalid Date` where the provider does not say. */
  createdAt: Date;
  /** No provider is asked for it, so it is never there. */
  lastAccessed?: Date;
}

/** The alias that the endpoint's configuration gives a provider. */
export type ProviderType = "aws" | "vault" | "azure" | "gcp" | "local" | "simulation" | (string & {});

export interface GetSecretOptions {
  /** A version's id, `current` or `previous`. */
  version?: string;
  /** A label such as `AWSPREVIOUS`; not beside `version`. */
  stage?: string;
  provider?: ProviderType;
  /** Ask the provider, whatever the endpoint holds. */
  skipCache?: boolean;
}

export interface ListOptions {
  /** At most so many; all, unless said. */
  maxResults?: number;
  /** Where an earlier `listPage` ended. */
  nextToken?: string;
  /** Only secrets that have all of these. */
  tags?: Record<string, string>;
  /** Needed where the endpoint has several providers. */
  provider?: ProviderType;
}

/** One page of a list. */
export interface ListPage {
  secrets: SecretMetadata[];
  nextToken?: string;
}

export interface RotationResult {
  /** The provider has taken the order. */
  triggered: boolean;
  /** The version that will be current, where the provider says so already. */
  versionId?: string;
  /** Rotations end later: the endpoint says no more than that one has begun. */
  status: "pending";
}

/** How a caller shows who it is. A function is asked for each request, and once more after a refusal. */
export type Credential =
  | { bearer: string | (() => string | Promise<string>) }
  | { apiKey: string }
  | { localToken: string };

/** What a client is made of. */
export interface ClientOptions {
  /** `https://…`; `http://` only for this machine, or with a `fetch` of one's own. */
  baseUrl: string;
  credential: Credential;
  /** In place of the global one, such as a service binding's: `(request) => env.LOCKSTEP.fetch(request)`. */
  fetch?: (request: Request) => Promise<Response>;
  /** For one call, its tries, pages and batches included, in milliseconds: 1 to 600,000; 10,000 unless said. */
  timeout?: number;
  /** Tries of what may be asked twice: 1 to 10; 3 unless said. */
  attempts?: number;
  /** Keeps a Worker alive for invalidations under way: `ctx.waitUntil`, bound. */
  waitUntil?: (promise: Promise<unknown>) => void;
}
