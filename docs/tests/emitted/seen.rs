//! What arrived over OTLP, by name.

use crate::table::KINDS;
use obs_core::semconv::stability::LOG_EVENTS;
use obs_testing::receiver::ReceivedSpan;
use obs_testing::receiver::proto::metrics::v1::metric::Data;
use obs_testing::{AttrValue, Receiver};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Names = BTreeSet<String>;

/// Names of one run. Those of the test's own begin with `test.` and are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// By kind of operation.
    pub(crate) spans: BTreeMap<String, Span>,
    pub(crate) metrics: BTreeMap<String, Metric>,
    pub(crate) logs: Names,
    /// Log records that are events of ours, each with its attributes.
    pub(crate) log_events: BTreeMap<String, Names>,
    pub(crate) resource: Names,
    pub(crate) event_attributes: BTreeMap<String, Names>,
    /// Attributes of links.
    pub(crate) links: Names,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) kind: i32,
    pub(crate) attributes: Names,
    pub(crate) events: Names,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Metric {
    pub(crate) instrument: &'static str,
    pub(crate) unit: String,
    pub(crate) scopes: Names,
    pub(crate) attributes: Names,
}

/// The span of a provider of the service's.
pub(crate) const FROM_SDK: &str = "a span of the SDK's";

impl Seen {
    pub(crate) fn of(receiver: &Receiver) -> Self {
        let mut seen = Self::default();
        // What a provider of the service's recorded is its own.
        let all = receiver.spans().into_iter();
        for span in all.filter(|span| span.name() != FROM_SDK) {
            let of = match (span.scope.name.as_str(), span.span.kind) {
                ("obs-rpc", 2) => "rpc.server",
                ("obs-rpc", 3) => "rpc.client",
                ("obs-rpc", _) => "rpc.call",
                ("obs-llm", 2) => "llm.server",
                ("obs-llm", _) => "llm.client",
                ("obs-agent", _) => of_agent(&span),
                (_, 2) => "http.server",
                (_, 3) => "http.client",
                _ => "http.call",
            };
            assert_eq!(span.name(), name_of(&span, of));
            let row = seen.spans.entry(of.to_owned()).or_default();
            row.kind = span.span.kind;
            row.attributes.extend(own(span
                .span
                .attributes
                .iter()
                .map(|pair| pair.key.clone())));
            for event in &span.span.events {
                row.events.insert(event.name.clone());
                let keys = own(event.attributes.iter().map(|pair| pair.key.clone()));
                seen.event_attributes
                    .entry(event.name.clone())
                    .or_default()
                    .extend(keys);
            }
            for link in &span.span.links {
                let keys = link.attributes.iter().map(|pair| pair.key.clone());
                seen.links.extend(own(keys));
            }
            seen.resource
                .extend(own(span.resource.iter().map(|(key, _)| key.clone())));
        }
        for log in receiver.log_records() {
            let event = log.record.event_name.clone();
            if LOG_EVENTS.iter().any(|(known, _)| *known == event) {
                let keys = own(log.record.attributes.into_iter().map(|pair| pair.key));
                seen.log_events.entry(event).or_default().extend(keys);
                continue;
            }
            seen.logs
                .extend(own(log.record.attributes.into_iter().map(|pair| pair.key)));
        }
        for request in receiver.metrics() {
            for scope in request
                .resource_metrics
                .into_iter()
                .flat_map(|of| of.scope_metrics)
            {
                let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
                for metric in scope.metrics {
                    seen.metric(name.clone(), metric);
                }
            }
        }
        seen
    }

    fn metric(&mut self, scope: String, metric: obs_testing::receiver::proto::metrics::v1::Metric) {
        let (instrument, attributes) = match metric.data.expect("data") {
            Data::Histogram(data) => (
                "histogram",
                keys(data.data_points, |point| point.attributes),
            ),
            Data::Gauge(data) => ("gauge", keys(data.data_points, |point| point.attributes)),
            Data::Sum(data) => {
                let kind = if data.is_monotonic {
                    "counter"
                } else {
                    "up-down counter"
                };
                (kind, keys(data.data_points, |point| point.attributes))
            }
            other => panic!("{other:?}"),
        };
        let row = self.metrics.entry(metric.name).or_default();
        (row.instrument, row.unit) = (instrument, metric.unit);
        row.scopes.insert(scope);
        row.attributes.extend(attributes);
    }

