"""Signs a GetCallerIdentity for somebody else's endpoint with botocore, and prints the proof in base64.

Arguments: the server id, a region, a key id and a secret key.
"""
import base64
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

server_id, region, key_id, secret_key = sys.argv[1:]
url = f"https://sts.{region}.amazonaws.com/"
body = "Action=GetCallerIdentity&Version=2011-06-15"
request = AWSRequest(
    method="POST",
    url=url,
    data=body,
    headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Host": f"sts.{region}.amazonaws.com",
        "X-Lockstep-Server-Id": server_id,
    },
)
SigV4Auth(Credentials(key_id, secret_key), "sts", region).add_auth(request)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


proof = {
    "iam_http_request_method": "POST",
    "iam_request_url": encoded(url),
    "iam_request_body": encoded(body),
    "iam_request_headers": encoded(json.dumps(dict(request.headers))),
}
print(encoded(json.dumps(proof)))
