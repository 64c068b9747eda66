"""Reads `cargo metadata --no-deps` and prints `crate<TAB>feature` for each library: none, then each alone."""

import json
import sys

for package in json.load(sys.stdin)["packages"]:
    # Publishable members are libraries; examples and benches are programs.
    if package["publish"] == []:
        continue
    for feature in ["", *sorted(set(package["features"]) - {"default"})]:
        print(package["name"], feature, sep="\t")
