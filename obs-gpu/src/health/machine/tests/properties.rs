//! What holds for any device that does anything.

use super::*;
use proptest::prelude::*;

/// Something that is seen.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Xid(u64, Option<u32>),
    Event(Event),
    Read(Tier, Quantity, Option<i64>),
    Links(bool, bool),
    Error(SourceError),
    Hang(u64),
    Vanished,
    Returned,
    Reappeared,
    Clear,
}

fn reading() -> impl Strategy<Value = Step> {
    let levels = [
        Quantity::RecoveryAction,
        Quantity::RemapPending,
        Quantity::RemapFailed,
        Quantity::EccCorrected,
        Quantity::EccUncorrected,
        Quantity::MemoryTemperature,
        Quantity::TemperatureMargin,
        Quantity::ThrottleThermalHardware,
        Quantity::ThrottleReasons,
        Quantity::PowerAverage,
    ];
    let values = prop_oneof![
        3 => (0_i64..8).prop_map(Some),
        1 => (0_i64..200_000).prop_map(Some),
        1 => any::<i64>().prop_map(Some),
        1 => Just(None),
    ];
    (prop::sample::select(levels.to_vec()), values)
        .prop_map(|(quantity, value)| Step::Read(quantity.tier(), quantity, value))
}

fn step() -> impl Strategy<Value = Step> {
    let events = [
        Event::EccSingle,
        Event::EccDouble,
        Event::RecoveryAction,
        Event::Unavailable,
        Event::EccStorm,
        Event::MemoryRetired,
        Event::RetirementFailed,
        Event::Poison { fatal: true },
        Event::Poison { fatal: false },
        Event::Other(7),
    ];
    let errors = [
        SourceError::Absent,
        SourceError::Lost(15),
        SourceError::Unsupported,
        SourceError::Failed(16),
        SourceError::Failed(999),
    ];
    prop_oneof![
        6 => (0_u64..15_000).prop_map(Step::Wait),
        4 => (prop_oneof![13_u64..173, Just(45), Just(94), Just(154)], prop::option::of(0_u32..3))
            .prop_map(|(code, part)| Step::Xid(code, part)),
        2 => prop::sample::select(events.to_vec()).prop_map(Step::Event),
        6 => reading(),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(one, other)| Step::Links(one, other)),
        1 => prop::sample::select(errors.to_vec()).prop_map(Step::Error),
        1 => (0_u64..60_000).prop_map(Step::Hang),
        1 => Just(Step::Vanished),
        1 => Just(Step::Returned),
        1 => Just(Step::Reappeared),
        1 => Just(Step::Clear),
    ]
}

fn take(subject: &mut Subject, step: &Step) -> Outcome {
    match step {
        Step::Wait(millis) => {
            subject.wait(*millis);
            subject.take(Input::Tick)
        }
        Step::Xid(code, gpu_instance) => subject.event(Event::Xid {
            code: *code,
            gpu_instance: *gpu_instance,
        }),
        Step::Event(event) => subject.event(*event),
        Step::Read(tier, quantity, value) => {
            let reading = value.map_or(Reading::Failed(999), Reading::Value);
            subject.readings.set(*quantity, reading);
            subject.read(*tier)
        }
        Step::Links(one, other) => {
            let link = |number, up| LinkReading {
                up: Some(up),
                ..LinkReading::new(number)
            };
            subject.take(Input::Links(&[link(0, *one), link(1, *other)]))
        }
        Step::Error(error) => subject.take(Input::Error(*error)),
        Step::Hang(since) => {
            let since = moment(*since);
            subject.take(Input::NotAnswering { since })
        }
        Step::Vanished => subject.take(Input::Vanished),
        Step::Returned => subject.take(Input::Returned),
        Step::Reappeared => subject.take(Input::Reappeared),
        Step::Clear => subject.take(Input::Clear),
    }
}

