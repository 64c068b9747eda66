//! A real store on a simulated disk, with everything that others do while it is at work in between: random interleavings of
//! whoever pushes, whoever sends, and the worker at the disk.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Next, Outcome};
use super::*;
use crate::courier::spool::Keeper;
use crate::courier::spool::simulated::{Faults, SimulatedDisk};
use crate::courier::time::now;
use crate::courier::{Sent, Settings};

#[derive(Clone, Debug)]
enum Move {
    Push(usize, usize),
    Take,
    Answer(Answer),
    /// The next part of the worker's work: to take a job, to do it, to file it, to do what is left.
    Work,
    Pass(u64),
    Fault(Option<u64>),
    Hurry,
    Drain,
    Keep,
    Close,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Deliver,
    Fail,
    Refuse,
    Panic,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let answer = prop_oneof![
        3 => Just(Answer::Deliver),
        3 => Just(Answer::Fail),
        1 => Just(Answer::Refuse),
        1 => Just(Answer::Panic),
    ];
    let one = prop_oneof![
        60 => (0usize..3, 0usize..40_000).prop_map(|(signal, bytes)| Move::Push(signal, bytes)),
        60 => Just(Move::Take),
        60 => answer.prop_map(Move::Answer),
        200 => Just(Move::Work),
        30 => (0u64..600).prop_map(Move::Pass),
        3 => (2_000u64..70_000).prop_map(Move::Pass),
        3 => proptest::option::of(0u64..100_000).prop_map(Move::Fault),
        5 => Just(Move::Hurry),
        1 => Just(Move::Drain),
        1 => Just(Move::Keep),
        1 => Just(Move::Close),
    ];
    proptest::collection::vec(one, 0..400)
}

/// Where the worker is.
enum Stage {
    Idle,
    Has(Job),
    Did(Filed),
    Owes(Fate),
}

struct Play {
    disk: SimulatedDisk,
    ledger: Ledger,
    keeper: Keeper,
    stage: Stage,
    flying: Option<Queued>,
    at: Instant,
    pushed: BTreeMap<u64, u64>,
    accepted: u64,
    delivered: BTreeSet<u64>,
    delivered_items: u64,
    last: BTreeMap<Signal, u64>,
    /// The disk was given up on for a while, or failed: order may be lost.
    disturbed: bool,
}

const MEMORY: usize = 200_000;

fn settings() -> SpoolSettings {
    SpoolSettings::at("simulated").with_capacity_bytes(1 << 20)
}

impl Play {
    fn new() -> Self {
        let disk = SimulatedDisk::default();
        let spool = settings();
        let keeper = Keeper::with_files(disk.files(), &spool);
        let settings = Settings::default().with_capacity_bytes(MEMORY);
        Self {
            disk,
            ledger: Ledger::new(&settings.with_spool(spool)),
            keeper,
            stage: Stage::Idle,
            flying: None,
            at: now(),
            pushed: BTreeMap::new(),
            accepted: 0,
            delivered: BTreeSet::new(),
            delivered_items: 0,
            last: BTreeMap::new(),
            disturbed: false,
        }
    }

    fn push(&mut self, signal: Signal, bytes: usize) {
        let number = self.pushed.len() as u64;
        let mut body = number.to_le_bytes().to_vec();
        body.resize(8 + bytes, 0);
        let items = 1 + number % 5;
        self.pushed.insert(number, items);
        self.accepted += items;
        self.ledger.push(Batch::new(signal, body, items), self.at);
    }

