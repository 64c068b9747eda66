//! Records as `ExportTraceServiceRequest`.

use super::BODY_LIMIT;
use super::labels::LabelSets;
use super::points::Points;
use super::protobuf::{Buffer, Wire, message, tag};
use super::request::{ITEM, Request};
use super::resource::ResourceBytes;
use crate::attributes::Scalar;
use crate::engine::kind::Kind;
use crate::engine::live::{Flags, Live};
use crate::label::{LabelId, Labels, Space};
use crate::record::{Record, RecordEvent, RecordLink, Sink};
use crate::side::Side;
use crate::subscriber::Records;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};

/// Fields of `Span`, then of its parts.
pub(in crate::encode) mod field {
    pub(in crate::encode) const TRACE_ID: u8 = 1;
    pub(in crate::encode) const SPAN_ID: u8 = 2;
    pub(in crate::encode) const TRACE_STATE: u8 = 3;
    pub(in crate::encode) const PARENT_SPAN_ID: u8 = 4;
    pub(in crate::encode) const NAME: u8 = 5;
    pub(in crate::encode) const KIND: u8 = 6;
    pub(in crate::encode) const START: u8 = 7;
    pub(in crate::encode) const END: u8 = 8;
    pub(in crate::encode) const ATTRIBUTES: u8 = 9;
    pub(in crate::encode) const DROPPED_ATTRIBUTES: u8 = 10;
    pub(in crate::encode) use crate::encode::points::field::EVENTS;
    pub(in crate::encode) const DROPPED_EVENTS: u8 = 12;
    pub(in crate::encode) const LINKS: u8 = 13;
    pub(in crate::encode) const DROPPED_LINKS: u8 = 14;
    pub(in crate::encode) const STATUS: u8 = 15;
    /// Field 16, four bytes wide: the only tag here that takes two bytes.
    pub(in crate::encode) const FLAGS: [u8; 2] = [0x85, 0x01];

    pub(in crate::encode) mod event {
        pub(in crate::encode) use crate::encode::points::field::{NAME, TIME};
        pub(in crate::encode) const ATTRIBUTES: u8 = 3;
        pub(in crate::encode) const DROPPED_ATTRIBUTES: u8 = 4;
    }
    pub(in crate::encode) mod link {
        pub(in crate::encode) const ATTRIBUTES: u8 = 4;
        pub(in crate::encode) const DROPPED_ATTRIBUTES: u8 = 5;
        /// Field 6, four bytes wide.
        pub(in crate::encode) const FLAGS: u8 = 6 << 3 | 5;
    }
    pub(in crate::encode) mod status {
        pub(in crate::encode) const MESSAGE: u8 = 2;
        pub(in crate::encode) const CODE: u8 = 3;
    }
}

/// The flags of a span above the eight of W3C: whether the parent is remote is known, and whether it is.
const HAS_IS_REMOTE: u32 = 1 << 8;
const IS_REMOTE: u32 = 1 << 9;

/// Encodes records into request bodies, and keeps all its buffers: in steady state it allocates nothing.
#[derive(Debug)]
pub struct TraceEncoder {
    request: Request,
    kinds: Vec<KindBytes>,
    points: Points,
    name: String,
    /// Spans of one body.
    batch: u64,
    /// Spans that were added, ever.
    pushed: u64,
}

/// What all spans of a kind have in common.
#[derive(Debug)]
struct KindBytes {
    kind: &'static Kind,
    scope: usize,
    span_kind: u8,
    labels: LabelSets,
}

impl TraceEncoder {
    /// An encoder for what this resource says.
    pub fn new(resource: &ResourceBytes) -> Self {
        Self {
            request: Request::new(resource.clone(), BODY_LIMIT),
            kinds: Vec::new(),
            points: Points::default(),
            name: String::new(),
            batch: u64::MAX,
            pushed: 0,
        }
    }

