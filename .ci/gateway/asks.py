"""asks.py usual|failover|stop SAID RECORDS [PID]: OpenAI's client asks the gateway, case by case, and says what it saw.

SAID is what the gateway printed. A record is a line of JSON: `mode`, `case`, the caller's `trace_id` and `parent`, whose `key`,
`operation`, `model`, the `status` that the caller got, `calls` (provider and error of each call that there must be, and how many
attempts it has), and of what the client read: `streamed`, `chunks` with content, `reasons`, `usage`, `answered` (id and model),
`first` and `seconds` since it asked. What it cannot know is None.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time

import openai

mode, said, records, *pid = sys.argv[1:]
said = pathlib.Path(said).read_text()
simulated = re.findall(r"^simulated: (.*)$", said, re.M)
gateway = re.search(r"^gateway: (.*)$", said, re.M)[1]
metrics = re.search(r"^metrics: http://([^/]*)/metrics$", said, re.M)[1]
KEYS = {"ann": "sk-of-ann", "ben": "sk-of-ben"}
clients = {name: openai.OpenAI(api_key=key, base_url=gateway, max_retries=0, timeout=30) for name, key in KEYS.items()}
stranger = openai.OpenAI(api_key="sk-of-nobody", base_url=gateway, max_retries=0, timeout=30)
first, second = ("simulated-first", None, 1), ("simulated-second", None, 1)
HI = [{"role": "user", "content": "say what you are"}]
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]
wrong, writing = [], threading.Lock()


def want(true, why):
    if not true:
        wrong.append(why)


def usage_of(usage):
    """Input, output, and what of the input was cached, in either interface's words."""
    if usage is None:
        return None
    told = usage.model_dump()
    details = told.get("prompt_tokens_details") or told.get("input_tokens_details") or {}
    return [told.get("prompt_tokens", told.get("input_tokens")), told.get("completion_tokens", told.get("output_tokens")),
            details.get("cached_tokens")]


def content(event):
    """Whether it brings any, in any interface."""
    kind = getattr(event, "type", None)
    if kind:
        return kind == "response.output_text.delta" and bool(event.delta)
    pieces = [getattr(choice, "delta", choice) for choice in event.choices]
    return any(getattr(p, "content", None) or getattr(p, "text", None) or getattr(p, "tool_calls", None) for p in pieces)


def read(event, saw):
    event = getattr(event, "response", None) or event
    if getattr(event, "id", None) and getattr(event, "model", None):
        saw["answered"] = [event.id, event.model]
    saw["usage"] = usage_of(getattr(event, "usage", None)) or saw["usage"]
    for choice in getattr(event, "choices", []):
        if choice.finish_reason:
            saw["reasons"][choice.index] = choice.finish_reason
    if getattr(event, "object", "") == "response" and event.status == "completed":
        saw["reasons"][0] = "completed"


def case(name, ask, model="sim", calls=(first,), operation="chat", key="ann", status=200, leave=None, meanwhile=None, breaks=False, **request):
    """`leave`: the stream is left after so many chunks. `meanwhile`: done after the first. `breaks`: it must not come to its end."""
    trace_id, parent = os.urandom(16).hex(), os.urandom(8).hex()
    client, begun = clients.get(key, stranger), time.monotonic()
    saw = {"mode": mode, "case": name, "trace_id": trace_id, "parent": parent, "key": key, "operation": operation, "model": model,
           "calls": calls, "status": 200, "streamed": bool(request.get("stream")), "chunks": 0, "reasons": {}, "usage": None,
           "answered": None, "first": None, "text": ""}
    broken = None
    try:
        got = ask(client)(model=model, extra_headers={"traceparent": f"00-{trace_id}-{parent}-01"}, **request)
        if not saw["streamed"]:
            read(got, saw)
        else:
            for event in got:
                read(event, saw)
                if content(event):
                    saw["first"] = saw["first"] or time.monotonic() - begun
                    saw["chunks"] += 1
                    if meanwhile and saw["chunks"] == 1:
                        meanwhile()
                    if saw["chunks"] == leave:
                        got.close()
                        break
    except openai.APIStatusError as error:
        saw["status"], broken = error.status_code, error
    except Exception as error:
        broken = error
    saw["seconds"] = time.monotonic() - begun
    want(saw["status"] == status, f"{name}: {saw['status']}, {broken}")
    want((broken is not None) == (breaks or status != 200), f"{name}: {broken!r}")
    if status != 200 and key in KEYS and saw["calls"]:
        want("Simulated" in str(broken), f"{name}: not what its upstream said: {broken}")
    saw["reasons"] = [saw["reasons"][index] for index in sorted(saw["reasons"])]
    with writing, open(records, "a") as out:
        out.write(json.dumps(saw) + "\n")
    return saw


def chat(client):
    return client.chat.completions.create


def post(base, key, path, body, **headers):
    """Without a library between: status, headers and bytes."""
    address = base.removeprefix("http://").partition("/")[0]
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json", "authorization": f"Bearer {key}", **headers})
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def streams(which):
    return json.loads(get(simulated[which].removeprefix("http://").partition("/")[0], "/simulated"))


def wait_for(true, why):
    until = time.monotonic() + 10
    while not true():
        if time.monotonic() > until:
            return want(False, why)
        time.sleep(0.02)


