//! Who hangs below whom, and in which order.

use super::{Look, TreeSpan, render};
use std::cmp::Ordering;
use std::collections::HashMap;

/// A trace, its parts in the order they are shown.
pub(super) struct Trace<'a> {
    pub(super) groups: Vec<Group<'a>>,
}

/// Spans on the outermost level of a trace that are there for the same reason.
pub(super) struct Group<'a> {
    pub(super) why: Why,
    pub(super) spans: Vec<Node<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// No parent, or a parent in another process.
    Root,
    /// The parent should be in the set.
    ParentNotHere,
    /// Only reachable from itself.
    Circle,
}

pub(super) struct Node<'a> {
    pub(super) span: &'a TreeSpan,
    /// A span of the same id came before this one.
    pub(super) duplicate: bool,
    pub(super) children: Vec<Node<'a>>,
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
        .map(|spans| Forest::new(spans).grow(look))
        .collect();
    traces.sort_by(|a, b| match (a.groups.first(), b.groups.first()) {
        (Some(a), Some(b)) => first_of(a, b, look),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    traces
}

/// The spans of one trace, on their way to their places.
struct Forest<'a> {
    spans: Vec<&'a TreeSpan>,
    /// Indices of the spans still to be placed, by parent.
    waiting: HashMap<Option<u64>, Vec<usize>>,
    /// The first index of each id: children hang below that one.
    owners: HashMap<u64, usize>,
}

impl<'a> Forest<'a> {
    fn new(spans: Vec<&'a TreeSpan>) -> Self {
        let mut waiting: HashMap<_, Vec<usize>> = HashMap::new();
        let mut owners = HashMap::new();
        for (index, span) in spans.iter().enumerate() {
            waiting.entry(span.parent_span_id).or_default().push(index);
            owners.entry(span.span_id).or_insert(index);
        }
        Self {
            spans,
            waiting,
            owners,
        }
    }

    fn grow(mut self, look: &Look) -> Trace<'a> {
        let mut roots = self.take(None);
        let mut groups = Vec::new();
        let parents = self.waiting.keys().filter_map(|parent| *parent);
        let absent: Vec<u64> = parents
            .filter(|parent| !self.owners.contains_key(parent))
            .collect();
        for parent in absent {
            let here = self.take(Some(parent));
            let (remote, orphans): (Vec<_>, Vec<_>) = here
                .into_iter()
                .partition(|node| node.span.parent_is_remote == Some(true));
            roots.extend(remote);
            groups.push(Group {
                why: Why::ParentNotHere,
                spans: orphans,
            });
        }
        groups.push(Group {
            why: Why::Root,
            spans: roots,
        });
        // Whatever has not been reached by now hangs below itself. Cut each circle at the span that started first.
        while let Some(first) = self.earliest_left() {
            let node = self.cut(first);
            groups.push(Group {
                why: Why::Circle,
                spans: vec![node],
            });
        }
        groups.retain(|group| !group.spans.is_empty());
        for group in &mut groups {
            sort(&mut group.spans, look);
        }
        groups.sort_by(|a, b| a.why.cmp(&b.why).then_with(|| first_of(a, b, look)));
        Trace { groups }
    }

    /// The spans waiting for `parent`, with all that hangs below them.
    fn take(&mut self, parent: Option<u64>) -> Vec<Node<'a>> {
        let indices = self.waiting.remove(&parent).unwrap_or_default();
        indices.into_iter().map(|index| self.node(index)).collect()
    }

    fn node(&mut self, index: usize) -> Node<'a> {
        let span = self.spans[index];
        let duplicate = self.owners.get(&span.span_id) != Some(&index);
        let children = if duplicate {
            Vec::new()
        } else {
            self.take(Some(span.span_id))
        };
        Node {
            span,
            duplicate,
            children,
        }
    }

    /// A span whose ancestors lead back to it; those that merely hang below a circle stay where they are.
    fn earliest_left(&self) -> Option<usize> {
        let left = self.waiting.values().flatten().copied();
        left.filter(|index| self.in_circle(*index))
            .min_by_key(|index| {
                (
                    self.spans[*index].start_ns,
                    &self.spans[*index].name,
                    *index,
                )
            })
    }

    fn in_circle(&self, index: usize) -> bool {
        let mut at = index;
        // As many steps as there are spans reach every ancestor.
        for _ in 0..self.spans.len() {
            let Some(parent) = self.spans[at]
                .parent_span_id
                .and_then(|id| self.owners.get(&id))
            else {
                return false;
            };
            if *parent == index {
                return true;
            }
            at = *parent;
        }
        false
    }

    /// Takes one span out of its parent's hands, with all that hangs below it.
    fn cut(&mut self, index: usize) -> Node<'a> {
        let parent = self.spans[index].parent_span_id;
        if let Some(siblings) = self.waiting.get_mut(&parent) {
            siblings.retain(|sibling| *sibling != index);
            if siblings.is_empty() {
                self.waiting.remove(&parent);
            }
        }
        self.node(index)
    }
}

/// Sorts siblings, and below them, so that the same spans always come out the same.
fn sort(siblings: &mut [Node<'_>], look: &Look) {
    for node in siblings.iter_mut() {
        sort(&mut node.children, look);
    }
    siblings.sort_by(|a, b| order(a, b, look));
}

fn first_of(a: &Group<'_>, b: &Group<'_>, look: &Look) -> Ordering {
    match (a.spans.first(), b.spans.first()) {
        (Some(a), Some(b)) => order(a, b, look),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// By start, then name, then what would be shown: ids are random and must not decide.
fn order(a: &Node<'_>, b: &Node<'_>, look: &Look) -> Ordering {
    let start = a.span.start_ns.cmp(&b.span.start_ns);
    let name = a.span.name.cmp(&b.span.name);
    let chosen = if look.by_name {
        name.then(start)
    } else {
        start.then(name)
    };
    chosen
        .then_with(|| a.span.end_ns.cmp(&b.span.end_ns))
        .then_with(|| render::without_numbers(a, look).cmp(&render::without_numbers(b, look)))
}