    /// With another limit than [`BODY_LIMIT`].
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.request.set_limit(bytes);
        self
    }

    /// With at most so many spans in a body, beside the limit in bytes.
    pub fn with_batch(mut self, spans: usize) -> Self {
        self.batch = spans.max(1) as u64;
        self
    }

    /// An empty one with the same limits.
    pub(crate) fn for_child(&self, resource: &ResourceBytes) -> Self {
        Self {
            batch: self.batch,
            ..Self::new(resource)
        }
    }

    /// Adds records to the current body. Each time it is full it is emitted, with the number of its spans.
    pub fn push(&mut self, records: Records<'_>, emit: &mut dyn FnMut(&[u8], u64)) {
        let mut last = 0;
        for record in records.iter() {
            last = self.kind(record.live().kind, last);
            let kind = &mut self.kinds[last];
            let (items, from) = self.request.begin(kind.scope);
            items.nested::<2>(ITEM, |span| {
                write_span(span, &record, kind, &mut self.points, &mut self.name);
            });
            self.request.added(kind.scope, from, 1, &mut *emit);
            self.pushed += 1;
            if self.request.count() >= self.batch {
                self.request.finish(&mut *emit);
            }
        }
    }

    /// Emits what was added since the last body, if anything.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&[u8], u64)) {
        self.request.finish(emit);
    }

    /// Encodes one batch on its own: [`push`](Self::push), then [`finish`](Self::finish).
    pub fn encode(&mut self, records: Records<'_>, emit: &mut dyn FnMut(&[u8], u64)) {
        self.push(records, emit);
        self.finish(emit);
    }

    /// Spans that were added so far: by it who contains a panic knows how far it came.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Lets go of what a panic left half done.
    pub(crate) fn settle(&mut self) {
        self.request.clean_up();
    }

    /// Spans that were added and not emitted.
    pub fn pending(&self) -> u64 {
        self.request.count()
    }

    /// Bytes of the spans that were added and not emitted.
    pub fn pending_bytes(&self) -> usize {
        self.request.bytes()
    }

    /// The place of a kind; `last` is where to look first.
    #[inline(always)]
    fn kind(&mut self, kind: &'static Kind, last: usize) -> usize {
        let same = |known: &KindBytes| std::ptr::eq(known.kind, kind);
        if self.kinds.get(last).is_some_and(same) {
            return last;
        }
        match self.kinds.iter().position(same) {
            Some(index) => index,
            None => self.new_kind(kind),
        }
    }

    #[cold]
    fn new_kind(&mut self, kind: &'static Kind) -> usize {
        self.kinds.push(KindBytes {
            kind,
            scope: self.request.scope(kind.descriptor.scope),
            span_kind: match kind.descriptor.span_kind {
                SpanKind::Internal => 1,
                SpanKind::Server => 2,
                SpanKind::Client => 3,
                SpanKind::Producer => 4,
                SpanKind::Consumer => 5,
            },
            labels: LabelSets::default(),
        });
        self.kinds.len() - 1
    }
}

#[inline(always)]
fn write_span(
    span: &mut Buffer,
    record: &Record<'_>,
    kind: &mut KindBytes,
    points: &mut Points,
    name: &mut String,
) {
    let (live, anchor) = (record.live(), record.anchor());
    let side = live.side.as_deref();
    span.raw(&ids(
        live.trace_id.to_be_bytes(),
        live.span_id.to_be_bytes(),
    ));
    span.text(field::TRACE_STATE, live.tracestate());
    if live.flags.has(Flags::HAS_PARENT) {
        let mut parent = [message(field::PARENT_SPAN_ID), 8, 0, 0, 0, 0, 0, 0, 0, 0];
        parent[2..].copy_from_slice(&live.parent_id.to_be_bytes());
        span.raw(&parent);
    }
    match side.and_then(|side| side.name.as_deref()) {
        Some(name) => span.text(field::NAME, name),
        None => {
            name.clear();
            record.write_kinds_name(name);
            span.text(field::NAME, name);
            #[cfg(test)]
            super::trip::over(name);
        }
    }
    let start = anchor.unix_nanos(live.start);
    let end = start + anchor.nanos(live.end.saturating_sub(live.start));
    span.raw(&kind_and_times(kind.span_kind, start, end));
    record.walk(&mut Attributes {
        span,
        sets: &mut kind.labels,
    });
    span.uint(
        field::DROPPED_ATTRIBUTES,
        u64::from(record.dropped_attributes()),
    );
    let mut left = record.limits().events;
    for (index, ticks) in live.timeline.shown(live.level).take(left) {
        left -= 1;
        points.write(span, index, start + anchor.nanos(ticks));
    }
    if side.is_some() || left == 0 {
        write_side(span, record, left);
    }
    write_status(span, side, live);
    let remote = if live.flags.has(Flags::REMOTE) {
        IS_REMOTE
    } else {
        0
    };
    let flags = u32::from(live.trace_flags) | HAS_IS_REMOTE | remote;
    let [low, high] = field::FLAGS;
    let [a, b, c, d] = flags.to_le_bytes();
    span.raw(&[low, high, a, b, c, d]);
}

