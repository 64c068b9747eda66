"""deploy_scrape.py write FOLDER PORT | ask PROMETHEUS SERVICE: the scrape configuration and the rules of deploy/ in a real Prometheus.

`write` makes of deploy/prometheus a folder for a Prometheus without Kubernetes: discovery is replaced by files that say of
the sample service's pod what Kubernetes would, from its manifest; its metrics are those on PORT of this machine. Intervals are
shortened. Relabelling, rules and everything else are as they are. `ask` sends the service requests until they show in what
the rules record, and reads the rest.
"""

import json
import pathlib
import re
import shutil
import sys
import time
import urllib.parse
import urllib.request

import yaml

sys.dont_write_bytecode = True
DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
sys.path.insert(0, str(DEPLOY))

from checks.kustomize import build  # noqa: E402
from checks.prometheus import without_kubernetes  # noqa: E402
from checks.tree import Tree  # noqa: E402

UID = "0c6ddc9a-4f2e-4b1b-9d0e-7a0a4f6c1a11"


def want(true, why):
    if not true:
        sys.exit(why)


def meta(kind, names):
    return {f"__meta_kubernetes_pod_{kind}_{re.sub(r'[^a-zA-Z0-9]', '_', name)}": value for name, value in names.items()}


def write(folder, port):
    folder = pathlib.Path(folder)
    shutil.copytree(DEPLOY / "prometheus", folder, dirs_exist_ok=True)
    text = without_kubernetes(DEPLOY / "prometheus/prometheus.yml", "pods/*.yml")
    text, changed = re.subn(r"_interval: 15s|scrape_timeout: 10s", lambda m: m[0].split(":")[0] + ": 1s", text)
    want(changed == 3, f"{changed} intervals shortened, not 3")
    (folder / "prometheus.yml").write_text(text)
    (folder / "targets/example.yml").unlink()
    service = next(one for one in build(Tree(DEPLOY, DEPLOY.parent), "kubernetes/sample-service") if one["kind"] == "Deployment")
    pod = service["spec"]["template"]
    annotations = pod["metadata"]["annotations"]
    told = annotations["prometheus.io/port"]
    # One target for each port of each container, as Kubernetes' discovery has them.
    numbers = [entry["containerPort"] for container in pod["spec"]["containers"] for entry in container["ports"]]
    want(int(told) in numbers and len(numbers) > 1, f"ports {numbers}, scraped {told}")
    targets = []
    for number in numbers:
        number = str(port) if str(number) == told else str(number)
        labels = {
            "__meta_kubernetes_namespace": service["metadata"]["namespace"],
            "__meta_kubernetes_pod_name": "front-7c9d5b8f6-x2x4z",
            "__meta_kubernetes_pod_uid": UID,
            "__meta_kubernetes_pod_phase": "Running",
            "__meta_kubernetes_pod_container_port_number": number,
            **meta("label", pod["metadata"]["labels"]),
            **meta("annotation", annotations | {"prometheus.io/port": str(port)}),
        }
        targets.append({"targets": [f"127.0.0.1:{number}"], "labels": labels})
    (folder / "pods").mkdir()
    (folder / "pods/sample.yml").write_text(yaml.safe_dump(targets))


def ask_api(prometheus, path, **query):
    with urllib.request.urlopen(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        said = json.load(answer)
    want(said["status"] == "success", said)
    return said["data"]


RECORDED = [
    "job:http_server_requests:rate5m",
    "job:http_server_errors:ratio_rate5m",
    "job:http_server_errors:ratio_rate6h",
    "job_method_route:http_server_request_duration_seconds:p99_5m",
    "job:obs_http_server_head_duration_seconds:p99_5m",
    "job_signal:obs_telemetry_delivered:rate5m",
]


def ask(prometheus, service):
    values = lambda expression: ask_api(prometheus, "query", query=expression)["result"]
    deadline = time.monotonic() + 120
    missing = RECORDED
    while missing:
        want(time.monotonic() < deadline, f"not recorded: {missing}; targets: {ask_api(prometheus, 'targets')}")
        for _ in range(20):
            with urllib.request.urlopen(f"{service}/documents/1", timeout=10) as answer:
                answer.read()
        time.sleep(0.2)
        missing = [name for name in missing if not values(f"{name} >= 0")]
    (rate,) = values("job:http_server_requests:rate5m")
    want(float(rate["value"][1]) > 0, rate)
    active = ask_api(prometheus, "targets")["activeTargets"]
    want(len(active) == 1 and active[0]["health"] == "up", f"targets: {active}")
    labels = active[0]["labels"]
    want((labels["job"], labels["instance"], labels["pod"]) == ("sample/front", UID, "front-7c9d5b8f6-x2x4z"), labels)
    want(active[0]["scrapeUrl"].endswith("/metrics"), active[0]["scrapeUrl"])
    rules = [{"health": "unknown"}]
    while any(rule["health"] == "unknown" for rule in rules):
        want(time.monotonic() < deadline, "rules that were never evaluated")
        time.sleep(0.2)
        rules = [rule for group in ask_api(prometheus, "rules")["groups"] for rule in group["rules"]]
    bad = [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"]
    want(not bad, f"rules: {bad}")
    down = [one for one in ask_api(prometheus, "alerts")["alerts"] if one["labels"]["alertname"] in ("ObsScrapeFails", "ObsTelemetryLost", "ObsDeliveryStalls", "ObsBooksOff")]
    want(not down, f"alerts of a healthy service: {down}")
    now = time.time()
    found = ask_api(prometheus, "query_exemplars", query='http_server_request_duration_seconds_bucket{job="sample/front"}', start=now - 600, end=now + 60)
    exemplars = [exemplar for one in found for exemplar in one["exemplars"]]
    want(exemplars and all(len(one["labels"]["trace_id"]) == 32 for one in exemplars), f"exemplars: {exemplars[:3]}")
    print(f"{len(rules)} rules evaluated, {len(RECORDED)} of the recorded looked at, {len(exemplars)} exemplars, job {labels['job']}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, port]:
            write(folder, int(port))
        case ["ask", prometheus, service]:
            ask(prometheus, service)
        case _:
            sys.exit(__doc__)
