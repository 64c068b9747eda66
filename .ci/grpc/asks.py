"""asks.py ADDRESS RECORDS: grpcio asks our server, case by case, and says what it saw.

Bytes in, bytes out: nothing is generated. Each case is a method of its own, so each has metrics of its own.
"""

import itertools
import sys
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from record import BINARY, DETAILS, context, flow, write

address, records = sys.argv[1:]
channel = grpc.insecure_channel(address)
wrong = []


def want(true, why):
    if not true:
        wrong.append(why)


def held(until):
    """No message, for as long as the call lasts."""
    until.wait(20)
    return
    yield


def case(kind, name, metadata=(), messages=(b"hello",), gzip=False, timeout=30, leave=None, status="OK", origin=None,
         ends=True, takes=None, named=True, error=None, request=None):
    """`leave`: cancelled after so many messages of the answer, at 0 before it. `ends`: whether the request does. `takes`: what
    the caller may be told, where it is not the status. `named`: whether the method has a name yet; None where nobody can tell."""
    method, metadata = f"/interop.Echo/{kind}_{name}", dict(metadata)
    trace_id, span_id, headers = context()
    headers += [("x-echo-bin", BINARY), *metadata.items()]
    many_in, many_out = kind in ("ClientStream", "Bidi"), kind in ("ServerStream", "Bidi")
    stub = getattr(channel, f"{'stream' if many_in else 'unary'}_{'stream' if many_out else 'unary'}")(method)
    over, got, begun = threading.Event(), [], time.time()
    body = itertools.chain(messages, () if ends else held(over)) if many_in else messages[0]
    options = {"metadata": headers, "timeout": timeout, "compression": grpc.Compression.Gzip if gzip else None}
    try:
        if many_out:
            call = stub(body, **options)
            for message in call:
                got.append(message)
                if leave == len(got):
                    call.cancel()
        elif leave == 0:
            call = stub.future(body, **options)
            time.sleep(0.5)
            call.cancel()
        else:
            # A stream's `future` forgets to say that it compresses, and then does not.
            message, call = stub.with_call(body, **options)
            got.append(message)
    except grpc.RpcError as failed:
        call = failed
    over.set()
    seconds = time.time() - begun
    code = call.code()
    want(code.name in (takes or [status]), f"{method}: {code.name}, {call.details()}")
    head, tail = ([*map(tuple, pairs or ())] for pairs in (call.initial_metadata(), call.trailing_metadata()))
    if takes is None and named and leave is None:
        want(("x-echo-bin", BINARY) in head + tail, f"{method}: no x-echo-bin in {head + tail}")
        want(("x-traceparent", headers[0][1]) in head + tail, f"{method}: no x-traceparent in {head + tail}")
    if f"fail {code.value[0]}" in metadata.values():
        want(("grpc-status-details-bin", DETAILS) in tail, f"{method}: no details in {tail}")
        want(call.details() == "asked for: \u00e9", f"{method}: {call.details()}")
    if metadata.get("x-then") == "trailers 0":
        want(("x-echo-bin", BINARY) in tail, f"{method}: no x-echo-bin in the trailers {tail}")
    write(records, side="server", method=method[1:], trace_id=trace_id, parent=span_id, named=named, error=error, seconds=seconds,
          status=status if isinstance(status, list) else [status], origin=origin,
          request=request or flow(len(messages), sum(map(len, messages)), len(messages) if gzip else 0),
          response=flow(len(got), sum(map(len, got)), len(got) if "x-gzip" in metadata else 0))
    return got


