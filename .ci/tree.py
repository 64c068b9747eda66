"""Reads `cargo metadata` and refuses a second version of an OpenTelemetry crate, or a licence that does not fit ours."""

import collections
import json
import re
import sys

# Peers of the benches may bring what they like beside these.
ONE_VERSION = re.compile(r"opentelemetry(_sdk|-(http|otlp|proto|semantic-conventions))?|tracing-opentelemetry")
LICENCES = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}


def fits(expression):
    """Whether an SPDX expression can be met from the list; AND binds tighter than OR, an old `/` means OR."""
    words = re.findall(r"[()]|AND|OR|[^\s()]+(?: WITH \S+)?", expression.replace("/", " OR "))

    def either():
        met = both()
        while words[:1] == ["OR"]:
            words.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while words[:1] == ["AND"]:
            words.pop(0)
            met = one() and met
        return met

    def one():
        word = words.pop(0) if words else ""
        if word != "(":
            return word in LICENCES
        met = either()
        return words[:1] == [")"] and words.pop(0) == ")" and met

    return either() and not words


packages = json.load(sys.stdin)["packages"]
versions, wrong = collections.defaultdict(set), []
for package in packages:
    name, licence = package["name"], package["license"] or "none"
    if ONE_VERSION.fullmatch(name):
        versions[name].add(package["version"])
    if not fits(licence):
        wrong.append(f"{name} {package['version']}: licence {licence}")
if not versions["opentelemetry"]:
    wrong.append("no opentelemetry in the tree: this check looks at the wrong thing")
for name, found in sorted(versions.items()):
    print(name, *sorted(found))
    if len(found) > 1:
        wrong.append(f"{len(found)} versions of {name}")
print(len(packages), "packages")
sys.exit("\n".join(wrong) or 0)
