"""agree.py DUMP PRICES RECORDS...: what the sink wrote of the gateway is what its clients saw.

Each record has one span of the server, with one span of each call in it and its attempts in those: providers, errors, tokens,
reasons, chunks and times. There is no other call. Metrics count the same, by provider and by key, and nothing is in flight. Each
RECORDS has the page that was scraped beside it, if the gateway was still there.
"""

import collections
import json
import math
import pathlib
import sys

REASONS = {"rate_limit_exceeded": "overloaded", "503": "failed", "service_error": "unreachable"}
wrong, checked = [], collections.Counter()
ASIDE = "1" * 32  # The trace of what is asked without a record: twice of `sim`, once of `sim-down`, and for the models.


def want(true, why):
    if not true:
        wrong.append(why)


def plain(value):
    kind, of = next(iter(value.items()))
    if kind == "arrayValue":
        return [plain(one) for one in of.get("values", [])]
    return int(of) if kind == "intValue" else of


def value(of, key):
    return plain(of["attributes"][key]) if key in of["attributes"] else None


def check(record, spans):
    """The spans of one trace, against what its caller saw."""
    where = f"{record['mode']}, {record['case']}"
    calls = {span["span_id"]: span for span in spans if value(span, "gen_ai.operation.name")}
    servers = [span for span in spans if span["kind"] == 2]
    attempts = [span for span in spans if span["kind"] == 3 and span["span_id"] not in calls]
    want(len(servers) == 1, f"{where}: {len(servers)} spans of the server")
    for span in servers:
        want(span["parent"] == record["parent"], f"{where}: no child of its caller")
        want(value(span, "http.response.status_code") == record["status"], f"{where}: status {value(span, 'http.response.status_code')}")
        want(span["seconds"] <= record["seconds"] + 0.5 or record["calls"], f"{where}: the server took {span['seconds']} s")
    roots = {span["span_id"] for span in servers}
    got = sorted((value(span, "gen_ai.provider.name"), value(span, "error.type") or "",
                  sum(attempt["parent"] == span["span_id"] for attempt in attempts)) for span in calls.values())
    expect = sorted((provider, error or "", tries) for provider, error, tries in record["calls"])
    want(got == expect, f"{where}: calls {got}, not {expect}")
    want(len(attempts) == sum(tries for _, _, tries in record["calls"]), f"{where}: {len(attempts)} attempts")
    for span in calls.values():
        want(span["parent"] in roots, f"{where}: a call of nobody's")
        want((span["status"] == 2) == bool(value(span, "error.type")), f"{where}: an error is {span['status']}")
        want(value(span, "gen_ai.operation.name") == record["operation"], f"{where}: {value(span, 'gen_ai.operation.name')}")
        if value(span, "error.type") != "service_error":
            want(value(span, "gen_ai.request.model") == record["model"], f"{where}: model {value(span, 'gen_ai.request.model')}")
        checked["calls"] += 1
    if record["status"] != 200 or not record["calls"]:
        return
    provider, error, _ = record["calls"][-1]
    span = next((span for span in calls.values() if value(span, "gen_ai.provider.name") == provider), None)
    if span is None:
        return
    if record["operation"] != "embeddings":
        want([value(span, "gen_ai.response.id"), value(span, "gen_ai.response.model")] == record["answered"], f"{where}: answered by another")
    usage = [value(span, f"gen_ai.usage.{what}") for what in ("input_tokens", "output_tokens", "cache_read.input_tokens")]
    if record["case"] == "left and read on":
        # Its reader left before it was told; what follows is the gateway's to know.
        want(usage == [4, 12, 1], f"{where}: usage {usage}")
    else:
        want(usage == (record["usage"] or [None] * 3), f"{where}: usage {usage}, not {record['usage']}")
        checked["usages"] += record["usage"] is not None
    reasons, told = value(span, "gen_ai.response.finish_reasons"), record["reasons"]
    if record["operation"] == "embeddings":
        want(reasons is None, f"{where}: reasons {reasons}")
    elif error:
        want(set(reasons or []) == {"error"}, f"{where}: reasons {reasons}")
    elif record["case"] != "left and read on":
        want(reasons == told and told, f"{where}: reasons {reasons}, not {told}")
    if record["streamed"]:
        chunks, took = value(span, "obs.llm.response.chunks"), value(span, "gen_ai.response.time_to_first_chunk")
        # Who leaves, or is left, may not have read what was under way.
        fits = chunks == record["chunks"] if error != "cancelled" and record["case"] != "left and read on" else chunks >= record["chunks"]
        want(chunks and fits, f"{where}: {chunks} chunks, not {record['chunks']}")
        want(took and 0 < took <= record["first"], f"{where}: {took} s to the first chunk, {record['first']} s for its reader")
        if record["model"] == "sim-slow":
            # What comes first has no content; two pauses of 40 ms.
            want(took and took >= 0.08, f"{where}: {took} s to the first chunk, and the upstream takes longer")
            want((value(span, "obs.llm.response.chunk_gap.max") or 0) >= 0.03, f"{where}: no gap")
        checked["chunks"] += chunks or 0
        checked["first chunks"] += 1
    else:
        want(value(span, "gen_ai.response.time_to_first_chunk") is None, f"{where}: a first chunk of no stream")
        want(value(span, "obs.llm.response.chunks") is None, f"{where}: chunks of no stream")


