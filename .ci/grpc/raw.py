"""raw.py ADDRESS PID RECORDS: a client of HTTP/2 that misbehaves, frame by frame, and says what it saw.

After each misdeed the server answers a good call; its memory is bounded; and each call that began is a record.
"""

import gzip
import pathlib
import socket
import struct
import sys
import time

import h2.errors
from record import context, flow, write
from wire import CONTINUATION, DATA, GOAWAY, HEADERS, RST, SETTINGS, WINDOW, Connection, frame, message

address, pid, records = sys.argv[1:]
Connection.address, Connection.records = address, records
wrong, done = [], []
SLEEPS = [("x-act", "sleep 5000")]
CANCELLED = {"status": ["CANCELLED"], "origin": ["peer"]}


def want(true, why):
    if not true:
        wrong.append(why)


def case(function):
    """Runs one, and then asks something good."""
    name = function.__name__
    function(f"Unary_raw_{name}")
    done.append(name)
    connection = Connection()
    call = connection.open(f"Unary_raw_{name}_after")
    connection.send(call, message(b"still there"))
    connection.read(10)
    want(call.grpc == 0 and call.body == message(b"still there"), f"{name}: afterwards {call.grpc} {call.body}")
    call.record(request=flow(1, 11), response=flow(1, 11))
    connection.close()
    return function


def settled(connection):
    """What was sent is read, and whoever handles it has had the time to."""
    connection.sync()
    time.sleep(0.05)
    connection.sync()


# --- reset in each state ----------------------------------------------------------------------------------------------

@case
def reset_idle(name):
    connection = Connection()
    connection.raw(frame(RST, 0, 1, struct.pack(">I", 8)))
    connection.sync()
    want(connection.goaway is not None or connection.closed, f"{name}: an idle stream was reset, and nobody minded")


def reset_after(parts, metadata=(), reads=0):
    def run(name):
        connection = Connection()
        call = connection.open(name, metadata)
        for data, end in parts:
            connection.send(call, data, end)
        settled(connection)
        connection.rst(call)
        connection.sync()
        want(connection.goaway is None, f"{name}: the connection was ended")
        call.record(**CANCELLED, request=flow(reads) if parts else flow(0))
        connection.close()
    return run


for state, parts, metadata, reads in [
        ("reset_before_data", [], (), 0),
        ("reset_in_prefix", [(b"\0\0\0", False)], (), 0),
        ("reset_in_message", [(message(b"abc", length=10), False)], (), 0),
        ("reset_half_closed", [(message(b"abc"), True)], SLEEPS, 1)]:
    run = reset_after(parts, metadata, reads)
    run.__name__ = state
    case(run)


@case
def reset_in_answer(name):
    connection = Connection()
    call = connection.open(name.replace("Unary", "ServerStream"), [("x-count", "1"), ("x-then", "sleep 5000")])
    connection.send(call, message(b"abc"))
    connection.read(5, lambda: call.body)
    want(call.body == message(b"abc"), f"{name}: {call.body}")
    connection.rst(call)
    connection.sync()
    call.record(**CANCELLED, named=True, request=flow(1, 3), response=flow(1, 3))
    connection.close()


@case
def reset_of_what_is_over(name):
    connection = Connection()
    call = connection.open(name)
    connection.send(call, message(b"abc"))
    connection.read(5)
    connection.rst(call)
    connection.sync()
    call.record(request=flow(1, 3), response=flow(1, 3))
    want(call.grpc == 0, f"{name}: {call.grpc}")
    connection.close()


@case
def window_never_opened(name):
    connection = Connection(window=0)
    call = connection.open(name, [("x-size", "100000")])
    connection.send(call, message(b"abc"))
    connection.read(5, lambda: call.head)
    settled(connection)
    want(call.head and not call.body, f"{name}: {len(call.body)} bytes without a window")
    connection.rst(call)
    connection.sync()
    call.record(**CANCELLED, named=True, request=flow(1, 3))
    connection.close()


# --- connections that go ----------------------------------------------------------------------------------------------

