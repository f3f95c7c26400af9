//! What AWS says of a caller leads to a login, and only from where AWS says it.

use super::*;

const LOGINS: &str = "[auth.aws_iam]\naccounts = [\"111122223333\"]\n\
                      [auth.certificates.client]\nany_of = [\"dns:client\"]\n";

/// The same event without a credential in its headers.
fn bare(form: Form) -> Value {
    let mut event = at(form, "/api/v1/secrets/a");
    for headers in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(headers).and_then(Value::as_object_mut) {
            headers.remove("authorization");
        }
    }
    event
}

/// L1. Break: take the identity or the certificate from any form.
#[tokio::test]
async fn l1_an_identity_and_a_certificate_log_in_where_aws_has_verified_them() {
    let endpoint = endpoint_with(LOGINS);
    let iam = event(Form::FunctionUrl)["requestContext"]["authorizer"].clone();
    for form in FORMS {
        // A function URL's caller is known by identity, the others' by certificate.
        assert_eq!(answered(&endpoint, &bare(form)).await, (200, "of a".to_owned()), "{form:?}");
        let mut nobody = bare(form);
        match form {
            Form::FunctionUrl => set(&mut nobody, "/requestContext/authorizer", Value::Null),
            Form::HttpApi => set(&mut nobody, "/requestContext/authentication", Value::Null),
            Form::RestApi => set(&mut nobody, "/requestContext/identity/clientCert", Value::Null),
        }
        assert_eq!(answered(&endpoint, &nobody).await.0, 401, "{form:?}");
        // What the caller writes, or what another authorizer says, changes nothing.
        let said = json!({ "clientCert": { "clientCertPem": pem() } });
        match form {
            Form::FunctionUrl => set(&mut nobody, "/requestContext/authentication", said),
            _ => set(&mut nobody, "/requestContext/authorizer", iam.clone()),
        }
        for (name, value) in [("x-amzn-iam", "arn:aws:iam::111122223333:user/example-user"), ("x-client-cert", &pem())]
        {
            let value = value.replace('\n', " ");
            match form {
                Form::RestApi => set(&mut nobody, &format!("/multiValueHeaders/{name}"), json!([value])),
                _ => set(&mut nobody, &format!("/headers/{name}"), value),
            }
        }
        assert_eq!(answered(&endpoint, &nobody).await.0, 401, "{form:?}");
    }
}

/// Of an account that is not listed nobody comes in, and beside a bad credential an identity counts for nothing.
#[tokio::test]
async fn l1_another_account_and_a_bad_token_beside_an_identity_are_refused() {
    let endpoint = endpoint_with(LOGINS);
    let mut other = bare(Form::FunctionUrl);
    set(&mut other, "/requestContext/authorizer/iam/accountId", "999999999999");
    set(&mut other, "/requestContext/authorizer/iam/userArn", "arn:aws:iam::999999999999:user/example-user");
    assert_eq!(answered(&endpoint, &other).await.0, 401);
    for (name, value, status) in [
        ("authorization", "Bearer lks_bad", 401),
        ("x-vault-token", "bad", 401),
        // The signature that Lambda has verified stands there too.
        ("authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-west-2/lambda/aws4_request", 200),
    ] {
        let mut event = bare(Form::FunctionUrl);
        set(&mut event, &format!("/headers/{name}"), value);
        assert_eq!(answered(&endpoint, &event).await.0, status, "{name}");
    }
}
