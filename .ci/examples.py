"""Reads `cargo metadata --no-deps` and prints the examples that are run on their own."""

import json
import sys

(package,) = [p for p in json.load(sys.stdin)["packages"] if p["name"] == "obs-examples"]
for target in package["targets"]:
    # These need a receiver, or somebody to talk with; the interop steps run them.
    if "bin" in target["kind"] and target["name"] not in ("interop_emit", "llm_probe", "rpc_interop"):
        print(target["name"])