@case
def goaway_in_call(name):
    connection = Connection()
    call = connection.open(name, [("x-act", "sleep 200")])
    connection.send(call, message(b"abc"))
    connection.raw(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
    connection.read(5)
    want(call.grpc == 0, f"{name}: {call.grpc}")
    call.record(request=flow(1, 3), response=flow(1, 3))
    connection.close()


@case
def goaway_with_error_in_call(name):
    connection = Connection()
    call = connection.open(name, SLEEPS)
    connection.send(call, message(b"abc"))
    settled(connection)
    connection.raw(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 2)))
    connection.read(0.3)
    connection.close()
    time.sleep(0.1)
    call.record(**CANCELLED, request=flow(1, 3))


@case
def killed_in_call(name):
    connection = Connection()
    call = connection.open(name, SLEEPS)
    connection.send(call, message(b"abc"))
    settled(connection)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    time.sleep(0.1)
    call.record(**CANCELLED, request=flow(1, 3))


@case
def killed_in_prefix(name):
    connection = Connection()
    call = connection.open(name)
    connection.send(call, b"\0\0", False)
    settled(connection)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    time.sleep(0.1)
    call.record(**CANCELLED, request=flow(0))


# --- messages that are none -------------------------------------------------------------------------------------------

def broken(data, request=None, metadata=(), right=False):
    """`right`: whether the answer is to be OK; None where it may."""
    def run(name):
        connection = Connection()
        call = connection.open(name, metadata)
        connection.send(call, data)
        connection.read(5)
        want(call.grpc is not None and right in (None, call.grpc == 0), f"{name}: {call.grpc}, {call.reset}")
        call.record(request=request or flow(), named=None)
        connection.close()
    return run


squeezed = gzip.compress(b"q" * 10_000)
for name, run in {
        "half_a_prefix": broken(b"\0\0\0", flow(0)),
        "half_a_message": broken(message(b"abcd", length=10), flow(0)),
        "no_message": broken(b"", flow(0)),
        "two_messages": broken(message(b"a") + message(b"b"), right=None),
        "four_gigabytes": broken(message(b"abcd", length=0xffff_ffff), flow(0)),
        "a_flag_of_seven": broken(message(b"abcd", flag=7)),
        "compressed_without_saying": broken(message(squeezed, flag=1)),
        "compressed_badly": broken(message(squeezed[:20], flag=1), flow(1, 20, 1, exact=True), [("grpc-encoding", "gzip")]),
        "compressed_another_way": broken(message(b"abcd", flag=1), metadata=[("grpc-encoding", "br")]),
        "compressed_well": broken(message(squeezed, flag=1), flow(1, len(squeezed), 1, exact=True), [("grpc-encoding", "gzip")], True),
        "deadline_of_nothing": broken(message(b"abcd"), metadata=[("grpc-timeout", "soon")], right=True),
        "binary_that_is_none": broken(message(b"abcd"), metadata=[("x-echo-bin", "%%%")], right=True),
}.items():
    run.__name__ = name
    case(run)


@case
def an_answer_compressed(name):
    connection = Connection()
    call = connection.open(name, [("x-gzip", "1"), ("x-size", "100000"), ("grpc-accept-encoding", "gzip")])
    connection.send(call, message(b"abc"))
    connection.read(5)
    want(call.body[:1] == b"\1" and gzip.decompress(call.body[5:]) == b"a" * 100_000, f"{name}: {call.body[:10]}")
    call.record(request=flow(1, 3), response=flow(1, len(call.body) - 5, 1, exact=True))
    connection.close()


@case
def a_deadline_that_only_the_server_keeps(name):
    connection = Connection()
    call = connection.open(name, [*SLEEPS, ("grpc-timeout", "100m")])
    connection.send(call, message(b"abc"))
    connection.read(5)
    # tonic's word to the caller, by a layer outside of ours, is CANCELLED (0.14); ours is what it was.
    want(call.grpc in (1, 4), f"{name}: {call.grpc}")
    call.grpc = 4
    call.record(origin=["deadline"], named=False, request=flow(1, 3))
    connection.close()


# --- frames out of order ----------------------------------------------------------------------------------------------

