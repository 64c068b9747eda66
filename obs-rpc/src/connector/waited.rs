//! What a call had to wait for before it could be sent: part of a [`Flow`].

use super::line::{Dial, Line};
use crate::call::flow::Flow;
use http::Extensions;
use obs_core::semconv::obs;
use obs_core::{Active, Moment};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
pub(crate) struct Waited {
    started: Moment,
    line: OnceLock<Arc<Line>>,
    dial: OnceLock<Arc<Dial>>,
}

impl Waited {
    pub(crate) fn new(active: &Active<'_>) -> Self {
        Self {
            started: active.started(),
            line: OnceLock::new(),
            dial: OnceLock::new(),
        }
    }

    /// The call's body is asked for: it has its connection.
    #[inline]
    pub(crate) fn sent(&self) {
        if let Some(line) = self.line.get()
            && let Some(dial) = line.dialled_after(self.started)
        {
            line.carries(&dial);
            let _ = self.dial.set(dial);
        }
    }

    /// The channel drops it unsent: the dial has failed, and the next one may begin at once.
    pub(crate) fn never_sent(&self) {
        if let Some(line) = self.line.get()
            && let Some(dial) = line.dialled_after(self.started)
        {
            let _ = self.dial.set(dial);
        }
    }

    /// At the end of the call: how it got its connection, if that is known.
    pub(crate) fn tell(&self, active: &mut Active<'_>, was_sent: bool) {
        if self.line.get().is_none() {
            return;
        }
        if !was_sent {
            self.never_sent();
        }
        if let Some(dial) = self.dial.get() {
            active.set(obs::RPC_CONNECTION_REUSED, false);
            dial.stamp(active, self.started);
        } else if was_sent {
            active.set(obs::RPC_CONNECTION_REUSED, true);
        }
    }
}

/// Whether there is a channel of ours in this process, which looks for what [`announce`] leaves.
static LOOKED_FOR: AtomicBool = AtomicBool::new(false);

/// A request carries its call to the channel, through whatever stands between: buffers and balancers hand requests to other
/// tasks.
#[derive(Clone, Debug)]
struct Caller(Arc<Flow>);

#[inline(always)]
pub(crate) fn announce(flow: &Arc<Flow>, extensions: &mut Extensions) {
    if flow.is_detailed() && LOOKED_FOR.load(Ordering::Relaxed) {
        extensions.insert(Caller(flow.clone()));
    }
}

pub(super) fn look_for() {
    LOOKED_FOR.store(true, Ordering::Relaxed);
}

/// The call of this request goes over this channel.
pub(super) fn meet(extensions: &mut Extensions, line: &Arc<Line>) {
    if let Some(Caller(flow)) = extensions.remove::<Caller>()
        && line.kind.shares_clock_with(flow.kind)
    {
        let _ = flow.waited.line.set(line.clone());
    }
}
