"""Makes secrets `bench/s0000` … on an imitation of AWS. Arguments: its address, how many."""
import sys

import boto3

address, count = sys.argv[1], int(sys.argv[2])
client = boto3.client(
    "secretsmanager", endpoint_url=address, region_name="us-east-1", aws_access_key_id="bench", aws_secret_access_key="bench"
)
for index in range(count):
    client.create_secret(Name=f"bench/s{index:04}", SecretString='{"user":"app","password":"%032d"}' % index)
