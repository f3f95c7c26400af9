"""Says `ready` once the API server at the address is: started, its own rights in place, the default namespace made."""

import os
import ssl
import sys
import urllib.error
import urllib.request

# The certificate was made by the server a moment ago, on this machine.
trust = ssl._create_unverified_context()


def answers(path):
    request = urllib.request.Request(sys.argv[1] + path)
    request.add_header("Authorization", "Bearer " + os.environ["TOKEN"])
    try:
        return urllib.request.urlopen(request, context=trust, timeout=5).status == 200
    except (OSError, urllib.error.URLError):
        return False


if answers("/readyz") and answers("/api/v1/namespaces/default"):
    print("ready")
