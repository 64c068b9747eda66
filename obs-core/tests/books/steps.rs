//! Any sequence of what can happen, on one thread: the books are exact after each step.

use super::{FAILED, Scripted, assert_closed, event, panic_silently, refuses_one_item};
use crate::support::{WORK, builder, sampler};
use obs_core::courier::{Sent, Settings, Signal};
use obs_core::{Delivery, KeepPolicy, Kind, Labels, Operation, Outcome, Parent, Telemetry};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    /// A root that the head left out, with so many children, which fails or not.
    Trace(u8, bool),
    /// One that stays open, with children that wait for it.
    Open(u8),
    /// The oldest open one ends.
    Close(bool),
    /// So many forced ones at once: more than a ring holds.
    Burst(u16),
    Emit(u8),
    Collect,
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6_u8, any::<bool>()).prop_map(|(children, fails)| Step::Trace(children, fails)),
        (1..6_u8).prop_map(Step::Open),
        any::<bool>().prop_map(Step::Close),
        (1..900_u16).prop_map(Step::Burst),
        (1..5_u8).prop_map(Step::Emit),
        Just(Step::Collect),
        Just(Step::Flush),
    ]
}

/// What becomes of each batch in turn, for ever.
fn answer(of: u8) -> Sent {
    match of {
        0 => Sent::retry("away"),
        1 => Sent::refused("no"),
        2 => refuses_one_item(),
        3 => panic_silently(),
        _ => Sent::DELIVERED,
    }
}

#[derive(Debug, Default)]
struct Run {
    open: std::collections::VecDeque<(Operation, u64)>,
    spans: u64,
    logs: u64,
}

const SOON: Duration = Duration::from_millis(5);
/// Of children in one trace.
const ROOM: u8 = 3;

impl Run {
    fn root(&mut self, kind: &'static Kind, children: u8) -> Operation {
        let mut root = kind.start(Labels::NONE, Parent::Root);
        let recorded = root.is_recording();
        root.scope(|| {
            for _ in 0..children {
                kind.start(Labels::NONE, Parent::Current)
                    .end(Outcome::ANSWERED);
            }
        });
        self.spans += u64::from(children) * u64::from(recorded);
        root
    }

    fn end(&mut self, root: Operation, fails: bool) {
        self.spans += u64::from(fails && root.is_recording());
        root.end(if fails { FAILED } else { Outcome::ANSWERED });
    }

    fn take(&mut self, step: &Step, telemetry: Telemetry) {
        let kind = telemetry.kind(&WORK);
        match step {
            Step::Trace(children, fails) => {
                let root = self.root(kind, *children);
                self.end(root, *fails);
            }
            Step::Open(children) => {
                let root = self.root(kind, *children);
                let waiting = u64::from((*children).min(ROOM)) * u64::from(root.is_recording());
                self.open.push_back((root, waiting));
            }
            Step::Close(fails) => {
                if let Some((root, _)) = self.open.pop_front() {
                    self.end(root, *fails);
                }
            }
            Step::Burst(count) => {
                for _ in 0..*count {
                    let mut root = kind.start(Labels::NONE, Parent::Root);
                    self.spans += u64::from(root.is_recording());
                    if let Some(mut active) = root.active() {
                        active.force_keep();
                    }
                    root.end(Outcome::ANSWERED);
                }
            }
            Step::Emit(count) => {
                (0..*count).for_each(|_| telemetry.emit(event()));
                self.logs += u64::from(*count);
            }
            Step::Collect => drop(telemetry.collect(Duration::from_secs(60))),
            Step::Flush => drop(telemetry.flush(SOON)),
        }
    }

    fn check(&self, telemetry: Telemetry, waiting: u64) -> Result<(), TestCaseError> {
        for (name, books) in telemetry.books_by_destination() {
            prop_assert!(books.is_balanced(), "{}: {:#?}", name, books);
            prop_assert_eq!(books.traces.created, self.spans, "{}: {:#?}", name, books);
            prop_assert_eq!(books.logs.created, self.logs, "{}: {:#?}", name, books);
            prop_assert_eq!(books.traces.waiting, waiting, "{}: {:#?}", name, books);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_are_exact_after_each_step(
        before in prop::collection::vec(step(), 1..14),
        after in prop::collection::vec(step(), 0..6),
        answers in prop::collection::vec(0..8_u8, 1..9),
    ) {
        let of = move |batch: u64, _: Signal| answer(answers[batch as usize % answers.len()]);
        let (weather, taken) = Scripted::new(of);
        let (calm, taken_too) = Scripted::new(|_, _| Sent::DELIVERED);
        let mut keep = KeepPolicy::default();
        keep.parked_children = ROOM.into();
        let small = Settings::default()
            .with_capacity_bytes(24 << 10)
            .with_backoff(Duration::from_millis(1), Duration::from_millis(1));
        let telemetry = builder()
            .with_sampler(sampler(false))
            .with_keep(keep)
            .with_shutdown_grace(Duration::ZERO)
            .with_delivery(Delivery::through(weather).named("weather").with_settings(small))
            .with_delivery(Delivery::through(calm).named("calm"))
            .manual()
            .build()
            .expect("usable");
        let mut run = Run::default();
        for step in &before {
            run.take(step, telemetry);
            run.check(telemetry, run.open.iter().map(|(_, waiting)| waiting).sum())?;
        }
        let told = telemetry.shutdown(Duration::from_millis(20));
        run.check(telemetry, 0)?;
        let lost = telemetry.books().lost();
        prop_assert_eq!(told.clone().map_or_else(|error| error.losses(), |()| Default::default()), lost);
        prop_assert_eq!(told.is_ok(), lost.total() == 0);
        // Nothing is wanted any more, and what was open before and ends now is counted all the same.
        for step in &after {
            run.take(step, telemetry);
            run.check(telemetry, 0)?;
        }
        for ((name, books), taken) in telemetry.books_by_destination().iter().zip([taken, taken_too]) {
            assert_closed(books);
            for signal in Signal::ALL {
                prop_assert_eq!(books.of(signal).delivered, taken.of(signal), "{} {}", name, signal);
            }
        }
    }
}
