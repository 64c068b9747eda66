"""controls.py DUMP PRICES RECORDS...: `agree.py` takes what was seen and sent, and refuses each copy of it with one defect."""

import json
import pickle
import sys

from agree import ASIDE, files, judge

dump, *rest = files(*sys.argv[1:])
# The last of each point is what counts. Pickled: the quickest way to have it all again as it was.
last = {(line.get("name"), json.dumps([line.get(key) for key in ("span_id", "attributes", "resource")])): line for line in dump}
everything = pickle.dumps([[*last.values()], *rest])


def agrees(change):
    """Whether it does once `change(dump, prices, records, pages)` was made."""
    copy = pickle.loads(everything)
    change(*copy)
    return not judge(*copy)[0]


def record(records, case):
    return next(record for record in records if record["case"] == case)


def call(dump, records, case, provider="simulated-first"):
    trace = record(records, case)["trace_id"]
    return next(line for line in dump if line.get("trace_id") == trace and line["signal"] == "span" and
                line["attributes"].get("gen_ai.provider.name", {}).get("stringValue") == provider)


def of_record(case, **fields):
    return lambda dump, prices, records, pages: record(records, case).update(fields)


def of_call(case, key, value, provider="simulated-first"):
    def change(dump, prices, records, pages):
        attributes = call(dump, records, case, provider)["attributes"]
        if value is None:
            del attributes[key]
        else:
            assert attributes.get(key) != value, f"{case}: {key} is {value} as it is"
            attributes[key] = value
    return change


def of_point(name, **fields):
    def change(dump, prices, records, pages):
        point = next(line for line in dump if line["signal"] == "point" and line["name"] == name)
        assert any(point.get(key) != value for key, value in fields.items()), f"{name} is so as it is"
        point.update(fields)
    return change


def without_a_span(case, kind):
    def change(dump, prices, records, pages):
        trace = record(records, case)["trace_id"]
        dump.remove(next(line for line in dump if line.get("trace_id") == trace and line.get("kind") == kind))
    return change


def twice(dump, prices, records, pages):
    dump.append(call(dump, records, "whole") | {"span_id": "00" * 8})


def stray(dump, prices, records, pages):
    dump.append(call(dump, records, "whole") | {"trace_id": "33" * 16})


def key_told(dump, prices, records, pages):
    call(dump, records, "whole")["attributes"]["who"] = {"stringValue": "sk-of-ann"}


def dearer(dump, prices, records, pages):
    prices["simulated-first/sim"]["output_cost_per_token"] *= 1.001


def other_page(dump, prices, records, pages):
    pages["usual"] = pages["usual"].replace("ai_gateway_key_tokens_total", "ai_gateway_key_tokens")


def number(value):
    return {"intValue": str(value)}


def text(value):
    return {"stringValue": value}


CASES = {
    "nothing sent": lambda dump, *_: dump.clear(),
    "nothing seen": lambda dump, prices, records, pages: records.clear(),
    "a refused export": lambda dump, *_: dump.append({"refused": "why"}),
    "a request without a span": without_a_span("whole", 2),
    "a call or attempt without a span": without_a_span("tools", 3),
    "a call that ended twice": twice,
    "a call that nobody made": stray,
    "a client that nobody tells of": lambda dump, prices, records, pages: records.remove(record(records, "several")),
    "a key": key_told,
    "another status": of_record("stranger", status=200),
    "another parent": of_record("stream", parent="00" * 8),
    "a token too many": of_call("whole", "gen_ai.usage.output_tokens", number(13)),
    "a token too few in a stream": of_call("stream with usage", "gen_ai.usage.input_tokens", number(3)),
    "no cached tokens": of_call("response", "gen_ai.usage.cache_read.input_tokens", None),
    "tokens that nobody told": of_call("stream", "gen_ai.usage.output_tokens", number(12)),
    "a chunk too many": of_call("stream", "obs.llm.response.chunks", number(13)),
    "a chunk that no reader saw": of_record("stream of tools", chunks=3),
    "fewer chunks than a reader who left": of_call("left stream", "obs.llm.response.chunks", number(2)),
    "another reason": of_call("cut short", "gen_ai.response.finish_reasons", {"arrayValue": {"values": [text("stop")]}}),
    "one reason of two": of_call("stream of several", "gen_ai.response.finish_reasons", {"arrayValue": {"values": [text("stop")]}}),
    "a broken stream that has its reason": of_call("broken stream", "gen_ai.response.finish_reasons", {"arrayValue": {"values": [text("stop")]}}),
    "a broken stream that is well": of_call("broken stream", "error.type", None),
    "a left stream that broke": of_call("left stream", "error.type", text("body_error")),
    "a cut stream that broke": of_call("cut after the signal", "error.type", text("body_error")),
    "a first chunk after its reader's": of_call("slow stream", "gen_ai.response.time_to_first_chunk", {"doubleValue": 60.0}),
    "a first chunk before the upstream's": of_call("slow stream", "gen_ai.response.time_to_first_chunk", {"doubleValue": 0.041}),
    "a first chunk of no stream": of_call("whole", "gen_ai.response.time_to_first_chunk", {"doubleValue": 0.041}),
    "another model": of_call("whole", "gen_ai.request.model", text("sim-slow")),
    "another model that answered": of_call("whole", "gen_ai.response.model", text("sim")),
    "another upstream": of_call("whole", "gen_ai.provider.name", text("simulated-second")),
    "another upstream after a failover": of_record("busy stream", calls=[["simulated-first", None, 1]]),
    "a failover that was none": of_record("whole", calls=[["simulated-first", "503", 1], ["simulated-second", None, 1]]),
    "one attempt where there were two": of_record("gone", calls=[["gone", "service_error", 1], ["simulated-second", None, 1]]),
    "a call too many": of_point("gen_ai.client.operation.duration", count=1000),
    "a first chunk too many": of_point("gen_ai.client.operation.time_to_first_chunk", count=1000),
    "a gap too many": of_point("gen_ai.client.operation.time_per_output_chunk", count=1000),
    "tokens of a provider": of_point("gen_ai.client.token.usage", sum=1.0),
    "tokens of a key": of_point("ai_gateway.key.tokens", value=1),
    "requests of a key": of_point("ai_gateway.key.requests", value=1),
    "dollars of a key": of_point("ai_gateway.key.cost", sum=1.0),
    "a dearer token": dearer,
    "failovers": of_point("ai_gateway.failovers", value=1000),
    "anomalies": of_point("obs.llm.anomalies", value=1000),
    "a call in flight": of_point("obs.llm.client.active_calls", value=1),
    "a page without tokens": other_page,
    "what was asked aside": lambda dump, *_: dump.remove(next(line for line in dump if line.get("trace_id") == ASIDE and "gen_ai.provider.name" in line["attributes"])),
}
wrong = [] if agrees(lambda *_: None) else ["refused as it is"]
wrong += [f"{name}: accepted" for name, change in CASES.items() if agrees(change)]
print(f"{len(CASES)} copies, {len(wrong)} judged wrongly")
sys.exit("\n".join(wrong) or 0)
