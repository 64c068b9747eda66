//! A span that is looked at, from its beginning to its end, and the run that it is.

use super::fields::{Failure, Fields};
use super::layer::Core;
use super::reading::Seen;
use super::site::Site;
use super::table;
use super::tell;
use crate::component::Component;
use crate::handlers::Run;
use crate::run::RunRef;
use obs_core::otel::Context;
use obs_llm::Usage;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// What is kept of a span.
pub(super) struct Open {
    pub(super) core: Arc<Core>,
    pub(super) site: &'static Site,
    pub(super) fields: Fields,
    pub(super) is_root: bool,
    pub(super) failure: Option<Failure>,
    /// The run around it.
    pub(super) around: Option<RunRef>,
    /// Its own, once that has begun.
    own: Option<RunRef>,
    phase: Phase,
    /// What OpenTelemetry is shown while it is entered.
    context: Option<Context>,
    /// A call within this one that is over and has not said its tokens: this one may.
    within: Option<Box<Open>>,
    /// One has.
    is_counted: bool,
}

/// What becomes of a span that is over, for the one around it.
pub(super) enum Closed {
    Over,
    /// It was the same call, and has said its tokens.
    Counted(RunRef),
    /// It is the same call, and has not.
    Waits(RunRef, Box<Open>),
}

enum Phase {
    /// What it is of is not known yet, or not its name.
    Waiting,
    /// Handlers are being told, by whoever was first.
    Beginning,
    /// Locked by nobody but who has the span.
    Begun(Mutex<Run>),
    /// It is none of ours.
    Left,
}

/// Whether enough is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    Now,
    /// What it is is known, and more of it may come.
    Almost,
    No,
    Never,
}

impl Open {
    pub(super) fn new(core: Arc<Core>, site: &'static Site, fields: Fields) -> Self {
        Self {
            core,
            site,
            fields,
            is_root: false,
            failure: None,
            around: None,
            own: None,
            phase: Phase::Waiting,
            context: None,
            within: None,
            is_counted: false,
        }
    }

    /// The run in which whatever is within the span is.
    pub(super) fn run(&self) -> Option<&RunRef> {
        self.own.as_ref().or(self.around.as_ref())
    }

    /// What OpenTelemetry is to be shown while the span is entered; nothing where nobody made an operation of its run.
    pub(super) fn context(&mut self) -> Option<Context> {
        if self.context.is_none() {
            let own = self.own.as_ref()?;
            self.context = own.operation()?.otel_context();
        }
        self.context.clone()
    }

