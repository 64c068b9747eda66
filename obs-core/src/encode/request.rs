//! One export request under construction. Traces, metrics and logs have the same frame: a resource, below it scopes,
//! below each its items. The items of each scope are collected in a buffer of their own, so that what is added later
//! finds its scope, and every length of the frame is known when it is written.
//!
//! Nearly all bodies have one scope. Each buffer keeps room before its items for all that stands before them, so that
//! such a body is made where its items lie and nothing of it is copied.

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
pub(crate) const FRAME: usize = 12;

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
    /// Where a body of several scopes is put together.
    body: Buffer,
    /// An item that waits for the next body.
    left: Buffer,
    unfinished: Option<Unfinished>,
}

/// What is going on; still set afterwards, somebody else's code unwound through it.
#[derive(Clone, Copy, Debug)]
enum Unfinished {
    /// An item is written in this scope, from this place on.
    Item(usize, usize),
    /// A body is emitted.
    Body,
}

#[derive(Debug)]
struct ScopeItems {
    scope: &'static Scope,
    head: Buffer,
    tail: Buffer,
    /// `front` bytes of room, then the items.
    items: Buffer,
    front: usize,
}

impl ScopeItems {
    fn is_empty(&self) -> bool {
        self.items.len() == self.front
    }

    /// Only the items.
    fn bytes(&self) -> &[u8] {
        &self.items.as_slice()[self.front..]
    }

    /// The length of the message around them.
    fn len(&self) -> usize {
        self.head.len() + self.bytes().len() + self.tail.len()
    }
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
            left: Buffer::default(),
            unfinished: None,
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
        let front = self.resource.head.len() + head.len() + 2 * FRAME;
        let mut items = Buffer::default();
        items.resize(front);
        self.scopes.push(ScopeItems {
            scope,
            head,
            tail,
            items,
            front,
        });
        self.scopes.len() - 1
    }

    /// Begins an item: where it is written to, and from which place on.
    #[inline(always)]
    pub(crate) fn begin(&mut self, scope: usize) -> (&mut Buffer, usize) {
        if self.unfinished.is_some() {
            self.clean_up();
        }
        let items = &mut self.scopes[scope].items;
        let from = items.len();
        self.unfinished = Some(Unfinished::Item(scope, from));
        (items, from)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn clean_up(&mut self) {
        match self.unfinished.take() {
            Some(Unfinished::Item(scope, from)) => self.scopes[scope].items.resize(from),
            Some(Unfinished::Body) => self.reset(),
            None => {}
        }
    }

    /// What was written from `from` on counts as `count` items. If it made the body too large, what came before it is
    /// emitted and it begins the next body.
    #[inline(always)]
    pub(crate) fn added(&mut self, scope: usize, from: usize, count: u64, emit: Emit<'_>) {
        self.unfinished = None;
        let bytes = self.scopes[scope].items.len() - from;
        if self.bytes + bytes + self.frame > self.limit && self.bytes > 0 {
            self.emit_without(scope, from, emit);
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
        self.clean_up();
        if !self.is_empty() {
            self.emit(emit);
        }
    }

    /// Emits everything but what lies in `scope` from `from` on, which begins the next body.
    #[cold]
    #[inline(never)]
    fn emit_without(&mut self, scope: usize, from: usize, emit: Emit<'_>) {
        let items = &mut self.scopes[scope].items;
        self.left.clear();
        self.left.raw(&items.as_slice()[from..]);
        items.resize(from);
        self.emit(emit);
        self.scopes[scope].items.raw(self.left.as_slice());
        self.left.shrink_to(self.limit);
    }

    fn emit(&mut self, emit: Emit<'_>) {
        self.unfinished = Some(Unfinished::Body);
        let mut filled = self.scopes.iter().filter(|scope| !scope.is_empty());
        match (filled.next(), filled.next()) {
            (Some(_), None) => self.emit_in_place(emit),
            _ => self.emit_joined(emit),
        }
        self.unfinished = None;
        self.reset();
    }

    fn reset(&mut self) {
        for scope in &mut self.scopes {
            scope.items.resize(scope.front);
            scope.items.shrink_to(self.limit.saturating_mul(2));
        }
        self.body.shrink_to(self.limit.saturating_mul(2));
        (self.bytes, self.items) = (0, 0);
    }

    /// One scope: what stands before its items is written into the room before them.
    fn emit_in_place(&mut self, emit: Emit<'_>) {
        let Some(scope) = self.scopes.iter_mut().find(|scope| !scope.is_empty()) else {
            return;
        };
        let (head, tail) = (&self.resource.head, &self.resource.tail);
        let len = scope.len();
        let before = &mut self.body;
        before.clear();
        before.open(
            field::RESOURCE_ITEMS,
            head.len() + field_len(len) + tail.len(),
        );
        before.raw(head);
        before.open(field::SCOPE_ITEMS, len);
        before.raw(scope.head.as_slice());
        let start = scope.front.saturating_sub(before.len());
        scope.items.overwrite(start, before.as_slice());
        scope.items.raw(scope.tail.as_slice());
        scope.items.raw(tail);
        emit(&scope.items.as_slice()[start..], self.items);
    }

    fn emit_joined(&mut self, emit: Emit<'_>) {
        let filled = || self.scopes.iter().filter(|scope| !scope.is_empty());
        let body = &mut self.body;
        body.clear();
        join(body, &self.resource, || {
            filled().map(|scope| Scoped {
                head: scope.head.as_slice(),
                items: std::iter::once(scope.bytes()),
                tail: scope.tail.as_slice(),
            })
        });
        emit(body.as_slice(), self.items);
    }
}

/// What makes up one `Scope…` message: its items lie in one place or in several.
pub(crate) struct Scoped<'a, I> {
    pub(crate) head: &'a [u8],
    pub(crate) items: I,
    pub(crate) tail: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Scoped<'a, I> {
    fn len(&self) -> usize {
        let items: usize = self.items.clone().map(<[u8]>::len).sum();
        self.head.len() + items + self.tail.len()
    }
}

/// Writes one body of all scopes.
pub(crate) fn join<'a, I, S>(into: &mut Buffer, resource: &ResourceBytes, scopes: impl Fn() -> S)
where
    I: Iterator<Item = &'a [u8]> + Clone,
    S: Iterator<Item = Scoped<'a, I>>,
{
    let all: usize = scopes().map(|scope| field_len(scope.len())).sum();
    let (head, tail) = (&resource.head, &resource.tail);
    into.open(field::RESOURCE_ITEMS, head.len() + all + tail.len());
    into.raw(head);
    for scope in scopes() {
        into.open(field::SCOPE_ITEMS, scope.len());
        into.raw(scope.head);
        scope.items.for_each(|items| into.raw(items));
        into.raw(scope.tail);
    }
    into.raw(tail);
}

/// A message of this length with its tag.
fn field_len(len: usize) -> usize {
    1 + varint_len(len) + len
}
