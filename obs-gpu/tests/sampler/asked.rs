//! What is evidence for a slow call and what is not, and what its model used: devices that are lost meanwhile, readings that are
//! older than the call, calls that are longer than what is kept.

use crate::annotated::{Called, device};
use crate::ms;
use obs_core::{Event as Point, Milestone, Moment, Operation, Outcome};
use obs_gpu::explain::{Cause, Phase};
use obs_gpu::{
    Claim, DeviceId, EngineState, EngineStates, Event, GpuContext, LinkReading, Quantity, Reading,
    SourceError,
};

const HOT: i64 = 0x40;

impl Called {
    fn model(&self) -> Claim {
        self.claims.claim(&device(0)).model("a").hold()
    }

    /// So often, a quarter of a second apart.
    fn read(&self, times: u32) {
        (0..times).for_each(|_| self.after(250));
    }

    fn now(&self) -> Moment {
        self.kind.now()
    }

    fn slow_first(&self, call: &mut Operation) -> Moment {
        let at = self.now();
        self.reaches(call, Milestone::FirstOutput { at, slow: true });
        at
    }

    fn ends(&self, mut call: Operation, first_output: Option<Moment>, slow: bool) {
        let at = self.now();
        let ending = Milestone::Ending {
            at,
            first_output,
            slow,
        };
        self.reaches(&mut call, ending);
        call.end(Outcome::ANSWERED);
    }

    /// At its highest clock, held down by nothing.
    fn well(self) -> Self {
        for index in 0..2 {
            self.set(index, Quantity::ThrottleReasons, 0);
            self.set(index, Quantity::SmClock, 1_980_000_000);
        }
        self
    }

    fn hot(&self) {
        self.set(0, Quantity::ThrottleReasons, HOT);
        self.set(0, Quantity::SmClock, 700_000_000);
    }

    #[track_caller]
    fn explains(&self, phase: Phase, from: Moment, to: Moment, expect: Cause) {
        let verdict = self.context.explain(&device(0), phase, from, to);
        let verdict = verdict.expect("watched");
        assert_eq!(verdict.cause, expect, "{verdict:?}");
    }
}

fn plain() -> Called {
    Called::new(|context| context).well()
}

#[test]
fn a_sample_that_is_older_than_the_call_is_no_evidence() {
    let called = plain();
    called.hot();
    called.after(1000);
    called.capture.clock().advance(ms(50));
    let from = called.now();
    called.capture.clock().advance(ms(150));
    called.explains(Phase::FirstOutput, from, called.now(), Cause::Unknown);
    // One that was taken meanwhile is.
    called.after(50);
    called.explains(
        Phase::FirstOutput,
        from,
        called.now(),
        Cause::ThermalThrottle,
    );
}

#[test]
fn bandwidth_that_was_used_before_the_call_is_no_evidence() {
    let called = plain();
    called.after(1000);
    called.set(0, Quantity::DramActive, 950_000);
    called.read(4);
    called.set(0, Quantity::DramActive, 300_000);
    let from = called.now();
    // Samples have what was read last, which is of before.
    called.read(3);
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
    called.read(1);
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
    let from = called.now();
    called.set(0, Quantity::DramActive, 950_000);
    called.read(4);
    called.explains(Phase::Output, from, called.now(), Cause::Bandwidth);
    // Nor is what a device said before it was lost.
    called
        .rig
        .script
        .device(0, |device| device.error = Some(SourceError::Lost(15)));
    called.read(8);
    called.rig.script.device(0, |device| {
        device.error = None;
        device.values.remove(&Quantity::DramActive);
    });
    let from = called.now();
    called.read(12);
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
}

#[test]
fn a_device_that_was_lost_for_most_of_the_call_is_not_judged_by_the_rest() {
    let called = plain();
    called.after(1000);
    let from = called.now();
    called.hot();
    called.read(4);
    called.explains(Phase::Output, from, called.now(), Cause::ThermalThrottle);
    called
        .rig
        .script
        .device(0, |device| device.error = Some(SourceError::Lost(15)));
    called.read(8);
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
    called.rig.script.device(0, |device| device.error = None);
    called.set(0, Quantity::ThrottleReasons, 0);
    called.set(0, Quantity::SmClock, 1_980_000_000);
    called.read(8);
    // It is back, and what is known of it is not hot.
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
}

#[test]
fn a_call_that_is_longer_than_what_is_kept_is_judged_by_the_better_part_or_not_at_all() {
    let called = plain();
    called.hot();
    called.after(1000);
    let from = called.now();
    let before = |seconds: u64| {
        let back = called.capture.telemetry().ticks(ms(seconds * 1000));
        Moment::from_bits(called.now().to_bits() - back).expect("not zero")
    };
    called.capture.clock().advance(ms(1_800_000));
    called.read(2_500);
    // The last ten minutes are known, of fifteen and of forty.
    called.explains(
        Phase::Output,
        before(900),
        called.now(),
        Cause::ThermalThrottle,
    );
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
}

