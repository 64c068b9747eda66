"""Writes what `obs-benches chaos --tsv` printed (on standard input) into the README, between the marks `<!-- outage -->` and
`<!-- /outage -->`: a row per case, each figure as it was printed. The argument says where and when that was."""

import pathlib
import re
import sys

COLUMNS = 7  # row, figure, value, unit, bar, verdict, what was done

rows: dict[str, list[list[str]]] = {}
for line in sys.stdin:
    words = line.rstrip("\n").split("\t")
    if len(words) != COLUMNS:
        sys.exit(f"not a line of the table: {line!r}")
    rows.setdefault(words[0], []).append(words)
if not rows:
    sys.exit("there is no row")

table = ["| row | what was done | measured | bar | |", "|---|---|---|---|---|"]
for name, figures in rows.items():
    done = figures[0][6]
    measured, bars = [], []
    for _, figure, value, unit, bar, verdict, _ in figures:
        measured.append(f"{figure} {value} {unit}".strip())
        if bar != "-":
            bars.append(f"{figure} {bar}" + (" **MISSED**" if verdict == "MISSED" else ""))
    verdicts = {figure[5] for figure in figures}
    verdict = "**MISSED**" if "MISSED" in verdicts else "holds" if "holds" in verdicts else "-"
    table.append(f"| `{name}` | {done} | {'; '.join(measured)} | {'; '.join(bars) or '-'} | {verdict} |")

readme = pathlib.Path(__file__).parent.parent / "README.md"
text, begin, end = readme.read_text(), "<!-- outage -->", "<!-- /outage -->"
if text.count(begin) != 1 or text.count(end) != 1:
    sys.exit(f"README.md has not one pair of the marks {begin} and {end}")
where = f"Printed {' '.join(sys.argv[1:])}." if len(sys.argv) > 1 else ""
new = "\n".join([begin, "", where, "", *table, "", end]) if where else "\n".join([begin, "", *table, "", end])
readme.write_text(re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: new, text, flags=re.S))