want(case("Unary", "plain") == [b"hello"], "Unary_plain: no echo")
case("Unary", "empty", messages=(b"",))
want(len(case("Unary", "large", [("x-size", "1000000")])[0]) == 1_000_000, "Unary_large: cut")
want(case("Unary", "large_request", [("x-size", "3")], messages=(b"q" * 1_000_000,)) == [b"aaa"], "Unary_large_request")
want(case("Unary", "gzip", [("x-gzip", "1")], messages=(b"q" * 20_000,), gzip=True) == [b"q" * 20_000], "Unary_gzip")
case("Unary", "gzip_request", messages=(b"q" * 20_000,), gzip=True)
case("Unary", "gzip_answer", [("x-gzip", "1"), ("x-size", "20000")])
case("Unary", "fails", [("x-act", "fail 5")], status="NOT_FOUND")
case("Unary", "fails_inside", [("x-act", "fail 13")], status="INTERNAL")
want(case("ClientStream", "plain", messages=(b"a", b"bb", b"ccc")) == [b"3 6"], "ClientStream_plain: not counted")
want(case("ClientStream", "none", messages=()) == [b"0 0"], "ClientStream_none: not counted")
want(case("ClientStream", "large", messages=(b"q" * 100_000,) * 3) == [b"3 300000"], "ClientStream_large: not counted")
case("ClientStream", "gzip", messages=(b"q" * 9_000,) * 3, gzip=True)
case("ClientStream", "fails", [("x-act", "fail 3")], messages=(b"a", b"b"), status="INVALID_ARGUMENT")
want(len(case("ServerStream", "plain", [("x-count", "4")])) == 4, "ServerStream_plain: not 4")
want(case("ServerStream", "none", [("x-count", "0")]) == [], "ServerStream_none: some")
want(len(case("ServerStream", "large", [("x-count", "3"), ("x-size", "100000")])) == 3, "ServerStream_large: not 3")
case("ServerStream", "gzip", [("x-count", "3"), ("x-size", "9000"), ("x-gzip", "1")])
case("ServerStream", "fails_at_once", [("x-act", "fail 9")], status="FAILED_PRECONDITION")
want(len(case("ServerStream", "fails", [("x-count", "2"), ("x-then", "fail 15")], status="DATA_LOSS")) == 2, "ServerStream_fails")
case("ServerStream", "trailers", [("x-count", "1"), ("x-then", "trailers 0")])
want(case("Bidi", "plain", messages=(b"a", b"bb", b"ccc")) == [b"a", b"bb", b"ccc"], "Bidi_plain: no echo")
case("Bidi", "gzip", [("x-gzip", "1")], messages=(b"q" * 5_000,) * 2, gzip=True)
case("Bidi", "fails", [("x-then", "fail 16")], messages=(b"a", b"bb"), status="UNAUTHENTICATED")
# Whoever is asked for what there is not need not read the question, and gives it no name.
case("Unknown", "method", status="UNIMPLEMENTED", named=False, request=flow())

# A caller that is late resets the stream, at the time at which the server stops by itself, which tonic calls CANCELLED. Who
# is first, and so whether the server could see that it was the deadline, is up to the machine.
late = {"status": ["DEADLINE_EXCEEDED", "CANCELLED"], "origin": ["deadline", "peer"], "takes": ["DEADLINE_EXCEEDED", "CANCELLED"]}
case("Unary", "deadline", [("x-act", "sleep 5000")], timeout=0.5, named=False, **late)
case("ServerStream", "deadline", [("x-count", "2"), ("x-then", "sleep 5000")], timeout=0.5, **late)
gone = {"status": "CANCELLED", "origin": ["peer"]}
case("Unary", "cancelled", [("x-act", "sleep 5000")], leave=0, named=False, **gone)
case("ServerStream", "cancelled", [("x-count", "1"), ("x-then", "sleep 5000")], leave=1, **gone)
case("Bidi", "cancelled", messages=(b"a", b"bb"), leave=2, ends=False, **gone)
# The handler is told by its stream, or dropped.
case("ClientStream", "cancelled", messages=(b"a", b"bb"), leave=0, ends=False, named=None, **gone)
case("Unary", "panics", [("x-act", "panic 0")], status=None, takes=["CANCELLED"], named=False, error="panic")

asked = health_pb2.HealthCheckRequest(service="interop.Echo")
want(health_pb2_grpc.HealthStub(channel).Check(asked, timeout=10).status == health_pb2.HealthCheckResponse.SERVING, "not serving")
channel.close()
sys.exit("\n".join(wrong) or 0)
