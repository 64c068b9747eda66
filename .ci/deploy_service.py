"""deploy_service.py SINK DUMP PROGRAM...: a service of ours in the environment that the sample manifest gives its container
sends what the manifest says, and ends well within its grace period.

PROGRAM prints its address and serves until SIGTERM. SINK is where the agent's address leads here, DUMP is what it wrote.
What Kubernetes fills in (the downward API, `$(NAME)`) is filled in as it does.
"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
sys.path.insert(0, str(DEPLOY))

from checks.kustomize import build  # noqa: E402
from checks.tree import Tree  # noqa: E402

# Far from both ends of what a tenth of them can be: 40 are expected, with a deviation of 6.
REQUESTS, LEAST, MOST = 400, 8, 88
FIELDS = {"metadata.uid": "0c6ddc9a-4f2e-4b1b-9d0e-7a0a4f6c1a11", "metadata.name": "front-7c9d5b8f6-x2x4z", "spec.nodeName": "node-17"}


def want(true, why):
    if not true:
        sys.exit(why)


def environment(container, sink):
    given = {}
    for variable in container["env"]:
        value = variable["value"] if "value" in variable else FIELDS[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        # Only what stands before it is known, as in Kubernetes.
        given[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: given.get(match[1], match[0]), value)
    given["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink
    return given


def main(sink, dump, *program):
    found = build(Tree(DEPLOY, DEPLOY.parent), "kubernetes/sample-service")
    pod = next(one for one in found if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    given = environment(pod["containers"][0], sink)
    before = len(pathlib.Path(dump).read_text().splitlines())
    service = subprocess.Popen(program, env=given, stdout=subprocess.PIPE, text=True)
    try:
        address = service.stdout.readline().strip()
        for n in range(REQUESTS):
            with urllib.request.urlopen(f"http://{address}/items/{n}", timeout=10) as answer:
                answer.read()
        begun = time.monotonic()
        service.send_signal(signal.SIGTERM)
        status = service.wait(pod["terminationGracePeriodSeconds"])
        took = time.monotonic() - begun
    finally:
        service.kill()
    want(status == 0, f"the service ended with {status}")
    lines = [json.loads(line) for line in pathlib.Path(dump).read_text().splitlines()[before:]]
    want(not any("refused" in line for line in lines), lines)
    spans = [line for line in lines if line["signal"] == "span"]
    want({line["signal"] for line in lines} == {"span"}, f"metrics are scraped, and these were pushed: {len(lines) - len(spans)}")
    want(LEAST <= len(spans) <= MOST, f"{len(spans)} of {REQUESTS} requests are traces, and the rate is {given['OTEL_TRACES_SAMPLER_ARG']}")
    told = dict(pair.split("=", 1) for pair in given["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    told["service.name"] = given["OTEL_SERVICE_NAME"]
    resource = {key: value.get("stringValue") for key, value in spans[0]["resource"].items()}
    wrong = {key: (value, resource.get(key)) for key, value in told.items() if resource.get(key) != value}
    want(not wrong, f"the resource is not what the manifest says: {wrong}")
    want("$(" not in str(told), told)
    print(f"{len(spans)} of {REQUESTS} requests are traces, {len(told)} attributes of the resource as told, ended in {took:.1f} s")


main(*sys.argv[1:])
