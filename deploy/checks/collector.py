"""Configurations of the Collector: what is named is defined and used, fields exist, nothing is given up, and the tail-sampling
policies keep what late keep kept."""

import itertools
import re

from .components import COMPONENTS, SERVICE, VERSION
from .tree import Refused, want

VARIABLE = re.compile(r"\$\{env:([A-Z0-9_]+)(?::-([^}]*))?\}")
DURATION = re.compile(r"^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
AGENT, KUBERNETES, TLS = "agent.yaml", "agent-kubernetes.yaml", "gateway-tls.yaml"
GATEWAYS = ["gateway-late-keep.yaml", "gateway-tail-sampling.yaml"]


def seconds(duration):
    return sum(float(n) * SECONDS[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ns|us|ms|s|m|h)", str(duration)))


def files(tree):
    found = {path.name for path in (tree.deploy / "collector").glob("*.yaml")} - {"kustomization.yaml"}
    storages = sorted(name for name in found if name.startswith("storage-"))
    every = [AGENT, KUBERNETES, *GATEWAYS, TLS, *storages]
    want(found == set(every), f"collector/: {sorted(found)}: not an agent, two gateways and what they store in")
    want(storages, "collector/: no storage-….yaml")
    return every


def programs(tree):
    """Every combination that is started, as a list of the files of one."""
    storages = [name for name in files(tree) if name.startswith("storage-")]
    pairs = [list(pair) for pair in itertools.product(GATEWAYS, storages)]
    return [[AGENT], [AGENT, KUBERNETES], *pairs, *([*pair, TLS] for pair in pairs)]


def merge(into, more):
    """As the Collector merges its --config files: maps by key, everything else by the last."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


def substituted(value, environment):
    """With its variables, typed as the Collector types them: a value that is one variable is read as YAML."""
    import yaml

    if isinstance(value, dict):
        return {key: substituted(of, environment) for key, of in value.items()}
    if isinstance(value, list):
        return [substituted(of, environment) for of in value]
    if not isinstance(value, str):
        return value
    known = lambda match: environment.get(match[1], match[2] if match[2] is not None else "")
    whole = VARIABLE.fullmatch(value)
    if whole:
        text = known(whole)
        return yaml.safe_load(text) if text else ""
    return VARIABLE.sub(known, value)


def variables(tree):
    """Name to whether it has a default, over all files."""
    found = {}
    for path in files(tree):
        for name, default in VARIABLE.findall(without_comments(tree.text(f"collector/{path}"))):
            defaulted = f"${{env:{name}:-" in tree.text(f"collector/{path}")
            want(found.setdefault(name, defaulted) == defaulted, f"{path}: {name} has a default in one place and none in another")
        want("${" not in VARIABLE.sub("", without_comments(tree.text(f"collector/{path}"))), f"{path}: a variable that is not ${{env:NAME}}")
        for name in re.findall(r"node_from_env_var: (\w+)", tree.text(f"collector/{path}")):
            found[name] = False
    return found


def without_comments(text):
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def program(tree, paths, environment=None):
    merged = {}
    for path in paths:
        merge(merged, tree.document(f"collector/{path}"))
    return substituted(merged, environment or {})


def fields(value, kind, where):
    """Refuses what the table of components does not have."""
    if kind is float:
        want(isinstance(value, (int, float)) and not isinstance(value, bool), f"{where}: {value!r} is not a number")
    elif kind == "duration":
        want(isinstance(value, str) and DURATION.match(value), f"{where}: {value!r} is not a duration")
    elif isinstance(kind, set):
        want(value in kind, f"{where}: {value!r} is none of {sorted(kind)}")
    elif isinstance(kind, list):
        want(isinstance(value, list), f"{where}: not a list")
        for index, one in enumerate(value):
            fields(one, kind[0], f"{where}[{index}]")
    elif isinstance(kind, dict):
        want(isinstance(value, dict), f"{where}: not a map")
        for key, of in value.items():
            want(key in kind or ... in kind, f"{where}: {VERSION} has no field `{key}` that we know of")
            fields(of, kind.get(key, kind.get(...)), f"{where}.{key}")
    else:
        want(type(value) is kind, f"{where}: {value!r} is not {kind.__name__}")


def wiring(config, name):
    """Every component is known, defined where it is named, and named where it is defined."""
    want(set(config) <= {*COMPONENTS, "service"}, f"{name}: {sorted(config)}")
    service = config["service"]
    fields(service, SERVICE, f"{name}: service")
    named = {kind: set() for kind in COMPONENTS}
    named["extensions"] |= set(service.get("extensions", []))
    for signal, pipeline in service["pipelines"].items():
        want(signal.split("/")[0] in {"traces", "metrics", "logs"}, f"{name}: a pipeline of {signal}")
        for kind in ("receivers", "processors", "exporters"):
            listed = pipeline.get(kind, [])
            want(listed or kind == "processors", f"{name}: {signal} has no {kind}")
            want(len(listed) == len(set(listed)), f"{name}: {signal} names one of its {kind} twice")
            named[kind] |= set(listed)
    for kind, known in COMPONENTS.items():
        defined = config.get(kind, {})
        for component, settings in defined.items():
            sort = component.split("/")[0]
            want(sort in known, f"{name}: {kind}: `{sort}` is not known to the table for {VERSION}")
            fields(settings or {}, known[sort], f"{name}: {component}")
        want(named[kind] <= set(defined), f"{name}: {kind} named and not defined: {sorted(named[kind] - set(defined))}")
        want(set(defined) <= named[kind], f"{name}: {kind} defined and not used: {sorted(set(defined) - named[kind])}")


def nothing_given_up(config, name):
    """The limiter stands first; every exporter waits on disk, bounded in bytes, and never gives up by time."""
    for signal, pipeline in config["service"]["pipelines"].items():
        want(pipeline["processors"][0] == "memory_limiter", f"{name}: memory_limiter is not first in {signal}")
    largest = min(r["protocols"]["grpc"]["max_recv_msg_size_mib"] for r in config["receivers"].values()) << 20
    for exporter, settings in config["exporters"].items():
        queue, retry = settings.get("sending_queue", {}), settings.get("retry_on_failure", {})
        where = f"{name}: {exporter}"
        want(queue.get("storage") in config["service"]["extensions"], f"{where}: its queue is not on disk")
        want(queue.get("sizer") == "bytes" and queue.get("queue_size", 0) > 0, f"{where}: its queue is not bounded in bytes")
        want(retry.get("enabled") is True and seconds(retry["max_elapsed_time"]) == 0, f"{where}: gives up after a time")
        batch = queue.get("batch", {})
        want(batch.get("sizer") == "bytes", f"{where}: batches are not cut by bytes")
        want(0 < batch["min_size"] <= batch["max_size"] <= queue["queue_size"], f"{where}: sizes of batches")
        if exporter.split("/")[0] != "clickhouse":
            want(batch["max_size"] <= largest // 2, f"{where}: batches are larger than what the next one takes")
        within = settings.get("protocol", {}).get("otlp")
        if within:
            off = [within[key].get("enabled") is False for key in ("sending_queue", "retry_on_failure")]
            want(all(off), f"{where}: what a gateway does not take is not given to another one")
            want("server_name_override" in within["tls"], f"{where}: no certificate has the address of a gateway")


def samples(policy, trace):
    """Whether a policy votes for a trace: {spans: [{attributes, status}], seconds, chance}."""
    settings = policy.get(policy["type"], {})
    match policy["type"]:
        case "always_sample":
            return True
        case "string_attribute":
            want(not settings.get("invert_match"), "an inverted policy is a vote against others")
            expressions = [value if settings.get("enabled_regex_matching") else f"^{re.escape(value)}$" for value in settings["values"]]
            values = [span["attributes"].get(settings["key"]) for span in trace["spans"]]
            return any(re.search(expression, value) for expression in expressions for value in values if value is not None)
        case "status_code":
            return any(span["status"] in settings["status_codes"] for span in trace["spans"])
        case "latency":
            return trace["seconds"] * 1000 > settings["threshold_ms"]
        case "probabilistic":
            return trace["chance"] * 100 < settings["sampling_percentage"]
    raise Refused(f"a policy of type {policy['type']}: not known here")


def keep(config, name, reasons, spans):
    """One trace per reason why it was kept late, which no other policy keeps: the policies keep it."""
    policies = config["processors"]["tail_sampling"]["policies"]
    want(len({policy["name"] for policy in policies}) == len(policies), f"{name}: two policies of one name")
    for policy in policies:
        key = policy.get("string_attribute", {}).get("key")
        want(key is None or key in spans, f"{name}: no span of ours has the attribute {key}")

    def kept(attributes, status="UNSET", seconds=0.001, chance=1.0):
        spans = [{"attributes": {"http.route": "/"}, "status": "UNSET"}, {"attributes": attributes, "status": status}]
        return any(samples(policy, {"spans": spans, "seconds": seconds, "chance": chance}) for policy in policies)

    for reason in [*reasons, "a reason of tomorrow"]:
        want(kept({"obs.keep.reason": reason}), f"{name}: what was kept late as {reason!r} is dropped")
    want(kept({}, status="ERROR"), f"{name}: errors are dropped")
    want(kept({}, seconds=3600), f"{name}: an hour is not slow")
    want(kept({}, chance=0.0) and not kept({}), f"{name}: of the rest, all or none is kept")


def check(tree, reasons):
    emitted, counted = tree.emitted(), 0
    for paths in programs(tree):
        config, name = program(tree, paths), " + ".join(paths)
        wiring(config, name)
        nothing_given_up(config, name)
        traces = config["service"]["pipelines"]["traces"]["processors"]
        samplers = [one for one in config["processors"] if "sampl" in one]
        if paths[0] == "gateway-tail-sampling.yaml":
            want(samplers == ["tail_sampling"] and traces[-1] == "tail_sampling", f"{name}: tail_sampling is not last")
            keep(config, name, reasons, emitted.spans)
            tail = config["processors"]["tail_sampling"]
            rate = tail["expected_new_traces_per_sec"] * seconds(tail["decision_wait"])
            want(tail["num_traces"] >= 1.5 * rate, f"{name}: num_traces is less than half as many again as wait for a decision")
            want(min(tail["decision_cache"].values()) >= 10 * tail["num_traces"], f"{name}: decisions are forgotten before late spans come")
        else:
            want(not samplers, f"{name}: samples: {samplers}; late keep or tail sampling, never both")
        if paths[0] == AGENT:
            balancer = config["exporters"]["load_balancing"]
            want(balancer["routing_key"] == "traceID", f"{name}: spans of a trace do not meet")
        counted += 1
    documented(tree)
    return f"{counted} collectors of {len(files(tree))} files, {len(variables(tree))} variables"


def documented(tree):
    """The variables of the README's tables are those that are used, with their defaults."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]*) \|", tree.text("README.md"), re.M)
    told = {name: default.strip() for name, default in rows}
    used = variables(tree)
    want(set(told) == set(used), f"README.md: variables: not told {sorted(set(used) - set(told))}, not used {sorted(set(told) - set(used))}")
    text = "\n".join(without_comments(tree.text(f"collector/{path}")) for path in files(tree))
    for name, default in told.items():
        inside = {of for of_name, of in VARIABLE.findall(text) if of_name == name and used[name]} or {None}
        want(len(inside) == 1, f"{name} has several defaults: {sorted(inside)}")
        is_told = None if default == "required" else default.strip("`").replace("empty", "")
        want(is_told == inside.pop(), f"README.md: the default of {name} is not {default}")