def usual():
    stream, told = {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}
    case("whole", chat, messages=HI)
    case("several", chat, messages=HI, n=3, key="ben")
    case("cut short", chat, messages=HI, max_tokens=4)
    case("tools", chat, messages=HI, tools=TOOLS)
    want(case("stream", chat, messages=HI, **stream)["usage"] is None, "stream: usage that nobody asked for")
    want(case("stream with usage", chat, messages=HI, **told)["usage"] == [4, 12, 1], "stream with usage: another usage")
    case("stream of several", chat, messages=HI, n=2, key="ben", **told)
    case("stream of tools", chat, messages=HI, tools=TOOLS, **told)
    case("slow stream", chat, "sim-slow", messages=HI, **told)
    complete = {"operation": "text_completion", "prompt": "once upon a time"}
    case("completion", lambda client: client.completions.create, **complete)
    case("stream of a completion", lambda client: client.completions.create, **complete, **told)
    respond = {"input": "say what you are"}
    case("response", lambda client: client.responses.create, key="ben", **respond)
    case("stream of a response", lambda client: client.responses.create, key="ben", **respond, **stream)
    case("embeddings", lambda client: client.embeddings.create, operation="embeddings", input=["one", "two and", "three"], encoding_format="float")
    # Nothing is asked of a model.
    models = clients["ann"].models.list(extra_headers={"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    want({model.owned_by for model in models} == {"simulated-first"}, "models: of somebody else")

    # Errors of the gateway's own, and such that are passed on.
    case("stranger", chat, messages=HI, key="nobody", status=401, calls=[])
    case("no such model", chat, "nothing", messages=HI, status=404, calls=[("simulated-first", "model_not_found", 1)])
    case("no such path", lambda client: client.images.generate, prompt="a cat", operation=None, status=404, calls=[])
    # One upstream for the other.
    busy, failing = ("simulated-first", "rate_limit_exceeded", 1), ("simulated-first", "503", 1)
    case("busy", chat, "sim-busy", messages=HI, calls=[busy, second])
    case("busy stream", chat, "sim-busy", messages=HI, calls=[busy, second], key="ben", **told)
    case("failing stream", chat, "sim-failing", messages=HI, calls=[failing, second], **told)
    case("both down", chat, "sim-down", messages=HI, status=503, calls=[failing, ("simulated-second", "503", 1)])
    # What breaks once bytes went out is not asked for again.
    case("broken stream", chat, "sim-cut", messages=HI, calls=[("simulated-first", "body_error", 1)], breaks=True, **told)
    case("short stream", chat, "sim-short", messages=HI, calls=[("simulated-first", "incomplete_response", 1)], **told)
    case("stream with an error", chat, "sim-error", messages=HI, calls=[("simulated-first", "server_error", 1)], breaks=True, **told)
    left = streams(0)["left"]
    case("left stream", chat, "sim-slow", messages=HI, leave=3, calls=[("simulated-first", "cancelled", 1)], **told)
    wait_for(lambda: streams(0)["left"] == left + 1, "left stream: its upstream goes on")

    # Not a byte is another than from the upstream itself, and what is of a connection does not go through.
    for body in ({"model": "sim", "messages": HI}, {"model": "sim", "messages": HI, **told}):
        _, direct, expect = post(simulated[0], "key-of-the-first", "/v1/chat/completions", body)
        status, headers, got = post(gateway, KEYS["ann"], "/v1/chat/completions", body, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
        want((status, got) == (200, expect), f"{len(got)} bytes through the gateway, not {len(expect)}")
        want(headers["content-type"] == direct["content-type"] and headers["x-gateway-upstream"] == "simulated-first", f"headers {headers}")
    _, headers, _ = post(gateway, KEYS["ann"], "/v1/chat/completions", {"model": "sim-down", "messages": HI}, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    want(headers["x-gateway-upstream"] == "simulated-second", f"headers {headers}")
    # All at once.
    kinds = [("sim-slow", told, (first,)), ("sim-busy", told, (busy, second)), ("sim", {}, (first,)), ("sim", stream, (first,))]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        for at in range(48):
            model, how, calls = kinds[at % len(kinds)]
            pool.submit(case, f"parallel {at}", chat, model, messages=HI, key=["ann", "ben"][at % 3 == 0], calls=calls, **how)


def failover():
    """The first upstream is not there, usage is asked for in the name of who does not, and left streams are read on."""
    gone = [("gone", "service_error", 2), second]
    case("gone", chat, messages=HI, calls=gone)
    saw = case("gone while streaming", chat, messages=HI, calls=gone, stream=True)
    want(saw["usage"] == [4, 12, 1], f"gone while streaming: usage {saw['usage']}")
    case("gone, and asked for by name", chat, messages=HI, calls=gone, stream=True, stream_options={"include_usage": True})
    over = streams(0)["over"]
    case("left and read on", chat, "sim-slow", messages=HI, calls=gone, leave=2, stream=True)
    wait_for(lambda: streams(0)["over"] == over + 1, "left and read on: its upstream was cancelled")


def stop():
    """A signal comes while streams are read: what is over in time is whole, what is not is cut, and told of as cancelled."""
    kill = lambda: os.kill(int(pid[0]), signal.SIGTERM)
    begun = threading.Event()
    cut = threading.Thread(target=lambda: case("cut after the signal", chat, "sim-slow", messages=HI, n=4, stream=True, breaks=True,
                                               calls=[("simulated-first", "cancelled", 1)], meanwhile=begun.set))
    cut.start()
    want(begun.wait(10), "cut after the signal: did not begin")
    case("whole after the signal", chat, "sim-slow", messages=HI, max_tokens=4, stream=True, meanwhile=kill)
    cut.join()


{"usual": usual, "failover": failover, "stop": stop}[mode]()
if mode != "stop":
    # What a scrape says is what is delivered.
    time.sleep(0.1)
    pathlib.Path(f"{records}.page").write_text(get(metrics, "/metrics"))
sys.exit("\n".join(wrong) or 0)
