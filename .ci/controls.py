"""controls.py SINK: a good export is taken by the sink, and each one with a single defect is not."""

import gzip
import sys
import urllib.error
import urllib.request

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def trace():
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "controls"
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "controls", "1"
    span = scope.spans.add(name="GET /", kind=2, trace_id=bytes([1] * 16), span_id=bytes([2] * 8), flags=0x101)
    span.start_time_unix_nano, span.end_time_unix_nano = 1, 2
    span.attributes.add(key="a").value.int_value = 1
    return request, span


def histogram():
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "controls"
    scope = resource.scope_metrics.add()
    scope.scope.name, scope.scope.version = "controls", "1"
    metric = scope.metrics.add(name="d", unit="s")
    metric.histogram.aggregation_temporality = 2
    point = metric.histogram.data_points.add(count=3, sum=0.5, explicit_bounds=[1.0, 2.0], bucket_counts=[1, 1, 1])
    point.start_time_unix_nano, point.time_unix_nano = 1, 2
    return request, metric, point


def exponential():
    request, metric, point = histogram()
    metric.name = "e"
    times = point.start_time_unix_nano, point.time_unix_nano
    metric.exponential_histogram.aggregation_temporality = 2
    point = metric.exponential_histogram.data_points.add(count=4, sum=0.5, scale=6, zero_count=1)
    point.start_time_unix_nano, point.time_unix_nano = times
    point.positive.offset, point.negative.offset = -70, 3
    point.positive.bucket_counts.extend([1, 0, 1])
    point.negative.bucket_counts.append(1)
    return request, point


def status(path, body, content_type="application/x-protobuf", encoding=None):
    headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(sys.argv[1] + path, body, headers), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def changed_span(change):
    request, span = trace()
    change(span)
    return request.SerializeToString()


def changed_point(change):
    request, metric, point = histogram()
    change(metric, point)
    return request.SerializeToString()


def changed_exponential(change):
    request, point = exponential()
    change(point)
    return request.SerializeToString()


again = changed_span(lambda s: setattr(s, "span_id", bytes([3] * 8)))
good, points = trace()[0].SerializeToString(), histogram()[0].SerializeToString()
UNKNOWN = bytes([15 << 3, 7])  # Field 15, a varint.
CASES = [
    ("a good trace", 200, status("/v1/traces", good)),
    ("one in gzip", 200, status("/v1/traces", gzip.compress(again), encoding="gzip")),
    ("a good histogram", 200, status("/v1/metrics", points)),
    ("a good exponential histogram", 200, status("/v1/metrics", exponential()[0].SerializeToString())),
    ("half a body", 400, status("/v1/traces", good[:-5])),
    ("gzip that is none", 400, status("/v1/traces", good, encoding="gzip")),
    ("json by name", 400, status("/v1/traces", good, content_type="application/json")),
    ("another path", 400, status("/v2/traces", good)),
    ("a field that the definition lacks", 400, status("/v1/traces", good + UNKNOWN)),
    ("one of those inside a span", 400, status("/v1/traces", changed_span(lambda s: s.MergeFromString(bytes([120, 1]) + b"\xf8\x01\x07")))),
    ("metrics on the path of traces", 400, status("/v1/traces", points)),
    ("a short trace id", 400, status("/v1/traces", changed_span(lambda s: setattr(s, "trace_id", b"123")))),
    ("a span id of zeros", 400, status("/v1/traces", changed_span(lambda s: setattr(s, "span_id", bytes(8))))),
    ("a span that ends before it starts", 400, status("/v1/traces", changed_span(lambda s: setattr(s, "end_time_unix_nano", 0)))),
    ("an attribute twice", 400, status("/v1/traces", changed_span(lambda s: s.attributes.append(s.attributes[0])))),
    ("an attribute without a value", 400, status("/v1/traces", changed_span(lambda s: s.attributes.add(key="b")))),
    ("a bucket too few", 400, status("/v1/metrics", changed_point(lambda m, p: p.bucket_counts.pop()))),
    ("a count that is not the buckets'", 400, status("/v1/metrics", changed_point(lambda m, p: setattr(p, "count", 4)))),
    ("an exponential count that is not the buckets'", 400, status("/v1/metrics", changed_exponential(lambda p: setattr(p, "zero_count", 2)))),
    ("a scale that there is not", 400, status("/v1/metrics", changed_exponential(lambda p: setattr(p, "scale", 21)))),
    ("a point twice", 400, status("/v1/metrics", changed_point(lambda m, p: m.histogram.data_points.append(p)))),
    ("no temporality", 400, status("/v1/metrics", changed_point(lambda m, p: m.histogram.ClearField("aggregation_temporality")))),
]
wrong = [f"{name}: {got}, not {expected}" for name, expected, got in CASES if got != expected]
print(f"{len(CASES)} exports, {len(wrong)} judged wrongly")
sys.exit("\n".join(wrong) or 0)
