"""A strict OTLP/HTTP receiver: decodes with the official classes and answers 400 to what the specification forbids.

    otlp_sink.py PORT_FILE DUMP_FILE [BUSY_FILE]

Listens on a free port of loopback, writes its number to PORT_FILE and one JSON line per span, point and log record to
DUMP_FILE; a refused export is a line with "refused". Unknown fields are refused: they are a field number typed wrong.
While BUSY_FILE exists nothing is taken: an export is answered 503, and its path is a line in that file.
"""

import gzip
import http.server
import json
import pathlib
import sys
import threading

from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace


class Refused(Exception):
    """Why an export is not valid OTLP."""


def want(true, why):
    if not true:
        raise Refused(why)


def no_unknown_fields(message):
    name = message.DESCRIPTOR.full_name
    want(len(UnknownFieldSet(message)) == 0, f"unknown field {[f.field_number for f in UnknownFieldSet(message)]} in {name}")
    for field, value in message.ListFields():
        if field.message_type:
            for inner in [value] if hasattr(value, "ListFields") else value:
                no_unknown_fields(inner)


def attributes(of, where):
    keys = [a.key for a in of]
    want(all(keys), f"{where}: an attribute without a key")
    want(len(set(keys)) == len(keys), f"{where}: the same attribute twice in {sorted(keys)}")
    want(all(a.value.WhichOneof("value") for a in of), f"{where}: an attribute without a value")
    return {a.key: MessageToDict(a.value) for a in of}


def identity(trace_id, span_id, where):
    want(len(trace_id) == 16 and any(trace_id), f"{where}: trace id {trace_id.hex()!r}")
    want(len(span_id) == 8 and any(span_id), f"{where}: span id {span_id.hex()!r}")
    return {"trace_id": trace_id.hex(), "span_id": span_id.hex()}


def spans(scope):
    for s in scope.spans:
        where = f"span {s.name!r}"
        want(s.name and s.kind, f"{where}: no name or no kind")
        want(0 < s.start_time_unix_nano <= s.end_time_unix_nano, f"{where}: from {s.start_time_unix_nano} to {s.end_time_unix_nano}")
        want(len(s.parent_span_id) in (0, 8), f"{where}: parent id of {len(s.parent_span_id)} bytes")
        want(s.flags >> 10 == 0, f"{where}: flags {s.flags:#x}")
        for event in s.events:
            want(event.name and event.time_unix_nano, f"{where}: an event without name or time")
            attributes(event.attributes, where)
        for link in s.links:
            identity(link.trace_id, link.span_id, f"{where}, link")
            attributes(link.attributes, where)
        yield {"signal": "span", **identity(s.trace_id, s.span_id, where), "parent": s.parent_span_id.hex(),
               "name": s.name, "kind": s.kind, "flags": s.flags, "status": s.status.code, "trace_state": s.trace_state,
               "seconds": (s.end_time_unix_nano - s.start_time_unix_nano) / 1e9, "attributes": attributes(s.attributes, where),
               "events": [e.name for e in s.events], "links": len(s.links)}