#[test]
fn times_the_other_way_round_and_of_no_length_are_unknown() {
    let called = plain();
    called.hot();
    called.after(1000);
    let from = called.now();
    called.read(8);
    let to = called.now();
    for phase in [Phase::FirstOutput, Phase::Output] {
        called.explains(phase, to, from, Cause::Unknown);
        let first = Moment::from_bits(1).expect("not zero");
        let last = Moment::from_bits(u64::MAX).expect("not zero");
        called.explains(phase, last, last, Cause::Unknown);
        called.explains(phase, first, first, Cause::Unknown);
        called.explains(phase, first, last, Cause::Unknown);
    }
    // A call whose end is before its start has what is known of no time: nothing, and no panic.
    let _claim = called.model();
    let mut call = called.start("a");
    let at = from;
    called.reaches(&mut call, Milestone::FirstOutput { at, slow: true });
    let ending = Milestone::Ending {
        at,
        first_output: Some(at),
        slow: true,
    };
    called.reaches(&mut call, ending);
    call.end(Outcome::ANSWERED);
    let record = called.capture.record();
    assert_eq!(record.text("obs.gpu.slow.output.cause"), Some("unknown"));
}

#[test]
fn what_is_read_of_the_last_moments_is_told_at_the_end() {
    let called = plain();
    let _claim = called.model();
    called.read(8);
    let mut call = called.start("a");
    called.hot();
    called.capture.clock().advance(ms(240));
    // Nothing was read meanwhile as yet.
    let first = called.slow_first(&mut call);
    called.read(2);
    called.ends(call, Some(first), false);
    let record = called.capture.record();
    let cause = record.text("obs.gpu.slow.first_output.cause");
    // What is read after the wait is not of the wait: 240 ms without a reading stay unknown.
    assert_eq!(cause, Some("unknown"));
    // But a counter that is read then tells of the wait as well.
    let called = plain();
    let _claim = called.model();
    called
        .rig
        .script
        .device(0, |device| device.links = vec![link(0, 0)]);
    called.read(8);
    let mut call = called.start("a");
    called.read(2);
    let first = called.slow_first(&mut call);
    called
        .rig
        .script
        .device(0, |device| device.links = vec![link(0, 900_000_000)]);
    called.read(3);
    called.ends(call, Some(first), false);
    let record = called.capture.record();
    assert_eq!(
        record.text("obs.gpu.slow.first_output.cause"),
        Some("fabric")
    );
    let said = record.text("obs.gpu.slow.first_output.evidence");
    assert!(
        said.is_some_and(|said| said.starts_with("nvlink_share 0.9")),
        "{said:?}"
    );
}

/// A gigabyte a second can go over it.
fn link(number: u32, sent: i64) -> LinkReading {
    let mut link = LinkReading::new(number);
    link.up = Some(true);
    link.speed = Reading::Value(1_000_000_000);
    link.sent = Reading::Value(sent);
    link.received = Reading::Value(0);
    link.replays = Reading::Value(0);
    link.recoveries = Reading::Value(0);
    link
}

#[test]
fn links_between_devices_are_a_cause() {
    let called = plain();
    let links = |change: fn(&mut LinkReading, i64), round: i64| {
        let mut one = link(1, 0);
        change(&mut one, round);
        called.rig.script.device(0, |device| {
            let none = Reading::Value(0);
            device.values.insert(Quantity::RecoveryAction, none);
            device.links = vec![link(0, 0), one];
        });
    };
    links(|_, _| {}, 0);
    called.read(45);
    // States and errors are read every ten seconds.
    type Change = fn(&mut LinkReading, i64);
    let changes: [(&str, Change); 3] = [
        ("nvlinks_down", |link, _| link.up = Some(false)),
        ("nvlink_errors", |link, round| {
            link.replays = Reading::Value(500 * round);
        }),
        ("nvlink_recoveries", |link, round| {
            link.recoveries = Reading::Value(round);
        }),
    ];
    for (evidence, change) in changes {
        let from = called.now();
        for round in 1..=11 {
            links(change, round);
            called.read(8);
        }
        let verdict = { &called.context }.explain(&device(0), Phase::Output, from, called.now());
        let verdict = verdict.expect("watched");
        assert_eq!(verdict.cause, Cause::Fabric, "{evidence}");
        let has = |name| verdict.evidence.iter().any(|one| one.name == name);
        assert!(has(evidence), "{verdict:?}");
        links(|_, _| {}, 0);
        called.read(88);
    }
    let from = called.now();
    called.read(8);
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
    // A fault that is reported counts at once; another one is none of links.
    let xid = |code| Event::Xid {
        code,
        gpu_instance: None,
    };
    called.rig.script.report(0, xid(31));
    called.read(2);
    called.explains(Phase::Output, from, called.now(), Cause::Unknown);
    called.rig.script.report(0, xid(74));
    called.read(2);
    called.explains(Phase::Output, from, called.now(), Cause::Fabric);
    // Until states are read, and all are well: for a call that begins later, too.
    let later = called.now();
    called.read(4);
    called.explains(Phase::Output, later, called.now(), Cause::Fabric);
    called.read(80);
    let later = called.now();
    called.read(4);
    called.explains(Phase::Output, later, called.now(), Cause::Unknown);
}

