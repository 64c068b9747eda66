"""Pages: links lead somewhere, and versions that are told are those that are checked."""

import re

from .components import VERSION
from .tree import want


def check(tree):
    counted = 0
    pages = [*tree.deploy.rglob("*.md")]
    sizing = tree.root / "docs/sizing.md"
    if sizing.exists():
        pages.append(sizing)
    for page in pages:
        text = page.read_text()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" in target:
                continue
            base = page.parent
            # A copy under check has no checkout around it.
            there = (base / target).exists() or (tree.root / "deploy" / base.relative_to(tree.deploy) / target).exists() if page != sizing else (base / target).exists()
            want(there, f"{page.name}: no {target}")
            counted += 1
    bounds = 0
    for page in pages:
        # | what | at most | set by | `file`: `what stands there` |
        for file, stands in re.findall(r"\| `([\w./-]+\.rs)`: `([^`]+)` \|$", page.read_text(), re.M):
            want(stands in (tree.root / file).read_text(), f"{page.name}: {file} has no {stands}")
            bounds += 1
    want(not sizing.exists() or bounds >= 4, f"sizing.md: {bounds} bounds with their source")
    for path in [*tree.deploy.glob("collector/*.yaml"), tree.deploy / "README.md"]:
        for version in re.findall(r"otelcol-contrib (\d+\.\d+\.\d+)", path.read_text()):
            want(version == VERSION, f"{path.name}: is written for {version}, and checked for {VERSION}")
    return f"{len(pages)} pages, {counted} links, {bounds} bounds as the sources have them"
