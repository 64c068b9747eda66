//! Every transition, as data: no thread, no clock.

mod latches;
mod properties;
mod rates;
mod transitions;
mod xids;

use super::*;
use crate::quantity::Quantity;
use crate::reading::Reading;

/// A machine on a clock of nanoseconds that each step says.
struct Subject {
    machine: Machine,
    now: u64,
    readings: Readings,
}

impl Subject {
    fn new() -> Self {
        Self::with(HealthSettings::new())
    }

    fn with(settings: HealthSettings) -> Self {
        let limits = Limits::new(settings, |time| time.as_nanos() as u64);
        Self {
            machine: Machine::new(Arc::new(limits), moment(0)),
            now: 0,
            readings: Readings::new(),
        }
    }

    fn wait(&mut self, millis: u64) -> &mut Self {
        self.now += millis;
        self
    }

    fn take(&mut self, input: Input<'_>) -> Outcome {
        let outcome = self.machine.take(input, moment(self.now));
        if let Some(change) = &outcome.change {
            assert_ne!(change.from, change.to);
            assert_eq!(change.to, self.is());
            assert!(change.evidence.is_some(), "{change:?}");
        }
        let report = self.machine.report();
        assert_eq!(report.evidence.is_empty(), report.state == HealthState::Ok);
        outcome
    }

    fn event(&mut self, event: Event) -> Outcome {
        self.take(Input::Event(event))
    }

    fn tick(&mut self) {
        self.take(Input::Tick);
    }

    fn xid(&mut self, code: u64) -> Outcome {
        self.event(Event::Xid {
            code,
            gpu_instance: None,
        })
    }

    fn set(&mut self, quantity: Quantity, value: i64) -> &mut Self {
        self.readings.set(quantity, Reading::Value(value));
        self
    }

    fn read(&mut self, tier: Tier) -> Outcome {
        let readings = self.readings.clone();
        self.take(Input::Readings(tier, &readings))
    }

    /// Sets a quantity and reads its tier.
    fn says(&mut self, quantity: Quantity, value: i64) -> Outcome {
        self.set(quantity, value);
        self.read(quantity.tier())
    }

    fn is(&self) -> (HealthState, GateState) {
        (self.machine.state, self.machine.gate)
    }

    fn causes(&self) -> Vec<Cause> {
        let report = self.machine.report();
        report.evidence.iter().map(|known| known.cause).collect()
    }

    #[track_caller]
    fn expect(&self, state: HealthState, gate: GateState, causes: &[Cause]) {
        assert_eq!(self.is(), (state, gate), "{:#?}", self.machine.report());
        assert_eq!(self.causes(), causes);
    }

    #[track_caller]
    fn expect_ok(&self) {
        self.expect(HealthState::Ok, GateState::Serving, &[]);
    }
}

/// So many milliseconds after the start.
fn moment(millis: u64) -> Moment {
    Moment::from_bits(1_000_000 * (1 + millis)).expect("not zero")
}
