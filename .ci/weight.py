"""weight.py CRATE MOST [--no-default-features] [--without NAME]...: counts the crates that CRATE brings, itself not counted."""

import argparse
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("crate")
parser.add_argument("most", type=int)
parser.add_argument("--no-default-features", action="store_true")
parser.add_argument("--without", action="append", default=[])
args = parser.parse_args()

command = ["cargo", "tree", "--package", args.crate, "--edges", "normal", "--prefix", "none", "--no-dedupe"]
if args.no_default_features:
    command.append("--no-default-features")
lines = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
found = {tuple(line.split()[:2]) for line in lines if line.strip()}
found = {(name, version) for name, version in found if name != args.crate}
print(f"{args.crate}: {len(found)} crates, at most {args.most}:", *sorted(f"{name} {version}" for name, version in found))
if len(found) > args.most:
    sys.exit(f"{args.crate} brings {len(found)} crates, more than {args.most}")
if unwanted := sorted({name for name, _ in found} & set(args.without)):
    sys.exit(f"{args.crate} brings {', '.join(unwanted)}")