#[test]
fn a_call_that_stood_in_a_queue_says_so_itself() {
    let called = plain();
    let _claim = called.model();
    called.after(1000);
    let told = |queued: u64| {
        let mut call = called.start("a");
        called.after(queued);
        call.active().expect("recording").stamp(Point::SCHEDULED);
        called.after(1000 - queued);
        let first = called.slow_first(&mut call);
        called.ends(call, Some(first), true);
        let records = called.capture.take_records();
        let text = |name| records[0].text(name).map(str::to_owned);
        // It explains the first output, and nothing else.
        assert_eq!(
            text("obs.gpu.slow.output.cause").as_deref(),
            Some("unknown")
        );
        (
            text("obs.gpu.slow.first_output.cause"),
            text("obs.gpu.slow.first_output.evidence"),
        )
    };
    let (cause, evidence) = told(750);
    assert_eq!(cause.as_deref(), Some("engine_queue"));
    assert_eq!(evidence.as_deref(), Some("queue_share 0.750 (0.400)"));
    assert_eq!(told(250).0.as_deref(), Some("unknown"));
}

/// With what engines tell.
fn told() -> (Called, EngineStates) {
    let mut engines = None;
    let called = Called::with_all(|context, _, telemetry| {
        let states = engines.insert(EngineStates::new(telemetry));
        context.with_engines(states)
    });
    (called.well(), engines.expect("made"))
}

#[test]
fn an_engine_that_says_how_many_wait_is_asked() {
    let (called, states) = told();
    let _claim = called.model();
    called.after(1000);
    let mut finished = 0;
    let mut call = |engines: &[&str], waiting: u64, stopped: u64, cache: f64| {
        let mut call = called.start("a");
        for second in 0..4 {
            finished += 2;
            let state = EngineState::new()
                .with_waiting(waiting)
                .with_finished(finished)
                .with_preemptions(stopped * second)
                .with_cache(cache);
            for engine in engines {
                states.tell("a", engine, state);
            }
            called.after(1000);
        }
        let first = called.slow_first(&mut call);
        called.ends(call, Some(first), false);
        let records = called.capture.take_records();
        let text = |name| records[0].text(name).unwrap_or_default().to_owned();
        let name = |what| format!("obs.gpu.slow.first_output.{what}");
        format!("{} {}", text(&name("cause")), text(&name("evidence")))
    };
    // Six at two a second take three of four seconds.
    assert_eq!(
        call(&["one"], 6, 0, 0.5),
        "engine_queue expected_share 0.750 (0.400)"
    );
    assert_eq!(call(&["one"], 2, 0, 0.5), "unknown ");
    // Full is no evidence; that requests were stopped for it is.
    assert_eq!(call(&["one"], 0, 0, 0.97), "unknown ");
    assert_eq!(
        call(&["one"], 0, 2, 0.97),
        "memory preemptions 6.000 (1.000), cache 0.970 (0.950)"
    );
    // Of two nobody knows which one it was.
    assert_eq!(call(&["one", "two"], 6, 2, 0.97), "unknown ");
}

#[test]
fn what_an_engine_said_before_the_call_is_no_evidence() {
    let (called, states) = told();
    let _claim = called.model();
    called.after(1000);
    for finished in [0, 20] {
        let state = EngineState::new().with_waiting(90).with_finished(finished);
        states.tell("a", "one", state.with_cache(f64::NAN));
        called.after(10_000);
    }
    let mut call = called.start("a");
    called.read(8);
    let first = called.slow_first(&mut call);
    called.ends(call, Some(first), false);
    let record = called.capture.record();
    assert_eq!(
        record.text("obs.gpu.slow.first_output.cause"),
        Some("unknown")
    );
}