def metrics(mode, spans, points, records, prices):
    """Of one gateway, by provider and error, and by key."""
    last = [*{(p["name"], json.dumps(p["attributes"], sort_keys=True)): p for p in points}.values()]
    named = lambda name: [p for p in last if p["name"] == name]
    calls = [span for span in spans if value(span, "gen_ai.operation.name")]

    def agree(name, expect, keys, what):
        found = collections.Counter()
        for point in named(name):
            found[tuple(value(point, key) for key in keys)] += point.get(what, 0)
        for key in {*found, *expect}:
            want(math.isclose(found[key], expect[key], rel_tol=1e-9), f"{mode}: {name} of {key}: {found[key]}, not {expect[key]}")
        checked["sums"] += len(expect)

    by_error = ["gen_ai.operation.name", "gen_ai.provider.name", "error.type"]
    agree("gen_ai.client.operation.duration", collections.Counter(tuple(value(s, key) for key in by_error) for s in calls), by_error, "count")
    first, gaps, tokens, by_key, cost = (collections.Counter() for _ in range(5))
    for span in calls:
        provider, chunks = (value(span, "gen_ai.provider.name"),), value(span, "obs.llm.response.chunks")
        if value(span, "gen_ai.response.time_to_first_chunk") is not None:
            first[provider] += 1
            gaps[provider] += (chunks or 1) - 1
    agree("gen_ai.client.operation.time_to_first_chunk", first, by_error[1:2], "count")
    agree("gen_ai.client.operation.time_per_output_chunk", gaps, by_error[1:2], "count")
    # From here on by what the clients read, and by nothing that the gateway said.
    for record in records:
        read = [4, 12, 1] if record["case"] == "left and read on" else record["usage"]
        if not read or not record["calls"]:
            continue
        provider = record["calls"][-1][0]
        for kind, count in zip(("input", "output"), read):
            if kind == "input" or record["operation"] != "embeddings":
                tokens[provider, kind] += count or 0
            by_key[record["key"], kind] += count or 0
        price = prices.get(f"{provider}/{record['model']}")
        if price:
            cached = read[2] or 0
            dear = price["input_cost_per_token"]
            cost[record["key"],] += (read[0] - cached) * dear + cached * price.get("cache_read_input_token_cost", dear) + (read[1] or 0) * price["output_cost_per_token"]
    aside = mode == "usual"
    for read in 2 * aside * [[4, 12]]:
        for kind, count in zip(("input", "output"), read):
            tokens["simulated-first", kind] += count
            by_key["ann", kind] += count
        price = prices["simulated-first/sim"]
        cost["ann",] += 3 * price["input_cost_per_token"] + price["cache_read_input_token_cost"] + 12 * price["output_cost_per_token"]
    agree("gen_ai.client.token.usage", tokens, ["gen_ai.provider.name", "gen_ai.token.type"], "sum")
    agree("ai_gateway.key.tokens", +by_key, ["ai_gateway.key.name", "ai_gateway.token.type"], "value")
    agree("ai_gateway.key.cost", cost, ["ai_gateway.key.name"], "sum")
    passed = collections.Counter((provider, REASONS[error]) for r in records for provider, error, _ in r["calls"][:-1])
    passed["simulated-first", "failed"] += aside
    agree("ai_gateway.failovers", +passed, ["ai_gateway.failover.from", "ai_gateway.failover.reason"], "value")
    # A path that is none and a key that is nobody's are not let in.
    let_in = collections.Counter((record["key"],) for record in records if record["calls"])
    let_in["ann",] += 4 * aside
    agree("ai_gateway.key.requests", let_in, ["ai_gateway.key.name"], "value")
    anomalies = collections.Counter()
    for record in records:
        provider, error, _ = (record["calls"] or [[None, "", 0]])[-1]
        read = record["usage"] or record["case"] == "left and read on"
        anomalies["usage_missing",] += not read and not error and bool(record["calls"])
        anomalies["unpriced",] += bool(read) and f"{provider}/{record['model']}" not in prices
    agree("obs.llm.anomalies", +anomalies, ["obs.anomaly"], "value")
    for name in ("obs.llm.client.active_calls", "http.server.active_requests"):
        want(named(name) and all(p["value"] == 0 for p in named(name)), f"{mode}: in flight {[p['value'] for p in named(name)]}")
    for point in last:
        if point["name"] in ("obs.telemetry.dropped", "obs.telemetry.lost", "obs.telemetry.anomalies"):
            want(point["value"] == 0, f"{mode}: {point['name']} {point['attributes']} {point['value']}")
    keys = {value(p, "ai_gateway.key.name") for p in last} - {None}
    want(keys <= {"ann", "ben"}, f"{mode}: keys {keys}")
    return by_key


