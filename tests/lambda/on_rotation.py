"""EventBridge tells a queue of one secret: makes it all, writes a version, or waits for what lies in the queue and prints it
as Lambda hands it to a function."""

import json
import sys
import time

import boto3

url, key, secret, what, name, *rest = sys.argv[1:]


def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key,
                        aws_secret_access_key=secret)


label = name.replace("/", "-")
queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{label}"
if what == "make":
    client("dynamodb").create_table(
        TableName=label, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}])
    client("secretsmanager").create_secret(Name=name, SecretString=rest[0])
    client("sqs").create_queue(QueueName=label)
    events = client("events")
    pattern = json.dumps({"source": ["aws.secretsmanager"], "detail": {"name": [name]}})
    events.put_rule(Name=label, EventPattern=pattern)
    events.put_targets(Rule=label, Targets=[{"Id": "queue", "Arn": queue_arn}])
elif what == "put":
    client("secretsmanager").put_secret_value(SecretId=name, SecretString=rest[0])
else:
    sqs = client("sqs")
    queue = sqs.get_queue_url(QueueName=label)["QueueUrl"]
    records = []
    for _ in range(100):
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            records.append({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
                "attributes": {}, "messageAttributes": {}, "md5OfBody": message["MD5OfBody"], "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn, "awsRegion": "us-east-1",
            })
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if records:
            break
        time.sleep(0.05)
    print(json.dumps({"Records": records}))