    /// Whether its run may still begin.
    pub(super) fn waits(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Beginning)
    }

    fn view(&self) -> Seen<'_> {
        tell::view(self.site, &self.fields, self.is_root)
    }

    /// Whether it can begin: with what is there, or `at_once` with what it is alone.
    fn may_begin(&self, at_once: bool) -> bool {
        match self.ready() {
            Ready::Now => true,
            Ready::Almost => at_once,
            Ready::No | Ready::Never => false,
        }
    }

    fn ready(&self) -> Ready {
        let view = self.view();
        let Some(operation) = view.operation() else {
            let told = { table::KINDS.into_iter() }.any(|row| view.said.has(row));
            return match told || !self.site.awaits_kind {
                true => Ready::Never,
                false => Ready::No,
            };
        };
        let said = view.said;
        let known = |awaited: bool, row| !awaited || said.text(row).is_some();
        let site = self.site;
        let is_known = match operation.component() {
            Component::Model | Component::Embedding => {
                known(site.awaits_provider, table::PROVIDER)
                    && known(site.awaits_model, table::REQUEST_MODEL)
            }
            Component::Tool => known(site.awaits_tool, table::TOOL_NAME),
            Component::Agent => known(site.awaits_agent, table::AGENT_NAME),
            Component::Workflow | Component::Chain => {
                known(site.awaits_workflow, table::WORKFLOW_NAME)
            }
            _ => true,
        };
        match is_known {
            true => Ready::Now,
            false => Ready::Almost,
        }
    }

    /// Begins before the span is anybody's to look at.
    pub(super) fn begin_if_ready(&mut self) {
        match self.ready() {
            Ready::Now => self.start(),
            Ready::Never => self.phase = Phase::Left,
            Ready::Almost | Ready::No => {}
        }
    }

    /// Begins where nobody else has the span.
    fn start(&mut self) {
        let around = self.around.as_ref();
        let run = { &self.core }.start(self.site, &self.fields, self.is_root, around);
        self.put(run);
    }

    fn put(&mut self, run: Option<Run>) {
        self.phase = match run {
            Some(run) => {
                // Where nobody listens, a run is what is around it.
                self.own = run.reference().cloned();
                Phase::Begun(Mutex::new(run))
            }
            None => Phase::Left,
        };
    }

    /// It is over. Of calls of a model that are the same the innermost one that says its tokens counts.
    pub(super) fn close(mut self) -> Closed {
        if let Phase::Waiting = self.phase
            && self.may_begin(true)
        {
            self.start();
        }
        let (around, within) = (self.same_call(), self.within.take());
        if around.is_none() && within.is_none() {
            self.end(None);
            return Closed::Over;
        }
        let usage = tell::usage(&self.view());
        let is_counted = self.is_counted || usage.is_some();
        let is_told_within = self.own.as_ref().is_some_and(RunRef::is_told_within);
        match (around, within) {
            (Some(around), Some(within)) if usage.is_none() => {
                self.end(None);
                Closed::Waits(around, within)
            }
            (Some(around), None) if !is_counted && !is_told_within && self.is_well() => {
                Closed::Waits(around, Box::new(self))
            }
            (around, within) => {
                if let Some(within) = within {
                    within.end(usage);
                }
                self.end(None);
                match around.filter(|_| is_counted) {
                    Some(around) => Closed::Counted(around),
                    None => Closed::Over,
                }
            }
        }
    }

    /// A call within this one is over.
    pub(super) fn hold(&mut self, call: Option<Box<Open>>) -> Option<Box<Open>> {
        self.is_counted |= call.is_none();
        match self.is_counted {
            true => call.or_else(|| self.within.take()),
            false => std::mem::replace(&mut self.within, call),
        }
    }

    /// What is around it, if it is a call of a model within what a framework says of the same.
    fn same_call(&self) -> Option<RunRef> {
        let Phase::Begun(_) = self.phase else {
            return None;
        };
        let (own, around) = (self.own.as_ref()?, self.around.as_ref()?);
        let component = own.info().component;
        let is_call = matches!(component, Component::Model | Component::Embedding);
        let info = around.info();
        let is_same = is_call && info.second_hand && info.component == component;
        is_same.then(|| around.clone())
    }

    fn is_well(&self) -> bool {
        let has_failed = || { self.view().read() }.is_some_and(|reading| reading.error.is_some());
        self.failure.is_none() && !std::thread::panicking() && !has_failed()
    }

    /// Ends its run, with tokens that others told where it has none of its own.
    pub(super) fn end(mut self, usage: Option<Usage>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Left);
        if let Phase::Begun(run) = phase {
            let run = run.into_inner().unwrap_or_else(PoisonError::into_inner);
            let around = self.around.as_ref();
            let failure = self.failure.as_ref();
            let with_content = self.core.with_content;
            tell::end(run, &self.view(), around, failure, with_content, usage);
        }
    }
}

/// Begins the run of a span that waits, if enough is known of it; `at_once`, if it is known what it is. Says whether it did. Handlers
/// are told without a lock of the span's.
pub(super) fn begin<R>(span: &SpanRef<'_, R>, at_once: bool) -> bool
where
    R: for<'a> LookupSpan<'a>,
{
    let (core, site, fields, is_root, around) = {
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else {
            return false;
        };
        if !matches!(open.phase, Phase::Waiting) || !open.may_begin(at_once) {
            return false;
        }
        open.phase = Phase::Beginning;
        let fields = std::mem::replace(&mut open.fields, Fields::new(open.site));
        let core = Arc::clone(&open.core);
        (core, open.site, fields, open.is_root, open.around.clone())
    };
    let run = core.start(site, &fields, is_root, around.as_ref());
    let mut extensions = span.extensions_mut();
    if let Some(open) = extensions.get_mut::<Open>() {
        // What was recorded meanwhile is newer.
        let newer = std::mem::replace(&mut open.fields, fields);
        open.fields.update(newer);
        open.put(run);
    }
    true
}
