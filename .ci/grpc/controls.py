"""controls.py DUMP RECORDS... PRINTED: `agree.py` takes what was seen and sent, and refuses each copy of it with one defect.
"""

import json
import pathlib
import pickle
import sys

from agree import judge

*files, printed = [pathlib.Path(path).read_text() for path in sys.argv[1:]]
dump, *records = [[json.loads(line) for line in file.splitlines()] for file in files]
# The last of each point is what counts. Pickled: the quickest way to have it all again as it was.
last = {(line.get("name"), json.dumps([line.get(key) for key in ("span_id", "attributes", "resource")])): line for line in dump}
lines = pickle.dumps([[*last.values()], *records])


def changed(change):
    """Whether it agrees once `change(dump, records)` was made; where it returns text, that is what our client printed."""
    dump, *records = pickle.loads(lines)
    said = change(dump, records)
    found, _ = judge(dump, [record for those in records for record in those], said if isinstance(said, str) else printed)
    return not found


def span(dump, method, kind=2):
    return next(line for line in dump if line["signal"] == "span" and line["kind"] == kind
                and line["attributes"]["rpc.method"]["stringValue"] == f"interop.Echo/{method}")


def points(dump, name, method=None):
    found = [line for line in dump if line["signal"] == "point" and line["name"] == name and
             method in (None, line["attributes"].get("rpc.method", {}).get("stringValue", "").rpartition("/")[2])]
    assert found, f"{name} of {method}"
    return found


def put(method, key, value, kind=2):
    def change(dump, _):
        attributes = span(dump, method, kind)["attributes"]
        assert key in attributes, f"{method} has no {key}"
        attributes[key] = value
    return change


def of_span(method, kind=2, **fields):
    return lambda dump, _: span(dump, method, kind).update(fields)


def of_points(name, method=None, **fields):
    return lambda dump, _: [point.update(fields) for point in points(dump, name, method)]


def twice(dump, _):
    dump.append(span(dump, "Unary_plain") | {"span_id": "00" * 8})


def number(value):
    return {"intValue": str(value)}


CASES = {
    "nothing sent": lambda dump, _: dump.clear(),
    "nothing seen": lambda _, records: [those.clear() for those in records],
    "a refused export": lambda dump, _: dump.append({"refused": "why"}),
    "a call without a span": lambda dump, _: dump.remove(span(dump, "Bidi_plain")),
    "a span of no call": lambda _, records: records[0].pop(),
    "a call that ended twice": twice,
    "another status": put("Unary_fails", "rpc.response.status_code", {"stringValue": "OK"}),
    "another status of a client's": put("Unary_fails", "rpc.response.status_code", {"stringValue": "OK"}, 3),
    "a status that says no error": of_span("Unary_fails_inside", status=0),
    "a message too many": put("Bidi_plain", "obs.rpc.request.messages", number(4)),
    "a message too few": put("ServerStream_plain", "obs.rpc.response.messages", number(3), 3),
    "a size with prefixes": put("Unary_plain", "obs.rpc.request.size", number(10)),
    "a size before compression": put("Unary_gzip", "obs.rpc.response.size", number(20_000)),
    "nothing compressed": put("Unary_gzip", "obs.rpc.request.compressed", number(0)),
    "one of two compressed": put("Bidi_gzip", "obs.rpc.response.compressed", number(1), 3),
    "cancelled by somebody else": put("Bidi_cancelled", "obs.rpc.cancel.origin", {"stringValue": "local"}),
    "another parent": of_span("Unary_plain", parent="00" * 8),
    "no tracestate": of_span("Unary_plain", trace_state=""),
    "another span in the context": of_span("Unary_plain", 3, span_id="00" * 8),
    "a moment twice": of_span("Unary_plain", events=["read_start", "read_start"]),
    "longer than its caller waited": of_span("Unary_plain", seconds=100.0),
    "a duration too many": of_points("rpc.server.call.duration", "Unary_plain", count=2),
    "no duration of it": lambda dump, _: [dump.remove(point) for point in points(dump, "rpc.client.call.duration", "Unary_plain")],
    "a sum of sizes too large": of_points("obs.rpc.server.request.size", "Unary_plain", sum=10.0),
    "a call in flight": of_points("obs.rpc.server.active_calls", value=1),
    "a panic within": lambda dump, _: dump.append(points(dump, "obs.rpc.server.active_calls")[0] | {"name": "obs.telemetry.anomalies", "value": 1}),
    "another code told": lambda *_: printed.replace("Unary_fails 5", "Unary_fails 6"),
    "a case that nobody told of": lambda *_: printed.partition("Bidi_fails")[0],
    "no health check": lambda *_: printed.replace("health SERVING\n", ""),
}
wrong = [] if changed(lambda *_: None) else ["refused as it is"]
wrong += [f"{name}: accepted" for name, change in CASES.items() if changed(change)]
print(f"{len(CASES)} copies, {len(wrong)} judged wrongly")
sys.exit("\n".join(wrong) or 0)
