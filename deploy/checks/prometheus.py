"""Rules and scrape configurations: promtool accepts them, their tests pass, and every name in them is one that is emitted."""

import re
import shutil
import subprocess
import tempfile
import pathlib

from .components import SELF_METRICS
from .tree import want

# What Prometheus adds by itself or from our relabelling.
ADDED = {"job", "instance", "pod", "le", "__name__", "alertname", "severity"}
PROMETHEUS_OWN = {"up": set()}
UNITS = {
    "s": "seconds", "By": "bytes", "1": "", "J": "joules", "W": "watts", "Cel": "celsius", "Hz": "hertz", "By/s": "bytes_per_second",
}
LABEL = re.compile(r"[^a-zA-Z0-9]+")


def metric_name(name, unit, instrument):
    """As obs-core/src/encode/prometheus_names.rs has it, for the units that docs/emitted.md has."""
    words = [word for word in LABEL.split(name) if word]
    main = re.sub(r"\{[^}]*\}", "", unit)
    want(main == "" or main in UNITS, f"a unit that is not known here: {unit}")
    suffix = UNITS.get(main, "")
    if suffix and suffix not in words:
        words.append(suffix)
    # As a number's name ends, and no histogram's.
    last = {("counter", unit): "total", ("gauge", "1"): "ratio"}.get((instrument, unit))
    if last:
        words = [word for word in words if word != last] + [last]
    return "_".join(words)


def series(emitted):
    """Every series on a page of ours, with its labels."""
    found = {}
    for name, (instrument, unit) in emitted.metrics.items():
        labels = {LABEL.sub("_", label) for label in emitted.labels[name]} | {"otel_metric_overflow"}
        full = metric_name(name, unit, instrument)
        ends = ["_bucket", "_count", "_sum"] if instrument == "histogram" else [""]
        found |= {full + end: labels for end in ends}
    found["target_info"] = {LABEL.sub("_", label) for label in emitted.resource}
    return found


