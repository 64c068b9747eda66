"""answers.py PORT_FILE RECORDS: a grpcio server that our client asks. It does what the metadata say, as our own does, and
writes what it saw of each call."""

import pathlib
import signal
import sys
import threading
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from record import BINARY, CODES, DETAILS, flow, write

port_file, records = map(pathlib.Path, sys.argv[1:])
STATUSES = {code.value[0]: code for code in grpc.StatusCode}
stopping = threading.Event()
# What the caller may be told, where it is not what this server answered, and who it says ended the call. Which it is,
# `agree.py` compares with what the caller was told.
LOCAL = (["CANCELLED"], ["local"])
ENDINGS = {"Unary_dropped": LOCAL, "ServerStream_dropped": LOCAL, "Bidi_dropped": LOCAL,
           "Unary_fails_late": (["DEADLINE_EXCEEDED"], ["deadline"]),
           # Both sides watch the time. The first is tonic's own word for it.
           "Unary_deadline": (["CANCELLED", "DEADLINE_EXCEEDED"], ["deadline"]),
           "ServerStream_deadline": (["DEADLINE_EXCEEDED"], ["deadline"]),
           "Bidi_stopped": (["UNAVAILABLE"], None)}
# Cases whose requests are compressed.
SQUEEZED = {"Unary_gzip", "ClientStream_gzip", "Bidi_gzip"}


running = threading.Condition()


class Call:
    open = 0

    def __init__(self, method, context):
        self.method, self.context = method, context
        self.metadata = dict(context.invocation_metadata())
        self.read, self.sent, self.status = [], [], None
        with running:
            Call.open += 1
        context.add_callback(self.over)
        if "x-gzip" in self.metadata:
            context.set_compression(grpc.Compression.Gzip)
        self.echo = [("x-echo-bin", self.metadata["x-echo-bin"]), ("x-traceparent", self.metadata["traceparent"])]
        self.bin_arrived = self.metadata["x-echo-bin"] == BINARY

    def act(self, when):
        what, _, how = self.metadata.get(when, "").partition(" ")
        if what == "sleep":
            until = time.monotonic() + int(how) / 1000
            while self.context.is_active() and time.monotonic() < until:
                time.sleep(0.01)
        elif what == "fail":
            self.status = CODES[int(how)]
            self.context.set_trailing_metadata([*self.echo, ("grpc-status-details-bin", DETAILS)])
            self.context.abort(STATUSES[int(how)], "asked for: é")
        elif what == "raise":
            self.status = "UNKNOWN"
            raise RuntimeError("asked for")
        elif what == "trailers":
            self.context.set_trailing_metadata(self.echo)
        elif what == "stop":
            stopping.set()
            while self.context.is_active():
                time.sleep(0.01)

    def sized(self, message):
        return b"a" * int(self.metadata["x-size"]) if "x-size" in self.metadata else message

    def begin(self):
        self.context.send_initial_metadata(self.echo)

    def over(self):
        name = self.method.rpartition("/")[2]
        status, origin = ENDINGS.get(name, ([self.status or "OK"], None))
        sent, read = self.sent, self.read
        _, trace_id, span_id, _ = self.metadata["traceparent"].split("-")
        write(records, side="client", method=self.method[1:], trace_id=trace_id, span_id=span_id, bin=self.bin_arrived,
              status=status, origin=origin,
              request=flow(len(read), sum(map(len, read)), len(read) if name in SQUEEZED else 0),
              response=flow(len(sent), sum(map(len, sent)), len(sent) if "x-gzip" in self.metadata else 0))
        with running:
            Call.open -= 1
            running.notify()


def one_one(method):
    def handle(message, context):
        call = Call(method, context)
        call.read.append(message)
        call.act("x-act")
        call.begin()
        if context.is_active():
            call.sent.append(call.sized(message))
        return call.sized(message)
    return handle


def many_one(method):
    def handle(messages, context):
        call = Call(method, context)
        call.read.extend(messages)
        call.act("x-act")
        call.begin()
        call.sent.append(f"{len(call.read)} {sum(map(len, call.read))}".encode())
        return call.sent[0]
    return handle


def answer_all(call, messages):
    call.act("x-act")
    call.begin()
    for message in messages:
        call.sent.append(message)
        yield message
    call.act("x-then")


def one_many(method):
    def handle(message, context):
        call = Call(method, context)
        call.read.append(message)
        yield from answer_all(call, [call.sized(message)] * int(call.metadata.get("x-count", "1")))
    return handle


def many_many(method):
    def handle(messages, context):
        call = Call(method, context)
        def read():
            for message in messages:
                call.read.append(message)
                yield call.sized(message)
        yield from answer_all(call, read())
    return handle


class Echo(grpc.GenericRpcHandler):
    def service(self, asked):
        kind = asked.method.rpartition("/")[2].split("_")[0]
        if kind == "Unary":
            return grpc.unary_unary_rpc_method_handler(one_one(asked.method))
        if kind == "ClientStream":
            return grpc.stream_unary_rpc_method_handler(many_one(asked.method))
        if kind == "ServerStream":
            return grpc.unary_stream_rpc_method_handler(one_many(asked.method))
        if kind == "Bidi":
            return grpc.stream_stream_rpc_method_handler(many_many(asked.method))
        return None


server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Echo()])
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
ready = port_file.with_suffix(".tmp")
ready.write_text(str(port))
ready.rename(port_file)
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
stopping.wait()
server.stop(0).wait()
with running:
    running.wait_for(lambda: Call.open == 0, 5)
