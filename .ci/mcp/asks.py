"""asks.py SERVER DUMP: the protocol's own client for Python asks our server over its standard input and output.

SERVER is the program; its spans arrive in DUMP. The client writes its context into each message by itself, and its own spans say
where each of ours has to stand. What it is answered is held against what the same server answers that nobody observes."""

import asyncio
import json
import os
import pathlib
import sys
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

program, dump = sys.argv[1], pathlib.Path(sys.argv[2])
told = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(told))
trace.set_tracer_provider(provider)


def check(what, got, expect):
    if got != expect:
        raise SystemExit(f"{what}: {got!r}, not {expect!r}")


async def answers(mode):
    """All that it is answered, as JSON."""
    environment = {**os.environ, "OBS_MCP_SERVER": mode}
    got = []
    async with stdio_client(StdioServerParameters(command=program, env=environment)) as (reads, writes):
        async with ClientSession(reads, writes) as session:
            got.append(await session.initialize())
            got.append(await session.list_tools())
            got.append(await session.call_tool("rain", {"city": "Oslo"}))
            got.append(await session.call_tool("fails", {}))
            got.append(await session.get_prompt("greet"))
            got.append(await session.read_resource("file:///notes.md"))
            for wrong in (session.call_tool("none", {}), session.read_resource("file:///none")):
                try:
                    raise SystemExit(f"answered: {await wrong!r}")
                except MCPError as error:
                    got.append(error.error)
    return [answer.model_dump_json(by_alias=True) for answer in got]


def ours():
    lines = [json.loads(line) for line in dump.read_text().splitlines()] if dump.is_file() else []
    return [line for line in lines if line.get("signal") == "span"]


before = len(ours())
bare = asyncio.run(answers("bare"))
told.clear()
observed = asyncio.run(answers("observed"))
check("answers", observed, bare)

EXPECT = {
    "initialize": None,
    "tools/list": None,
    "tools/call rain": None,
    "tools/call fails": "tool_error",
    "tools/call none": "-32602",
    "prompts/get greet": None,
    "resources/read": "-32002",
}
COUNT = 9  # Those, a resource that is there, and the notification that follows the handshake.
deadline = time.monotonic() + 20
while len(ours()) - before < COUNT and time.monotonic() < deadline:
    time.sleep(0.1)
spans = ours()[before:]
check("spans", len(spans), COUNT)

# The client's own: of each that it tells, ours is the child.
theirs = {f"{span.context.span_id:016x}": span for span in told.get_finished_spans()}
within = 0
for span in spans:
    check(f"kind of {span['name']}", span["kind"], 2)
    check("the program", span["attributes"]["obs.agent.implementation"], {"stringValue": "rmcp"})
    if span["name"] == "notifications/initialized":
        continue
    parent = theirs.get(span["parent"])
    if parent is None:
        raise SystemExit(f"{span['name']} is within none of the client's {[s.name for s in theirs.values()]}")
    check(f"trace of {span['name']}", span["trace_id"], f"{parent.context.trace_id:032x}")
    check(f"method of {span['name']}", span["attributes"]["mcp.method.name"]["stringValue"], parent.attributes["mcp.method.name"])
    within += 1
check("within the client's", within, COUNT - 1)
for name, error in EXPECT.items():
    found = [span for span in spans if span["name"] == name]
    if error is None:
        check(f"{name} failed", [span for span in found if "error.type" in span["attributes"]], [])
        check(name, len(found), 1)
    else:
        failed = [span["attributes"].get("error.type", {}).get("stringValue") for span in found]
        check(f"errors of {name}", [kind for kind in failed if kind], [error])
print(f"{len(observed)} answers as without us, {within} spans within the client's own")
