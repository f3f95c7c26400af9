"""A collector of traces: reads OTLP over HTTP with OpenTelemetry's own messages, and says what it has read.

It is strict where a real one may be lenient: a field that the messages do not have, an id of a wrong length or another
content type is a fault, which a test asks for. `POST /script` says what to answer from now on: a status, `hang`, or
`partial`; the last one goes on.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

LOCK = threading.Lock()
SPANS, REQUESTS, FAULTS, SCRIPT = [], [], [], [200]
RAW = bytearray()


def unknown(message):
    """Whether a message, or one inside it, has a field that nobody knows."""
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is not None:
            if any(unknown(one) for one in (value if field.is_repeated else [value])):
                return True
    return False


def plain(attributes):
    """Attributes as JSON has them."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def read(body):
    """The spans of a request, and what is wrong with it."""
    request = ExportTraceServiceRequest.FromString(body)
    faults = ["an unknown field"] if unknown(request) else []
    spans = []
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                if (len(span.trace_id), len(span.span_id)) != (16, 8) or len(span.parent_span_id) not in (0, 8):
                    faults.append("an id of a wrong length")
                if not span.name or span.end_time_unix_nano < span.start_time_unix_nano:
                    faults.append("a span without a name, or one that ends before it begins")
                spans.append({
                    "resource": plain(of_resource.resource.attributes),
                    "scope": of_scope.scope.name,
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "flags": span.flags,
                    "failed": span.status.code == Status.STATUS_CODE_ERROR,
                    "attributes": plain(span.attributes),
                })
    return spans, faults


class Collector(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json", headers=()):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with LOCK:
            if self.path == "/raw":
                self.answer(200, bytes(RAW), "application/octet-stream")
            else:
                said = {"spans": SPANS, "requests": REQUESTS, "faults": FAULTS}
                self.answer(200, json.dumps(said).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/script":
            with LOCK:
                SCRIPT[:] = json.loads(body)
            self.answer(204)
            return
        with LOCK:
            RAW.extend(str(self.headers).encode() + body)
            todo = SCRIPT.pop(0) if len(SCRIPT) > 1 else SCRIPT[0]
            headers = {name.lower(): value for name, value in self.headers.items()}
            REQUESTS.append({"path": self.path, "headers": headers, "answer": todo})
            if headers.get("content-type") != "application/x-protobuf":
                FAULTS.append("another content type")
            spans, faults = read(body)
            FAULTS.extend(faults)
            if todo in (200, "partial"):
                SPANS.extend(spans)
        if todo == "hang":
            threading.Event().wait()
        response = ExportTraceServiceResponse()
        if todo == "partial":
            response.partial_success.rejected_spans = 1
            response.partial_success.error_message = "the-words-of-the-collector"
            todo = 200
        self.answer(todo, response.SerializeToString(), "application/x-protobuf")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """It ends though somebody hangs."""

    daemon_threads = True
    block_on_close = False


SERVER = Server(("127.0.0.1", 0), Collector)
print(SERVER.server_address[1], flush=True)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
# Whoever has started it goes away with its end of this.
sys.stdin.read()
