//! The table: which names there are, and how they are written.

use crate::facts::Facts;
use crate::seen::{Names, Seen, generic};
use obs_agent::descriptor::{
    DB_CLIENT, EXECUTE_TOOL, INVOKE_AGENT, INVOKE_WORKFLOW, MCP_CLIENT, MCP_SERVER, MEMORY, NODE,
    PLAN, REMOTE_AGENT, RETRIEVAL,
};
use obs_core::semconv::stability::{ATTRIBUTES, EVENTS, LOG_EVENTS, METRICS, PREFIXES, RESOURCE};
use obs_core::semconv::{SCHEMA_URL, gen_ai, obs, stability};
use obs_core::{Descriptor, Event, Histogram};
use obs_http::{HTTP_CALL, HTTP_CLIENT, HTTP_SERVER};
use obs_llm::LLM_CLIENT;
use obs_llm::server::LLM_SERVER;
use obs_rpc::{RPC_CALL, RPC_CALL_NEXT, RPC_CLIENT, RPC_CLIENT_NEXT, RPC_SERVER, RPC_SERVER_NEXT};
use std::fmt::Write;

const HTTP: [&Descriptor; 3] = [&HTTP_SERVER, &HTTP_CLIENT, &HTTP_CALL];
const RPC: [&Descriptor; 3] = [&RPC_SERVER, &RPC_CLIENT, &RPC_CALL];
/// The same spans and metrics, with the status under its name to come.
const RPC_NEXT: [&Descriptor; 3] = [&RPC_SERVER_NEXT, &RPC_CLIENT_NEXT, &RPC_CALL_NEXT];
/// Main's names are on the same spans.
const LLM: [&Descriptor; 2] = [&LLM_CLIENT, &LLM_SERVER];
/// Of agents, and what they ask.
const AGENT: [&Descriptor; 8] = [
    &INVOKE_AGENT,
    &REMOTE_AGENT,
    &INVOKE_WORKFLOW,
    &PLAN,
    &EXECUTE_TOOL,
    &RETRIEVAL,
    &MEMORY,
    &NODE,
];
const ASKED: [&Descriptor; 3] = [&MCP_CLIENT, &MCP_SERVER, &DB_CLIENT];
pub(crate) const KINDS: [&Descriptor; 19] = [
    HTTP[0], HTTP[1], HTTP[2], RPC[0], RPC[1], RPC[2], LLM[0], LLM[1], AGENT[0], AGENT[1],
    AGENT[2], AGENT[3], AGENT[4], AGENT[5], AGENT[6], AGENT[7], ASKED[0], ASKED[1], ASKED[2],
];

/// The event points that the layers stamp.
const POINTS: &[Event] = &[
    Event::SERVER_HANDLE_START,
    Event::SERVER_HANDLE_FINISH,
    Event::RESPONSE_HEAD,
    Event::WRITE_START,
    Event::STREAM_SEND,
    Event::WRITE_FINISH,
    Event::CLIENT_CONN_START,
    Event::CLIENT_CONN_FINISH,
    Event::DNS_START,
    Event::DNS_FINISH,
    Event::TCP_START,
    Event::TCP_FINISH,
    Event::TLS_START,
    Event::TLS_FINISH,
    Event::READ_START,
    Event::STREAM_RECV,
    Event::READ_FINISH,
    Event::STREAM_START,
    Event::STREAM_RECV_HEADER,
    Event::STREAM_FINISH,
    Event::WAIT_READ_START,
    Event::WAIT_READ_FINISH,
    Event::SCHEDULED,
    Event::FIRST_OUTPUT,
];

/// Every name of the module of names, and of the event points.
pub(crate) fn known() -> Names {
    let attributes = ATTRIBUTES.iter().flat_map(|(group, _)| group.iter());
    let mut names: Names = attributes.map(|key| key.as_str().to_owned()).collect();
    let lists = [METRICS, RESOURCE, PREFIXES, EVENTS, LOG_EVENTS].concat();
    names.extend(lists.iter().map(|(name, _)| (*name).to_owned()));
    names.extend(POINTS.iter().map(|point| point.name().to_owned()));
    names
}

pub(crate) fn is_known(name: &str) -> bool {
    known().contains(name)
}

