"""otlp_check.py DUMP [--same-as DUMP | --exactly-as DUMP]: what the sink wrote is what an instrumented service has to send.

Without a refusal, with spans and points, a named resource and scope behind each. With `--same-as`, both dumps hold the
same spans and points but for ids, times and values. With `--exactly-as`, there are besides as many of each signal.
"""

import collections
import json
import pathlib
import sys


def read(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def shapes(lines):
    """Each line without what differs from run to run, and how many spans have that shape (points: whether any has)."""
    counted = collections.Counter(
        json.dumps([line["signal"], line["scope"], line["schema_url"], line["name"], line.get("kind"), line.get("type"),
                    line.get("unit"), line.get("temporality"), line.get("bounds"),
                    line.get("scale"), line.get("offsets"), line.get("status"), line.get("events"),
                    sorted(line["attributes"]), sorted(line["resource"])])
        for line in lines)
    return {shape: n if shape.startswith('["span"') else 1 for shape, n in counted.items()}


def wrong(lines):
    yield from (line["refused"] for line in lines if "refused" in line)
    if any("refused" in line for line in lines):
        return
    for signal in ("span", "point"):
        if not any(line["signal"] == signal for line in lines):
            yield f"no {signal} arrived"
    for line in lines:
        if not line["resource"].get("service.name"):
            yield f"{line['name']}: no service.name"
        if not (line["scope"] and line["scope_version"]):
            yield f"{line['name']}: scope {line['scope']!r} {line['scope_version']!r}"
    for kind in ("histogram", "exponential_histogram"):
        if not any(line.get("type") == kind and line["count"] for line in lines):
            yield f"no {kind} with a count"
    ids = [line["span_id"] for line in lines if line["signal"] == "span"]
    if len(set(ids)) != len(ids):
        yield "a span arrived twice"


lines = read(sys.argv[1])
found = list(wrong(lines))
if not found and sys.argv[2:3] in (["--same-as"], ["--exactly-as"]):
    others = read(sys.argv[3])
    ours, theirs = shapes(lines), shapes(others)
    found += [f"{ours.get(s, 0)} here, {theirs.get(s, 0)} there: {s}" for s in sorted(ours | theirs) if ours.get(s) != theirs.get(s)]
    if sys.argv[2] == "--exactly-as":
        ours, theirs = (collections.Counter(line["signal"] for line in of) for of in (lines, others))
        found += [f"{ours[s]} {s}s here, {theirs[s]} there" for s in sorted(ours | theirs) if ours[s] != theirs[s]]
if found:
    sys.exit("\n".join(dict.fromkeys(found)))
count = collections.Counter(f"{line['signal']}s" for line in lines)
print(", ".join(f"{n} {signal}" for signal, n in sorted(count.items())))
