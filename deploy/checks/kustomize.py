"""As much of kustomize as our kustomizations use: resources, files into ConfigMaps, patches by merging, one namespace. Where a
`kubectl` is at hand, what it builds is held against this (`kubernetes.py`)."""

import copy

from .tree import want

CLUSTER = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
# By what the members of a list are known, where a patch changes one of them.
KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort"}


def build(tree, directory):
    """The resources of `directory/kustomization.yaml`. Names of ConfigMaps are without the hash of their content."""
    settings = tree.document(f"{directory}/kustomization.yaml")
    known = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "patches"}
    want(set(settings) <= known, f"{directory}: kustomize.py knows nothing of {sorted(set(settings) - known)}")
    found = []
    for resource in settings.get("resources", []):
        path = (tree.deploy / directory / resource).resolve()
        want(path.exists(), f"{directory}: no {resource}")
        inside = path.relative_to(tree.deploy.resolve())
        found += build(tree, inside) if path.is_dir() else copy.deepcopy(tree.documents(inside))
    for generated in settings.get("configMapGenerator", []):
        data = {file: tree.text(f"{directory}/{file}") for file in generated["files"]}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generated["name"]}, "data": data})
    if "namespace" in settings:
        for one in found:
            if one["kind"] not in CLUSTER:
                one["metadata"]["namespace"] = settings["namespace"]
    for patch in settings.get("patches", []):
        for document in tree.documents(f"{directory}/{patch['path']}"):
            same = [one for one in found if identity(one) == identity(document)]
            want(len(same) == 1, f"{directory}/{patch['path']}: {len(same)} resources to change")
            merged(same[0], document)
    return found


def identity(one):
    return one["apiVersion"], one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


def merged(into, patch):
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merged(into[key], value)
        elif isinstance(value, list) and key in KEYS and isinstance(into.get(key), list):
            for one in value:
                same = [other for other in into[key] if other[KEYS[key]] == one[KEYS[key]]]
                merged(same[0], one) if same else into[key].append(copy.deepcopy(one))
        else:
            into[key] = copy.deepcopy(value)
