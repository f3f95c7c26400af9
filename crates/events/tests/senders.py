"""Notifications as others send them. Each part prints what arrived, as one JSON document."""

import http.server
import json
import sys
import threading


def listener():
    """A listener on a free port, and what arrives at it: headers and body."""
    arrived = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            arrived.append({"headers": dict(self.headers.items()), "body": body})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", arrived


def event_grid(known):
    """Microsoft's client publishes in both schemas."""
    from azure.core.credentials import AzureKeyCredential
    from azure.core.messaging import CloudEvent
    from azure.eventgrid import EventGridEvent, EventGridPublisherClient

    url, arrived = listener()
    client = EventGridPublisherClient(f"{url}/api/events", AzureKeyCredential("none"))
    kind, topic, data = "Microsoft.KeyVault.SecretNewVersionCreated", known["topic"], {"Id": known["id"]}
    client.send([EventGridEvent(subject="db", event_type=kind, data=data, data_version="1", topic=topic)])
    client.send([CloudEvent(source=topic, type=kind, data=data, subject="db")])
    # A single one, as it is delivered when nothing is batched.
    single = json.loads(arrived[1]["body"])[0]
    return [arrived[0], arrived[1], {"headers": {}, "body": json.dumps(single)}]


def pub_sub(known):
    """Google's own messages, as its library writes them in JSON: pulled, and one of them pushed."""
    from google.pubsub_v1 import types

    def message(at, event, secret, version):
        attributes = {"eventType": event, "dataFormat": "JSON_API_V1", "secretId": secret}
        if version:
            attributes["versionId"] = f"{secret}/versions/{version}"
        return types.PubsubMessage(data=b"{}", attributes=attributes, message_id=f"207044360131154{at}",
                                   publish_time="2026-05-01T10:00:01Z")

    messages = [message(at, *event) for at, event in enumerate(known["events"])]
    received = [types.ReceivedMessage(ack_id=f"ack-{at}", message=one) for at, one in enumerate(messages)]
    pulled = types.PullResponse.to_json(types.PullResponse(received_messages=received))
    pushed = {"message": json.loads(types.PubsubMessage.to_json(messages[0])), "subscription": known["subscription"]}
    return {"pulled": pulled, "pushed": json.dumps(pushed)}


def standard_webhooks(known):
    """The library of Standard Webhooks signs."""
    import datetime

    from standardwebhooks import Webhook

    at = datetime.datetime.fromtimestamp(known["second"], datetime.timezone.utc)
    signature = Webhook(known["secret"]).sign(known["id"], at, known["body"])
    return {"signature": signature}


def standard_webhooks_verify(known):
    """The library of Standard Webhooks verifies what we have signed."""
    from standardwebhooks import Webhook

    return {"read": Webhook(known["secret"]).verify(known["body"], known["headers"])}


def sns(known):
    """moto publishes through SNS: signed, with a certificate where Amazon would keep it."""
    import boto3
    import requests
    from moto import mock_aws

    with mock_aws():
        def client(name):
            return boto3.client(name, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")

        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="rotations")["TopicArn"]
        queue = sqs.create_queue(QueueName="rotations")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        sns.publish(TopicArn=topic, Message=known["message"])
        body = sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"]
        certificate = requests.get(json.loads(body)["SigningCertURL"], timeout=10).text
    return {"topic": topic, "body": body, "certificate": certificate}


part, given = sys.argv[1:]
print(json.dumps(globals()[part](json.loads(given))))