@case
def data_after_the_end(name):
    connection = Connection()
    call = connection.open(name, [("x-act", "sleep 200")])
    connection.send(call, message(b"abc"))
    settled(connection)
    connection.send(call, message(b"abc"))
    connection.read(1)
    want(call.grpc == 0 or call.reset or connection.goaway is not None or connection.closed, f"{name}: not even an answer")
    call.record(status=["CANCELLED"], origin=None if call.grpc == 0 else ["peer"], request=flow(1, 3))
    connection.close()


@case
def trailers_of_a_request(name):
    connection = Connection()
    call = connection.open(name)
    connection.send(call, message(b"abc"), end=False)
    block = connection.h2.encoder.encode([("x-trailer", "late"), ("x-trailer-bin", "AP8")])
    connection.raw(frame(HEADERS, 5, call.stream, block))
    connection.read(5)
    want(call.grpc == 0, f"{name}: {call.grpc}")
    call.record(request=flow(1, 3), response=flow(1, 3))
    connection.close()


@case
def windows_that_overflow(name):
    connection = Connection()
    call = connection.open(name, SLEEPS)
    connection.send(call, message(b"abc"))
    settled(connection)
    connection.raw(frame(WINDOW, 0, call.stream, struct.pack(">I", 0x7fff_ffff)) * 2)
    connection.read(5)
    want(call.reset == h2.errors.ErrorCodes.FLOW_CONTROL_ERROR, f"{name}: {call.reset}, {connection.goaway}")
    call.record(**CANCELLED, request=flow(1, 3))
    connection.close()


@case
def a_byte_at_a_time(name):
    connection = Connection()
    call = connection.open(name)
    data = message(b"still a message")
    connection.raw(b"".join(frame(DATA, 0, call.stream, data[at:at + 1]) + frame(DATA, 0, call.stream) for at in range(len(data))))
    connection.send(call, b"")
    connection.read(5)
    want(call.body == data, f"{name}: {call.grpc}, {call.body}, {call.reset}, {connection.goaway}")
    call.record(request=flow(1, 15), response=flow(1, 15))
    connection.close()


def odd(expect, counted=True, **how):
    """`expect`: the statuses of an answer, None where there need be none. `counted`: whether a call began."""
    def run(name):
        connection = Connection()
        call = connection.open(name, **how)
        connection.send(call, message(b"abc"))
        connection.read(3)
        want(call.grpc in expect, f"{name}: {call.http} {call.grpc} {call.reset}")
        if counted:
            call.record()
        connection.close()
    return run


# tonic asks nobody for a method or a type of content; whoever does may refuse.
for name, run in {
        "no_te": odd([0], without=("te",)),
        "unknown_service": odd([12], path="/no.Such/Thing"),
        "unknown_method": odd([12], path="/interop.Echo/Nothing_raw"),
        "path_of_one_part": odd([12], path="/x"),
        "content_of_another_type": odd(range(17), type="text/plain"),
        "content_of_no_type": odd(range(17), without=("content-type",)),
        "get": odd(range(17), method="GET"),
        "no_path": odd([None], counted=False, without=(":path",)),
        "no_method": odd([None], counted=False, without=(":method",)),
        "a_head_too_large": odd([None], counted=False, metadata=[("x-large", "a" * 15_000), ("x-larger", "b" * 15_000)]),
}.items():
    run.__name__ = name
    case(run)


@case
def a_head_that_is_none(name):
    connection = Connection()
    connection.raw(frame(HEADERS, 4, 1, b"\xff" * 40))
    connection.sync()
    want(connection.goaway is not None or connection.closed, f"{name}: nobody minded")
    connection.close()


@case
def a_head_without_end(name):
    connection = Connection()
    block = connection.h2.encoder.encode([(":method", "POST"), (":scheme", "http"), (":path", f"/interop.Echo/{name}")])
    connection.raw(frame(HEADERS, 0, 1, block))
    for at in range(200):
        more = connection.h2.encoder.encode([(f"x-{at}", "a" * 1_000)])
        connection.raw(frame(CONTINUATION, 0, 1, more))
    connection.sync()
    want(connection.goaway is not None or connection.closed, f"{name}: nobody minded")
    connection.close()