def judge(dump, prices, records, pages):
    """What is wrong, and how much was looked at. `pages` by mode."""
    wrong.clear()
    checked.clear()
    want(not any("refused" in line for line in dump), "the sink refused an export")
    want(records, "nobody saw anything")
    want("sk-of-" not in json.dumps(dump) and "key-of-the" not in json.dumps(dump), "a key was sent")
    spans = [line for line in dump if line.get("signal") == "span"]
    by_trace = collections.defaultdict(list)
    for span in spans:
        by_trace[span["trace_id"]].append(span)
    by_trace.pop(ASIDE, None)
    for record in records:
        check(record, by_trace.pop(record["trace_id"], []))
    want(not by_trace, f"traces of nobody: {[[span['name'] for span in those] for those in by_trace.values()]}")
    service = lambda line: line["resource"]["service.name"]["stringValue"]
    for mode in {record["mode"] for record in records}:
        of = lambda lines: [line for line in lines if service(line) == f"gateway-{mode}"]
        by_key = metrics(mode, of(spans), of(line for line in dump if line.get("signal") == "point"),
                         [record for record in records if record["mode"] == mode], prices)
        for (name, kind), count in by_key.items() if mode in pages else ():
            sample = f'ai_gateway_key_tokens_total{{ai_gateway_key_name="{name}",ai_gateway_token_type="{kind}"}} {count}\n'
            want(sample in pages[mode] or not count, f"{mode}: the page has no {sample}")
            checked["samples"] += 1
    return [*dict.fromkeys(wrong)], checked


def files(dump, prices, *records):
    """What stands in the files that both programs are called with."""
    lines = lambda path: [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    pages = {pathlib.Path(path).name: page.read_text() for path in records if (page := pathlib.Path(f"{path}.page")).exists()}
    return lines(dump), json.loads(pathlib.Path(prices).read_text()), [line for path in records for line in lines(path)], pages


if __name__ == "__main__":
    found, looked = judge(*files(*sys.argv[1:]))
    if found:
        sys.exit("\n".join(found))
    print(", ".join(f"{n} {what}" for what, n in sorted(looked.items())))
