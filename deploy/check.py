"""check.py [--controls]: what a machine can say about the files here. With `--controls`, that it does say it: copies with
one defect each are refused, and the text says why.

Takes PyYAML, kubernetes-validate and promtool: `.ci/run deploy` brings them.
"""

import pathlib
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from checks import collector, controls, kubernetes, links, prometheus  # noqa: E402
from checks.tree import Refused, Tree, want  # noqa: E402


def sources(root):
    text = "".join(path.read_text() for path in sorted((root / "obs-core/src").rglob("*.rs")))
    reasons = re.search(r"Why an operation was kept although[^:]*: ([^.]*)\.", text)
    want(reasons, "obs-core says nowhere what obs.keep.reason may be")
    return text, re.findall(r"`(\w+)`", reasons[1])


# Which of the checks read what lies where.
READ_BY = {"collector": ["collector", "kubernetes"], "prometheus": ["prometheus"], "kubernetes": ["kubernetes"], "README.md": ["collector", "pages"]}


def check(tree, say=print, only=("collector", "prometheus", "kubernetes", "pages"), whole=True):
    text, reasons = sources(tree.root)
    for path in tree.yaml_files():
        tree.documents(path)
    say(f"yaml: {len(tree.yaml_files())} files")
    checks = {
        "collector": lambda: collector.check(tree, reasons),
        "prometheus": lambda: prometheus.check(tree, text),
        "kubernetes": lambda: kubernetes.check(tree, whole),
        "pages": lambda: links.check(tree),
    }
    for name in only:
        say(f"{name}: {checks[name]()}")


def broken(root):
    """Each control in a copy of its own."""
    wrong = []
    for name, path, old, new, says in controls.CONTROLS:
        with tempfile.TemporaryDirectory() as copy:
            copy = pathlib.Path(copy)
            shutil.copytree(HERE, copy / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
            file = copy / "deploy" / path
            text = file.read_text()
            if text.count(old) == 0:
                wrong.append(f"{name}: {path} has no {old!r} to break")
                continue
            file.write_text(text.replace(old, new, 1))
            try:
                check(Tree(copy / "deploy", root), lambda line: None, READ_BY[path.split("/")[0]], whole=False)
            except Refused as refused:
                if says not in str(refused):
                    wrong.append(f"{name}: refused for something else: {refused}")
                continue
            wrong.append(f"{name}: accepted")
    print(f"{len(controls.CONTROLS)} broken copies, {len(wrong)} judged wrongly")
    return wrong


if __name__ == "__main__":
    try:
        check(Tree(HERE, HERE.parent))
        failed = broken(HERE.parent) if "--controls" in sys.argv[1:] else []
    except Refused as refused:
        failed = [str(refused)]
    sys.exit("\n".join(failed) or 0)
