"""Writes what `obs-benches chaos --tsv` printed (on standard input) into docs/outage.md, each figure as it was printed, and a
summary of it into the README, both between the marks `<!-- outage -->` and `<!-- /outage -->`. The arguments say where and when
that was."""

import pathlib
import re
import sys

COLUMNS = 7  # row, figure, value, unit, bar, verdict, what was done
# Of the exporters of the SDK and ours, what the README shows.
BESIDE = ["spans", "delivered", "counted as dropped", "counted as processed", "in neither counter", "shutdown", "shutdown said Ok", "memory"]


def read(lines):
    rows = {}
    for line in lines:
        words = line.rstrip("\n").split("\t")
        if len(words) != COLUMNS:
            sys.exit(f"not a line of the table: {line!r}")
        rows.setdefault(words[0], []).append(words)
    if not rows:
        sys.exit("there is no row")
    return rows


def verdict(figures):
    verdicts = {figure[5] for figure in figures}
    return "MISSED" if "MISSED" in verdicts else "holds" if "holds" in verdicts else "-"


def page(rows):
    """A section per row."""
    out = []
    for name, figures in rows.items():
        out += [f"### `{name}`: {verdict(figures)}" if verdict(figures) != "-" else f"### `{name}`", "", f"{figures[0][6]}.", ""]
        out += ["| figure | measured | bar |", "|---|--:|---|"]
        for _, figure, value, unit, bar, said, _ in figures:
            missed = " **MISSED**" if said == "MISSED" else ""
            out.append(f"| {figure} | {value} {unit}".rstrip() + f" | {'' if bar == '-' else bar}{missed} |")
        out.append("")
    return out


def summary(rows):
    """The bars, each over its rows, and exporters beside each other."""
    bars = {}
    for name, figures in rows.items():
        if verdict(figures) != "-":
            bars.setdefault(name.split("/")[0], []).append((name, verdict(figures)))
    out = ["| bar | rows | |", "|---|--:|---|"]
    for bar, said in bars.items():
        missed = [f"`{name}`" for name, one in said if one == "MISSED"]
        out.append(f"| {bar} | {len(said)} | {'**MISSED**: ' + ', '.join(missed) if missed else 'holds'} |")
    beside = {name: figures for name, figures in rows.items() if verdict(figures) == "-"}
    if beside:
        shown = [of for of in BESIDE if any(figure[1] == of for figures in beside.values() for figure in figures)]
        out += ["", "| exporter, outage, runtime | " + " | ".join(shown) + " |", "|---|" + "--:|" * len(shown)]
        for name, figures in beside.items():
            values = {figure[1]: f"{figure[2]} {figure[3]}".strip() for figure in figures}
            out.append(f"| `{name}` | " + " | ".join(values.get(of, "-") for of in shown) + " |")
    return out


def write(path, where, lines):
    text, begin, end = path.read_text(), "<!-- outage -->", "<!-- /outage -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"{path.name} has not one pair of the marks {begin} and {end}")
    new = "\n".join([begin, "", *([where, ""] if where else []), *lines, *([] if lines[-1] == "" else [""]), end])
    path.write_text(re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: new, text, flags=re.S))


root = pathlib.Path(__file__).parent.parent
rows = read(sys.stdin)
where = f"Printed {' '.join(sys.argv[1:])}." if len(sys.argv) > 1 else ""
write(root / "docs" / "outage.md", where, page(rows))
write(root / "README.md", where, summary(rows))
