"""Reads `cargo test --no-run --message-format json` and prints the path of the test binary of that name."""

import json
import sys

found = [
    message["executable"]
    for message in map(json.loads, sys.stdin)
    if message["reason"] == "compiler-artifact" and message["target"]["name"] == sys.argv[1] and message["executable"]
]
if len(found) != 1:
    sys.exit(f"{len(found)} test binaries named {sys.argv[1]}, one is wanted")
print(found[0])
