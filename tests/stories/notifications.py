import http.server
import json
import sys
import threading
import time

import boto3

url, key, secret, name, kind = sys.argv[1:]
arrived = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        arrived.append(self.rfile.read(int(self.headers.get("content-length") or 0)).decode())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_port}/events"


def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key,
                        aws_secret_access_key=secret)


sqs, sns, events, manager = client("sqs"), client("sns"), client("events"), client("secretsmanager")
label = name.strip("/").replace("/", "-")
pattern = json.dumps({"source": ["aws.secretsmanager", "aws.ssm"], "detail": {"name": [name]}})


def queue(suffix):
    made = sqs.create_queue(QueueName=f"{label}-{suffix}")["QueueUrl"]
    return made, sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(made):
    """What a queue hands out, as its client sees it; waits until there is something."""
    for _ in range(150):
        answer = sqs.receive_message(QueueUrl=made, MaxNumberOfMessages=10)
        if answer.get("Messages"):
            return json.dumps({"Messages": answer["Messages"]})
        time.sleep(0.2)
    sys.exit("nothing arrived in a queue")


plain, plain_arn = queue("plain")
through, through_arn = queue("through-sns")
topic = sns.create_topic(Name=label)["TopicArn"]
# Without it, SNS may not write to the queue.
allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
         "Resource": through_arn}
policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
sqs.set_queue_attributes(QueueUrl=through, Attributes={"Policy": policy})
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=through_arn)
events.put_rule(Name=label, EventPattern=pattern)
events.put_targets(Rule=label, Targets=[{"Id": "plain", "Arn": plain_arn}])
out = {"ways": {}}

if kind == "native":
    # The server tells by itself of a secret that was written.
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
    keys = {"ApiKeyAuthParameters": {"ApiKeyName": "x-api-key", "ApiKeyValue": "none"}}
    connection = events.create_connection(Name=label, AuthorizationType="API_KEY", AuthParameters=keys)["ConnectionArn"]
    destination = events.create_api_destination(Name=label, ConnectionArn=connection, InvocationEndpoint=endpoint,
                                                HttpMethod="POST")["ApiDestinationArn"]
    role = "arn:aws:iam::000000000000:role/none"
    events.put_targets(Rule=label, Targets=[{"Id": "http", "Arn": destination, "RoleArn": role},
                                            {"Id": "sns", "Arn": topic}])
    out["arn"] = manager.create_secret(Name=name, SecretString="first")["ARN"]
    out["version"] = manager.put_secret_value(SecretId=name, SecretString="second")["VersionId"]
    for _ in range(150):
        if sum(out["version"] in body for body in arrived) and any("SubscribeURL" in body for body in arrived):
            break
        time.sleep(0.2)
    out["ways"]["sns-confirmation"] = next(body for body in arrived if "SubscribeURL" in body)
    out["ways"]["api-destination"] = next(body for body in arrived if out["version"] in body)
else:
    # The server has no events of its own, and lets anybody put some.
    detail = json.dumps({"operation": "Update", "name": name, "type": "SecureString"})
    entry = {"Source": "aws.ssm", "DetailType": "Parameter Store Change", "Detail": detail, "Resources": []}
    events.put_events(Entries=[entry])

out["ways"]["sqs"] = received(plain)
if kind != "native":
    # It can't have a topic for a target: what EventBridge has delivered is published by hand.
    sns.publish(TopicArn=topic, Message=json.loads(out["ways"]["sqs"])["Messages"][0]["Body"])
out["ways"]["sns-in-sqs"] = received(through)
print(json.dumps(out))