/// What is true of any report.
fn holds(report: &HealthReport) -> Result<(), TestCaseError> {
    prop_assert_eq!(report.evidence.is_empty(), report.state == HealthState::Ok);
    let states = report.evidence.iter().map(|known| known.state);
    let gates = report.evidence.iter().map(|known| known.gate);
    prop_assert_eq!(states.max().unwrap_or_default(), report.state);
    prop_assert_eq!(gates.max().unwrap_or_default(), report.gate);
    for known in &report.evidence {
        prop_assert!(known.state > HealthState::Ok && !known.name.is_empty());
        prop_assert!(known.since <= known.last && known.times > 0);
        prop_assert!(!known.to_string().is_empty());
        prop_assert!(
            known.latched || known.cause == Cause::RecoveryAction || !known.cause.latches()
        );
    }
    let first = report.evidence.first().map(|known| known.state);
    prop_assert!(first.is_none_or(|first| first == report.state));
    let xids = { report.evidence.iter() }.filter(|known| known.cause == Cause::Xid);
    prop_assert!(xids.count() <= MOST_XIDS && report.evidence.len() < MOST_XIDS + 20);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn failed_stays_failed_without_a_reset_or_an_operator(steps in prop::collection::vec(step(), 1..120)) {
        let mut subject = Subject::new();
        for step in &steps {
            let before = subject.machine.report();
            let outcome = take(&mut subject, step);
            let after = subject.machine.report();
            holds(&after)?;
            let takes_back = match step {
                Step::Reappeared | Step::Clear => true,
                Step::Returned => before.evidence.iter().any(|known| known.cause == Cause::Lost),
                _ => false,
            };
            if takes_back {
                prop_assert_eq!(after.state, HealthState::Ok);
            } else {
                // No latch opens, and none gets milder.
                for known in before.evidence.iter().filter(|known| known.latched && known.cause != Cause::Xid) {
                    prop_assert!(after.evidence.iter().any(|now| {
                        (now.cause, now.quantity) == (known.cause, known.quantity) && now.state >= known.state && now.gate >= known.gate
                    }), "{known:?}");
                }
                let worst = |report: &HealthReport| { report.evidence.iter() }
                    .filter(|known| known.latched).map(|known| (known.state, known.gate)).max();
                prop_assert!(worst(&after) >= worst(&before));
                prop_assert!(before.state != HealthState::Failed || after.state == HealthState::Failed);
            }
            // A change is said exactly where there is one, with what it is by.
            let (was, is) = ((before.state, before.gate), (after.state, after.gate));
            prop_assert_eq!(outcome.change.is_some(), was != is);
            if let Some(change) = outcome.change {
                prop_assert_eq!((change.from, change.to), (was, is));
                prop_assert_eq!(change.since, before.since);
                let expected = if is > was { after.evidence.first() } else { before.evidence.first() };
                prop_assert_eq!(change.evidence.as_ref(), expected);
            }
            prop_assert_eq!(before.since == after.since || before.state != after.state, true);
        }
    }

    /// Of faults at one moment the order does not matter.
    #[test]
    fn the_gate_is_as_closed_whatever_comes_first(
        (codes, shuffled) in prop::collection::vec(prop_oneof![13_u64..45, 46_u64..154, 155_u64..300], 1..30)
            .prop_flat_map(|codes| (Just(codes.clone()), Just(codes).prop_shuffle())),
    ) {
        let of = |codes: &[u64]| {
            let mut subject = Subject::new();
            let mut gates = Vec::new();
            for code in codes {
                subject.xid(*code);
                gates.push(subject.is());
            }
            // It only closes.
            assert!(gates.windows(2).all(|pair| pair[0] <= pair[1]));
            subject.is()
        };
        prop_assert_eq!(of(&codes), of(&shuffled));
    }

    /// Two threads tell one machine, and the later may come first.
    #[test]
    fn moments_may_come_in_any_order(steps in prop::collection::vec((step(), 0_u64..100_000), 1..60)) {
        let mut subject = Subject::new();
        for (step, now) in &steps {
            subject.now = *now;
            if !matches!(step, Step::Wait(_)) {
                take(&mut subject, step);
            }
            let report = subject.machine.report();
            let states = report.evidence.iter().map(|known| known.state);
            prop_assert_eq!(states.max().unwrap_or_default(), report.state);
        }
    }
}
