//! Where a run stands, as its span says it, and how its operation begins.

use super::Shared;
use crate::input::Server;
use crate::run::{RemoteParent, Starting};
use obs_core::semconv::obs;
use obs_core::trust::Trust;
use obs_core::{Active, Kind, LabelId, Labels, Operation};

impl Shared {
    /// An operation of this kind is what the run is. One of its labels may be a text: none where that is empty.
    pub(super) fn begin(
        &self,
        run: &mut Starting<'_>,
        kind: &'static Kind,
        labels: Labels,
        (label, text): (usize, &str),
    ) -> Operation {
        let text = Some((label, text)).filter(|(_, text)| !text.is_empty());
        let mut operation = kind.start_with(labels, text, run.operation_parent());
        if let Some(mut active) = operation.active() {
            self.place(run, &mut active);
            run.set_operation(active.handle());
        }
        operation
    }

    /// Where it stands, and what of another process that asks for it is taken over.
    pub(super) fn place(&self, run: &Starting<'_>, active: &mut Active<'_>) {
        if let Some(remote) = run.remote() {
            take_over(&remote, active);
        }
        let info = run.info();
        active.set(obs::agent::DEPTH, i64::from(run.depth()));
        if run.step() > 0 {
            active.set(obs::agent::STEP, i64::from(run.step()));
        }
        if info.attempt > 0 {
            active.set(obs::agent::ATTEMPT, i64::from(info.attempt));
        }
        if !info.kind.is_empty() {
            active.set(obs::agent::IMPLEMENTATION, info.kind);
        }
        if self.run_ids {
            self.place_ids(run, active);
        }
    }

    #[cold]
    fn place_ids(&self, run: &Starting<'_>, active: &mut Active<'_>) {
        active.set(obs::agent::RUN_ID, &*run.id().to_string());
        if let Some(parent) = run.parent() {
            active.set(obs::agent::RUN_PARENT_ID, &*parent.id().to_string());
        }
    }
}

/// Baggage of a trusted sender, as far as it is allowed; and what of all that was sent is not believed is counted.
#[cold]
#[inline(never)]
fn take_over(from: &RemoteParent<'_>, active: &mut Active<'_>) {
    let (kind, remote) = (active.kind(), from.remote);
    if remote.dropped.traceparent.is_some() {
        kind.count_invalid_parent();
    }
    if remote.dropped.tracestate.is_some() {
        kind.count_dropped_tracestate(1);
    }
    if remote.dropped.baggage > 0 {
        kind.count_dropped_baggage(remote.dropped.baggage as u64);
    }
    match from.trust {
        Trust::Trusted => active.carry_baggage(remote.baggage.clone(), from.baggage),
        // What a layer outside has put into OpenTelemetry's context is a stranger's, too.
        _ => active.clear_baggage(),
    }
}

/// Whom it asks: its address is this label, its port the next.
pub(super) fn place_server(active: &mut Active<'_>, address: usize, server: Option<Server<'_>>) {
    if let Some(server) = server.filter(|server| !server.address.is_empty()) {
        active.set_label_text(address, server.address);
        if let Some(port) = server.port {
            active.set_label(address + 1, LabelId::number(port));
        }
    }
}

/// A count as attributes have it.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
