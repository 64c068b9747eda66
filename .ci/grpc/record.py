"""What a peer of ours saw of a call, as a line of JSON that `agree.py` holds against what an OTLP receiver got.

A record: `side` of ours, `method`, `trace_id`, `parent` (a server's), `status` (the names it may have), `origin` (of a
cancellation, those it may have), `named` (whether the method has a name yet), `error` (where there is no status), `seconds`
that it cannot have taken longer, `crowd` (how many calls there may be), and for `request` and `response`: `messages`,
`bytes` as they were before compression (`exact`: as they went), and how many were `compressed`. What the peer cannot know
is None.
"""

import json
import os
import threading

CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
BINARY = bytes([0, 255, ord(","), 0x80, ord("\n")])
DETAILS = b"\x08\x05\x12\x07details"
writing = threading.Lock()


def flow(messages=None, size=None, compressed=0, exact=False):
    return {"messages": messages, "bytes": size, "compressed": compressed, "exact": exact}


def context():
    """A caller's trace and span, and the metadata that say so."""
    trace_id, span_id = os.urandom(16).hex(), os.urandom(8).hex()
    return trace_id, span_id, [("traceparent", f"00-{trace_id}-{span_id}-01"), ("tracestate", "peer=1")]


def write(path, **record):
    with writing, open(path, "a") as out:
        out.write(json.dumps(record) + "\n")