def selectors(expression):
    """Names that an expression asks for, each with the labels in its braces; then the labels that it groups by."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', '""', expression)
    grouped = [label for group in re.findall(r"\b(?:by|on|group_left|group_right|ignoring|without)\s*\(([^)]*)\)", bare) for label in re.findall(r"\w+", group)]
    bare = re.sub(r"\b(?:by|on|group_left|group_right|ignoring|without)\s*\([^)]*\)", " ", bare)
    found = []
    for name, braces in re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)?\s*\{([^}]*)\}", bare):
        found.append((name, re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces)))
    rest = re.sub(r"\{[^}]*\}", "", bare)
    functions = set(re.findall(r"([a-zA-Z_]\w*)\s*\(", rest))
    words = {"and", "or", "unless", "offset", "bool", "by", "on"}
    for name in re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)", re.sub(r"\[[^\]]*\]|\b\d+[smhd]\b", " ", rest)):
        if name not in functions | words:
            found.append((name, []))
    return found, grouped


def rules(tree):
    for path in sorted((tree.deploy / "prometheus/rules").glob("*.yml")):
        for group in tree.document(path.relative_to(tree.deploy))["groups"]:
            for rule in group["rules"]:
                yield path.name, rule


def names(tree, sources):
    known = series(tree.emitted()) | SELF_METRICS | PROMETHEUS_OWN
    recorded = {rule["record"] for _, rule in rules(tree) if "record" in rule}
    every = set().union(*known.values(), ADDED, {"exporter", "receiver"})
    used, counted = set(), 0
    for file, rule in rules(tree):
        title = f"{file}: {rule.get('record') or rule.get('alert')}"
        found, grouped = selectors(rule["expr"])
        want(found, f"{title}: asks for nothing")
        for name, labels in found:
            if name:
                want(name in known or name in recorded, f"{title}: nobody emits {name}")
            used.add(name)
            allowed = (known.get(name) if name in known else every) or set()
            for label in labels:
                want(label in allowed | ADDED, f"{title}: {name} has no label {label}")
        for label in grouped:
            want(label in every, f"{title}: groups by {label}, which nothing has")
        for template in re.findall(r"\$labels\.(\w+)", str(rule.get("annotations", {}))):
            # Where nothing is grouped, labels are those of the series.
            own = set() if grouped else set().union(*(known.get(name, set()) for name, _ in found))
            want(template in ADDED.union(grouped, own), f"{title}: its annotations want {template}")
        # Values of closed sets stand in our sources.
        for label, values in re.findall(r'(obs_drop_reason|error_type)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', rule["expr"]):
            for value in filter(None, values.split("|")):
                want(f'"{value}"' in sources, f"{title}: no {label} is {value}")
        counted += 1
    unused = recorded - used - dashboards(tree)
    want(not unused, f"recorded, and neither asked for by an alert nor tested: {sorted(unused)}")
    return counted


def dashboards(tree):
    """Recorded for people: each is asked for by a test."""
    text = "".join(path.read_text() for path in (tree.deploy / "prometheus/tests").glob("*.yml"))
    return {rule["record"] for _, rule in rules(tree) if "record" in rule and rule["record"] in text}


def tests_cover(tree):
    """Every alert fires in a test, and series in tests are ones that exist."""
    known = series(tree.emitted()) | SELF_METRICS | PROMETHEUS_OWN
    fired = set()
    for path in sorted((tree.deploy / "prometheus/tests").glob("*.yml")):
        for test in tree.document(path.relative_to(tree.deploy))["tests"]:
            for one in test["input_series"]:
                name, braces = re.fullmatch(r"([\w:]+)\{(.*)\}", one["series"]).groups()
                want(name in known, f"{path.name}: nobody emits {name}")
                for label in re.findall(r"(\w+)=", braces):
                    want(label in known[name] | ADDED, f"{path.name}: {name} has no label {label}")
            fired |= {one["alertname"] for one in test.get("alert_rule_test", []) if one["exp_alerts"]}
    alerts = {rule["alert"] for _, rule in rules(tree) if "alert" in rule}
    want(fired == alerts, f"prometheus/tests: alerts that no test sees fire: {sorted(alerts - fired)}")


def promtool(tree):
    want(shutil.which("promtool"), "promtool is not installed")

    def run(*command):
        done = subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True, timeout=300)
        want(done.returncode == 0, f"promtool {command[0]} {command[1]}: {done.stdout}{done.stderr}")

    folder = tree.deploy / "prometheus"
    run("check", "rules", *sorted(folder.glob("rules/*.yml")))
    if shutil.which("vmalert"):
        done = subprocess.run(["vmalert", "-dryRun", f"-rule={folder}/rules/*.yml"], capture_output=True, text=True, timeout=60)
        want(done.returncode == 0, f"vmalert: {done.stderr[-2000:]}")
    run("test", "rules", *sorted(folder.glob("tests/*.yml")))
    with tempfile.TemporaryDirectory() as copy:
        copy = pathlib.Path(copy)
        shutil.copytree(folder, copy / "prometheus")
        (copy / "prometheus/prometheus.yml").write_text(without_kubernetes(folder / "prometheus.yml", "targets/*.yml"))
        run("check", "config", copy / "prometheus/prometheus.yml")


def without_kubernetes(path, files):
    """Debian's Prometheus is built without Kubernetes: its discovery becomes one by files, the relabelling stays."""
    text, replaced = re.subn(
        r"^    kubernetes_sd_configs:\n(?:^      .*\n)+", f"    file_sd_configs:\n      - files: [{files}]\n", path.read_text(), flags=re.M
    )
    want(replaced == 2, f"{path.name}: {replaced} discoveries in Kubernetes, not the pods' and the collectors'")
    return text


def check(tree, sources):
    counted = names(tree, sources)
    tests_cover(tree)
    promtool(tree)
    return f"{counted} rules, each name one that is emitted; promtool{' and vmalert accept' if shutil.which('vmalert') else ' accepts'} them, their tests pass"
