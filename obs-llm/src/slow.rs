//! What came late: a first chunk or token, or one after. It is told by an event `obs.llm.slow`.

use crate::descriptor::{MODEL, OPERATION, PROVIDER, RESPONSE_MODEL, SCOPE};
use obs_core::otel::KeyValue;
use obs_core::semconv::obs;
use obs_core::{Active, Body, LogEvent, Severity, Telemetry};

/// What was slow; times in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    pub(crate) cause: &'static str,
    pub(crate) took: u64,
    pub(crate) threshold: u64,
}

impl Slow {
    /// Told at once: whoever is to be woken is not to wait for the end. `keeps` is whether the operation is kept for it although
    /// the head decision left it out.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell(self, mut active: Active<'_>, telemetry: &Telemetry, keeps: bool) {
        if keeps {
            active.force_keep();
        }
        let kind = active.kind();
        let session = active.session().cloned();
        let mut event = LogEvent::new(obs::LLM_SLOW, Body::Empty)
            .with_scope(&SCOPE)
            .with_severity(Severity::Warn)
            .of(active.trace_parent())
            .with_attribute(KeyValue::new(obs::LLM_SLOW_CAUSE.as_str(), self.cause))
            .with_attribute(KeyValue::new(
                obs::LLM_SLOW_DURATION.as_str(),
                kind.seconds(self.took),
            ))
            .with_attribute(KeyValue::new(
                obs::LLM_SLOW_THRESHOLD.as_str(),
                kind.seconds(self.threshold),
            ));
        for label in [OPERATION, PROVIDER, MODEL, RESPONSE_MODEL] {
            if let Some(value) = active.label_value(label) {
                let key = kind.descriptor().labels[label].key;
                let value = value.to_text().into_owned();
                event = event.with_attribute(KeyValue::new(key.as_str(), value));
            }
        }
        if let Some(session) = session {
            event = event.with_session(session);
        }
        telemetry.emit(event);
    }
}
