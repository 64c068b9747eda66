//! Encoded items on their way into bodies: which bytes are of which scope.

use super::scope::{Named, ScopeBytes};
use crate::encode::protobuf::Buffer;
use crate::encode::request::{FRAME, Scoped, join};
use crate::encode::resource::ResourceBytes;
use std::sync::Arc;

/// Items in the order they came, and the scopes they are of.
#[derive(Debug, Default)]
pub(crate) struct Items {
    bytes: Vec<u8>,
    runs: Vec<Run>,
    scopes: Vec<Arc<ScopeBytes>>,
    count: u64,
    /// Of the scopes.
    frame: usize,
}

/// What follows the run before it, up to `end`, is of one scope.
#[derive(Clone, Copy, Debug)]
struct Run {
    scope: usize,
    end: usize,
}

impl Items {
    /// Empty ones in memory that was used before, with the scopes that others had, if those take less than `frame` bytes:
    /// scopes that are made up as it goes must not stay for ever.
    pub(crate) fn again(mut bytes: Vec<u8>, before: &Self, frame: usize) -> Self {
        bytes.clear();
        let mut next = Self {
            bytes,
            ..Self::default()
        };
        if before.frame < frame {
            next.frame = before.frame;
            next.scopes.clone_from(&before.scopes);
        }
        next
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What a body of them takes at most, beside the resource.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + self.frame + FRAME
    }

    /// The memory, to be used again.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The place of a scope. None for one that would fill a body by itself.
    pub(crate) fn scope(&mut self, of: Named<'_>) -> Option<usize> {
        // Nearly always that of the last one.
        let last = self.runs.last().map_or(0, |run| run.scope);
        if self.scopes.get(last).is_some_and(|known| known.is(of)) {
            return Some(last);
        }
        if let Some(index) = self.scopes.iter().position(|known| known.is(of)) {
            return Some(index);
        }
        let scope = ScopeBytes::new(of);
        if scope.weight() > MAX_SCOPE {
            return None;
        }
        self.frame += scope.weight() + FRAME;
        self.scopes.push(Arc::new(scope));
        Some(self.scopes.len() - 1)
    }

    pub(crate) fn push(&mut self, scope: usize, item: &[u8], count: u64) {
        self.bytes.extend_from_slice(item);
        self.count += count;
        let end = self.bytes.len();
        match self.runs.last_mut() {
            Some(run) if run.scope == scope => run.end = end,
            _ => self.runs.push(Run { scope, end }),
        }
    }

    fn each(&self) -> impl Iterator<Item = (&ScopeBytes, &[u8])> {
        let mut from = 0;
        self.runs.iter().filter_map(move |run| {
            let bytes = self.bytes.get(from..run.end)?;
            from = run.end;
            Some((&**self.scopes.get(run.scope)?, bytes))
        })
    }
}

/// Makes bodies of at most `limit` bytes of all `parts`, none of which is larger, and emits each with the number of its
/// items.
pub(crate) fn bodies(
    resource: &ResourceBytes,
    parts: &[Items],
    limit: usize,
    emit: &mut dyn FnMut(&[u8], u64),
) {
    let limit = limit.saturating_sub(resource.len());
    let mut rest = parts;
    while !rest.is_empty() {
        let mut weight = 0;
        let fit = rest.iter().take_while(|part| {
            weight += part.weight();
            weight <= limit
        });
        let (now, later) = rest.split_at(fit.count().max(1));
        body(resource, now, emit);
        rest = later;
    }
}

fn body(resource: &ResourceBytes, parts: &[Items], emit: &mut dyn FnMut(&[u8], u64)) {
    let count = parts.iter().map(Items::count).sum();
    let mut scopes: Vec<(&ScopeBytes, Vec<&[u8]>)> = Vec::new();
    for (scope, bytes) in parts.iter().flat_map(Items::each) {
        match scopes.iter_mut().find(|(known, _)| known.is_same(scope)) {
            Some((_, items)) => items.push(bytes),
            None => scopes.push((scope, vec![bytes])),
        }
    }
    if scopes.is_empty() {
        return;
    }
    let scoped = || {
        scopes.iter().map(|(scope, items)| Scoped {
            head: &scope.head,
            items: items.iter().copied(),
            tail: &scope.tail,
        })
    };
    let mut into = Buffer::default();
    join(&mut into, resource, scoped);
    emit(into.as_slice(), count);
}

/// Bytes of one scope's name, version, schema and attributes.
const MAX_SCOPE: usize = 32 << 10;
