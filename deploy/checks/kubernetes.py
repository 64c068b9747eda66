"""Manifests: by the schemas of Kubernetes, and against what they start."""

import re
import shutil
import subprocess

from . import collector
from .components import VERSION
from .kustomize import build, identity
from .tree import Refused, want

OVERLAYS = ["kubernetes/late-keep", "kubernetes/tail-sampling", "kubernetes/sample-service"]
# The newest whose schemas the package has that is named in `.ci/deploy`.
KUBERNETES = "1.37"
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "MiB": 1 << 20, "GiB": 1 << 30}


def amount(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", str(text)).groups()
    return int(number) * UNITS[unit]


def schemas(resource, where):
    import kubernetes_validate

    try:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise Refused(f"{where}: {'.'.join(map(str, error.path))}: {error.message}") from error
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        raise Refused(f"{where}: {error.message}") from error


def pod_of(one):
    return one["spec"]["template"]["spec"] if one["kind"] in ("DaemonSet", "StatefulSet", "Deployment") else None


def restricted(one, where):
    """What the `restricted` standard of pod security asks for, which the namespaces enforce, and a root file system to read."""
    pod = pod_of(one)
    context = pod.get("securityContext", {})
    want(context.get("runAsNonRoot") is True and context.get("runAsUser", 0) > 0, f"{where}: may run as root")
    want(context.get("seccompProfile", {}).get("type") == "RuntimeDefault", f"{where}: any system call")
    want(not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), f"{where}: in the node's namespaces")
    want(not any("hostPath" in volume for volume in pod.get("volumes", [])), f"{where}: a folder of the node")
    for container in pod["containers"]:
        own = container.get("securityContext", {})
        want(own.get("allowPrivilegeEscalation") is False, f"{where}: may gain privileges")
        want(own.get("capabilities", {}).get("drop") == ["ALL"], f"{where}: has capabilities")
        want(own.get("readOnlyRootFilesystem") is True, f"{where}: writes to its image")
        want(not any("hostPort" in port for port in container.get("ports", [])), f"{where}: a port of the node")
        want({"requests", "limits"} <= set(container.get("resources", {})), f"{where}: without requests and limits")
        want("readinessProbe" in container and "livenessProbe" in container, f"{where}: without probes")


def names_meet(found, where):
    """Selectors find pods, ports that are named exist, what is mounted is there, accounts exist."""
    pods = [one for one in found if pod_of(one)]
    names = {(one["kind"], one["metadata"]["name"]) for one in found}
    for one in pods:
        labels, pod = one["spec"]["template"]["metadata"]["labels"], pod_of(one)
        want(one["spec"]["selector"]["matchLabels"].items() <= labels.items(), f"{where}: {identity(one)} selects others")
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
        for container in pod["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            want(mounted == volumes, f"{where}: {identity(one)}: mounts {sorted(mounted)} of {sorted(volumes)}")
        for volume in pod.get("volumes", []):
            if "configMap" in volume:
                want(("ConfigMap", volume["configMap"]["name"]) in names, f"{where}: no ConfigMap {volume['configMap']['name']}")
        account = pod.get("serviceAccountName")
        want(account is None or ("ServiceAccount", account) in names, f"{where}: no ServiceAccount {account}")
    for one in found:
        spec = one.get("spec", {})
        selector = {
            "Service": lambda: spec["selector"],
            "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda: spec["podSelector"]["matchLabels"],
        }.get(one["kind"])
        if not selector:
            continue
        chosen = [pod for pod in pods if selector().items() <= pod["spec"]["template"]["metadata"]["labels"].items()]
        want(len(chosen) == 1, f"{where}: {identity(one)} selects {len(chosen)} workloads")
        named = {port["name"] for container in pod_of(chosen[0])["containers"] for port in container["ports"]}
        ports = [port["targetPort"] for port in spec.get("ports", [])] if one["kind"] == "Service" else []
        ports += [port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]]
        want(set(ports) <= named, f"{where}: {identity(one)}: ports {sorted(set(ports) - named)} are not the pod's")


def collectors(tree, found, where):
    """What a pod is given is what its configuration asks for: files, variables, disks, memory, version."""
    for one in found:
        pod = pod_of(one)
        container = pod and pod["containers"][0]
        if not container or "opentelemetry-collector" not in container["image"]:
            continue
        name = f"{where}: {one['metadata']['name']}"
        want(container["image"].endswith(f":{VERSION}"), f"{name}: {container['image']} is not {VERSION}")
        files = [argument.removeprefix("--config=/etc/otelcol/") for argument in container["args"]]
        want(files in collector.programs(tree), f"{name}: {files} is no combination that is checked")
        config_map = next(other for other in found if other["kind"] == "ConfigMap")
        want(set(files) <= set(config_map["data"]), f"{name}: {files} are not all in the ConfigMap")
        given = {variable["name"]: variable for variable in container["env"]}
        text = "\n".join(collector.without_comments(config_map["data"][file]) for file in files)
        asked = set(dict(collector.VARIABLE.findall(text))) | set(re.findall(r"node_from_env_var: (\w+)", text))
        required = {variable for variable in asked if not collector.variables(tree)[variable]}
        from_secret = "envFrom" in container
        want(required <= set(given) or from_secret, f"{name}: not given {sorted(required - set(given))}")
        own = {"GOMEMLIMIT", "OTEL_RESOURCE_ATTRIBUTES"}
        want(set(given) <= asked | own, f"{name}: nobody asks for {sorted(set(given) - asked - own)}")

        limit = amount(container["resources"]["limits"]["memory"])
        go = amount(given["GOMEMLIMIT"]["value"])
        want(0.78 * limit <= go <= 0.80 * limit + (1 << 20), f"{name}: GOMEMLIMIT is not 80 % of {limit >> 20} MiB")
        values = {key: str(variable.get("value", "127.0.0.1")) for key, variable in given.items()}
        config = collector.program(tree, files, values)
        queues = sum(exporter["sending_queue"]["queue_size"] for exporter in config["exporters"].values())
        disks = [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume]
        disks += [claim["spec"]["resources"]["requests"]["storage"] for claim in one["spec"].get("volumeClaimTemplates", [])]
        want(len(disks) == 1 and amount(disks[0]) >= 1.25 * queues, f"{name}: {disks} for queues of {queues >> 20} MiB")
        if "tail_sampling" in config["processors"]:
            tail = config["processors"]["tail_sampling"]
            waiting = tail["expected_new_traces_per_sec"] * collector.seconds(tail["decision_wait"])
            want(tail["num_traces"] >= 1.5 * waiting, f"{name}: TAIL_TRACES is too small for {waiting:g} that wait")
            want(min(tail["decision_cache"].values()) >= 10 * tail["num_traces"], f"{name}: caches of decisions")
            want(pod["terminationGracePeriodSeconds"] > collector.seconds(tail["decision_wait"]) + 30, f"{name}: is killed while it decides")


