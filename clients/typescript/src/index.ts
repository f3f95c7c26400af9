// The package's public names.

export { LockstepClient } from "./client.js";
export {
  AccessError, AuthenticationError, CacheError, ConfigurationError, NetworkError, ParseError, ProviderError,
  ReferencesError, RotationError, SecretNotFoundError, SecretsError, type ReferenceFailure,
} from "./errors.js";
export type {
  ClientOptions, Credential, GetSecretOptions, ListOptions, ListPage, ProviderType, RotationResult, SecretMetadata,
  SecretsClient, SecretValue,
} from "./types.js";