def points(scope):
    names = [m.name for m in scope.metrics]
    want(all(names) and len(set(names)) == len(names), f"metrics without a name or twice: {sorted(names)}")
    for m in scope.metrics:
        kind = m.WhichOneof("data")
        want(kind, f"{m.name}: no data")
        data = getattr(m, kind)
        want(len(data.data_points), f"{m.name}: no points")
        want(kind == "gauge" or data.aggregation_temporality, f"{m.name}: no temporality")
        seen = set()
        for p in data.data_points:
            labels = attributes(p.attributes, m.name)
            key = json.dumps(labels, sort_keys=True)
            want(key not in seen, f"{m.name}: two points for {key}")
            seen.add(key)
            want(0 < p.time_unix_nano and p.start_time_unix_nano <= p.time_unix_nano, f"{m.name}: times")
            line = {"signal": "point", "name": m.name, "unit": m.unit, "type": kind, "attributes": labels}
            if kind == "histogram":
                bounds = list(p.explicit_bounds)
                want(bounds == sorted(set(bounds)), f"{m.name}: bounds {bounds}")
                want(len(p.bucket_counts) == len(bounds) + 1, f"{m.name}: {len(p.bucket_counts)} buckets for {len(bounds)} bounds")
                want(sum(p.bucket_counts) == p.count, f"{m.name}: buckets hold {sum(p.bucket_counts)} of {p.count}")
                line |= {"count": p.count, "sum": p.sum, "bounds": bounds, "buckets": list(p.bucket_counts)}
            elif kind == "exponential_histogram":
                sides = [p.positive.bucket_counts, p.negative.bucket_counts]
                want(-10 <= p.scale <= 20, f"{m.name}: scale {p.scale}")
                want(all(len(counts) <= 160 for counts in sides), f"{m.name}: {[len(counts) for counts in sides]} buckets")
                counted = p.zero_count + sum(map(sum, sides))
                want(counted == p.count, f"{m.name}: buckets hold {counted} of {p.count}")
                line |= {"count": p.count, "sum": p.sum, "scale": p.scale, "offsets": [p.positive.offset, p.negative.offset],
                         "buckets": [list(counts) for counts in sides]}
            elif kind in ("sum", "gauge"):
                which = p.WhichOneof("value")
                want(which, f"{m.name}: a point without a value")
                line["value"] = getattr(p, which)
            if kind != "gauge":
                want(p.start_time_unix_nano, f"{m.name}: no start time")
                line["temporality"] = data.aggregation_temporality
            for exemplar in p.exemplars:
                identity(exemplar.trace_id, exemplar.span_id, f"{m.name}, exemplar")
            yield line


def records(scope):
    for r in scope.log_records:
        where = f"log record {r.event_name!r}"
        want(r.time_unix_nano or r.observed_time_unix_nano, f"{where}: no time")
        ids = identity(r.trace_id, r.span_id, where) if r.trace_id or r.span_id else {}
        yield {"signal": "log", **ids, "name": r.event_name, "severity": r.severity_number,
               "body": MessageToDict(r.body), "attributes": attributes(r.attributes, where)}


SIGNALS = {
    "/v1/traces": (trace.ExportTraceServiceRequest, trace.ExportTraceServiceResponse, "resource_spans", "scope_spans", spans),
    "/v1/metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse, "resource_metrics", "scope_metrics", points),
    "/v1/logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse, "resource_logs", "scope_logs", records),
}


def lines(path, headers, body):
    kind, _, resources, scopes, items = SIGNALS[path]
    want(headers.get("Content-Type") == "application/x-protobuf", f"content type {headers.get('Content-Type')}")
    encoding = headers.get("Content-Encoding", "identity")
    want(encoding in ("identity", "gzip"), f"content encoding {encoding}")
    request = kind.FromString(gzip.decompress(body) if encoding == "gzip" else body)
    no_unknown_fields(request)
    for resource in getattr(request, resources):
        about = {"encoding": encoding, "resource": attributes(resource.resource.attributes, "resource")}
        for scope in getattr(resource, scopes):
            about |= {"scope": scope.scope.name, "scope_version": scope.scope.version, "schema_url": scope.schema_url}
            for item in items(scope):
                yield about | item


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if busy and busy.exists():
            with writing, busy.open("a") as out:
                out.write(self.path + "\n")
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        try:
            want(self.path in SIGNALS, f"path {self.path}")
            found = list(lines(self.path, self.headers, body))
        except Exception as error:  # Whatever it is, the export is at fault, not the receiver.
            found = [{"refused": f"{self.path}: {type(error).__name__}: {error}"}]
        with writing, dump.open("a") as out:
            out.writelines(json.dumps(line) + "\n" for line in found)
        refused = next((line["refused"] for line in found if "refused" in line), None)
        answer = refused.encode() if refused else SIGNALS[self.path][1]().SerializeToString()
        self.send_response(400 if refused else 200)
        self.send_header("Content-Type", "text/plain" if refused else "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


port_file, dump, busy = [*map(pathlib.Path, sys.argv[1:]), None][:3]
dump.touch()
writing = threading.Lock()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
ready = port_file.with_suffix(".tmp")
ready.write_text(str(server.server_port))
ready.rename(port_file)
server.serve_forever()
