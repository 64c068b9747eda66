"""prometheus_check.py PROMETHEUS PAGE DUMP: a real Prometheus has scraped the page, and its exemplars lead to received spans.

PROMETHEUS and PAGE are addresses, DUMP is what the sink wrote. Waits for the second scrape.
"""

import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as classic_families

DURATION = "http_server_request_duration_seconds"
OPEN = "application/openmetrics-text"
prometheus, page, dump = sys.argv[1:]


def want(true, why):
    if not true:
        sys.exit(why)


def ask(path, **query):
    with urllib.request.urlopen(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        said = json.load(answer)
    want(said["status"] == "success", said)
    return said["data"]


def read(accept):
    with urllib.request.urlopen(urllib.request.Request(page, headers={"Accept": accept}), timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def value(query):
    found = ask("query", query=query)["result"]
    return float(found[0]["value"][1]) if found else 0.0


# The page by itself: both formats, read by the reference parsers, say the same.
media, text = read(OPEN)
want(media.startswith(OPEN), media)
families = {family.name: family for family in text_string_to_metric_families(text)}
want(families[DURATION].type == "histogram" and families["target"].type == "info", sorted(families))
samples = [sample for family in families.values() for sample in family.samples]
own = [sample for sample in samples if sample.exemplar]
want(own, "no exemplar on the page")
for sample in own:
    want(sample.exemplar.value <= float(sample.labels["le"]), sample)
media, text = read("text/plain")
want(media.startswith("text/plain"), media)
classic = {sample.name for family in classic_families(text) for sample in family.samples}
want(classic == {sample.name for sample in samples}, classic ^ {sample.name for sample in samples})

# Prometheus itself.
deadline = time.monotonic() + 60
while value('count_over_time(up{job="obs"}[1m])') < 2:
    want(time.monotonic() < deadline, "Prometheus does not scrape")
    time.sleep(0.5)
want(value('min_over_time(up{job="obs"}[1m])') == 1, "a scrape failed")
want(value(f"sum({DURATION}_count)") > 0, "no durations in Prometheus")
want(value('count(target_info{service_name!=""})') == 1, "no target_info")
want(value(f"histogram_quantile(0.9, sum by (le) ({DURATION}_bucket))") > 0, "no quantile")
now = time.time()
series = ask("query_exemplars", query=f"{DURATION}_bucket", start=now - 600, end=now + 60)
want(series, "no exemplars in Prometheus")

spans = {}
for line in pathlib.Path(dump).read_text().splitlines():
    line = json.loads(line)
    want("refused" not in line, line.get("refused"))
    if line["signal"] == "span":
        spans[line["trace_id"], line["span_id"]] = line
followed = 0
for one in series:
    for exemplar in one["exemplars"]:
        labels = exemplar["labels"]
        span = spans.get((labels["trace_id"], labels["span_id"]))
        want(span, f"{labels} leads to no span that was received")
        want(abs(float(exemplar["value"]) - span["seconds"]) < 1e-4, f"{exemplar} is not {span['seconds']} s")
        want(span["attributes"]["http.route"]["stringValue"] == one["seriesLabels"]["http_route"], f"{one} leads to {span}")
        followed += 1
print(f"{followed} exemplars of {len(series)} series followed to their spans; {len(classic)} names of samples on the page")