    pub(crate) fn all<'a>(runs: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for run in runs {
            for (of, span) in &run.spans {
                let row = all.spans.entry(of.clone()).or_default();
                row.kind = span.kind;
                row.attributes.extend(span.attributes.iter().cloned());
                row.events.extend(span.events.iter().cloned());
            }
            for (name, metric) in &run.metrics {
                let row = all
                    .metrics
                    .entry(name.clone())
                    .or_insert_with(|| metric.clone());
                row.attributes.extend(metric.attributes.iter().cloned());
                row.scopes.extend(metric.scopes.iter().cloned());
            }
            all.logs.extend(run.logs.iter().cloned());
            all.resource.extend(run.resource.iter().cloned());
            all.links.extend(run.links.iter().cloned());
            for (event, keys) in &run.log_events {
                let own = all.log_events.entry(event.clone()).or_default();
                own.extend(keys.iter().cloned());
            }
            for (event, keys) in &run.event_attributes {
                let own = all.event_attributes.entry(event.clone()).or_default();
                own.extend(keys.iter().cloned());
            }
        }
        all
    }

    /// Every name, whatever it is of; a captured header's is its prefix.
    pub(crate) fn names(&self) -> Names {
        let mut names = Names::new();
        for span in self.spans.values() {
            names.extend(span.attributes.iter().map(|name| generic(name)));
            names.extend(span.events.iter().cloned());
        }
        for (name, metric) in &self.metrics {
            names.insert(name.clone());
            names.extend(metric.attributes.iter().cloned());
        }
        names.extend(self.logs.iter().cloned());
        for (event, keys) in &self.log_events {
            names.insert(event.clone());
            names.extend(keys.iter().cloned());
        }
        names.extend(self.resource.iter().cloned());
        names.extend(self.links.iter().cloned());
        names.extend(self.event_attributes.values().flatten().cloned());
        names
    }
}

/// Which kind of operation of obs-agent's it is.
fn of_agent(span: &ReceivedSpan) -> &'static str {
    let operation = match span.attr("gen_ai.operation.name") {
        Some(AttrValue::Str(operation)) => operation.to_string(),
        _ => String::new(),
    };
    match (operation.as_str(), span.span.kind) {
        (_, 2) => "mcp.server",
        (_, 3) if span.attr("mcp.method.name").is_some() => "mcp.client",
        (_, 3) if span.attr("db.system.name").is_some() => "db.client",
        ("invoke_agent", 3) => "agent.remote",
        ("invoke_agent", _) => "agent.invoke_agent",
        ("invoke_workflow", _) => "agent.invoke_workflow",
        ("plan", _) => "agent.plan",
        ("execute_tool", _) => "agent.execute_tool",
        ("retrieval", _) => "agent.retrieval",
        (memory, _) if memory.contains("memory") => "agent.memory",
        _ => "agent.node",
    }
}

/// The name that the table gives such a span.
fn name_of(span: &ReceivedSpan, of: &str) -> String {
    let kind = KINDS.iter().find(|kind| kind.name == of).expect("a kind");
    let text = |n: usize| match span.attr(kind.labels[n].key.as_str()) {
        Some(AttrValue::Str(text)) if text != obs_core::OTHER => Some(text),
        _ => None,
    };
    if of.starts_with("rpc.") {
        let method = text(0).or_else(|| text(1));
        return method.unwrap_or_else(|| "rpc".to_owned());
    }
    if of.starts_with("llm.") {
        let operation = text(0).expect("something is asked");
        return text(2).map_or(operation.clone(), |model| format!("{operation} {model}"));
    }
    // What it is called by is an operation, or a label that stands for one; and what follows, if it is there.
    let operation = match span.attr("gen_ai.operation.name") {
        Some(AttrValue::Str(operation)) => Some(operation.to_string()),
        _ => None,
    };
    let of_agent = match of {
        "agent.memory" => Some((operation, None)),
        "agent.remote" => Some((operation, text(3))),
        "agent.retrieval" => Some((operation, text(2))),
        "agent.node" => Some((text(0), text(1))),
        "mcp.client" | "mcp.server" => Some((text(0), text(2).or_else(|| text(3)))),
        "db.client" => Some(match (text(3), text(1).or_else(|| text(2))) {
            (None, None) => (text(0), None),
            asked => asked,
        }),
        _ if of.starts_with("agent.") => Some((operation, text(0))),
        _ => None,
    };
    if let Some((first, rest)) = of_agent {
        let all = [first, rest].into_iter().flatten();
        return all.collect::<Vec<_>>().join(" ");
    }
    let method = text(0).unwrap_or_else(|| "HTTP".to_owned());
    text(1).map_or(method.clone(), |target| format!("{method} {target}"))
}

/// `http.request.header.` of any header's.
pub(crate) fn generic(name: &str) -> String {
    let prefixes = obs_core::semconv::stability::PREFIXES
        .iter()
        .map(|(prefix, _)| *prefix);
    let prefix = prefixes.into_iter().find(|prefix| name.starts_with(prefix));
    prefix.unwrap_or(name).to_owned()
}

fn own(names: impl IntoIterator<Item = String>) -> Names {
    names
        .into_iter()
        .filter(|name| !name.starts_with("test."))
        .collect()
}

fn keys<P>(
    points: Vec<P>,
    attributes: impl Fn(P) -> Vec<obs_testing::receiver::proto::common::v1::KeyValue>,
) -> Names {
    let all = points.into_iter().flat_map(attributes);
    own(all.map(|pair| pair.key))
}
