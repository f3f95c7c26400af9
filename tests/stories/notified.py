"""Lets EventBridge tell an endpoint of one secret, by an API destination."""

import json
import sys

import boto3

url, key, secret, name, endpoint, bearer = sys.argv[1:]
events = boto3.client("events", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key,
                      aws_secret_access_key=secret)
label = name.replace("/", "-")
pattern = json.dumps({"source": ["aws.secretsmanager"], "detail": {"name": [name]}})
events.put_rule(Name=label, EventPattern=pattern)
keys = {"ApiKeyAuthParameters": {"ApiKeyName": "authorization", "ApiKeyValue": bearer}}
connection = events.create_connection(Name=label, AuthorizationType="API_KEY", AuthParameters=keys)["ConnectionArn"]
destination = events.create_api_destination(Name=label, ConnectionArn=connection, InvocationEndpoint=endpoint,
                                            HttpMethod="POST")["ApiDestinationArn"]
events.put_targets(Rule=label, Targets=[{"Id": "http", "Arn": destination, "RoleArn": "arn:aws:iam::000000000000:role/r"}])