@case
def no_preface(name):
    host, _, port = address.partition(":")
    plain = socket.create_connection((host, int(port)), 10)
    plain.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    plain.settimeout(2)
    try:
        want(not plain.recv(100).startswith(b"HTTP/1.1 2"), f"{name}: answered")
    except OSError:
        pass
    plain.close()


# --- many ------------------------------------------------------------------------------------------------------------

def resident(which="VmHWM"):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) // 1024


# The peak from here on.
pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
before = resident()


@case
def pings(name):
    connection = Connection()
    call = connection.open(name, [("x-act", "sleep 300")])
    connection.send(call, message(b"abc"))
    for _ in range(100):
        connection.pinged(100)
    connection.read(5)
    want(call.grpc == 0 and connection.pongs == 10_000, f"{name}: {call.grpc}, {connection.pongs} answers, {connection.goaway}")
    call.record(request=flow(1, 3), response=flow(1, 3))
    connection.close()


@case
def settings(name):
    connection = Connection()
    call = connection.open(name, [("x-act", "sleep 300")])
    connection.send(call, message(b"abc"))
    for _ in range(20):
        connection.raw(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 50)
        connection.sync()
    connection.read(5)
    want(call.grpc == 0, f"{name}: {call.grpc}, {connection.goaway}")
    call.record(request=flow(1, 3), response=flow(1, 3))
    connection.close()


@case
def methods_of_anybody(name):
    """None of them has a name, however many there are, however long they are."""
    connection = Connection()
    for at in range(300):
        call = connection.open(name, path=f"/no.Such/{'a' * (10_000 if at % 60 == 0 else 10)}{at}", end=True)
        connection.read(5)
        want(call.grpc == 12, f"{name}: {call.grpc}, {call.reset}")
        call.record(named=False)
    connection.close()


def crowd(name, least, most, trace_id, parent, method):
    write(records, side="server", method=method, trace_id=trace_id, parent=parent, crowd=[least, most],
          status=["CANCELLED"], origin=["peer"], named=None, request=flow(), response=flow())


MANY = 1_000


@case
def reset_once_begun(name):
    """As many as may be open, all begun, then reset: each is a call."""
    trace_id, span_id, traced = context()
    connection = Connection()
    for _ in range(MANY // 50):
        calls = [connection.open(name, SLEEPS, context=lambda: (trace_id, span_id, traced)) for _ in range(50)]
        settled(connection)
        connection.raw(b"".join(frame(RST, 0, call.stream, struct.pack(">I", 8)) for call in calls))
        connection.sync()
    want(connection.goaway is None and not connection.closed, f"{name}: {connection.goaway}")
    crowd(name, MANY, MANY, trace_id, span_id, calls[0].method)
    connection.close()


@case
def reset_at_once(name):
    """Faster than they can begin: h2 ends the connection, and what began is a call all the same."""
    trace_id, span_id, traced = context()
    connection, method = Connection(), ""
    for at in range(MANY):
        call = connection.open(name, SLEEPS, context=lambda: (trace_id, span_id, traced))
        connection.rst(call)
        method = call.method
    connection.sync()
    crowd(name, 0, MANY, trace_id, span_id, method)
    connection.close()
    time.sleep(0.2)


@case
def reset_in_one_write(name):
    trace_id, span_id, traced = context()
    connection, held, method = Connection(), [], ""
    send, connection.raw = connection.raw, held.append
    for at in range(MANY):
        call = connection.open(name, SLEEPS, context=lambda: (trace_id, span_id, traced))
        connection.rst(call)
        method = call.method
    connection.raw = send
    connection.raw(b"".join(held))
    connection.sync()
    want(connection.goaway == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM or connection.closed, f"{name}: nobody minded")
    crowd(name, 0, MANY, trace_id, span_id, method)
    connection.close()
    time.sleep(0.2)


after = resident()
want(after - before < 32, f"from {before} to {after} MiB")
print(f"{len(done)} misdeeds, from {before} to {after} MiB")
sys.exit("\n".join(wrong) or 0)
