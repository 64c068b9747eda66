//! The span of an operation in somebody else's provider: begun before anybody can ask for its ids, ended with the operation.
//!
//! None of it runs while a part of ours is taken out of its place ([`Engine::take_local`](crate::engine::Engine), the current
//! operation): samplers and processors are code of users, who may start operations of their own.

use super::pairs;
use crate::clock::{Anchor, system_time};
use crate::contain::contain;
use crate::engine::live::{Flags, Live};
use crate::engine::local::Local;
use crate::ids::{IdGenerator, RANDOM, RandomIds};
use crate::outcome::{End, ErrorType};
use crate::record::Record;
use crate::thread;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::global::{ObjectSafeSpan, ObjectSafeTracer};
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, TraceContextExt, TraceFlags};
use opentelemetry::{Context, KeyValue};

type BoxedTracer = Box<dyn ObjectSafeTracer + Send + Sync>;
type BoxedSpan = Box<dyn ObjectSafeSpan + Send + Sync>;

/// Of one scope.
pub(crate) struct Tracer(BoxedTracer);

impl Tracer {
    pub(super) fn new(tracer: BoxedTracer) -> Self {
        Self(tracer)
    }
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

/// A span that has begun, and what it was told then.
pub(crate) struct BegunSpan {
    span: BoxedSpan,
    /// One for all its times.
    anchor: Anchor,
    attributes: Vec<KeyValue>,
    links: usize,
}

impl std::fmt::Debug for BegunSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BegunSpan").finish_non_exhaustive()
    }
}

impl Live {
    /// Which process it begins in, and its ids, which may be others' to make: by the service's generator at once, by a
    /// provider when its span begins.
    #[cold]
    #[inline(never)]
    pub(crate) fn ask_first(&mut self, local: &mut Local) {
        let engine = self.kind.engine;
        if engine.config.looks_for_forks {
            self.flags.set(Flags::ASKS);
            self.generation = local.generation();
            // A fork is noticed after the first reading of the clock.
            let forked = engine.forked_ticks();
            self.start = self.start.max(forked);
            // A root that began before the fork ends in the parent process only.
            let root = self.joined.as_ref().map(|family| family.started());
            if root.is_some_and(|started| started < forked) {
                self.joined = None;
            }
        }
        if self.kind.tracer.is_none() {
            return if engine.config.ids.is_some() {
                self.own_ids();
            } else {
                self.random_ids(&mut local.rng);
            };
        }
        self.span_id = 0;
        // The span is told what is known when it begins, which these are not: they are of the operation before in this record.
        (self.ended, self.error) = (End::Answered, ErrorType::NONE);
        self.flags.unset(Flags::UNDECIDED);
        self.flags.unset(Flags::SAMPLED);
        self.flags.set(Flags::SDK);
        self.flags.set(Flags::UNBORN);
    }

