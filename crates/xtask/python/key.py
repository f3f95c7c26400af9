"""Makes one user with every right on an imitation of AWS and prints its access key: `ID SECRET`.

Arguments: the server's address, a key id and a secret key that it takes before any user is there.
"""
import json
import sys

import boto3

address, key_id, secret_key = sys.argv[1:]
iam = boto3.client(
    "iam", endpoint_url=address, region_name="us-east-1", aws_access_key_id=key_id, aws_secret_access_key=secret_key
)
iam.create_user(UserName="tests")
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="tests", PolicyName="everything", PolicyDocument=json.dumps(everything))
key = iam.create_access_key(UserName="tests")["AccessKey"]
print(key["AccessKeyId"], key["SecretAccessKey"])
