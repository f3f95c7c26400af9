// Why a call failed: one class for each kind of remedy, and the table that turns the endpoint's codes into them.
// No error holds a value, a credential or a body.

/** What the endpoint said, as far as it is repeated. */
export interface Details {
  /** The stable word: the endpoint's, or this client's own. */
  code: string;
  /** The HTTP status; none when there was no answer. */
  status?: number | undefined;
  /** The id under which the endpoint's log and audit have it. */
  requestId?: string | undefined;
  /** How long to wait before the next try, in milliseconds. */
  retryAfter?: number | undefined;
}

/** Every error of this client. */
export class SecretsError extends Error {
  readonly code: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** In milliseconds, when the endpoint has said how long to wait. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: Details) {
    super(details.requestId === undefined ? message : `${message} (request ${details.requestId})`);
    this.name = new.target.name;
    this.code = details.code;
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfter = details.retryAfter;
  }
}

/** The client or the request is set up wrongly. */
export class ConfigurationError extends SecretsError {}
/** The endpoint does not know who calls. */
export class AuthenticationError extends SecretsError {}
/** There is no such secret, version or key. */
export class SecretNotFoundError extends SecretsError {}
/** The caller may not do this, or the provider may not decrypt it. */
export class AccessError extends SecretsError {}
/** No rotation, or one is under way. */
export class RotationError extends SecretsError {}
/** The provider, or the endpoint itself, can't answer. */
export class ProviderError extends SecretsError {}
/** An invalidation did not reach the endpoint. */
export class CacheError extends SecretsError {}
/** A name, key, version, reference or answer can't be read. */
export class ParseError extends SecretsError {}
/** No connection, or no answer in time. */
export class NetworkError extends SecretsError {}

/** A reference that could not be replaced, and where it stands. Lines and columns (in characters) count from 1. */
export interface ReferenceFailure {
  line: number;
  column: number;
  code: string;
  message: string;
}

/** Some references of a text could not be replaced: all of them are listed. */
export class ReferencesError extends ParseError {
  readonly failures: readonly ReferenceFailure[];

  constructor(failures: readonly ReferenceFailure[], requestId?: string) {
    const lines = failures.map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`);
    super(`${failures.length} of the references can't be resolved\n${lines.join("\n")}`, {
      code: "unresolved_references",
      requestId,
    });
    this.failures = failures;
  }
}

type Kind = new (message: string, details: Details) => SecretsError;

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["unauthenticated", AuthenticationError],
  ["bad_token", AuthenticationError],
  ["login_unavailable", AuthenticationError],
  ["denied", AccessError],
  ["decrypt", AccessError],
  ["forbidden_host", AccessError],
  ["forbidden_origin", AccessError],
  ["not_found", SecretNotFoundError],
  ["version_not_found", SecretNotFoundError],
  ["deleted", SecretNotFoundError],
  ["destroyed", SecretNotFoundError],
  ["rotation_in_progress", RotationError],
  ["rotation_not_configured", RotationError],
  ["invalid_name", ParseError],
  ["invalid_reference", ParseError],
  ["invalid_target", ParseError],
  ["invalid_parameter", ConfigurationError],
  ["config", ConfigurationError],
  ["forwarded", ConfigurationError],
  ["no_such_route", ConfigurationError],
  ["method_not_allowed", ConfigurationError],
  ["network", NetworkError],
  ["tls", NetworkError],
  ["timeout", NetworkError],
]);

/** The error for a code of the endpoint; of one that is not known, the status decides. */
export function errorOf(message: string, details: Details): SecretsError {
  const known = KINDS.get(details.code);
  const byStatus = details.status === 401 ? AuthenticationError : details.status === 403 ? AccessError : ProviderError;
  return new (known ?? byStatus)(message, details);
}
