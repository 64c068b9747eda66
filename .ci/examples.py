"""Reads `cargo metadata --no-deps` and prints the examples that are run on their own."""

import json
import sys

(package,) = [p for p in json.load(sys.stdin)["packages"] if p["name"] == "obs-examples"]
for target in package["targets"]:
    # `interop_emit` needs a receiver; the interop steps run it.
    if "bin" in target["kind"] and target["name"] != "interop_emit":
        print(target["name"])