    /// From here on it has its ids and its head decision.
    #[inline(always)]
    pub(crate) fn settle(&mut self) {
        if self.flags.has(Flags::UNBORN) {
            self.begin_span();
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_span(&mut self) {
        self.flags.unset(Flags::UNBORN);
        let Some(tracer) = &self.kind.tracer else {
            return;
        };
        let anchor = self.kind.engine.clock.anchor();
        let (builder, parent) = (self.builder(&anchor), self.parent_context());
        let attributes = builder.attributes.clone().unwrap_or_default();
        let links = builder.links.as_ref().map_or(0, Vec::len);
        let begun = contain(|| tracer.0.build_with_context_boxed(builder, &parent));
        let Some(span) = begun else {
            self.kind.engine.counts.panics.add(1);
            return self.go_without();
        };
        let context = span.span_context();
        if !context.is_valid() {
            // The provider is shut down, or telemetry is suppressed here.
            return self.go_without();
        }
        self.take_ids(context);
        if !span.is_recording() {
            self.flags.set(Flags::UNRECORDED);
        }
        self.side().span = Some(Box::new(BegunSpan {
            span,
            anchor,
            attributes,
            links,
        }));
    }

    fn builder(&self, anchor: &Anchor) -> SpanBuilder {
        let record = Record::new(self, anchor);
        let links = record
            .links()
            .map(|link| Link::new(link.context.clone(), link.attributes.into_owned(), 0));
        let builder = SpanBuilder::from_name(record.name())
            .with_kind(record.span_kind())
            .with_start_time(system_time(anchor.unix_nanos(self.start)))
            .with_attributes(pairs::attributes_of(&record))
            .with_links(links.collect());
        match self.kind.engine.looking() {
            Some(by) => by.builder(builder),
            None => builder,
        }
    }

    /// What is current, with the parent's ids in place of whichever span is active.
    fn parent_context(&self) -> Context {
        let current = match thread::sees_otel() {
            true => Context::current(),
            false => Context::new(),
        };
        let context = if self.flags.has(Flags::HAS_PARENT) {
            current.with_remote_span_context(SpanContext::new(
                self.trace_id.into(),
                self.parent_id.into(),
                TraceFlags::new(self.trace_flags),
                self.flags.has(Flags::REMOTE),
                self.tracestate().parse().unwrap_or_default(),
            ))
        } else if current.has_active_span() {
            // A sampler that goes by the parent takes an invalid one for a parent that was not sampled.
            let bare = Context::new().with_baggage(
                current
                    .baggage()
                    .iter()
                    .map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone())),
            );
            match current.is_telemetry_suppressed() {
                true => bare.with_telemetry_suppressed(),
                false => bare,
            }
        } else {
            current
        };
        let context = match self.flags.has(Flags::STRANGERS) {
            true => context.with_cleared_baggage(),
            false => context,
        };
        crate::attached::with_baggage(context, self.session.as_deref())
    }

    fn take_ids(&mut self, context: &SpanContext) {
        self.trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
        self.span_id = u64::from_be_bytes(context.span_id().to_bytes());
        self.trace_flags = context.trace_flags().to_u8();
        self.flags = self.flags.with_if(Flags::SAMPLED, context.is_sampled());
        let state = context.trace_state().header();
        if state != self.tracestate() {
            self.tracestate = match state.as_str() {
                "" => (0, 0),
                state => self.attributes.keep_text(state),
            };
        }
    }

    /// No span stands behind it: its ids are for logs, and for what it calls.
    fn go_without(&mut self) {
        self.flags.set(Flags::UNRECORDED);
        self.span_id = u64::from_be_bytes(RandomIds.new_span_id().to_bytes());
        if self.trace_id == 0 {
            self.trace_id = u128::from_be_bytes(RandomIds.new_trace_id().to_bytes());
            self.trace_flags = RANDOM.to_u8();
        }
        self.trace_flags &= !TraceFlags::SAMPLED.to_u8();
    }

    /// At its end, when all that is to be said of it has been said.
    pub(crate) fn end_span(&mut self) {
        self.settle();
        let span = self.side.as_deref_mut().and_then(|side| side.span.take());
        let Some(mut begun) = span else { return };
        let anchor = begun.anchor;
        let record = Record::new(self, &anchor);
        if contain(|| begun.end(&record)).is_none() {
            self.kind.engine.counts.panics.add(1);
        }
        // Its destructor is theirs too, and a panic in it would be one in ours.
        if contain(|| drop(begun)).is_none() {
            self.kind.engine.counts.panics.add(1);
        }
    }
}

impl BegunSpan {
    fn end(&mut self, record: &Record<'_>) {
        if self.span.is_recording() {
            self.tell(record);
        }
        let end = system_time(record.end_unix_nanos());
        self.span.end_with_timestamp(end);
    }

    /// What it was not told when it began.
    fn tell(&mut self, record: &Record<'_>) {
        self.span.update_name(record.name().into());
        for attribute in pairs::new_ones(record, &self.attributes) {
            self.span.set_attribute(attribute);
        }
        record.visit_events(&mut |event| {
            self.span.add_event_with_timestamp(
                event.name.to_owned().into(),
                system_time(event.unix_nanos),
                event.attributes.into_owned(),
            );
        });
        for link in record.links().skip(self.links) {
            self.span
                .add_link(link.context.clone(), link.attributes.into_owned());
        }
        self.span.set_status(record.status());
    }
}