/// What the descriptors say of the attributes of a metric; `None` for an instrument that has none, and for the metrics of models:
/// calls, servers and scraped engines share some of them, each with attributes of its own.
pub(crate) fn declared(metric: &str) -> Option<Names> {
    let mut names = Names::new();
    let mut any = false;
    for kind in HTTP.into_iter().chain(RPC).chain(RPC_NEXT) {
        let all = kind
            .labels
            .iter()
            .map(|label| label.key.as_str().to_owned());
        let is = |histogram: &Histogram| histogram.name == metric;
        let stages = kind.stages.iter().filter(|stage| is(&stage.histogram));
        let mut is_of = kind.duration.as_ref().is_some_and(is);
        is_of |= kind.measures.iter().any(|measure| is(&measure.histogram));
        for stage in stages {
            is_of = true;
            names.extend(stage.attribute.map(|(key, _)| key.as_str().to_owned()));
        }
        if let Some(running) = kind.in_flight.filter(|running| running.name == metric) {
            any = true;
            let labels = all.clone().enumerate();
            names.extend(
                labels
                    .filter(|(n, _)| running.labels >> n & 1 == 1)
                    .map(|(_, key)| key),
            );
        }
        if is_of {
            any = true;
            names.extend(all);
        }
    }
    any.then_some(names)
}

pub(crate) fn render(base: &Seen, detailed: &Seen, unseen: &[(&str, &str)]) -> String {
    let both = Seen::all([base, detailed]);
    let facts = Facts::read();
    let mut out = String::from(HEAD);
    let (generative, main) = (gen_ai::SCHEMA_URL, gen_ai::SCHEMA_URL_MAIN);
    let _ = writeln!(
        out,
        "Conventions: <{SCHEMA_URL}>; of generative AI <{generative}>, or on main <{main}>.\n"
    );
    out.push_str("## Spans\n");
    spans(&mut out, "obs-http", &HTTP, &both, &facts);
    spans(&mut out, "obs-rpc", &RPC, &both, &facts);
    spans(&mut out, "obs-llm", &LLM, &both, &facts);
    spans(&mut out, "obs-agent", &AGENT, &both, &facts);
    spans(&mut out, "obs-agent", &ASKED, &both, &facts);
    events(&mut out, base, &both);
    metrics(&mut out, base, &both, &facts);
    log_events(&mut out, &both, &facts);
    let of_links = ("Attributes of links", LINKS);
    list(&mut out, of_links, &both.links, &facts);
    let of_logs = ("Attributes of log records", LOGS);
    list(&mut out, of_logs, &both.logs, &facts);
    let of_resource = ("Attributes of the resource", RESOURCES);
    list(&mut out, of_resource, &both.resource, &facts);
    let _ = writeln!(
        out,
        "\n## Not seen by the test\n\n| name | why |\n|---|---|"
    );
    for (name, why) in unseen {
        let _ = writeln!(out, "| `{name}` | {why} |");
    }
    out
}

const HEAD: &str = "\
<!-- Written by `OBS_WRITE=1 cargo test -p obs-docs --test emitted`, which fails where this is stale. -->
# What is emitted

Every span, metric, attribute and event of the suite, as they arrived over OTLP from servers and clients that answered and
failed, at both levels, with everything switched on that can be. The test that writes this page fails where something
arrives that is not here, and where something here never arrives; stability, requirement levels, units and kinds of
instruments are held against the model of the conventions.

A requirement is the conventions': *required*, *conditional* (on what they say), *recommended*, *opt-in*; *there* is an attribute
that they do not ask for on this span or metric. What is there when, is on the front pages of
[obs-http](../obs-http/src/lib.rs), [its client](../obs-http/src/client.rs), [obs-rpc](../obs-rpc/src/lib.rs),
[obs-llm](../obs-llm/src/lib.rs) and [obs-agent](../obs-agent/src/lib.rs). Of generative AI the names are v1.41.1's; what is *main*
is there by its dialect `Main`, which gives calls of models and runs of agents the names that the conventions' own repository has
since, instead of v1.41.1's. There a call that is no inference is `llm.operation` in settings.

";

const LINKS: &str = "Of obs-agent: from a run to the one that handed over to it.";

const LOGS: &str = "\
Of feature `tracing` of obs-core. Fields of an event are attributes under their own names; these come beside them. Ids, \
severity, body and scope are fields of a log record, not attributes.";

const RESOURCES: &str = "\
Of obs-core, with every signal. `service.version` where it is told, `host.name` and `os.type` where they are found.";

