//! The layer.

use super::fields::{Failure, Fields, Keep};
use super::heard::Hearing;
use super::open::{self, Closed, Open};
use super::site::{GenAiSpans, Site, krate};
use crate::current;
use crate::handlers::Handlers;
use crate::run::RunRef;
use obs_core::Telemetry;
use obs_core::current as operation;
use obs_core::otel::trace::SpanContext;
use obs_core::otel::{Context as OtelContext, ContextGuard};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Whether there is a layer in this process: nobody looks for its spans before.
pub(super) static IN_USE: AtomicBool = AtomicBool::new(false);

/// Makes runs of the spans by which frameworks tell of themselves through `tracing`: rig, genai, swiftide, adk-rust, langchain-rust,
/// and whoever has the attributes of the conventions. One is enough for a registry; of several the first to see a span has it.
///
/// ```
/// use obs_agent::normalise::Normaliser;
/// use obs_agent::{AgentObserver, Handlers};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// # let telemetry = obs_core::Telemetry::noop();
/// let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
/// let normaliser = Normaliser::new(&handlers).with_telemetry(&telemetry);
/// let subscriber = tracing_subscriber::registry().with(normaliser.into_layer());
/// # let _ = subscriber;
/// ```
///
/// # What counts once
///
/// A framework's spans are second hand: they say what it did, at its own time. Where the same call of a model is told by who saw it
/// happen, that counts. It is enough that it begins within the span: an adapter's run does, and with
/// [`with_telemetry`](Self::with_telemetry) a call that one of `obs-llm`'s layers or adapters tells. What the span was is a node in
/// the trace then, with what is within it, and no call; of two spans of frameworks, one within the other, the inner one is the call.
/// Where that says nothing of its tokens the outer one's are its, and it is told when that is over.
/// The sums that agents and workflows have of their calls are told and counted nowhere.
///
/// # What it costs
///
/// Call sites are looked at once. Of a span that is none of ours nothing is kept and nothing allocated; where other layers want it,
/// entering it costs a look-up in the registry, as with any filtered layer. Of one that is ours its fields are kept until it closes,
/// each with at most 512 bytes, or 64 KiB of what was said where that is recorded.
///
/// # What it cannot show
///
/// What spans do not say. A span closes in the same way whether its future was finished or dropped; so a call that was given up is one
/// that ended with nothing to say. A failure is what the span records of one, or an event at `ERROR` in it by the crate that made it:
/// [rig](https://docs.rs/crate/rig-core/0.44.0/source/src/telemetry/mod.rs) and
/// [adk-rust](https://docs.rs/crate/adk-telemetry/2.3.0/source/src/spans.rs) have neither of calls that are refused. Chunks are not
/// seen; the time to the first one is told where the span tells it. What a span records as its input after its run began comes
/// too late for [`Input`](crate::Input); of a model and who serves it, it is told with the output.
///
/// Operations that begin while a span is entered are within its run where the telemetry shows its context
/// ([`ContextMode`](obs_core::ContextMode)); runs are within it in any mode, if the registry is `tracing_subscriber`'s.
#[derive(Clone)]
pub struct Normaliser {
    core: Core,
}

/// The layer with its filter.
pub type NormaliserLayer<S> = Filtered<Watch, GenAiSpans, S>;

/// What spans share.
#[derive(Clone)]
pub(super) struct Core {
    pub(super) handlers: Handlers,
    pub(super) with_content: bool,
    without: Vec<&'static str>,
}

impl Normaliser {
    /// Tells these handlers.
    pub fn new(handlers: &Handlers) -> Self {
        Self {
            core: Core {
                handlers: handlers.clone(),
                with_content: false,
                without: Vec::new(),
            },
        }
    }

    /// Also looks at what was said, where spans have it: messages, arguments, results. Not by default; and what handlers record of it
    /// is theirs to decide.
    #[must_use]
    pub fn with_content(mut self, looks: bool) -> Self {
        self.core.with_content = looks;
        self
    }

    /// Calls of models that `obs-llm` tells to this telemetry within a framework's span are the calls: the span is none.
    ///
    /// It has an [annotator](obs_core::Annotator) there from now on; a telemetry has room for eight.
    #[must_use]
    pub fn with_telemetry(self, telemetry: &Telemetry) -> Self {
        telemetry.annotate(Hearing);
        self
    }

    /// Leaves the spans of a framework alone, by its [name](super::framework): one whose runs an adapter tells.
    #[must_use]
    pub fn without(mut self, framework: &'static str) -> Self {
        self.core.without.push(framework);
        self
    }

    /// As a layer.
    pub fn into_layer<S>(self) -> NormaliserLayer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        IN_USE.store(true, Ordering::Relaxed);
        let watch = Watch {
            core: Arc::new(self.core),
        };
        watch.with_filter(GenAiSpans::default())
    }
}

impl fmt::Debug for Normaliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Normaliser")
            .field("handlers", &self.core.handlers)
            .field("with_content", &self.core.with_content)
            .finish_non_exhaustive()
    }
}