/// With books that calls are told of.
fn billed() -> Called {
    Called::with_all(|context, books, _| context.with_energy(books))
}

impl Called {
    /// So many quarters of a second, in each of which each device uses so many millijoules.
    fn uses(&self, times: u32, millijoules: i64) {
        for _ in 0..times {
            for index in 0..2 {
                self.rig.script.device(index, |device| {
                    let energy = device.values[&Quantity::Energy].value().expect("a number");
                    let energy = Reading::Value(energy + millijoules);
                    device.values.insert(Quantity::Energy, energy);
                });
            }
            self.after(250);
        }
    }

    /// What the model of a call used, by its attribute: a call in which `meanwhile` is done.
    fn joules(&self, meanwhile: impl FnOnce(&Self)) -> Option<f64> {
        let call = self.start("a");
        meanwhile(self);
        self.ends(call, None, false);
        let used = self.number("obs.gpu.model.energy");
        self.capture.clear();
        used
    }
}

#[track_caller]
fn near(used: Option<f64>, expect: f64) {
    assert!(
        used.is_some_and(|used| (used - expect).abs() < 1e-6),
        "{used:?}"
    );
}

#[test]
fn a_call_that_is_long_enough_has_what_its_model_used() {
    let called = billed();
    let _claim = called.model();
    called.uses(8, 100_000);
    near(called.joules(|called| called.uses(20, 100_000)), 2_000.0);
    // Nine steps of the counter, and ten.
    assert_eq!(called.joules(|called| called.uses(9, 100_000)), None);
    near(called.joules(|called| called.uses(10, 100_000)), 1_000.0);
    // Begun and ended between two readings: 100 of the 350 ms of the first window were before, and the last 50 ms are as the rest.
    called.capture.clock().advance(ms(100));
    near(
        called.joules(|called| {
            called.uses(20, 100_000);
            called.capture.clock().advance(ms(50));
        }),
        (2_000.0 - 100.0 * 100.0 / 350.0) * 5_050.0 / 5_000.0,
    );
}

#[test]
fn several_devices_are_added_up_and_one_that_is_not_known_leaves_none() {
    let called = billed();
    let claim = called
        .claims
        .claim(&device(0))
        .and(&device(1))
        .model("a")
        .hold();
    called.uses(8, 100_000);
    near(called.joules(|called| called.uses(20, 100_000)), 4_000.0);
    let lost = |called: &Called, error| called.rig.script.device(1, |device| device.error = error);
    let used = called.joules(|called| {
        called.uses(8, 100_000);
        lost(called, Some(SourceError::Lost(15)));
        called.uses(8, 100_000);
        lost(called, None);
        called.uses(8, 100_000);
    });
    assert_eq!(used, None);
    drop(claim);
    // Nor is one that nobody ever saw left out of the sum.
    let far = DeviceId::new("GPU-elsewhere");
    let claim = called.claims.claim(&device(0)).and(&far).model("a").hold();
    called.uses(8, 100_000);
    assert_eq!(called.joules(|called| called.uses(20, 100_000)), None);
    drop(claim);
    // It is the other one that was lost.
    let _claim = called.model();
    called.uses(8, 100_000);
    near(called.joules(|called| called.uses(20, 100_000)), 2_000.0);
}

#[test]
fn of_several_claims_each_has_its_share_if_they_say_what_they_did() {
    let called = billed();
    let one = called.model();
    let other = called.claims.claim(&device(0)).model("b").hold();
    called.uses(8, 100_000);
    // Nobody says who worked.
    assert_eq!(called.joules(|called| called.uses(20, 100_000)), None);
    let used = called.joules(|called| {
        for _ in 0..20 {
            one.tokens(3);
            other.tokens(1);
            called.uses(1, 100_000);
        }
    });
    near(used, 1_500.0);
}

#[test]
fn a_counter_that_begins_anew_leaves_none() {
    let called = billed();
    let _claim = called.model();
    called.uses(40, 100_000);
    let used = called.joules(|called| {
        called.uses(10, 100_000);
        called.set(0, Quantity::Energy, 5);
        called.uses(10, 100_000);
    });
    assert_eq!(used, None);
    called.uses(8, 100_000);
    near(called.joules(|called| called.uses(20, 100_000)), 2_000.0);
    // One that stands still says nothing.
    assert_eq!(called.joules(|called| called.uses(40, 0)), None);
}

#[test]
fn without_a_claim_nobody_has_used_anything() {
    let called = Called::with_all(|_, books, telemetry| {
        GpuContext::on(telemetry, [device(0)]).with_energy(books)
    });
    called.uses(8, 100_000);
    assert_eq!(called.joules(|called| called.uses(20, 100_000)), None);
}
