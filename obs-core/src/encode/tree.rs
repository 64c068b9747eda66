//! Finished operations as a tree of text, for consoles and for people who test.

use crate::outcome::End;
use crate::record::{Record, RecordEvent};
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Takes records one by one, in any order, and renders them as a tree: children below their parents by start.
///
/// ```text
/// trace 1
///   POST /chat [server] 120ms failed error.type=503
///     chat model [client] 90ms
///       * first_chunk +31ms
///   (parent not here)
///     flush [internal] 2ms cancelled
/// ```
///
/// A line says the name, the kind, how long it took, how it ended unless it was answered, an error's type and
/// description, `remote parent` where the parent lies in another process, and why it was kept although the head decision
/// left it out. Ids never appear, so that two runs of the same thing render alike.
#[derive(Clone, Debug, Default)]
pub struct TraceTree {
    nodes: Vec<Node>,
    attributes: bool,
}

/// What is kept of a record.
#[derive(Clone, Debug)]
struct Node {
    trace_id: TraceId,
    span_id: SpanId,
    parent: Option<SpanId>,
    remote: bool,
    start: u64,
    line: String,
    attributes: Vec<String>,
    events: Vec<String>,
}

impl TraceTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether attributes are shown, one a line. Off unless set.
    pub fn with_attributes(mut self, attributes: bool) -> Self {
        self.attributes = attributes;
        self
    }

    /// Adds a record.
    pub fn add(&mut self, record: &Record<'_>) {
        let mut attributes = Vec::new();
        if self.attributes {
            record.visit_attributes(&mut |key, value| {
                attributes.push(format!(
                    "- {}: {}",
                    visible(key),
                    visible(&value.to_value().to_string())
                ));
            });
            attributes.sort_unstable();
        }
        let start = record.start_unix_nanos();
        let mut events = Vec::new();
        record
            .visit_events(&mut |event| events.push((event.unix_nanos, event_line(&event, start))));
        events.sort_by_key(|(at, _)| *at);
        self.nodes.push(Node {
            trace_id: record.trace_id(),
            span_id: record.span_id(),
            parent: record.parent_span_id(),
            remote: record.parent_is_remote(),
            start,
            line: line(record),
            attributes,
            events: events.into_iter().map(|(_, line)| line).collect(),
        });
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.nodes.clear();
    }
}

impl fmt::Display for TraceTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut order: Vec<&Node> = self.nodes.iter().collect();
        // Of those that start together, order by what is seen: which thread was collected first must not be seen.
        order.sort_by(|a, b| {
            (a.start, &a.line, &a.attributes).cmp(&(b.start, &b.line, &b.attributes))
        });
        let mut traces: Vec<TraceId> = Vec::new();
        let mut seen = HashSet::new();
        traces.extend(
            order
                .iter()
                .map(|node| node.trace_id)
                .filter(|id| seen.insert(*id)),
        );
        for (index, trace) in traces.iter().enumerate() {
            writeln!(f, "trace {}", index + 1)?;
            let nodes: Vec<&Node> = order
                .iter()
                .copied()
                .filter(|node| node.trace_id == *trace)
                .collect();
            Trace::new(&nodes).write(f)?;
        }
        Ok(())
    }
}

/// One trace, its nodes by start.
struct Trace<'a> {
    nodes: &'a [&'a Node],
    children: HashMap<SpanId, Vec<usize>>,
    here: HashSet<SpanId>,
}

impl<'a> Trace<'a> {
    fn new(nodes: &'a [&'a Node]) -> Self {
        let mut children: HashMap<SpanId, Vec<usize>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                children.entry(parent).or_default().push(index);
            }
        }
        Self {
            nodes,
            children,
            here: nodes.iter().map(|node| node.span_id).collect(),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = vec![false; self.nodes.len()];
        let parent_is_here = |node: &Node| {
            node.parent
                .is_some_and(|parent| self.here.contains(&parent))
        };
        let (tops, orphans): (Vec<usize>, Vec<usize>) = (0..self.nodes.len())
            .filter(|index| !parent_is_here(self.nodes[*index]))
            .partition(|index| self.nodes[*index].parent.is_none() || self.nodes[*index].remote);
        for top in tops {
            self.write_from(top, 1, &mut written, f)?;
        }
        if !orphans.is_empty() {
            writeln!(f, "  (parent not here)")?;
        }
        for orphan in orphans {
            self.write_from(orphan, 2, &mut written, f)?;
        }
        // Whatever is left is its own ancestor.
        if written.contains(&false) {
            writeln!(f, "  (parents in a circle)")?;
        }
        for index in 0..written.len() {
            if !written[index] {
                self.write_from(index, 2, &mut written, f)?;
            }
        }
        Ok(())
    }

    /// The node and all below it, once. A stack of its own: a chain of calls may be longer than the thread's.
    fn write_from(
        &self,
        index: usize,
        depth: usize,
        written: &mut [bool],
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let mut stack = vec![(index, depth)];
        while let Some((index, depth)) = stack.pop() {
            if std::mem::replace(&mut written[index], true) {
                continue;
            }
            let node = self.nodes[index];
            let indent = "  ".repeat(depth.min(DEEPEST));
            writeln!(f, "{indent}{}", node.line)?;
            for line in node.attributes.iter().chain(&node.events) {
                writeln!(f, "{indent}  {line}")?;
            }
            if let Some(children) = self.children.get(&node.span_id) {
                stack.extend(children.iter().rev().map(|child| (*child, depth + 1)));
            }
        }
        Ok(())
    }
}

/// Below this a tree is indented no further: a chain of ten thousand must not be a hundred megabytes of blanks.
const DEEPEST: usize = 64;

fn line(record: &Record<'_>) -> String {
    let kind = match record.span_kind() {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    };
    let took = took(record.duration());
    let mut line = format!("{} [{kind}] {took}", visible(&record.name()));
    let end = match record.outcome().end() {
        End::Answered => "",
        End::Failed => " failed",
        End::Cancelled => " cancelled",
        End::TimedOut => " timed out",
        End::Panicked => " panicked",
    };
    line.push_str(end);
    if let Some(error) = record.attribute(crate::semconv::http::ERROR_TYPE.as_str()) {
        line.push_str(" error.type=");
        line.push_str(&visible(&error.to_string()));
    }
    match record.status() {
        Status::Error { description } if !description.is_empty() => {
            line.push_str(&format!(" error {:?}", description.as_ref()));
        }
        Status::Error { .. } if !record.outcome().is_error() => line.push_str(" error"),
        Status::Ok => line.push_str(" ok"),
        _ => {}
    }
    if record.parent_is_remote() {
        line.push_str(", remote parent");
    }
    if let Some(reason) = record.keep_reason() {
        line.push_str(", kept: ");
        line.push_str(reason);
    }
    if record.is_partial() {
        line.push_str(", partial");
    }
    line
}

fn event_line(event: &RecordEvent<'_>, start: u64) -> String {
    let after = Duration::from_nanos(event.unix_nanos.saturating_sub(start));
    let mut line = format!("* {} +{}", visible(event.name), took(after));
    for attribute in &*event.attributes {
        line.push(' ');
        line.push_str(&visible(attribute.key.as_str()));
        line.push('=');
        line.push_str(&visible(&attribute.value.to_string()));
    }
    line
}

/// Three digits are what a reader takes in.
fn took(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let (value, unit) = match nanos {
        ..1e3 => (nanos, "ns"),
        ..1e6 => (nanos / 1e3, "µs"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

/// On one line, without control characters: names and values come from outside, and this goes to a terminal.
fn visible(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut line = String::new();
    for character in text.chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
