//! One export request under construction. Traces, metrics and logs have the same frame: a resource, below it scopes,
//! below each its items. The items of each scope are collected in a buffer of their own, so that what is added later
//! finds its scope, and every length of the frame is known when it is written.

use super::protobuf::{Buffer, varint_len};
use super::resource::ResourceBytes;
use crate::descriptor::Scope;

mod field {
    /// Of `Export…ServiceRequest`.
    pub(super) const RESOURCE_ITEMS: u8 = 1;
    /// Of `Resource…`.
    pub(super) const SCOPE_ITEMS: u8 = 2;
    /// Of `Scope…`.
    pub(super) const SCOPE: u8 = 1;
    pub(super) const SCHEMA_URL: u8 = 3;
    /// Of `InstrumentationScope`.
    pub(super) const NAME: u8 = 1;
    pub(super) const VERSION: u8 = 2;
}

/// The field of a span, metric or log record in its scope.
pub(crate) const ITEM: u8 = 2;

/// Tags and lengths of the frame around one scope, at most.
const FRAME: usize = 12;

/// What takes a finished body and the number of items in it.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(&[u8], u64);

#[derive(Debug)]
pub(crate) struct Request {
    resource: ResourceBytes,
    limit: usize,
    scopes: Vec<ScopeItems>,
    /// Of all items.
    bytes: usize,
    /// The frame around them, at most.
    frame: usize,
    items: u64,
    body: Buffer,
}

#[derive(Debug)]
struct ScopeItems {
    scope: &'static Scope,
    head: Buffer,
    tail: Buffer,
    items: Buffer,
}

impl Request {
    pub(crate) fn new(resource: ResourceBytes, limit: usize) -> Self {
        let frame = FRAME + resource.head.len() + resource.tail.len();
        Self {
            resource,
            limit,
            scopes: Vec::new(),
            bytes: 0,
            frame,
            items: 0,
            body: Buffer::default(),
        }
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The place of a scope.
    pub(crate) fn scope(&mut self, scope: &'static Scope) -> usize {
        let same = |known: &ScopeItems| {
            std::ptr::eq(known.scope, scope)
                || (
                    known.scope.name,
                    known.scope.version,
                    known.scope.schema_url,
                ) == (scope.name, scope.version, scope.schema_url)
        };
        if let Some(index) = self.scopes.iter().position(same) {
            return index;
        }
        let mut head = Buffer::default();
        head.nested::<1>(field::SCOPE, |inner| {
            inner.text(field::NAME, scope.name);
            inner.text(field::VERSION, scope.version);
        });
        let mut tail = Buffer::default();
        tail.text(field::SCHEMA_URL, scope.schema_url);
        self.frame += FRAME + head.len() + tail.len();
        self.scopes.push(ScopeItems {
            scope,
            head,
            tail,
            items: Buffer::default(),
        });
        self.scopes.len() - 1
    }

    /// Where the items of a scope are written to.
    #[inline(always)]
    pub(crate) fn items(&mut self, scope: usize) -> &mut Buffer {
        &mut self.scopes[scope].items
    }

    /// What was written from `from` on counts as `count` items. If it made the body too large, what came before it is
    /// emitted and it begins the next body.
    #[inline(always)]
    pub(crate) fn added(&mut self, scope: usize, from: usize, count: u64, emit: Emit<'_>) {
        let bytes = self.scopes[scope].items.len() - from;
        if self.bytes + bytes + self.frame > self.limit && self.bytes > 0 {
            self.emit(Some((scope, from)), emit);
        }
        self.bytes += bytes;
        self.items += count;
    }

    /// How many more bytes of items the body has room for.
    pub(crate) fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes + self.frame)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) fn count(&self) -> u64 {
        self.items
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Emits what there is.
    pub(crate) fn finish(&mut self, emit: Emit<'_>) {
        if !self.is_empty() {
            self.emit(None, emit);
        }
    }

    /// Emits everything but what lies in scope `left.0` from `left.1` on.
    #[cold]
    #[inline(never)]
    fn emit(&mut self, left: Option<(usize, usize)>, emit: Emit<'_>) {
        let end = |index: usize, scope: &ScopeItems| match left {
            Some((at, from)) if at == index => from,
            _ => scope.items.len(),
        };
        let body = &mut self.body;
        body.clear();
        let of_scope =
            |scope: &ScopeItems, items: usize| scope.head.len() + items + scope.tail.len();
        let filled = || {
            let with_end = |(index, scope)| (end(index, scope), scope);
            let scopes = self.scopes.iter().enumerate().map(with_end);
            scopes.filter(|(items, _)| *items > 0)
        };
        let scopes: usize = filled()
            .map(|(items, scope)| of_scope(scope, items))
            .map(|len| 1 + varint_len(len) + len)
            .sum();
        let (head, tail) = (&self.resource.head, &self.resource.tail);
        body.open(field::RESOURCE_ITEMS, head.len() + scopes + tail.len());
        body.raw(head);
        for (items, scope) in filled() {
            body.open(field::SCOPE_ITEMS, of_scope(scope, items));
            body.raw(scope.head.as_slice());
            body.raw(&scope.items.as_slice()[..items]);
            body.raw(scope.tail.as_slice());
        }
        body.raw(tail);
        emit(body.as_slice(), self.items);
        for (index, scope) in self.scopes.iter_mut().enumerate() {
            match left {
                Some((at, from)) if at == index => scope.items.drop_front(from),
                _ => scope.items.clear(),
            }
            scope.items.shrink_to(2 * self.limit);
        }
        self.body.shrink_to(2 * self.limit);
        (self.bytes, self.items) = (0, 0);
    }
}
