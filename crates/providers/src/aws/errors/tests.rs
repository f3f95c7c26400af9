use std::collections::BTreeMap;

use lockstep_core::{ErrorKind, Retry};

use super::*;

use ErrorKind::{
    Config, Conflict, Decrypt, Deleted, Denied, InvalidName, InvalidReference, Malformed, NotFound, QuotaExceeded,
    RotationInProgress, RotationNotConfigured, Throttled, Unauthenticated, Unavailable, VersionNotFound,
};
use Service::{DynamoDb, SecretsManager as Sm, Ssm, Sts};

/// Service, code, words, status, kind. Every code that AWS's models and SDKs name stands here.
const CASES: &[(Service, &str, &str, u16, ErrorKind)] = &[
    (DynamoDb, "ResourceNotFoundException", "Requested resource not found", 400, Config),
    (DynamoDb, "ValidationException", "The provided key element does not match the schema", 400, Config),
    (DynamoDb, "TransactionCanceledException", "Transaction cancelled", 400, Conflict),
    (DynamoDb, "TransactionConflictException", "Transaction is ongoing for the item", 400, Conflict),
    (DynamoDb, "InternalServerError", "", 500, Unavailable),
    (DynamoDb, "ProvisionedThroughputExceededException", "", 400, Throttled),
    (DynamoDb, "TransactionInProgressException", "", 400, Throttled),
    (Sm, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400, NotFound),
    (
        Sm,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
        400,
        VersionNotFound,
    ),
    (
        Sm,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for VersionId: x",
        404,
        VersionNotFound,
    ),
    (
        Sm,
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
        400,
        Deleted,
    ),
    (
        Sm,
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was scheduled for deletion.",
        400,
        Deleted,
    ),
    (Sm, "InvalidRequestException", "A previous rotation isn't complete.", 400, RotationInProgress),
    (
        Sm,
        "InvalidRequestException",
        "No Lambda rotation function ARN is associated with this secret.",
        400,
        RotationNotConfigured,
    ),
    (
        Sm,
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
        400,
        VersionNotFound,
    ),
    (Sm, "InvalidRequestException", "The secret is managed by another service.", 400, Conflict),
    (Sm, "InvalidParameterException", "", 400, InvalidName),
    (Sm, "ValidationException", "", 400, InvalidName),
    (Sm, "InvalidNextTokenException", "", 400, InvalidReference),
    (Sm, "DecryptionFailure", "", 400, Decrypt),
    (Sm, "EncryptionFailure", "", 400, Decrypt),
    (Sm, "InternalServiceError", "", 500, Unavailable),
    (Sm, "ResourceExistsException", "", 400, Conflict),
    (Sm, "PreconditionNotMetException", "", 400, Conflict),
    (Sm, "LimitExceededException", "", 400, QuotaExceeded),
    (Sm, "ThrottlingException", "Rate exceeded", 400, Throttled),
    (Sm, "AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue", 400, Denied),
    (Sm, "AccessDeniedException", "Access to KMS is not allowed", 400, Denied),
    (Ssm, "AccessDeniedException", "The ciphertext refers to a customer master key that does not exist", 400, Denied),
    (Ssm, "ParameterNotFound", "", 400, NotFound),
    (Ssm, "ParameterVersionNotFound", "", 400, VersionNotFound),
    (Ssm, "InvalidKeyId", "", 400, Decrypt),
    (Ssm, "InternalServerError", "", 500, Unavailable),
    (Ssm, "ValidationException", "", 400, InvalidName),
    (Ssm, "InvalidNextToken", "", 400, InvalidReference),
    (Ssm, "LimitExceededException", "", 400, Throttled),
    (Sts, "IDPCommunicationError", "", 400, Unavailable),
    (Sts, "IDPRejectedClaim", "", 403, Unauthenticated),
    (Sts, "InvalidIdentityToken", "", 400, Unauthenticated),
    (Sts, "ExpiredTokenException", "", 400, Unauthenticated),
    (Sts, "ExpiredTokenException", "The security token included in the request is expired", 403, Unauthenticated),
    (Sts, "ExpiredToken", "The security token included in the request is expired", 403, Unauthenticated),
    (Sts, "InvalidClientTokenId", "", 403, Unauthenticated),
    (Sts, "SignatureDoesNotMatch", "", 403, Unauthenticated),
    (Sts, "AccessDenied", "not authorized to perform: sts:GetWebIdentityToken", 403, Unauthenticated),
    (Sts, "ValidationError", "exceeds the 1 hour session limit for roles assumed by role chaining.", 400, Config),
    (Sts, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set", 400, Config),
    (Sts, "ValidationError", "1 validation error detected", 400, Config),
    (Sts, "MalformedPolicyDocument", "", 400, Config),
    (Sts, "PackedPolicyTooLarge", "", 400, Config),
    (Sts, "OutboundWebIdentityFederationDisabledException", "", 403, Config),
    (Sts, "JWTPayloadSizeExceededException", "", 400, Config),
    (Sts, "SessionDurationEscalationException", "", 403, Config),
    (Sts, "Throttling", "Rate exceeded", 400, Throttled),
    (Sts, "RegionDisabledException", "", 403, Config),
    (Sts, "AccessDenied", "", 403, Unauthenticated),
    (Ssm, "UnrecognizedClientException", "", 400, Unauthenticated),
    (Ssm, "InvalidClientTokenId", "", 403, Unauthenticated),
    (Ssm, "ExpiredTokenException", "", 400, Unauthenticated),
    (Ssm, "ExpiredToken", "", 400, Unauthenticated),
    (Ssm, "InvalidSignatureException", "", 403, Unauthenticated),
    (Ssm, "SignatureDoesNotMatch", "", 403, Unauthenticated),
    (Ssm, "RequestExpired", "", 400, Unauthenticated),
    (Ssm, "RequestTimeTooSkewed", "", 403, Unauthenticated),
    (Ssm, "OptInRequired", "", 403, Unauthenticated),
    (Ssm, "IncompleteSignature", "", 400, Unauthenticated),
    (Ssm, "AccessDeniedException", "", 400, Denied),
    (Ssm, "Throttling", "", 400, Throttled),
    (Ssm, "ThrottledException", "", 400, Throttled),
    (Ssm, "RequestThrottledException", "", 400, Throttled),
    (Ssm, "RequestThrottled", "", 400, Throttled),
    (Ssm, "TooManyRequestsException", "", 400, Throttled),
    (Ssm, "ProvisionedThroughputExceededException", "", 400, Throttled),
    (Ssm, "TransactionInProgressException", "", 400, Throttled),
    (Ssm, "RequestLimitExceeded", "", 400, Throttled),
    (Ssm, "BandwidthLimitExceeded", "", 400, Throttled),
    (Ssm, "SlowDown", "", 400, Throttled),
    (Ssm, "PriorRequestNotComplete", "", 400, Throttled),
    (Ssm, "EC2ThrottledException", "", 400, Throttled),
    (Sts, "SerializationException", "", 400, Config),
    (Ssm, "RequestTimeout", "", 400, Unavailable),
    (Ssm, "RequestTimeoutException", "", 400, Unavailable),
    (Ssm, "", "", 429, Throttled),
    (Ssm, "NewThrottle", "", 429, Throttled),
    (Ssm, "", "", 408, Unavailable),
    (Ssm, "", "", 500, Unavailable),
    (Ssm, "NewFault", "", 503, Unavailable),
    (Ssm, "", "", 401, Unauthenticated),
    (Ssm, "", "", 403, Denied),
    (Ssm, "", "", 302, Malformed),
    (Ssm, "", "", 404, Malformed),
    (Ssm, "NewError", "", 400, Malformed),
];

#[test]
fn every_code_has_its_kind() {
    for (service, code, words, status, kind) in CASES {
        let error = verdict(*service, code, words, *status, None).error;
        assert_eq!(error.kind(), *kind, "{code} {words} {status}");
        assert_eq!(error.upstream_code(), Some(*code));
        assert_eq!(error.upstream_status(), Some(*status));
    }
}

#[test]
fn every_row_of_the_table_is_reached_by_a_case() {
    let mut reached: BTreeMap<usize, u32> = BTreeMap::new();
    for (service, code, words, ..) in CASES {
        let words = words.to_ascii_lowercase();
        let row = ROWS.iter().position(|row| {
            row.codes.contains(code)
                && row.service.is_none_or(|of| of == *service)
                && (row.words.is_empty() || row.words.iter().any(|some| words.contains(&some.to_ascii_lowercase())))
        });
        *reached.entry(row.unwrap_or(usize::MAX)).or_default() += 1;
    }
    for (at, row) in ROWS.iter().enumerate() {
        assert!(reached.contains_key(&at), "no case reaches row {at}: {:?} {:?}", row.codes, row.words);
    }
    reached.remove(&usize::MAX);
    println!("aws: {} rows, {} covered", ROWS.len(), reached.len());
    assert_eq!(ROWS.len(), reached.len());
}

/// Break: give `LimitExceededException` of Secrets Manager the kind `Throttled`.
#[test]
fn o7_only_what_passes_by_waiting_is_retried() {
    for (service, code, words, status, kind) in CASES {
        let after = Some(Duration::from_secs(2));
        let retry = verdict(*service, code, words, *status, after).error.retry_hint();
        let expected = if matches!(kind, Throttled | Unavailable) { Retry::After(after) } else { Retry::Never };
        assert_eq!(retry, expected, "{code} {status}");
    }
}

#[test]
fn a_refused_credential_and_a_wrong_clock_have_their_remedies() {
    for (service, code, remedy) in [
        (Ssm, "ExpiredTokenException", Remedy::DropCredentials),
        (Ssm, "UnrecognizedClientException", Remedy::DropCredentials),
        (Sm, "InvalidClientTokenId", Remedy::DropCredentials),
        (Sm, "InvalidSignatureException", Remedy::CorrectClock),
        (Sm, "RequestTimeTooSkewed", Remedy::CorrectClock),
        (Sts, "ExpiredTokenException", Remedy::None),
        (Sts, "ExpiredToken", Remedy::DropCredentials),
        (Sts, "SignatureDoesNotMatch", Remedy::CorrectClock),
        (Sm, "AccessDeniedException", Remedy::None),
    ] {
        assert_eq!(verdict(service, code, "", 400, None).remedy, remedy, "{code}");
    }
}

#[test]
fn a_denied_key_is_told_from_a_denied_secret() {
    let message = |words| verdict(Sm, "AccessDeniedException", words, 400, None).error.message().to_owned();
    assert!(message("Access to KMS is not allowed").contains("kms:Decrypt"));
    assert!(message("is not authorized to perform: kms:Decrypt on resource").contains("kms:Decrypt"));
    assert!(!message("not authorized to perform: secretsmanager:GetSecretValue on kms-secret").contains("kms"));
}
