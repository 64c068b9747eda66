//! Nodes to lines.

use super::nodes::{Node, Trace, Why, traces};
use super::{Kind, Look, Shown, SpanStatus, TreeEvent, TreeLink, TreeSpan};
use crate::AttrValue;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The numbers shown in place of span ids.
type Numbers = HashMap<(u128, u64), usize>;

pub(super) fn render(spans: &[TreeSpan], look: &Look) -> String {
    let traces = traces(spans, look);
    let numbers = number(&traces, spans, look);
    let mut pen = Pen {
        out: String::new(),
        look,
        numbers: Some(&numbers),
    };
    for (index, trace) in traces.iter().enumerate() {
        pen.line(0, &format!("trace {}", index + 1));
        for group in &trace.groups {
            let title = match group.why {
                Why::Root => None,
                Why::ParentNotHere => Some("(parent not here)"),
                Why::Circle => Some("(parents in a circle)"),
            };
            if let Some(title) = title {
                pen.line(1, title);
            }
            let depth = if title.is_some() { 2 } else { 1 };
            for start in &group.spans {
                trace.below(*start, depth).for_each(|node| pen.node(&node));
            }
        }
    }
    pen.out
}

/// What tells two spans apart when start, name and end do not.
pub(super) fn without_numbers(trace: &Trace<'_>, start: usize, look: &Look) -> String {
    let mut pen = Pen {
        out: String::new(),
        look,
        numbers: None,
    };
    trace.below(start, 0).for_each(|node| pen.node(&node));
    pen.out
}

/// Numbers, in the order shown, for those spans that shall carry one.
fn number(traces: &[Trace<'_>], spans: &[TreeSpan], look: &Look) -> Numbers {
    let targets: HashSet<(u128, u64)> = if look.links {
        spans
            .iter()
            .flat_map(|span| &span.links)
            .map(|link| (link.trace_id, link.span_id))
            .collect()
    } else {
        HashSet::new()
    };
    let mut numbers = Numbers::new();
    for trace in traces {
        let outermost = trace.groups.iter().flat_map(|group| &group.spans);
        for node in outermost.flat_map(|start| trace.below(*start, 0)) {
            let id = (node.span.trace_id, node.span.span_id);
            if look.numbers || targets.contains(&id) {
                let following = numbers.len() + 1;
                numbers.entry(id).or_insert(following);
            }
        }
    }
    numbers
}

struct Pen<'a> {
    out: String,
    look: &'a Look,
    numbers: Option<&'a Numbers>,
}

impl Pen<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        for _ in 0..depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn node(&mut self, node: &Node<'_>) {
        let depth = node.depth;
        self.line(depth, &self.head(node));
        for (key, value) in self.shown(&node.span.attributes) {
            self.line(depth + 1, &format!("- {key}: {value}"));
        }
        if self.look.events {
            let mut events: Vec<_> = node.span.events.iter().collect();
            events.sort_by_key(|event| event.time_ns);
            for event in events {
                self.line(depth + 1, &self.event(node.span, event));
            }
        }
        if self.look.links {
            for link in &node.span.links {
                self.line(depth + 1, &self.link(link));
            }
        }
    }

    fn head(&self, node: &Node<'_>) -> String {
        let span = node.span;
        let mut head = String::new();
        if let Some(number) = self.number_of(span.trace_id, span.span_id) {
            head.push_str(&format!("#{number} "));
        }
        head.push_str(&one_line(&span.name));
        head.push_str(match span.kind {
            Kind::Unspecified => " [unspecified]",
            Kind::Internal => " [internal]",
            Kind::Server => " [server]",
            Kind::Client => " [client]",
            Kind::Producer => " [producer]",
            Kind::Consumer => " [consumer]",
        });
        match &span.status {
            SpanStatus::Unset => {}
            SpanStatus::Ok => head.push_str(" ok"),
            SpanStatus::Error(description) if description.is_empty() => head.push_str(" error"),
            SpanStatus::Error(description) => head.push_str(&format!(" error {description:?}")),
        }
        let duration = span.end_ns.checked_sub(span.start_ns);
        if let (true, Some(nanos)) = (self.look.durations, duration) {
            head.push_str(&format!(" {:?}", Duration::from_nanos(nanos)));
        }
        let notes = [
            (span.parent_is_remote == Some(true), "remote parent"),
            (node.duplicate, "duplicate id"),
            (span.trace_id == 0 || span.span_id == 0, "no id"),
            (duration.is_none(), "ends before it starts"),
        ];
        let notes: Vec<_> = notes
            .into_iter()
            .filter(|(applies, _)| *applies)
            .map(|(_, note)| note)
            .collect();
        if !notes.is_empty() {
            head.push(' ');
            head.push_str(&notes.join(", "));
        }
        head
    }

    fn event(&self, span: &TreeSpan, event: &TreeEvent) -> String {
        let mut line = format!("* {}", one_line(&event.name));
        if self.look.durations {
            let sign = if event.time_ns < span.start_ns {
                '-'
            } else {
                '+'
            };
            line.push_str(&format!(
                " {sign}{:?}",
                Duration::from_nanos(event.time_ns.abs_diff(span.start_ns))
            ));
        }
        line.push_str(&self.braces(&event.attributes));
        line
    }

    fn link(&self, link: &TreeLink) -> String {
        let target = match self.numbers {
            // While sorting there are no numbers yet, and ids must not decide.
            None => "?".to_owned(),
            Some(_) => match self.number_of(link.trace_id, link.span_id) {
                Some(number) => format!("#{number}"),
                None => "elsewhere".to_owned(),
            },
        };
        format!("~ {target}{}", self.braces(&link.attributes))
    }

    fn number_of(&self, trace_id: u128, span_id: u64) -> Option<usize> {
        self.numbers?.get(&(trace_id, span_id)).copied()
    }

    fn braces(&self, attributes: &[(String, AttrValue)]) -> String {
        let shown: Vec<_> = self
            .shown(attributes)
            .into_iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        if shown.is_empty() {
            String::new()
        } else {
            format!(" {{{}}}", shown.join(", "))
        }
    }

    /// The attributes to show, by key, with their values as text. One sent twice is shown twice.
    fn shown(&self, attributes: &[(String, AttrValue)]) -> Vec<(String, String)> {
        let mut shown: Vec<_> = attributes
            .iter()
            .filter(|(key, _)| match &self.look.attributes {
                Shown::All => true,
                Shown::Only(keys) => keys.contains(key),
            })
            .map(|(key, value)| {
                let value = if self.look.masked.contains(key) {
                    "_".to_owned()
                } else {
                    value.literal()
                };
                (one_line(key), value)
            })
            .collect();
        shown.sort();
        shown
    }
}

/// Control characters escaped, so that no name can look like two lines.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}
