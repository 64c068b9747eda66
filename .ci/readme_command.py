"""Prints the command of the README that stands in the code block under the mark `<!-- NAME -->`."""

import pathlib
import re
import sys

name = sys.argv[1]
readme = pathlib.Path(__file__).parent.parent.joinpath("README.md").read_text()
blocks = re.findall(rf"^<!-- {re.escape(name)} -->\n+```[a-z]*\n(.*?)^```$", readme, re.M | re.S)
if len(blocks) != 1 or not blocks[0].strip():
    sys.exit(f"README.md has {len(blocks)} blocks marked <!-- {name} -->, one is wanted")
print(blocks[0].strip())