/// The layer without its filter: of no use alone.
pub struct Watch {
    core: Arc<Core>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for Watch
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(site) = Site::of(attributes.metadata()) else {
            return;
        };
        let Some(span) = context.span(id) else { return };
        if self.core.without.contains(&site.framework) || span.extensions().get::<Open>().is_some()
        {
            return;
        }
        let mut fields = Fields::new(site);
        attributes.record(&mut Keep {
            with_content: self.core.with_content,
            fields: &mut fields,
        });
        let mut new = Open::new(Arc::clone(&self.core), site, fields);
        let above = span.parent();
        let is_within = above.is_some();
        // What waits to be known better has waited long enough where something begins within it.
        let above = above.and_then(|above| {
            if open::begin(&above, true) {
                reveal(&above);
            }
            let extensions = above.extensions();
            extensions
                .get::<Open>()
                .and_then(|open| open.run().cloned())
        });
        new.around = inner(above, current::polled());
        new.is_root = !is_within && new.around.is_none();
        new.begin_if_ready();
        span.extensions_mut().replace(new);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(site) = span.extensions().get::<Open>().map(|open| open.site) else {
            return;
        };
        // Before the span's extensions are locked: values are formatted by code of the user's.
        let mut fields = Fields::new(site);
        values.record(&mut Keep {
            with_content: self.core.with_content,
            fields: &mut fields,
        });
        let waits = match span.extensions_mut().get_mut::<Open>() {
            Some(open) => {
                open.fields.update(fields);
                open.waits()
            }
            None => false,
        };
        if waits && open::begin(&span, false) {
            reveal(&span);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        // In the span itself, by whoever made that: what fails within a call, of others, may be tried again there.
        let current = context.current_span();
        let id = match event.is_contextual() {
            true => current.id(),
            false => event.parent(),
        };
        let Some(span) = id.and_then(|id| context.span(id)) else {
            return;
        };
        let by = event.metadata().target();
        let says = |open: &Open| krate(by) == krate(open.site.scope);
        if !span.extensions().get::<Open>().is_some_and(says) {
            return;
        }
        let mut failure = Failure::default();
        event.record(&mut failure);
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            open.failure = Some(failure);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            show(id, &span);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        hide(id);
        if let Some(span) = context.span(id) {
            // Its own work begins, or waits for others: what is not known by now comes at the end.
            open::begin(&span, true);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let open = span.extensions_mut().remove::<Open>();
        let (around, call) = match open.map(Open::close) {
            None | Some(Closed::Over) => return,
            Some(Closed::Counted(around)) => (around, None),
            Some(Closed::Waits(around, call)) => (around, Some(call)),
        };
        let mut call = Some(call);
        for span in span.scope().skip(1) {
            let mut extensions = span.extensions_mut();
            let open = extensions.get_mut::<Open>();
            let is_it = |open: &&mut Open| open.run().is_some_and(|run| run.id() == around.id());
            if let Some(open) = open.filter(is_it) {
                call = call.take().map(|call| open.hold(call));
                break;
            }
        }
        // Handlers are told without a lock of the span's.
        if let Some(Some(call)) = call {
            call.end(None);
        }
    }
}

/// The inner one of the run of a span and the one that is polled here.
pub(super) fn inner(span: Option<RunRef>, polled: Option<RunRef>) -> Option<RunRef> {
    match (span, polled) {
        (Some(span), Some(polled)) => {
            // Of two that have nothing to do with each other the one counts that somebody has said.
            let is_inner = span.root() == polled.root() && span.depth() > polled.depth();
            Some(if is_inner { span } else { polled })
        }
        (span, polled) => span.or(polled),
    }
}

thread_local! {
    /// What OpenTelemetry is shown of the spans that are entered on this thread.
    static SHOWN: RefCell<Vec<(Id, Shown)>> = const { RefCell::new(Vec::new()) };
}

enum Shown {
    /// It, until this goes, in any order.
    Now { _guard: ContextGuard },
    /// Nothing yet, as the span has not begun. What is around it.
    Later(Option<SpanContext>),
}

impl Shown {
    fn now(context: OtelContext) -> Self {
        Self::Now {
            _guard: context.attach(),
        }
    }
}

fn around() -> Option<SpanContext> {
    operation::handle().map(|operation| operation.span_context())
}

/// While the span is entered, the operation of its run is what OpenTelemetry has as current, and with that obs-core: operations that
/// begin here are within it. obs-core's own scopes nest strictly, and spans of `tracing` need not.
fn show<R>(id: &Id, span: &SpanRef<'_, R>)
where
    R: for<'a> LookupSpan<'a>,
{
    let context = {
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else {
            return;
        };
        let context = open.context();
        if context.is_none() && !open.waits() {
            return;
        }
        context
    };
    let _ = SHOWN.try_with(|shown| {
        if let Ok(mut shown) = shown.try_borrow_mut() {
            let what = context.map_or_else(|| Shown::Later(around()), Shown::now);
            shown.push((id.clone(), what));
        }
    });
}

/// The span has begun: where it is entered on this thread, it is shown from now on, unless what is within it is.
pub(super) fn reveal<R>(span: &SpanRef<'_, R>)
where
    R: for<'a> LookupSpan<'a>,
{
    let context = {
        let mut extensions = span.extensions_mut();
        extensions.get_mut::<Open>().and_then(Open::context)
    };
    let Some(context) = context else { return };
    let id = span.id();
    let _ = SHOWN.try_with(|shown| {
        let Ok(mut shown) = shown.try_borrow_mut() else {
            return;
        };
        let here = around();
        let own = shown.iter_mut().filter(|(of, _)| *of == id);
        for (_, what) in own {
            if matches!(what, Shown::Later(around) if *around == here) {
                *what = Shown::now(context.clone());
            }
        }
    });
}

fn hide(id: &Id) {
    let guard = SHOWN.try_with(|shown| {
        let mut shown = shown.try_borrow_mut().ok()?;
        let at = shown.iter().rposition(|(of, _)| of == id)?;
        Some(shown.remove(at))
    });
    // Outside of the borrow: it drops what is in the context.
    drop(guard);
}
