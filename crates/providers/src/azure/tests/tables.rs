//! One case for each row of the error tables, asked through the provider.

use std::collections::BTreeSet;

use ErrorKind::{
    Config, Conflict, Deleted, Denied, Disabled, NotFound, Throttled, Timeout, Unauthenticated, Unavailable,
};

use super::*;
use crate::azure::errors::{APP_SERVICE, IMDS, VAULT};
use crate::refusal::Row;
use lockstep_testkit::fake::azure::{IDENTITY_ENDPOINT, IDENTITY_HEADER};

/// Status, code, inner code, kind.
const OF_VAULT: &[(u16, &str, &str, ErrorKind)] = &[
    (400, "BadParameter", "", Config),
    (401, "Unauthorized", "", Unauthenticated),
    (403, "Forbidden", "SecretDisabled", Disabled),
    (403, "Forbidden", "ForbiddenByFirewall", Denied),
    (403, "Forbidden", "ForbiddenByConnection", Denied),
    (403, "Forbidden", "ForbiddenByRbac", Denied),
    (403, "Forbidden", "ForbiddenByPolicy", Denied),
    (403, "Forbidden", "AccessDenied", Denied),
    (403, "Forbidden", "", Denied),
    (404, "SecretNotFound", "", NotFound),
    (404, "", "", Config),
    (408, "", "", Timeout),
    (409, "Conflict", "ObjectIsDeletedButRecoverable", Deleted),
    (409, "Conflict", "ObjectIsBeingDeleted", Deleted),
    (409, "Conflict", "ObjectIsBeingRecovered", Unavailable),
    (409, "Conflict", "", Conflict),
    (429, "Throttled", "", Throttled),
    (500, "InternalServerError", "", Unavailable),
    (502, "", "", Unavailable),
    (503, "ServiceUnavailable", "", Unavailable),
    (504, "", "", Unavailable),
];

const OF_IMDS: &[(u16, ErrorKind)] = &[
    (400, Unauthenticated),
    (404, Unavailable),
    (410, Unavailable),
    (429, Throttled),
    (500, Unavailable),
    (503, Unavailable),
];

const OF_APP_SERVICE: &[(u16, ErrorKind)] = &[
    (400, Unauthenticated),
    (401, Unauthenticated),
    (403, Unauthenticated),
    (429, Throttled),
    (500, Unavailable),
    (503, Unavailable),
];

/// The row that decides, as the table is read: from the top.
fn row<'a>(table: &'a [Row], status: u16, codes: &[&str]) -> (usize, &'a Row) {
    let fits =
        |row: &Row| (row.status == 0 || row.status == status) && (row.code.is_empty() || codes.contains(&row.code));
    table.iter().enumerate().find(|(_, row)| fits(row)).unwrap()
}

/// Break: a kind, a status or a code of any row, or add a row.
#[tokio::test]
async fn each_row_of_the_tables_has_its_case_and_is_answered_as_it_says() {
    let mut covered = BTreeSet::new();
    let fresh = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{TENANT}\", resource=\"https://vault.azure.net\""
    );
    for (status, code, inner, expected) in OF_VAULT {
        let world = World::new();
        let mut error = json!({ "code": code, "message": "c4n4ry" });
        if !inner.is_empty() {
            error["innererror"] = json!({ "code": inner });
        }
        let body = json!({ "error": error }).to_string();
        let headers = [("www-authenticate", fresh.as_str()), ("x-ms-request-id", "request-1")];
        world.vault.next(Route::Get, *status, &headers, &body);
        let error = world.current("db").await.unwrap_err();
        let (at, row) = row(VAULT, *status, &[code, inner]);
        assert_eq!((error.kind(), error.message()), (*expected, row.message), "{status} {code} {inner}");
        assert_eq!((row.kind, error.upstream_status()), (*expected, Some(*status)));
        let kept = if inner.is_empty() { code } else { inner };
        assert_eq!((error.upstream_code(), error.upstream_request_id()), (Some(*kept), Some("request-1")));
        assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        covered.insert(("vault", at));
    }
    let app = [("IDENTITY_ENDPOINT", IDENTITY_ENDPOINT), ("IDENTITY_HEADER", IDENTITY_HEADER)];
    for (name, table, route, variables, cases) in [
        ("IMDS", IMDS, Route::Imds, &[][..], OF_IMDS),
        ("App Service", APP_SERVICE, Route::AppService, &app, OF_APP_SERVICE),
    ] {
        for (status, expected) in cases {
            let world = World::with(AzureAuth::ManagedIdentity(None), variables);
            world.vault.next(route, *status, &[], r#"{"error":"c4n4ry","error_description":"c4n4ry"}"#);
            let error = world.current("db").await.unwrap_err();
            let (at, row) = row(table, *status, &[]);
            assert_eq!((error.kind(), error.message()), (*expected, row.message), "{name} {status}");
            assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
            covered.insert((name, at));
        }
    }
    let rows = VAULT.len() + IMDS.len() + APP_SERVICE.len();
    println!("azure-key-vault: {rows} rows, {} covered", covered.len());
    assert_eq!(covered.len(), rows, "a row without a case");
}

#[tokio::test]
async fn what_no_row_knows_is_decided_by_its_class() {
    for (status, expected) in [(418, Config), (507, Unavailable), (302, Unavailable), (204, ErrorKind::Malformed)] {
        let world = World::new();
        world.vault.next(Route::Get, status, &[], "<p>c4n4ry</p>");
        assert_eq!(kind(world.current("db").await), Some(expected), "{status}");
    }
    let app = [("IDENTITY_ENDPOINT", IDENTITY_ENDPOINT), ("IDENTITY_HEADER", IDENTITY_HEADER)];
    for (status, expected) in [(507, Unavailable), (408, Unavailable), (418, Unauthenticated)] {
        for (route, variables) in [(Route::Imds, &[][..]), (Route::AppService, &app)] {
            let world = World::with(AzureAuth::ManagedIdentity(None), variables);
            world.vault.next(route, status, &[], "<p>c4n4ry</p>");
            assert_eq!(kind(world.current("db").await), Some(expected), "{status}");
        }
    }
}
