"""HTTP/2 frame by frame, past what a library lets through."""

import socket
import struct
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from record import CODES, context, flow, write


def message(body, flag=0, length=None):
    return struct.pack(">BI", flag, len(body) if length is None else length) + body


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9


class Call:
    def __init__(self, records, stream, method, trace_id, parent):
        self.records, self.stream, self.method, self.trace_id, self.parent = records, stream, method, trace_id, parent
        self.http = self.grpc = self.reset = None
        self.body, self.over, self.head = b"", False, False

    def record(self, status=None, origin=None, request=None, response=None, **more):
        """With the status that was seen, where there was one."""
        if self.grpc is not None:
            status = [CODES[self.grpc]]
        more.setdefault("named", None if self.grpc is None or self.grpc == 12 else True)
        write(self.records, side="server", method=self.method, trace_id=self.trace_id, parent=self.parent, status=status,
              origin=origin, request=request or flow(), response=response or flow(), **more)


class Connection:
    """One of h2's, of which only the block of headers and what comes back is used: it sends what it is told to."""

    # Where to, and where calls are recorded.
    address = records = None

    def __init__(self, window=None):
        host, port = self.address.split(":")
        self.socket = socket.create_connection((host, int(port)), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2, self.calls, self.goaway, self.closed, self.pongs = h2.connection.H2Connection(config), {}, None, False, 0
        self.h2.initiate_connection()
        self.flush()
        if window is not None:
            self.raw(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window)))
            self.sync()

    def flush(self):
        self.raw(self.h2.data_to_send())

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def open(self, name, metadata=(), method="POST", path=None, without=(), type="application/grpc", end=False, context=context):
        path = path or f"/interop.Echo/{name}"
        trace_id, span_id, traced = context()
        headers = [(":method", method), (":scheme", "http"), (":authority", self.address), (":path", path),
                   ("content-type", type), ("te", "trailers"), *traced, *metadata]
        call = Call(self.records, self.h2.get_next_available_stream_id(), path[1:], trace_id, span_id)
        self.h2.send_headers(call.stream, [it for it in headers if it[0] not in without], end_stream=end)
        self.calls[call.stream] = call
        self.flush()
        return call

    def send(self, call, data, end=True):
        """Past the library's own window and states."""
        self.raw(frame(DATA, int(end), call.stream, data))

    def rst(self, call, code=8):
        self.raw(frame(RST, 0, call.stream, struct.pack(">I", code)))
        call.reset, call.over = "ours", True

    def read(self, seconds, enough=None):
        """What came until every call is over or it is enough, or for as long."""
        until = time.monotonic() + seconds
        while not self.closed and (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65_536)
            except TimeoutError:
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError:
                # It knows nothing of what went past it. What is lost here is only what was seen.
                events = []
            for event in events:
                self.see(event)
            self.flush()
            if self.is_done() or (enough and enough()):
                return

    # Answers to pings that are waited for, and nothing else, if there are any.
    waits = None

    def is_done(self):
        return all(call.over for call in self.calls.values()) if self.waits is None else self.waits <= 0

    def see(self, event):
        call = self.calls.get(getattr(event, "stream_id", None))
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)) and call:
            headers = dict(event.headers)
            call.head, call.http = True, call.http or headers.get(":status")
            call.grpc = int(headers["grpc-status"]) if "grpc-status" in headers else call.grpc
        elif isinstance(event, h2.events.DataReceived) and call:
            call.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded) and call:
            call.over = True
        elif isinstance(event, h2.events.StreamReset) and call:
            call.reset, call.over = call.reset or event.error_code, True
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
            self.waits = self.waits and self.waits - 1

    def sync(self):
        """Everything sent before was read, as what comes after is answered."""
        self.pinged(1)

    def pinged(self, count):
        self.waits = count
        self.raw(frame(PING, 0, 0, bytes(8)) * count)
        self.read(5)
        self.waits = None

    def close(self):
        self.socket.close()
