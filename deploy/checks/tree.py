"""The files under check, wherever they lie: a copy that was broken on purpose is read the same way."""

import pathlib
import re

import yaml


class Refused(Exception):
    """Something is wrong with the files; the text says what and where."""


def want(true, why):
    if not true:
        raise Refused(why)


class UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error and not the last word."""


def _mapping(loader, node, deep=False):
    seen = {}
    for key, value in node.value:
        key = loader.construct_object(key, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"`{key}` stands twice", node.start_mark)
        seen[key] = loader.construct_object(value, deep=True)
    return seen


UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class Tree:
    """`deploy/`, and of the rest of the checkout what it has to agree with."""

    def __init__(self, deploy, root):
        self.deploy, self.root = pathlib.Path(deploy), pathlib.Path(root)

    def text(self, path):
        return (self.deploy / path).read_text()

    def documents(self, path):
        try:
            return [one for one in yaml.load_all(self.text(path), UniqueKeys) if one is not None]
        except yaml.YAMLError as error:
            raise Refused(f"{path}: {error}") from error

    def document(self, path):
        documents = self.documents(path)
        want(len(documents) == 1, f"{path}: {len(documents)} documents, not one")
        return documents[0]

    def yaml_files(self):
        found = sorted(path for end in ("*.yml", "*.yaml") for path in self.deploy.rglob(end))
        want(len(found) > 15, f"only {len(found)} files of YAML under {self.deploy}")
        return [path.relative_to(self.deploy) for path in found]

    def emitted(self):
        return Emitted((self.root / "docs/emitted.md").read_text())


def tables(section):
    """The rows of each table of a section: each a list of cells."""
    for table in re.findall(r"(?:^\|.*\n?)+", section, re.M):
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def rows(section):
    """Those of its first table."""
    return next(tables(section), [])


def code(cell):
    return re.findall(r"`([^`]+)`", cell)


class Emitted:
    """What docs/emitted.md says that we emit."""

    def __init__(self, page):
        sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.S | re.M))
        self.metrics = {code(row[0])[0]: (row[1], row[2]) for row in rows(sections["Metrics"])}
        self.labels = {code(row[0])[0]: set(code(row[1])) for row in rows(sections["Attributes of metrics"])}
        self.resource = {code(row[0])[0] for row in rows(sections["Attributes of the resource"])}
        # Tables of operations and of their attributes take turns.
        attributes = [row for table in [*tables(sections["Spans"])][1::2] for row in table]
        self.spans = {code(row[0])[0] for row in attributes}
        want(len(self.metrics) > 20 and len(self.spans) > 20, "docs/emitted.md is not the page that it was")
        want(set(self.metrics) == set(self.labels), "docs/emitted.md: metrics and their attributes are not the same")
