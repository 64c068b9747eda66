"""agree.py DUMP RECORDS... PRINTED: what the sink wrote of our calls is what their peers saw.

Each record has one span, with its status, its numbers and its origin; there is no other span of a call; durations and
measures count the same calls with the same sums, and none is in flight any more. What our client printed its caller was told.
"""

import collections
import json
import pathlib
import sys

from record import CODES

ERRORS = {"server": {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"},
          "client": {*CODES} - {"OK"}}
KINDS = {2: "server", 3: "client"}
FLOWS = ("request", "response")
# What strangers ask for may be cut, but no name that anybody would give.
LONGEST = 200
STATUS = "rpc.response.status_code"
wrong, checked = [], collections.Counter()


def want(true, why):
    if not true:
        wrong.append(why)


def value(of, key):
    return next(iter(of["attributes"].get(key, {"": None}).values()))


def number(of, key):
    return int(value(of, key) or 0)


def method(span):
    return value(span, "rpc.method")


def label(span):
    """The method that there was, whatever its name is in metrics."""
    return value(span, "rpc.method_original") or method(span)


def check(record, spans):
    side, where = record["side"], f"{record['side']} {record['method']}"
    least, most = record.get("crowd", (1, 1))
    want(least <= len(spans) <= most, f"{where}: {len(spans)} spans, not {least} to {most}")
    for span in spans:
        status, error, origin = value(span, STATUS), value(span, "error.type"), value(span, "obs.rpc.cancel.origin")
        called = label(span)
        want(called == record["method"] or (len(called) >= LONGEST and record["method"].startswith(called)), f"{where}: is called {called}")
        want(record.get("named") in (None, method(span) != "_OTHER"), f"{where}: its method is {method(span)}")
        want(value(span, "rpc.system.name") == "grpc", f"{where}: another system")
        want(status in record["status"], f"{where}: status {status}, not {record['status']}")
        want(origin in (record["origin"] or [None]), f"{where}: origin {origin}, not {record['origin']}")
        fails = status is None or status in ERRORS[side] or origin is not None
        want((span["status"] == 2) == fails and (error is not None) == fails, f"{where}: {status} is {span['status']}, {error}")
        if status is None:
            want(error == record.get("error"), f"{where}: ended by {error}, not {record.get('error')}")
        if "parent" in record:
            want(span["parent"] == record["parent"], f"{where}: no child of its caller")
            want(span["trace_state"] == "peer=1", f"{where}: tracestate {span['trace_state']!r}")
        if "span_id" in record:
            want(span["span_id"] == record["span_id"] and record["bin"], f"{where}: other metadata arrived")
        want(len({*span["events"]}) == len(span["events"]), f"{where}: a moment twice in {span['events']}")
        if record.get("seconds") and origin is None:
            want(span["seconds"] <= record["seconds"], f"{where}: {span['seconds']} s, of {record['seconds']} s for its caller")
        for flow in FLOWS:
            saw, messages, size = record[flow], number(span, f"obs.rpc.{flow}.messages"), number(span, f"obs.rpc.{flow}.size")
            squeezed = number(span, f"obs.rpc.{flow}.compressed")
            want(saw["messages"] in (None, messages), f"{where}: {messages} {flow} messages, not {saw['messages']}")
            want(saw["messages"] is None or squeezed == saw["compressed"], f"{where}: {squeezed} compressed in the {flow}, not {saw['compressed']}")
            if saw["bytes"] is not None:
                fits = 0 < size < saw["bytes"] if saw["compressed"] and not saw["exact"] else size == saw["bytes"]
                want(fits, f"{where}: {size} bytes in the {flow}, of {saw['bytes']} with {saw['compressed']} compressed")
        checked[f"{side} calls"] += 1
    if "crowd" in record:
        checked[f"of {most} in {record['method'].rpartition('_raw_')[2]}"] = len(spans)


def metrics(side, spans, points):
    """Each metric, by method and status, against the spans that there are."""
    last = {(p["name"], json.dumps(p["attributes"], sort_keys=True)): p for p in points}.values()
    group = lambda of: (value(of, "rpc.method"), value(of, STATUS))
    measured = [f"obs.rpc.{side}.{flow}.{what}" for flow in FLOWS for what in ("messages", "size")]
    for name in [f"rpc.{side}.call.duration", *measured]:
        found, expect = collections.Counter(), collections.Counter()
        for point in (p for p in last if p["name"] == name):
            found[group(point), "count"] += point["count"]
            if name in measured:
                found[group(point), "sum"] += point["sum"]
        for span in spans:
            expect[group(span), "count"] += 1
            if name in measured:
                expect[group(span), "sum"] += number(span, name.replace(f".{side}", ""))
        # `-` of counters would drop what is negative.
        for key in {*found, *expect}:
            want(found[key] == expect[key], f"{name} of {key}: {found[key]}, not {expect[key]}")
        checked["points"] += len(found)
    active = [p for p in last if p["name"] == f"obs.rpc.{side}.active_calls"]
    want(len(active) == 1 and all(p["value"] == 0 for p in active), f"{side}: in flight {[p['value'] for p in active]}")
    for point in last:
        if point["name"] in ("obs.telemetry.dropped", "obs.telemetry.lost", "obs.telemetry.anomalies"):
            want(point["value"] == 0, f"{side}: {point['name']} {point['attributes']} {point['value']}")


def said(printed, spans):
    """What our client's caller was told, against what is recorded, against what the peer read in `traceparent`."""
    lines = [line.split() for line in printed.splitlines()]
    want(["health", "SERVING"] in lines, "no health check")
    spans = {label(span).rpartition("/")[2]: span for span in spans}
    lines = [line for line in lines if line[0] != "health"]
    want({line[0] for line in lines} == {*spans}, f"cases {({line[0] for line in lines} ^ {*spans})}")
    for name, code, messages, size, parent, head, tail, details in lines:
        span = spans.get(name)
        if not span:
            continue
        ended = CODES[int(code)] if int(code) >= 0 else "CANCELLED"
        want(value(span, STATUS) == ended, f"{name}: {value(span, STATUS)} is recorded, the caller was told {ended}")
        want(number(span, "obs.rpc.response.messages") == int(messages), f"{name}: {messages} messages reached the caller")
        if not number(span, "obs.rpc.response.compressed"):
            want(number(span, "obs.rpc.response.size") == int(size), f"{name}: {size} bytes reached the caller")
        if parent != "-":
            want(parent[:52] == f"00-{span['trace_id']}-{span['span_id']}", f"{name}: the peer read {parent}")
            checked["contexts"] += 1
        failed = "fails" in name or "unimplemented" in name
        want((int(details) > 0) == failed, f"{name}: {details} bytes of details")
        checked["heads"] += head == "true"
        checked["trailers"] += tail == "true"


def judge(dump, records, printed):
    """What is wrong, and how much was looked at."""
    wrong.clear()
    checked.clear()
    want(not any("refused" in line for line in dump), "the sink refused an export")
    spans = [line for line in dump if line.get("signal") == "span" and line["scope"] == "obs-rpc"]
    points = [line for line in dump if line.get("signal") == "point"]
    by_trace = collections.defaultdict(list)
    for span in spans:
        by_trace[KINDS.get(span["kind"]), span["trace_id"]].append(span)
    want(records, "nobody saw anything")
    for record in records:
        check(record, by_trace.pop((record["side"], record["trace_id"]), []))
    for (side, _), found in by_trace.items():
        want(False, f"{side}: {[label(span) for span in found]}, of which nobody knows")
    service = lambda line: line["resource"]["service.name"]["stringValue"]
    for side in {record["side"] for record in records}:
        ours = [span for span in spans if KINDS.get(span["kind"]) == side]
        services = {service(span) for span in ours}
        metrics(side, ours, [point for point in points if service(point) in services])
    said(printed, [span for span in spans if span["kind"] == 3])
    return [*dict.fromkeys(wrong)], checked


def read(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


if __name__ == "__main__":
    dump, *seen, printed = sys.argv[1:]
    found, looked = judge(read(dump), [record for path in seen for record in read(path)], pathlib.Path(printed).read_text())
    if found:
        sys.exit("\n".join(found))
    print(", ".join(f"{n} {what}" for what, n in sorted(looked.items())))