fn spans(out: &mut String, of_crate: &str, kinds: &[&Descriptor], seen: &Seen, facts: &Facts) {
    let _ = writeln!(
        out,
        "\nOf {of_crate}, from level Base.\n\n| operation | span kind | name | stability |\n|---|---|---|---|"
    );
    for kind in kinds {
        let id = format!("span.{}", kind.name);
        let first = kind.labels[0].key.as_str();
        let name = match of_crate {
            "obs-http" => format!("{{method}} {{{}}}", kind.labels[1].key.as_str()),
            "obs-llm" => format!("{{{first}}} {{{}}}", kind.labels[2].key.as_str()),
            "obs-agent" => name_of_agents(kind),
            _ => format!("{{{first}}}"),
        };
        let ours = of_crate != "obs-agent" && facts.requirement(&id, first).is_none();
        let _ = writeln!(
            out,
            "| `{}` | {} | `{name}` | {} |",
            kind.name,
            format!("{:?}", kind.span_kind).to_lowercase(),
            if ours {
                "ours".to_owned()
            } else {
                of(first, facts)
            },
        );
    }
    out.push_str("\n| attribute |");
    for kind in kinds {
        let _ = write!(out, " `{}` |", kind.name);
    }
    out.push_str(" stability |\n|---|---|");
    out.push_str(&"---|".repeat(kinds.len()));
    out.push('\n');
    let own = kinds.iter().filter_map(|kind| seen.spans.get(kind.name));
    let all: Names = own
        .flat_map(|span| &span.attributes)
        .map(|name| generic(name))
        .collect();
    for name in &all {
        let shown = if name.ends_with('.') {
            format!("{name}<name>")
        } else {
            name.clone()
        };
        let _ = write!(out, "| `{shown}` |");
        for kind in kinds {
            let id = format!("span.{}", kind.name);
            let on = seen
                .spans
                .get(kind.name)
                .is_some_and(|span| span.attributes.iter().any(|own| generic(own) == *name));
            let level = facts.requirement(&id, name.trim_end_matches('.'));
            let _ = write!(
                out,
                " {} |",
                if on {
                    level.unwrap_or_else(|| "there".into())
                } else {
                    "–".into()
                }
            );
        }
        let _ = writeln!(out, " {} |", of(name, facts));
    }
}

/// How a span of obs-agent's is named; without what stands in brackets where that is absent.
fn name_of_agents(kind: &Descriptor) -> String {
    let label = |n: usize| kind.labels[n].key.as_str();
    let operation = gen_ai::OPERATION_NAME.as_str();
    match kind.name {
        "agent.memory" => format!("{{{operation}}}"),
        "agent.remote" => format!("{{{operation}}} {{{}}}", label(3)),
        "agent.retrieval" => format!("{{{operation}}} {{{}}}", label(2)),
        "agent.node" => format!("{{{}}} {{{}}}", label(0), label(1)),
        "mcp.client" | "mcp.server" => {
            format!("{{{}}} {{{}}} or {{{}}}", label(0), label(2), label(3))
        }
        "db.client" => {
            let [system, collection, namespace, operation] = [0, 1, 2, 3].map(label);
            format!(
                "{{{operation}}} {{{collection}}} or {{{namespace}}}; without these {{{system}}}"
            )
        }
        _ => format!("{{{operation}}} {{{}}}", label(0)),
    }
}

fn events(out: &mut String, base: &Seen, both: &Seen) {
    out.push_str("\n## Events of spans\n\n| event | on | attributes | from level | stability |\n|---|---|---|---|---|\n");
    let names: Names = both
        .spans
        .values()
        .flat_map(|span| span.events.iter().cloned())
        .collect();
    for name in names {
        let on = |seen: &Seen| -> Vec<String> {
            let has = seen
                .spans
                .iter()
                .filter(|(_, span)| span.events.contains(&name));
            has.map(|(kind, _)| format!("`{kind}`")).collect()
        };
        let level = if on(base).is_empty() {
            "Detailed"
        } else {
            "Base"
        };
        let attributes = quoted(both.event_attributes.get(&name).into_iter().flatten());
        let stability = stability(&name).map_or("ours", |known| known.as_str());
        let _ = writeln!(
            out,
            "| `{name}` | {} | {attributes} | {level} | {stability} |",
            on(both).join(", ")
        );
    }
}

