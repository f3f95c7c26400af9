// A secret and its metadata, out of the endpoint's JSON.

import { date, list, malformed, maybe, object, text, type Fields } from "./json.js";
import type { SecretMetadata, SecretValue } from "./types.js";

/** A released secret. The value stands in a private field, which no printer and no JSON shows. */
export class Secret implements SecretValue {
  readonly #value: string;
  readonly encoding: "utf-8" | "base64";
  readonly version: string;
  readonly createdAt: Date;
  readonly metadata: SecretMetadata;

  constructor(fields: Fields) {
    this.#value = text(fields, "value");
    const encoding = text(fields, "encoding");
    if (encoding !== "utf-8" && encoding !== "base64") throw malformed("`encoding` is not known");
    this.encoding = encoding;
    this.metadata = metadata(fields);
    this.version = this.metadata.currentVersion;
    this.createdAt = this.metadata.createdAt;
  }

  get value(): string {
    return this.#value;
  }

  bytes(): Uint8Array {
    if (this.encoding === "utf-8") return new TextEncoder().encode(this.#value);
    return Uint8Array.from(atob(this.#value), (byte) => byte.charCodeAt(0));
  }
}

/** What an answer says of a secret beside its value. */
export function metadata(fields: Fields): SecretMetadata {
  const name = text(fields, "name");
  const found: SecretMetadata = {
    name,
    currentVersion: maybe(fields, "version") ?? "",
    stages: list(fields["labels"] ?? [], "`labels`").map(String),
    tags: {},
    rotationEnabled: fields["rotation_enabled"] === true,
    createdAt: date(fields, "created"),
  };
  for (const [tag, value] of Object.entries(object(fields["tags"] ?? {}, "`tags`"))) {
    // A tag may be called `__proto__`.
    Object.defineProperty(found.tags, tag, { value: String(value), enumerable: true, configurable: true, writable: true });
  }
  const id = maybe(fields, "id");
  if (id !== undefined && id !== name) found.arn = id;
  const description = maybe(fields, "description");
  if (description !== undefined) found.description = description;
  if (fields["next_rotation"] !== undefined) found.nextRotation = date(fields, "next_rotation");
  return found;
}
