//! States as metrics, and their changes as events.

use super::machine::Change;
use super::state::{Evidence, HealthState};
use crate::device::DeviceId;
use crate::lock::lock;
use crate::metrics::SCOPE;
use crate::xid::Xid;
use obs_core::otel::{KeyValue, Value};
use obs_core::semconv::{hw, obs};
use obs_core::{
    Body, BoundCounter, BoundUpDownCounter, Counter, Instrument, Label, LogEvent, Moment, Severity,
    Telemetry, UpDownCounter, Values,
};
use std::collections::HashMap;
use std::sync::Mutex;

/// Instruments.
pub(super) struct Emit {
    telemetry: Telemetry,
    status: UpDownCounter,
    xids: Counter,
}

const ID: Label = Label {
    key: hw::ID,
    values: Values::Open { cap: 512 },
};

impl Emit {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        let status = Instrument {
            name: hw::STATUS,
            unit: "1",
            description: "Operational status: `1` (true) or `0` (false) for each of the possible states.",
            labels: &[
                ID,
                Label {
                    key: hw::TYPE,
                    values: Values::Closed(&["gpu"]),
                },
                Label {
                    key: hw::STATE,
                    values: Values::Closed(&["ok", "degraded", "predicted_failure", "failed"]),
                },
            ],
            scope: &SCOPE,
        };
        let xids = Instrument {
            name: obs::GPU_XID_VERDICTS,
            unit: "{error}",
            description: "Faults that a device's driver has a number for, by what is made of them.",
            labels: &[
                ID,
                Label {
                    key: obs::GPU_XID_VERDICT,
                    values: Values::Closed(&["note", "app", "degraded", "drain", "isolate"]),
                },
            ],
            scope: &SCOPE,
        };
        Self {
            telemetry: *telemetry,
            status: telemetry.absolute_up_down_counter(&status),
            xids: telemetry.counter(&xids),
        }
    }

    pub(super) fn series(&self, device: &DeviceId) -> Series {
        let bind = |state: HealthState| self.status.bind(&[device.as_str(), "gpu", state.as_str()]);
        Series {
            status: HealthState::ALL.map(bind),
            xids: Mutex::default(),
            all_xids: self.xids,
            device: device.clone(),
        }
    }

    /// The event of a change. It says everything by itself: who reads it later has no metrics beside it.
    pub(super) fn event(&self, device: &DeviceId, change: &Change, at: Moment) -> LogEvent {
        let ((from, gate_from), (to, gate_to)) = (change.from, change.to);
        let severity = match to {
            _ if to < from => Severity::Info,
            HealthState::Ok => Severity::Info,
            HealthState::Degraded => Severity::Warn,
            HealthState::PredictedFailure | HealthState::Failed => Severity::Error,
        };
        let [unix_nanos] = self.telemetry.unix_nanos_at([at]);
        let was = self.telemetry.between(change.since, at).as_secs_f64();
        let mut event = LogEvent::new(obs::GPU_HEALTH_EVENT, Body::Empty)
            .with_severity(severity)
            .with_scope(&SCOPE);
        event.unix_nanos = unix_nanos;
        let mut say = |key: obs_core::Key, value: Value| {
            event.attributes.push(KeyValue::new(key.as_str(), value));
        };
        say(hw::ID, device.as_str().to_owned().into());
        say(hw::TYPE, "gpu".into());
        say(hw::STATE, to.as_str().into());
        say(obs::GPU_HEALTH_PREVIOUS, from.as_str().into());
        say(obs::GPU_HEALTH_PREVIOUS_DURATION, was.into());
        say(obs::GPU_GATE_STATE, gate_to.as_str().into());
        say(obs::GPU_GATE_PREVIOUS, gate_from.as_str().into());
        if let Some(evidence) = &change.evidence {
            say(obs::GPU_HEALTH_CAUSE, evidence.cause.as_str().into());
            if let Some(code) = evidence.code {
                say(obs::GPU_HEALTH_CODE, code.into());
            }
            event.body = self.body(evidence, at);
        }
        event
    }

    /// The evidence, as far as there is something to say.
    fn body(&self, evidence: &Evidence, at: Moment) -> Body {
        let since = self.telemetry.between(evidence.since, at).as_secs_f64();
        let mut body = vec![
            ("evidence", Body::Text(evidence.to_string())),
            ("state", Body::Text(evidence.state.as_str().into())),
            ("latched", Body::Bool(evidence.latched)),
            ("seconds", Body::F64(since)),
            ("times", Body::I64(evidence.times.cast_signed())),
        ];
        let number = |value: f64| Body::F64(value);
        body.extend(evidence.value.map(|value| ("value", number(value))));
        body.extend(evidence.limit.map(|limit| ("limit", number(limit))));
        let unit = evidence.quantity.map(|quantity| format!("{quantity:?}"));
        body.extend(unit.map(|unit| ("read", Body::Text(unit))));
        let instance = evidence.gpu_instance.map(i64::from);
        body.extend(instance.map(|instance| ("gpu_instance", Body::I64(instance))));
        Body::Map(
            body.into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }
}

/// The series of one device.
pub(super) struct Series {
    status: [BoundUpDownCounter; 4],
    xids: Mutex<HashMap<&'static str, BoundCounter>>,
    all_xids: Counter,
    device: DeviceId,
}

impl Series {
    pub(super) fn state(&self, is: HealthState) {
        for (state, series) in HealthState::ALL.into_iter().zip(&self.status) {
            series.set_absolute(i64::from(state == is));
        }
    }

    pub(super) fn xid(&self, xid: &Xid) {
        let verdict = xid.verdict.as_str();
        let bind = || self.all_xids.bind(&[self.device.as_str(), verdict]);
        let series = *lock(&self.xids).entry(verdict).or_insert_with(bind);
        series.add(1);
    }

    /// It is in no state any more.
    pub(super) fn end(&self) {
        self.status.iter().for_each(|series| series.set_absolute(0));
    }
}
