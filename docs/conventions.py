"""Takes from the model files of the semantic conventions what they say of the names in `obs-core/src/semconv`.

    python3 docs/conventions.py MODEL_FOLDER GENERATIVE_FOLDER > docs/conventions.tsv

MODEL_FOLDER is `model` of a checkout of open-telemetry/semantic-conventions at the version that `SCHEMA_URL` names;
GENERATIVE_FOLDER is the same at v1.41.1, the last version that has generative AI: of `gen_ai.*`, `openai.*` and `mcp.*` it is asked,
and of nothing else. What their own repository calls them since is in `conventions_main.tsv`, which is written by hand.
Rows: `attribute NAME STABILITY`; `metric NAME STABILITY INSTRUMENT UNIT`; `event NAME STABILITY`;
`requirement OF ATTRIBUTE LEVEL`, where OF is a span by the name of our kind (`span.http.server`, `span.llm.client`) or a metric.
"""

import pathlib
import re
import sys

import yaml

models = [pathlib.Path(folder) for folder in sys.argv[1:3]]
generative = ("gen_ai.", "openai.", "mcp.")
ours = pathlib.Path(__file__).parent.parent / "obs-core" / "src" / "semconv"
files = list(ours.glob("*.rs"))
# Statements are looked for, and not emitted.
names = {name.rstrip(".") for file in files for name in re.findall(r'"([a-z0-9_]+(?:\.[a-z0-9_]+)*\.?)"', file.read_text())} - {"db.query.text", "db.statement"}

# Spans, each with the kind of ours that makes it. Of RPCs what all have, and gRPC's own words on it.
spans = {
    "span.http.client": ["span.http.client"],
    "span.http.server": ["span.http.server"],
    "span.rpc.client": ["span.rpc.call.client", "span.rpc.grpc.call.client"],
    "span.rpc.server": ["span.rpc.call.server", "span.rpc.grpc.call.server"],
    # What an inference wants counts before what embeddings and OpenAI's own word want.
    "span.agent.invoke_agent": ["span.gen_ai.invoke_agent.internal"],
    "span.agent.remote": ["span.gen_ai.invoke_agent.client"],
    "span.agent.invoke_workflow": ["span.gen_ai.invoke_workflow.internal"],
    "span.agent.execute_tool": ["span.gen_ai.execute_tool.internal"],
    "span.agent.retrieval": ["span.gen_ai.retrieval.client"],
    "span.mcp.client": ["span.mcp.client"],
    "span.mcp.server": ["span.mcp.server"],
    "span.db.client": ["span.db.client"],
    "span.llm.client": ["span.gen_ai.embeddings.client", "span.openai.inference.client", "span.gen_ai.inference.client"],
}


def is_of(model, name):
    """Whether this model is the one that is asked of an attribute, a metric or an event."""
    return name.startswith(generative) == (model == models[1])


groups, newer, rows = {}, [], set()
for model in models:
    for file in model.rglob("*.yaml"):
        if not any("deprecated" in part for part in file.parts):
            content = yaml.safe_load(file.read_text()) or {}
            for group in content.get("groups", []):
                # The newer model's, where both have one.
                groups.setdefault(group["id"], group | {"model": model})
            # The newer format of definitions.
            for attribute in content.get("attributes", []):
                if attribute["key"] in names and is_of(model, attribute["key"]):
                    rows.add(("attribute", attribute["key"], attribute["stability"]))
            for group in content.get("attribute_groups", []):
                groups.setdefault(group["id"], group | {"type": "newer", "model": model})
            newer += [metric for metric in content.get("metrics", []) if metric["name"] in names and is_of(model, metric["name"])]


def requirements(group):
    """Levels by attribute: of what the group extends and refers to, then its own."""
    levels = requirements(groups[group["extends"]]) if group.get("extends") else {}
    for attribute in group.get("attributes", []):
        if "ref_group" in attribute:
            levels |= requirements(groups[attribute["ref_group"]])
        name = attribute.get("ref") or attribute.get("id")
        if name:
            level = attribute.get("requirement_level", levels.get(name, "recommended"))
            levels[name] = next(iter(level)) if isinstance(level, dict) else level
    return levels


for group in groups.values():
    kind = group["type"]
    if kind == "attribute_group":
        for attribute in group.get("attributes", []):
            if attribute.get("id") in names and is_of(group["model"], attribute["id"]):
                rows.add(("attribute", attribute["id"], attribute["stability"]))
    elif kind == "metric" and group["metric_name"] in names and is_of(group["model"], group["metric_name"]):
        rows.add(("metric", group["metric_name"], group["stability"], group["instrument"], group["unit"]))
        rows |= {("requirement", group["metric_name"], name, level) for name, level in requirements(group).items() if name in names}
    elif kind == "event" and group["name"] in names and is_of(group["model"], group["name"]):
        rows.add(("event", group["name"], group["stability"]))
for metric in newer:
    rows.add(("metric", metric["name"], metric["stability"], metric["instrument"], metric["unit"]))
    rows |= {("requirement", metric["name"], name, level) for name, level in requirements(metric).items() if name in names}
for ours, ids in spans.items():
    levels = {}
    for id in ids:
        levels |= requirements(groups[id])
    rows |= {("requirement", ours, name, level) for name, level in levels.items() if name in names}
for row in sorted(rows):
    print(*row, sep="\t")
