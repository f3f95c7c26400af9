"""A secret of Secrets Manager and its rotation, as its owner and Secrets Manager itself make them: prints the ARN, the
token of a rotation that has begun, a value, or the labels of every version."""

import io
import json
import sys
import urllib.request
import zipfile

import boto3

url, what, name, *rest = sys.argv[1:]


def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="k",
                        aws_secret_access_key="s")


secrets = client("secretsmanager")


def stages():
    return secrets.describe_secret(SecretId=name)["VersionIdsToStages"]


def function():
    """moto begins a rotation only where it finds a function. It invokes one that does nothing: the test invokes ours."""
    config = json.dumps({"lambda": {"use_docker": False}}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/config", data=config, method="POST")).close()
    lambdas, iam = client("lambda"), client("iam")
    try:
        return lambdas.get_function(FunctionName="rotator")["Configuration"]["FunctionArn"]
    except lambdas.exceptions.ResourceNotFoundException:
        pass
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    try:
        role = iam.create_role(RoleName="rotator", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName="rotator")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    try:
        return lambdas.create_function(FunctionName="rotator", Runtime="provided.al2023", Role=role, Handler="bootstrap",
                                       Code={"ZipFile": code.getvalue()})["FunctionArn"]
    except lambdas.exceptions.ResourceConflictException:
        return lambdas.get_function(FunctionName="rotator")["Configuration"]["FunctionArn"]


if what == "make":
    print(secrets.create_secret(Name=name, SecretString=rest[0])["ARN"])
elif what == "begin":
    # AWS leaves the label of the rotation before where it is, and takes it away when the next one begins.
    for version, labels in stages().items():
        if "AWSPENDING" in labels:
            secrets.update_secret_version_stage(SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=version)
    secrets.rotate_secret(SecretId=name, RotationLambdaARN=function(), RotationRules={"AutomaticallyAfterDays": 30})
    print(next(version for version, labels in stages().items() if labels == ["AWSPENDING"]))
elif what == "value":
    print(secrets.get_secret_value(SecretId=name, VersionStage=rest[0])["SecretString"])
else:
    print(json.dumps(stages()))