def sample(tree, found):
    """The service that sends: to where agents listen, allowed to, with time to end."""
    service = next(one for one in found if one["kind"] == "Deployment")
    pod = pod_of(service)
    given = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    host, port = re.fullmatch(r"http://([^:/]+):(\d+)", given["OTEL_EXPORTER_OTLP_ENDPOINT"]).groups()
    base = build(tree, "kubernetes/base")
    agents = next(one for one in base if one["kind"] == "Service" and host.startswith(f"{one['metadata']['name']}.{one['metadata']['namespace']}."))
    want(agents["spec"].get("internalTrafficPolicy") == "Local", "sample-service: its agent is not the one of its node")
    want(int(port) in {entry["port"] for entry in agents["spec"]["ports"]}, f"sample-service: no agent listens on {port}")
    policy = next(one for one in base if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == agents["metadata"]["name"])
    asked = policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
    namespace = next(one for one in found if one["kind"] == "Namespace")
    want(asked.items() <= namespace["metadata"]["labels"].items(), "sample-service: the agents' NetworkPolicy refuses its namespace")
    table = (tree.root / "obs-core/src/setup/environment/variables.md").read_text()
    for name in given:
        if name.startswith("OTEL_EXPORTER_OTLP"):
            want("OTEL_EXPORTER_OTLP_{,TRACES_,METRICS_,LOGS_}" + name.rsplit("_", 1)[1] + "`" in table, f"sample-service: {name} is not read")
        elif name.startswith("OTEL_"):
            want(f"`{name}`" in table, f"sample-service: {name} is not read")
    told = int(re.search(r"shutdown_on_drop\(Duration::from_secs\((\d+)\)\)", tree.text("kubernetes/sample-service/service.yaml"))[1])
    want(pod["terminationGracePeriodSeconds"] > 2 * told, "sample-service: is killed before its telemetry is delivered")
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    ports = {str(entry["containerPort"]) for entry in pod["containers"][0]["ports"]}
    want(annotations["prometheus.io/port"] in ports, "sample-service: the port that is scraped is not the pod's")


def by_kubectl(tree, overlay, found):
    """Whether a real kustomize builds the same: compared without hashes, order of lists of names aside."""
    import yaml

    built = subprocess.run(["kubectl", "kustomize", str(tree.deploy / overlay)], capture_output=True, text=True, timeout=120)
    want(built.returncode == 0, f"{overlay}: kubectl: {built.stderr}")
    theirs = list(yaml.safe_load_all(re.sub(r"\b(obs-collector)-[a-z0-9]{10}\b", r"\1", built.stdout)))
    ordered = lambda all: sorted((plain(one) for one in all), key=lambda one: identity(one)[1:2] + (identity(one)[3],))
    want(ordered(theirs) == ordered(found), f"{overlay}: kubectl builds something else than kustomize.py")


def plain(value):
    if isinstance(value, dict):
        return {key: plain(of) for key, of in value.items()}
    if isinstance(value, list):
        named = all(isinstance(of, dict) and "name" in of for of in value)
        return sorted((plain(of) for of in value), key=lambda of: str(of["name"])) if named else [plain(of) for of in value]
    return value


def check(tree, whole=True):
    """`whole`: also against a real kustomize, which takes its time."""
    counted, kubectl = 0, shutil.which("kubectl") if whole else None
    for overlay in OVERLAYS:
        found = build(tree, overlay)
        for one in found:
            schemas(one, f"{overlay}: {one['kind']} {one['metadata']['name']}")
            if pod_of(one):
                restricted(one, f"{overlay}: {one['metadata']['name']}")
        want(len({identity(one) for one in found}) == len(found), f"{overlay}: a resource stands twice")
        names_meet(found, overlay)
        collectors(tree, found, overlay)
        if kubectl:
            by_kubectl(tree, overlay, found)
        counted += len(found)
    sample(tree, build(tree, "kubernetes/sample-service"))
    same = "kubectl builds the same" if kubectl else "no kubectl here to hold the built ones against"
    return f"{counted} resources by the schemas of Kubernetes {KUBERNETES}; {same}"
