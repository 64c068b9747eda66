//! That a call failed, as the newer conventions have it: by an event `gen_ai.client.operation.exception`, whether its trace is sampled
//! or not.

use super::LlmCall;
use crate::descriptor::{ERROR, SCOPE_MAIN};
use crate::dialect::Dialect;
use obs_core::otel::KeyValue;
use obs_core::semconv::{exception, gen_ai};
use obs_core::{Body, End, LogEvent, Outcome, Severity};

impl LlmCall {
    /// Of the three attributes that they have it has the type, which is the span's `error.type`. What an error says is never recorded,
    /// and where it came from is not known here. Who gives a call up has seen no exception.
    #[cold]
    pub(super) fn tell_exception(&mut self, outcome: Outcome) {
        let is_told = self.shared.settings.dialect == Dialect::Main
            && !matches!(outcome.end(), End::Answered | End::Cancelled);
        let Some(mut active) = self.operation.active().filter(|_| is_told) else {
            return;
        };
        // As the end sets it.
        active.set_label(ERROR, outcome.error().into());
        let Some(kind) = active.label_value(ERROR) else {
            return;
        };
        let kind = KeyValue::new(exception::TYPE.as_str(), kind.to_text().into_owned());
        let mut event = LogEvent::new(gen_ai::OPERATION_EXCEPTION, Body::Empty)
            .with_scope(&SCOPE_MAIN)
            .with_severity(Severity::Warn)
            .of(active.trace_parent())
            .with_attribute(kind);
        if let Some(session) = active.session().cloned() {
            event = event.with_session(session);
        }
        self.shared.telemetry.emit(event);
    }
}
