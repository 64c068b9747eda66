"""prometheus_check.py PROMETHEUS DUMP JOB=PAGE...: a real Prometheus has scraped the pages of services that call each other,
its numbers are those that were sent by OTLP, and its exemplars lead to received traces that go through all of the services.

PROMETHEUS and PAGE are addresses, JOB is the name of a service and of its job, DUMP is what the sink wrote. Waits for the
second scrape.
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
# A metric of the business of each service, and the name it is sent by.
BUSINESS = {
    "assistant-front": ("assistant_answers_total", "assistant.answers", "value"),
    "assistant-knowledge": ("assistant_search_documents_count", "assistant.search.documents", "count"),
}
prometheus, dump, *jobs = sys.argv[1:]
jobs = dict(job.split("=", 1) for job in jobs)


def want(true, why):
    if not true:
        sys.exit(why)


def ask(path, **query):
    with urllib.request.urlopen(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        said = json.load(answer)
    want(said["status"] == "success", said)
    return said["data"]


def read(page, accept):
    with urllib.request.urlopen(urllib.request.Request(page, headers={"Accept": accept}), timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def value(query):
    found = ask("query", query=query)["result"]
    return float(found[0]["value"][1]) if found else 0.0


# What was received.
spans, services, points = {}, {}, {}
for line in pathlib.Path(dump).read_text().splitlines():
    line = json.loads(line)
    want("refused" not in line, line.get("refused"))
    service = line["resource"]["service.name"]["stringValue"]
    if line["signal"] == "span":
        spans[line["trace_id"], line["span_id"]] = line
        services.setdefault(line["trace_id"], set()).add(service)
    elif line["signal"] == "point":
        # From the start, so the last one is the one that counts.
        points[service, line["name"], json.dumps(line["attributes"], sort_keys=True)] = line

# Each page by itself: both formats, read by the reference parsers, say the same.
names = {}
for job, page in jobs.items():
    media, text = read(page, OPEN)
    want(media.startswith(OPEN), media)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    want(families[DURATION].type == "histogram" and families["target"].type == "info", sorted(families))
    samples = [sample for family in families.values() for sample in family.samples]
    own = [sample for sample in samples if sample.exemplar]
    want(own, f"no exemplar on the page of {job}")
    for sample in own:
        want(sample.exemplar.value <= float(sample.labels["le"]), sample)
    media, text = read(page, "text/plain")
    want(media.startswith("text/plain"), media)
    classic = {sample.name for family in classic_families(text) for sample in family.samples}
    want(classic == {sample.name for sample in samples}, classic ^ {sample.name for sample in samples})
    names[job] = len(classic)

# Prometheus itself.
deadline = time.monotonic() + 60
for job in jobs:
    up = f'up{{job="{job}"}}[1m]'
    while value(f"count_over_time({up})") < 2:
        want(time.monotonic() < deadline, f"Prometheus does not scrape {job}")
        time.sleep(0.5)
    want(value(f"min_over_time({up})") == 1, f"a scrape of {job} failed")
    want(value(f'count(target_info{{job="{job}", service_name="{job}"}})') == 1, f"no target_info of {job}")
    want(value(f'sum({DURATION}_count{{job="{job}"}})') > 0, f"no durations of {job} in Prometheus")
    quantile = value(f'histogram_quantile(0.9, sum by (le) ({DURATION}_bucket{{job="{job}"}}))')
    want(quantile > 0, f"no quantile of {job}")
    series, metric, field = BUSINESS[job]
    sent = [line[field] for (service, name, _), line in points.items() if (service, name) == (job, metric)]
    want(sent and sum(sent) > 0, f"{metric} of {job} was not received")
    scraped = value(f'sum({series}{{job="{job}"}})')
    want(scraped == sum(sent), f"{series} of {job} is {scraped} in Prometheus, and {sum(sent)} was sent")
    print(f"{job}: {names[job]} names of samples on the page, {series} {scraped:g}, p90 {quantile * 1e3:.3g} ms")

# From the scrape to the trace.
now = time.time()
for job in jobs:
    found = ask("query_exemplars", query=f'{DURATION}_bucket{{job="{job}"}}', start=now - 600, end=now + 60)
    want(found, f"no exemplars of {job} in Prometheus")
    followed = 0
    for one in found:
        for exemplar in one["exemplars"]:
            labels = exemplar["labels"]
            span = spans.get((labels["trace_id"], labels["span_id"]))
            want(span, f"{labels} leads to no span that was received")
            want(span["resource"]["service.name"]["stringValue"] == job, f"{one} leads to {span}")
            want(abs(float(exemplar["value"]) - span["seconds"]) < 1e-4, f"{exemplar} is not {span['seconds']} s")
            want(span["attributes"]["http.route"]["stringValue"] == one["seriesLabels"]["http_route"], f"{one} leads to {span}")
            through = services[labels["trace_id"]]
            # And through others, whose pages are not looked at here.
            want(through >= set(jobs), f"the trace of {labels} goes through {through} only")
            followed += 1
    want(followed, f"no exemplar of {job} was followed")
    print(f"{job}: {followed} exemplars of {len(found)} series followed to their spans, in traces through {' and '.join(jobs)}")
