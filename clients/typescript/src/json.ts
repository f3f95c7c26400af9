// Reading an answer's JSON: every member is checked before it is believed.

import { ProviderError } from "./errors.js";

export type Fields = Record<string, unknown>;

/** An answer that is not what the endpoint writes: most often something else stands at that address. */
export function malformed(what: string, status?: number, requestId?: string): ProviderError {
  return new ProviderError(`this is no answer of a Lockstep endpoint: ${what}`, { code: "malformed", status, requestId });
}

export function object(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(`${what} is no object`);
  return value as Fields;
}

export function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is no list`);
  return value;
}

export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw malformed(`\`${name}\` is no text`);
  return value;
}

/** The text of a member that may be missing. */
export function maybe(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined ? undefined : text(fields, name);
}

/** `Invalid Date` when it is missing. */
export function date(fields: Fields, name: string): Date {
  return new Date(maybe(fields, name) ?? Number.NaN);
}
