//! The rows of the table of AWS's error codes.

use lockstep_core::ErrorKind;

use super::Remedy;
use crate::aws::endpoint::Service;

/// One code.
pub(super) struct Row {
    pub(super) codes: &'static [&'static str],
    pub(super) service: Option<Service>,
    pub(super) words: &'static [&'static str],
    pub(super) kind: ErrorKind,
    pub(super) remedy: Remedy,
    pub(super) message: &'static str,
}

const ANY: Row = Row {
    codes: &[],
    service: None,
    words: &[],
    kind: ErrorKind::Malformed,
    remedy: Remedy::None,
    message: "AWS answered with an error that is not documented",
};

const SECRETS_MANAGER: Option<Service> = Some(Service::SecretsManager);
const SSM: Option<Service> = Some(Service::Ssm);
const STS: Option<Service> = Some(Service::Sts);
#[cfg(feature = "aws-dynamodb")]
const DYNAMODB: Option<Service> = Some(Service::DynamoDb);

/// The table. Rows of one service stand before those of all.
pub(super) const ROWS: &[Row] = &[
    // Secrets Manager
    Row {
        codes: &["ResourceNotFoundException"],
        service: SECRETS_MANAGER,
        words: &["secret value for"],
        kind: ErrorKind::VersionNotFound,
        message: "the secret has no such version or staging label; `versions` lists those it has",
        ..ANY
    },
    Row {
        codes: &["ResourceNotFoundException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::NotFound,
        message: "there is no such secret in this account and region",
        ..ANY
    },
    Row {
        codes: &["InvalidRequestException"],
        service: SECRETS_MANAGER,
        words: &["for deletion", "marked deleted"],
        kind: ErrorKind::Deleted,
        message: "the secret is scheduled for deletion; restore it to read it",
        ..ANY
    },
    Row {
        codes: &["InvalidRequestException"],
        service: SECRETS_MANAGER,
        words: &["rotation isn't complete", "rotation in progress", "being rotated", "rotation is in progress"],
        kind: ErrorKind::RotationInProgress,
        message: "a rotation is already under way; wait until it ends, or cancel it",
        ..ANY
    },
    Row {
        codes: &["InvalidRequestException"],
        service: SECRETS_MANAGER,
        words: &["rotation function", "rotation lambda", "rotation is not enabled", "rotation isn't enabled"],
        kind: ErrorKind::RotationNotConfigured,
        message: "the secret has no rotation; set up a rotation function or managed rotation first",
        ..ANY
    },
    Row {
        codes: &["InvalidRequestException"],
        service: SECRETS_MANAGER,
        words: &["VersionStage that is not associated", "staging label that is not associated"],
        kind: ErrorKind::VersionNotFound,
        message: "the version does not have that staging label; `versions` lists them",
        ..ANY
    },
    Row {
        codes: &["InvalidRequestException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::Conflict,
        message: "the secret's state does not allow this; `describe` shows whether another service manages it",
        ..ANY
    },
    Row {
        codes: &["InvalidNextTokenException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::InvalidReference,
        message: "the page token is not valid any more; list from the start",
        ..ANY
    },
    Row {
        codes: &["InvalidParameterException", "ValidationException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::InvalidName,
        message: "Secrets Manager does not accept the name, version or filter; names have letters, digits and `/_+=.@-`",
        ..ANY
    },
    Row {
        codes: &["DecryptionFailure", "EncryptionFailure"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::Decrypt,
        message: "Secrets Manager can't use the secret's KMS key; look whether it is disabled or pending deletion",
        ..ANY
    },
    Row {
        codes: &["ResourceExistsException", "PreconditionNotMetException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::Conflict,
        message: "the secret changed meanwhile, or the request was sent before with other content",
        ..ANY
    },
    // A resource quota (more than 100 versions, say), not a rate: every other service throttles with this code.
    Row {
        codes: &["LimitExceededException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::QuotaExceeded,
        message: "a quota of Secrets Manager is used up; waiting does not help",
        ..ANY
    },
    Row {
        codes: &["InternalServiceError", "InternalServiceErrorException"],
        service: SECRETS_MANAGER,
        kind: ErrorKind::Unavailable,
        message: "Secrets Manager has a fault of its own",
        ..ANY
    },
    // Parameter Store
    Row {
        codes: &["ParameterNotFound"],
        service: SSM,
        kind: ErrorKind::NotFound,
        message: "there is no such parameter in this account and region",
        ..ANY
    },
    Row {
        codes: &["ParameterVersionNotFound", "ParameterVersionLabelNotFound"],
        service: SSM,
        kind: ErrorKind::VersionNotFound,
        message: "the parameter has no such version or label; `versions` lists those it has",
        ..ANY
    },
    Row {
        codes: &["InvalidKeyId"],
        service: SSM,
        kind: ErrorKind::Decrypt,
        message: "Parameter Store can't use the parameter's KMS key; look whether it exists and is enabled",
        ..ANY
    },
    Row {
        codes: &["InternalServerError"],
        service: SSM,
        kind: ErrorKind::Unavailable,
        message: "Parameter Store has a fault of its own",
        ..ANY
    },
    Row {
        codes: &["InvalidNextToken"],
        service: SSM,
        kind: ErrorKind::InvalidReference,
        message: "the page token is not valid any more; list from the start",
        ..ANY
    },
    Row {
        codes: &[
            "ValidationException",
            "InvalidFilterKey",
            "InvalidFilterOption",
            "InvalidFilterValue",
            "InvalidParameters",
        ],
        service: SSM,
        kind: ErrorKind::InvalidName,
        message: "Parameter Store does not accept the name, version or filter; names have letters, digits and `/_.-`",
        ..ANY
    },
    // STS
    Row {
        codes: &["IDPCommunicationError"],
        service: STS,
        kind: ErrorKind::Unavailable,
        message: "STS could not reach the identity provider",
        ..ANY
    },
    Row {
        codes: &["IDPRejectedClaim", "InvalidIdentityToken"],
        service: STS,
        kind: ErrorKind::Unauthenticated,
        message: "STS does not accept the web identity token; look at the role's trust policy and the token's audience",
        ..ANY
    },
    // The same code for what is shown as proof and for what a call is signed with.
    Row {
        codes: &["ExpiredTokenException"],
        service: STS,
        words: &["security token included"],
        kind: ErrorKind::Unauthenticated,
        remedy: Remedy::DropCredentials,
        message: "the credentials that a role is assumed with are expired; look at where they come from",
    },
    Row {
        codes: &["ExpiredTokenException"],
        service: STS,
        kind: ErrorKind::Unauthenticated,
        message: "the web identity token is expired; look at what renews its file",
        ..ANY
    },
    Row {
        codes: &["AccessDenied", "AccessDeniedException"],
        service: STS,
        words: &["getwebidentitytoken"],
        kind: ErrorKind::Unauthenticated,
        message: "STS does not let this identity have a token for others; grant it sts:GetWebIdentityToken",
        ..ANY
    },
    Row {
        codes: &["AccessDenied", "AccessDeniedException"],
        service: STS,
        kind: ErrorKind::Unauthenticated,
        message: "STS does not let this identity have the role; look at the role's ARN, trust policy and external id",
        ..ANY
    },
    Row {
        codes: &["ValidationError", "ValidationException"],
        service: STS,
        words: &["role chaining"],
        kind: ErrorKind::Config,
        message: "a role that is assumed with another role's credentials lasts 1 h at most; make its `duration` shorter",
        ..ANY
    },
    Row {
        codes: &["ValidationError", "ValidationException"],
        service: STS,
        words: &["durationseconds"],
        kind: ErrorKind::Config,
        message: "the session is longer than the role allows; make its `duration` shorter, or the role's maximum longer",
        ..ANY
    },
    Row {
        codes: &["ValidationError", "ValidationException"],
        service: STS,
        kind: ErrorKind::Config,
        message: "STS does not accept the request; look at the role's ARN, session name, external id, or the audience",
        ..ANY
    },
    Row {
        codes: &["MalformedPolicyDocument", "PackedPolicyTooLarge"],
        service: STS,
        kind: ErrorKind::Config,
        message: "STS does not accept the session's policies and tags; look at what the base session passes on",
        ..ANY
    },
    Row {
        codes: &["OutboundWebIdentityFederationDisabledException", "OutboundWebIdentityFederationDisabled"],
        service: STS,
        kind: ErrorKind::Config,
        message: "the account gives no tokens for others; enable outbound web identity federation in IAM",
        ..ANY
    },
    Row {
        codes: &["JWTPayloadSizeExceededException", "JWTPayloadSizeExceeded"],
        service: STS,
        kind: ErrorKind::Config,
        message: "the token would be too large; name fewer audiences, or pass on fewer session tags",
        ..ANY
    },
    Row {
        codes: &["SessionDurationEscalationException", "SessionDurationEscalation"],
        service: STS,
        kind: ErrorKind::Config,
        message: "the token would live longer than the session that asks for it; make its lifetime shorter",
        ..ANY
    },
    Row {
        codes: &["RegionDisabledException"],
        service: STS,
        kind: ErrorKind::Config,
        message: "STS is not activated in this region; activate it, or use another region",
        ..ANY
    },
    // DynamoDB
    #[cfg(feature = "aws-dynamodb")]
    Row {
        codes: &["ResourceNotFoundException"],
        service: DYNAMODB,
        kind: ErrorKind::Config,
        message: "there is no such table in this account and region; make it as docs/journal.md says, or correct its name",
        ..ANY
    },
    #[cfg(feature = "aws-dynamodb")]
    Row {
        codes: &["ValidationException"],
        service: DYNAMODB,
        words: &["schema", "key element", "missing the key", "conditions on the keys"],
        kind: ErrorKind::Config,
        message: "the table's key is another one; its partition key is `pk` (a string) and its sort key `sk` (a number)",
        ..ANY
    },
    #[cfg(feature = "aws-dynamodb")]
    Row {
        codes: &["TransactionCanceledException", "TransactionConflictException"],
        service: DYNAMODB,
        kind: ErrorKind::Conflict,
        message: "another write was faster, or what was to be written is there already",
        ..ANY
    },
    #[cfg(feature = "aws-dynamodb")]
    Row {
        codes: &["InternalServerError"],
        service: DYNAMODB,
        kind: ErrorKind::Unavailable,
        message: "DynamoDB has a fault of its own",
        ..ANY
    },
    // Every service
    Row {
        codes: &[
            "ExpiredTokenException",
            "ExpiredToken",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "TokenRefreshRequired",
        ],
        kind: ErrorKind::Unauthenticated,
        remedy: Remedy::DropCredentials,
        message: "AWS does not accept the credentials, or they are expired; look at where they come from",
        ..ANY
    },
    Row {
        codes: &[
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "RequestInTheFuture",
        ],
        kind: ErrorKind::Unauthenticated,
        remedy: Remedy::CorrectClock,
        message: "AWS does not accept the signature; look at the secret access key and at the host's clock",
        ..ANY
    },
    Row {
        codes: &[
            "OptInRequired",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ],
        kind: ErrorKind::Unauthenticated,
        message: "AWS does not accept the login; look whether the account is activated for this service and region",
        ..ANY
    },
    Row {
        codes: &["AccessDeniedException", "AccessDenied"],
        // The name of a secret may have `kms` in it too.
        words: &["access to kms is not allowed", "perform: kms:", "ciphertext refers to"],
        kind: ErrorKind::Denied,
        message: "AWS does not let this identity use the secret's KMS key; grant it kms:Decrypt on that key",
        ..ANY
    },
    Row {
        codes: &["AccessDeniedException", "AccessDenied", "NotAuthorized", "UnauthorizedOperation"],
        kind: ErrorKind::Denied,
        message: "AWS does not let this identity do that, or the secret is not there; grant the action on its ARN",
        ..ANY
    },
    Row {
        codes: &[
            "ThrottlingException",
            "Throttling",
            "ThrottledException",
            "RequestThrottledException",
            "RequestThrottled",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "TransactionInProgressException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "LimitExceededException",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
        ],
        kind: ErrorKind::Throttled,
        message: "AWS limits the rate of calls",
        ..ANY
    },
    Row {
        codes: &["ValidationException", "SerializationException", "InvalidAction", "UnknownOperationException"],
        kind: ErrorKind::Config,
        message: "AWS does not understand the request; look at the endpoint and the name",
        ..ANY
    },
    Row {
        codes: &[
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "InternalFailure",
            "InternalError",
        ],
        kind: ErrorKind::Unavailable,
        message: "AWS can't answer now",
        ..ANY
    },
];