fn metrics(out: &mut String, base: &Seen, both: &Seen, facts: &Facts) {
    out.push_str("\n## Metrics\n\n| metric | instrument | unit | of | with | from level | stability |\n|---|---|---|---|---|---|---|\n");
    for (name, metric) in &both.metrics {
        let is_measure = KINDS
            .iter()
            .flat_map(|kind| kind.measures)
            .any(|measure| measure.histogram.name == *name);
        let with = match name.as_str() {
            _ if is_measure => "`with_measures`",
            _ if name.starts_with("process.") => "feature `process`, `observe_process`",
            _ if name.starts_with("obs.tokio.") => "feature `tokio`, `observe_tokio`",
            _ if name.starts_with("obs.agent.session") || name.starts_with("obs.agent.budgets") => {
                "`Ledger`"
            }
            _ if name.starts_with("obs.llm.engine.") => "feature `engines`, `EngineScraper`",
            "hw.status" => "`GpuHealth`",
            _ if name.starts_with("obs.gpu.gate.") || name.starts_with("obs.gpu.xid.") => {
                "`GpuHealth`"
            }
            _ if name.starts_with("hw.") || name.starts_with("obs.gpu.") => "`GpuMonitor`",
            obs::LLM_COST => "`with_prices`",
            obs::LLM_SERVER_TOKEN_GAP => "`with_token_gaps`",
            _ => "–",
        };
        let level = if is_measure || base.metrics.contains_key(name) {
            "Base"
        } else {
            "Detailed"
        };
        let _ = writeln!(
            out,
            "| `{name}` | {} | {} | {} | {with} | {level} | {} |",
            metric.instrument,
            metric.unit,
            Vec::from_iter(metric.scopes.iter().cloned()).join(", "),
            of(name, facts),
        );
    }
    out.push_str("\n## Attributes of metrics\n\nAny series may have `otel.metric.overflow` instead: it holds what had no room.\n\n| metric | attributes |\n|---|---|\n");
    for (name, metric) in &both.metrics {
        let own = declared(name).unwrap_or_else(|| metric.attributes.clone());
        let own = own.iter().filter(|key| *key != "otel.metric.overflow");
        let own: Vec<String> = own
            .map(|key| match facts.requirement(name, key) {
                Some(level) => format!("`{key}` ({level})"),
                None => format!("`{key}`"),
            })
            .collect();
        let own = if own.is_empty() {
            "–".to_owned()
        } else {
            own.join(", ")
        };
        let _ = writeln!(out, "| `{name}` | {own} |");
    }
    let all: Names = both
        .metrics
        .values()
        .flat_map(|metric| metric.attributes.iter().cloned())
        .collect();
    let spans: Names = both
        .spans
        .values()
        .flat_map(|span| span.attributes.iter().cloned())
        .collect();
    out.push_str("\nThose that no span has:\n\n| attribute | stability |\n|---|---|\n");
    for name in all.difference(&spans) {
        let _ = writeln!(out, "| `{name}` | {} |", of(name, facts));
    }
}

fn log_events(out: &mut String, both: &Seen, facts: &Facts) {
    out.push_str(
        "\n## Events as log records\n\n| event | attributes | stability |\n|---|---|---|\n",
    );
    for (name, keys) in &both.log_events {
        let _ = writeln!(out, "| `{name}` | {} | {} |", quoted(keys), of(name, facts));
    }
    out.push_str("\nOf these attributes, those that nothing above has:\n\n| attribute | stability |\n|---|---|\n");
    let spans = both.spans.values().flat_map(|span| span.attributes.iter());
    let metrics = both.metrics.values().flat_map(|of| of.attributes.iter());
    let above: Names = spans.chain(metrics).cloned().collect();
    let all: Names = both.log_events.values().flatten().cloned().collect();
    for name in all.difference(&above) {
        let _ = writeln!(out, "| `{name}` | {} |", of(name, facts));
    }
}

fn list(out: &mut String, (title, says): (&str, &str), names: &Names, facts: &Facts) {
    let _ = writeln!(
        out,
        "\n## {title}\n\n{says}\n\n| attribute | stability |\n|---|---|"
    );
    for name in names {
        let _ = writeln!(out, "| `{name}` | {} |", of(name, facts));
    }
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "–".to_owned()
    } else {
        names.join(", ")
    }
}

fn of(name: &str, facts: &Facts) -> String {
    let known = stability(name).map_or("?", |known| known.as_str());
    match facts.is_of_main(name) {
        true => format!("{known}, main"),
        false => known.to_owned(),
    }
}