    /// Whether there was something to do.
    fn work(&mut self) -> bool {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => match self.ledger.disk_turn(self.at) {
                DiskTurn::Do(job) => Stage::Has(job),
                DiskTurn::Wait(_) | DiskTurn::Over => return false,
            },
            Stage::Has(job) => Stage::Did(self.keeper.work(job, self.at)),
            Stage::Did(filed) => match self.ledger.file(filed, self.at) {
                Fate::Kept => Stage::Idle,
                fate => Stage::Owes(fate),
            },
            Stage::Owes(fate) => {
                if let Some(filed) = self.keeper.settle(fate) {
                    self.ledger.file(filed, self.at);
                }
                Stage::Idle
            }
        };
        true
    }

    fn take(&mut self) {
        match self.ledger.next(self.at) {
            Next::Send(queued) => {
                assert!(self.flying.is_none(), "two in flight");
                self.flying = Some(queued);
            }
            Next::Wait(_) | Next::Closed => {}
        }
    }

    fn answer(&mut self, answer: Answer) {
        let Some(queued) = self.flying.take() else {
            return;
        };
        let counts = self.ledger.in_flight.is_some();
        let outcome = match answer {
            Answer::Deliver => Outcome::Sent(Sent::DELIVERED),
            Answer::Fail => Outcome::Sent(Sent::retry("down")),
            Answer::Refuse => Outcome::Sent(Sent::refused("no")),
            Answer::Panic => Outcome::Panicked("boom".into()),
        };
        if counts && matches!(answer, Answer::Deliver) {
            let number = u64::from_le_bytes(queued.batch.body[..8].try_into().unwrap());
            assert!(self.delivered.insert(number), "{number} twice");
            self.delivered_items += queued.batch.items;
            let before = self.last.insert(queued.batch.signal, number);
            assert!(self.disturbed || before.is_none_or(|before| before < number));
        }
        self.ledger.settle(queued, outcome, self.at);
    }

    fn pass(&mut self, millis: u64) {
        self.at += Duration::from_millis(millis);
        let given_up = self.ledger.disk.given_up_at();
        self.disturbed |= given_up.is_some_and(|at| at <= self.at);
    }

    /// What the ledger says, recomputed from what it holds and from what was done.
    fn check(&self) {
        let ledger = &self.ledger;
        let accounts = ledger.accounts();
        let mut bytes = 0;
        for signal in Signal::ALL {
            let lane = &ledger.lanes[signal.index()];
            let account = accounts.of(signal);
            assert!(account.is_balanced(), "{signal}: {account:?}");
            let items = |batches: &std::collections::VecDeque<Queued>| -> u64 {
                batches.iter().map(|queued| queued.batch.items).sum()
            };
            let flight = ledger
                .in_flight
                .as_ref()
                .filter(|flight| flight.signal == signal);
            let saved = flight.filter(|flight| flight.saved.is_some());
            let on_disk = lane.shelf.items
                + items(&lane.shelf.loaded)
                + saved.map_or(0, |flight| flight.items);
            let unsaved =
                flight.map_or(0, |flight| flight.items) - saved.map_or(0, |flight| flight.items);
            if ledger.phase != Phase::Closed {
                assert_eq!(account.spooled, on_disk, "{signal}");
                assert_eq!(
                    account.pending,
                    on_disk + unsaved + items(&lane.queue),
                    "{signal}"
                );
            }
            assert!(account.spooled <= account.pending);
            let held = lane.shelf.loaded.iter().chain(&lane.queue);
            bytes += held.map(|queued| queued.batch.weight()).sum::<usize>();
            bytes += flight.map_or(0, |flight| flight.weight);
        }
        assert_eq!(accounts.pending_bytes as usize, bytes);
        assert!(bytes <= MEMORY, "over the cap: {bytes}");
        assert!(self.disk.segment_bytes() <= 1 << 20);
        assert_eq!(accounts.total().accepted, self.accepted);
        assert_eq!(accounts.total().delivered, self.delivered_items);
    }

    fn work_out(&mut self) {
        let busy = (0..20_000).all(|_| self.work());
        assert!(!busy, "there is no end to it");
    }

    /// What is left arrives or is counted; after the end it is on disk, exactly.
    fn finish(mut self) {
        self.disk.set_faults(Faults::default());
        for round in 0..20_000 {
            assert!(round < 19_999, "it does not get on");
            let busy = self.work();
            self.take();
            if self.flying.is_some() {
                self.answer(Answer::Deliver);
            } else if !busy {
                let total = self.ledger.accounts().total();
                if total.pending == 0 || matches!(self.ledger.phase, Phase::Closed | Phase::Keeping)
                {
                    break;
                }
                self.pass(500);
            }
            self.check();
        }
        self.ledger.keep();
        self.work_out();
        self.ledger.close();
        self.work_out();
        let total = self.ledger.accounts().total();
        assert_eq!(total.pending, total.spooled, "{total:?}");
        drop(self.keeper);
        let mut next = Keeper::with_files(self.disk.files(), &settings());
        let Report::Opened(Ok(Some(found))) = next.work(Job::Open, self.at).report else {
            panic!("nobody has it")
        };
        let found: u64 = found.lanes.iter().map(|count| count.items).sum();
        assert_eq!(found, total.spooled, "{total:?}");
    }
}

#[test]
fn what_is_answered_while_all_is_made_last_is_not_sent_again_by_the_next() {
    for removed in [false, true] {
        let mut play = Play::new();
        play.work_out();
        play.push(Signal::Traces, 10);
        play.take();
        play.pass(600);
        play.work_out();
        assert_eq!(play.ledger.accounts().traces.spooled, 1, "written");
        play.ledger.keep();
        while !matches!(play.stage, Stage::Has(Job::Finish)) {
            assert!(play.work(), "it does not get to the end");
        }
        if removed {
            play.disk.remove_all();
        }
        play.work();
        play.answer(Answer::Deliver);
        play.check();
        assert_eq!(play.ledger.accounts().traces.delivered, 1);
        play.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_while_the_disk_is_at_work_every_item_is_in_one_place(moves in moves()) {
        let mut play = Play::new();
        for step in moves {
            match step {
                Move::Push(signal, bytes) => play.push(Signal::ALL[signal], bytes),
                Move::Take => play.take(),
                Move::Answer(answer) => play.answer(answer),
                Move::Work => drop(play.work()),
                Move::Pass(millis) => play.pass(millis),
                Move::Fault(room) => {
                    play.disturbed |= room.is_some();
                    play.disk.set_faults(Faults { room, ..Faults::default() });
                }
                Move::Hurry => play.ledger.hurry(),
                Move::Drain => play.ledger.drain(play.at + Duration::from_secs(1)),
                Move::Keep => play.ledger.keep(),
                Move::Close => play.ledger.close(),
            }
            play.check();
        }
        play.finish();
    }
}