/// The two ids that begin a span and a link alike.
#[inline(always)]
fn ids(trace_id: [u8; 16], span_id: [u8; 8]) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[0] = message(field::TRACE_ID);
    bytes[1] = 16;
    bytes[2..18].copy_from_slice(&trace_id);
    bytes[18] = message(field::SPAN_ID);
    bytes[19] = 8;
    bytes[20..].copy_from_slice(&span_id);
    bytes
}

#[inline(always)]
fn kind_and_times(kind: u8, start: u64, end: u64) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[0] = tag(field::KIND, Wire::Varint);
    bytes[1] = kind;
    bytes[2] = tag(field::START, Wire::Fixed64);
    bytes[3..11].copy_from_slice(&start.to_le_bytes());
    bytes[11] = tag(field::END, Wire::Fixed64);
    bytes[12..].copy_from_slice(&end.to_le_bytes());
    bytes
}

/// Where the attributes of a span are written to.
struct Attributes<'a> {
    span: &'a mut Buffer,
    sets: &'a mut LabelSets,
}

impl Sink for Attributes<'_> {
    #[inline(always)]
    fn labels(&mut self, kind: &'static Kind, labels: Labels) {
        self.sets.write(field::ATTRIBUTES, kind, labels, self.span);
    }

    #[cold]
    fn label(&mut self, space: &Space, id: LabelId) {
        let key = space.key().as_str();
        space.read(id, |value| self.span.label(field::ATTRIBUTES, key, value));
    }

    #[inline(always)]
    fn scalar(&mut self, key: &'static str, value: Scalar<'_>) {
        self.span.attribute(field::ATTRIBUTES, key, value);
    }

    fn pair(&mut self, attribute: &KeyValue) {
        self.span.key_value(field::ATTRIBUTES, attribute);
    }
}

/// Events and links; `left`: of how many events there is room beside the event points.
#[cold]
#[inline(never)]
fn write_side(span: &mut Buffer, record: &Record<'_>, left: usize) {
    for event in record.side_events(left) {
        write_event(span, &event);
    }
    span.uint(field::DROPPED_EVENTS, u64::from(record.dropped_events()));
    for link in record.links() {
        write_link(span, &link);
    }
    span.uint(field::DROPPED_LINKS, u64::from(record.dropped_links()));
}

fn write_event(span: &mut Buffer, event: &RecordEvent<'_>) {
    let dropped = u64::from(event.dropped_attributes);
    span.nested::<2>(field::EVENTS, |inner| {
        if event.unix_nanos != 0 {
            inner.fixed64(field::event::TIME, event.unix_nanos);
        }
        inner.text(field::event::NAME, event.name);
        for attribute in &*event.attributes {
            inner.key_value(field::event::ATTRIBUTES, attribute);
        }
        inner.uint(field::event::DROPPED_ATTRIBUTES, dropped);
    });
}

fn write_link(span: &mut Buffer, link: &RecordLink<'_>) {
    let context = link.context;
    let remote = if context.is_remote() { IS_REMOTE } else { 0 };
    let flags = u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote;
    span.nested::<1>(field::LINKS, |inner| {
        inner.raw(&ids(
            context.trace_id().to_bytes(),
            context.span_id().to_bytes(),
        ));
        inner.text(field::TRACE_STATE, &context.trace_state().header());
        for attribute in &*link.attributes {
            inner.key_value(field::link::ATTRIBUTES, attribute);
        }
        inner.uint(
            field::link::DROPPED_ATTRIBUTES,
            u64::from(link.dropped_attributes),
        );
        inner.raw(&[field::link::FLAGS]);
        inner.raw(&flags.to_le_bytes());
    });
}

/// An unset status is left out.
#[inline(always)]
fn write_status(span: &mut Buffer, side: Option<&Side>, live: &Live) {
    const OK: u64 = 1;
    const ERROR: u64 = 2;
    match side.and_then(|side| side.status.as_ref()) {
        Some(Status::Ok) => span.nested::<1>(field::STATUS, |status| {
            status.uint(field::status::CODE, OK);
        }),
        Some(Status::Error { description }) => span.nested::<1>(field::STATUS, |status| {
            status.text(field::status::MESSAGE, description);
            status.uint(field::status::CODE, ERROR);
        }),
        Some(Status::Unset) => {}
        None if !live.error.is_none() => span.nested::<1>(field::STATUS, |status| {
            status.uint(field::status::CODE, ERROR);
        }),
        None => {}
    }
}
