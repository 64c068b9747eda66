//! Who hangs below whom, and in which order.
//!
//! Nothing here calls itself: a chain of parents may be as long as the set.

use super::{Look, TreeSpan, render};
use std::cmp::Ordering;
use std::collections::HashMap;

/// The spans of one trace, each with its place; spans are named by their index.
pub(super) struct Trace<'a> {
    spans: Vec<&'a TreeSpan>,
    children: Vec<Vec<usize>>,
    duplicate: Vec<bool>,
    /// The outermost level, in the order shown.
    pub(super) groups: Vec<Group>,
}

/// Spans on the outermost level that are there for the same reason.
pub(super) struct Group {
    pub(super) why: Why,
    pub(super) spans: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// No parent, or a parent in another process.
    Root,
    /// The parent should be in the set.
    ParentNotHere,
    /// Only reachable from itself.
    Circle,
}

/// A span at its place.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) span: &'a TreeSpan,
    pub(super) depth: usize,
    /// A span of the same id came before this one.
    pub(super) duplicate: bool,
}

/// All traces of `spans`, each span exactly once.
pub(super) fn traces<'a>(spans: &'a [TreeSpan], look: &Look) -> Vec<Trace<'a>> {
    let mut places: HashMap<u128, usize> = HashMap::new();
    let mut by_trace: Vec<Vec<&TreeSpan>> = Vec::new();
    for span in spans {
        let place = *places.entry(span.trace_id).or_insert(by_trace.len());
        if place == by_trace.len() {
            by_trace.push(Vec::new());
        }
        by_trace[place].push(span);
    }
    let mut traces: Vec<_> = by_trace
        .into_iter()
        .map(|spans| Trace::new(spans, look))
        .collect();
    traces.sort_by(|a, b| match (a.first(), b.first()) {
        (Some(first_a), Some(first_b)) => order((a, first_a), (b, first_b), look),
        (first_a, first_b) => first_a.cmp(&first_b),
    });
    traces
}

impl<'a> Trace<'a> {
    fn new(spans: Vec<&'a TreeSpan>, look: &Look) -> Self {
        // The first span of an id is the one that children hang below.
        let mut owners: HashMap<u64, usize> = HashMap::new();
        let mut duplicate = vec![false; spans.len()];
        for (index, span) in spans.iter().enumerate() {
            duplicate[index] = *owners.entry(span.span_id).or_insert(index) != index;
        }
        let parents: Vec<Option<usize>> = spans
            .iter()
            .map(|span| owners.get(&span.parent_span_id?).copied())
            .collect();
        let mut trace = Self {
            children: vec![Vec::new(); spans.len()],
            spans,
            duplicate,
            groups: Vec::new(),
        };
        let mut roots = Vec::new();
        let mut orphans: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, span) in trace.spans.iter().enumerate() {
            match (parents[index], span.parent_span_id) {
                (Some(parent), _) => trace.children[parent].push(index),
                (None, Some(absent)) if span.parent_is_remote != Some(true) => {
                    orphans.entry(absent).or_default().push(index);
                }
                (None, _) => roots.push(index),
            }
        }
        trace.groups.push(Group {
            why: Why::Root,
            spans: roots,
        });
        trace
            .groups
            .extend(orphans.into_values().map(|spans| Group {
                why: Why::ParentNotHere,
                spans,
            }));
        trace.cut_circles(&parents);
        trace.groups.retain(|group| !group.spans.is_empty());
        trace.sort(look);
        trace
    }

    /// The span `start` and all below it, in the order shown.
    pub(super) fn below(&self, start: usize, depth: usize) -> impl Iterator<Item = Node<'a>> {
        self.walk(start, depth).map(|(index, depth)| Node {
            span: self.spans[index],
            depth,
            duplicate: self.duplicate[index],
        })
    }

    fn walk(&self, start: usize, depth: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut next = vec![(start, depth)];
        std::iter::from_fn(move || {
            let (index, depth) = next.pop()?;
            next.extend(
                self.children[index]
                    .iter()
                    .rev()
                    .map(|child| (*child, depth + 1)),
            );
            Some((index, depth))
        })
    }

    /// Whatever cannot be reached from outside hangs below itself: each circle is cut above the span that started first,
    /// and what merely hangs below a circle stays there.
    fn cut_circles(&mut self, parents: &[Option<usize>]) {
        let mut reached = vec![false; self.spans.len()];
        let outermost: Vec<usize> = self
            .groups
            .iter()
            .flat_map(|group| &group.spans)
            .copied()
            .collect();
        for start in outermost {
            self.walk(start, 0)
                .for_each(|(index, _)| reached[index] = true);
        }
        let mut members: Vec<usize> = (0..self.spans.len())
            .filter(|index| !reached[*index] && in_circle(*index, parents))
            .collect();
        members.sort_by_key(|index| {
            (
                self.spans[*index].start_ns,
                &self.spans[*index].name,
                *index,
            )
        });
        for first in members {
            if reached[first] {
                continue;
            }
            if let Some(parent) = parents[first] {
                self.children[parent].retain(|child| *child != first);
            }
            self.walk(first, 0)
                .for_each(|(index, _)| reached[index] = true);
            self.groups.push(Group {
                why: Why::Circle,
                spans: vec![first],
            });
        }
    }

    /// Sorts siblings so that the same spans always come out the same.
    fn sort(&mut self, look: &Look) {
        let outermost = self.groups.iter().flat_map(|group| &group.spans);
        let all: Vec<usize> = outermost
            .flat_map(|start| self.walk(*start, 0))
            .map(|(index, _)| index)
            .collect();
        // Children before their parents: what is below a span may decide its own place.
        for index in all.into_iter().rev() {
            let mut children = std::mem::take(&mut self.children[index]);
            children.sort_by(|a, b| order((self, *a), (self, *b), look));
            self.children[index] = children;
        }
        let mut groups = std::mem::take(&mut self.groups);
        for group in &mut groups {
            group
                .spans
                .sort_by(|a, b| order((self, *a), (self, *b), look));
        }
        groups.sort_by(|a, b| {
            let first = |group: &Group| group.spans[0];
            a.why
                .cmp(&b.why)
                .then_with(|| order((self, first(a)), (self, first(b)), look))
        });
        self.groups = groups;
    }

    fn first(&self) -> Option<usize> {
        self.groups.first()?.spans.first().copied()
    }
}

/// Whether the ancestors of `index` lead back to it.
fn in_circle(index: usize, parents: &[Option<usize>]) -> bool {
    // As many steps as there are spans reach every ancestor.
    let ancestors = std::iter::successors(parents[index], |at| parents[*at]);
    ancestors
        .take(parents.len())
        .any(|ancestor| ancestor == index)
}

/// By start, then name, then what would be shown: ids are random and must not decide.
fn order(a: (&Trace<'_>, usize), b: (&Trace<'_>, usize), look: &Look) -> Ordering {
    let (span_a, span_b) = (a.0.spans[a.1], b.0.spans[b.1]);
    let start = span_a.start_ns.cmp(&span_b.start_ns);
    let name = span_a.name.cmp(&span_b.name);
    let chosen = if look.by_name {
        name.then(start)
    } else {
        start.then(name)
    };
    chosen
        .then_with(|| span_a.end_ns.cmp(&span_b.end_ns))
        .then_with(|| {
            render::without_numbers(a.0, a.1, look).cmp(&render::without_numbers(b.0, b.1, look))
        })
}
