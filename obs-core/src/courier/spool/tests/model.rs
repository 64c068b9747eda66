//! Random histories of a courier with a spool on a simulated disk, against a model that is a list of what was pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;

use super::*;
use crate::courier::Accounts;

#[derive(Clone, Debug)]
enum Move {
    Push(usize, usize),
    Step,
    Pass(u64),
    Answer(Answer),
    Fault(Fault),
    /// The process ends; another begins.
    Kill,
    /// The machine ends, and keeps so many bytes of what was not synced.
    LosePower(usize),
    Shutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Deliver,
    Fail,
    Refuse,
    Reject,
    Panic,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Room(u64),
    Writes,
    Reads,
    Syncs,
    ReadOnly,
    Removed,
}

fn moves(faults: bool) -> impl Strategy<Value = Vec<Move>> {
    let answer = prop_oneof![
        4 => Just(Answer::Deliver),
        6 => Just(Answer::Fail),
        1 => Just(Answer::Refuse),
        1 => Just(Answer::Reject),
        1 => Just(Answer::Panic),
    ];
    let fault = prop_oneof![
        4 => Just(Fault::None),
        2 => (0u64..80_000).prop_map(Fault::Room),
        1 => Just(Fault::Writes),
        1 => Just(Fault::Reads),
        1 => Just(Fault::Syncs),
        1 => Just(Fault::ReadOnly),
        1 => Just(Fault::Removed),
    ];
    let fault = if faults {
        fault.prop_map(Move::Fault).boxed()
    } else {
        Just(Move::Step).boxed()
    };
    let one = prop_oneof![
        60 => (0usize..3, 0usize..60_000).prop_map(|(signal, bytes)| Move::Push(signal, bytes)),
        60 => Just(Move::Step),
        30 => (0u64..2_000).prop_map(Move::Pass),
        3 => Just(Move::Pass(40_000_000)),
        12 => answer.prop_map(Move::Answer),
        if faults { 12 } else { 1 } => fault,
        3 => Just(Move::Kill),
        1 => (0usize..100_000).prop_map(Move::LosePower),
        2 => Just(Move::Shutdown),
    ];
    proptest::collection::vec(one, 0..250)
}

/// Says what it is told to, and remembers who was taken, in order.
#[derive(Clone)]
struct Scripted(Arc<Mutex<Script>>);

type Script = (Answer, Vec<(Signal, u64)>);

impl Scripted {
    fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Scripted {
    fn send(&mut self, batch: &Batch, _: Instant) -> Sent {
        let mut script = self.lock();
        let number = u64::from_le_bytes(batch.body[..8].try_into().unwrap());
        let answer = script.0;
        if matches!(answer, Answer::Deliver | Answer::Reject) {
            script.1.push((batch.signal, number));
        }
        match answer {
            Answer::Deliver => Sent::DELIVERED,
            Answer::Fail => Sent::retry("down"),
            Answer::Refuse => Sent::refused("no"),
            Answer::Reject => Sent::Delivered {
                rejected: 1,
                message: None,
            },
            // Its hook would print each of them.
            Answer::Panic => std::panic::resume_unwind(Box::new("scripted")),
        }
    }
}

const MEMORY: usize = 200_000;
const DISK: u64 = 1 << 20;

struct Run {
    disk: SimulatedDisk,
    script: Scripted,
    courier: Courier,
    at: Instant,
    /// By number.
    pushed: BTreeMap<u64, (Signal, u64)>,
    /// Numbers taken before this process began.
    before: usize,
    pushed_items: u64,
    /// Dropped, or in memory at a sudden end, in all processes that are over.
    gone: u64,
    /// Whether a fault, or the end of the machine, may have cost order, or repeated something.
    disturbed: bool,
    sudden_ends: usize,
}

impl Run {
    fn new(fsync: Fsync) -> Self {
        let disk = SimulatedDisk::default();
        let script = Scripted(Arc::new(Mutex::new((Answer::Fail, Vec::new()))));
        let courier = Self::courier(&disk, &script, fsync);
        Self {
            disk,
            script,
            courier,
            at: now(),
            pushed: BTreeMap::new(),
            before: 0,
            pushed_items: 0,
            gone: 0,
            disturbed: false,
            sudden_ends: 0,
        }
    }

    fn courier(disk: &SimulatedDisk, script: &Scripted, fsync: Fsync) -> Courier {
        let spool = spool()
            .with_capacity_bytes(DISK)
            .with_fsync(fsync)
            .with_max_age(Duration::from_secs(30_000));
        let settings = Settings::default().with_capacity_bytes(MEMORY);
        courier_with(disk, script.clone(), settings, spool)
    }

    fn push(&mut self, signal: Signal, bytes: usize) {
        let number = self.pushed.len() as u64;
        let mut body = number.to_le_bytes().to_vec();
        body.resize(8 + bytes, number as u8);
        let items = 1 + number % 5;
        self.pushed.insert(number, (signal, items));
        self.pushed_items += items;
        self.courier.outbox().push(Batch::new(signal, body, items));
    }

    fn step(&mut self) -> Step {
        self.courier.step(self.at, self.at + PATIENCE)
    }

    fn taken(&self) -> Vec<(Signal, u64)> {
        self.script.lock().1.clone()
    }

    fn answer(&self, answer: Answer) {
        self.script.lock().0 = answer;
    }

    fn fault(&mut self, fault: Fault) {
        let mut faults = Faults::default();
        match fault {
            Fault::None => {}
            Fault::Room(room) => faults.room = Some(room),
            Fault::Writes => faults.failing_writes = true,
            Fault::Reads => faults.failing_reads = true,
            Fault::Syncs => faults.failing_syncs = true,
            Fault::ReadOnly => faults.read_only = true,
            Fault::Removed => self.disk.remove_all(),
        }
        self.disturbed |= !matches!(fault, Fault::None);
        self.disk.set_faults(faults);
    }

    /// Another process begins, on a disk without faults. What it finds must be what the last one had there.
    fn begin(&mut self, last: Accounts, fsync: Fsync, exact: bool) {
        self.disk.set_faults(Faults::default());
        self.before = self.taken().len();
        self.gone += last.total().dropped.total() + last.total().pending - last.total().spooled;
        self.courier = Self::courier(&self.disk, &self.script, fsync);
        self.pushed_items = 0;
        // As of the time of the last one: what it wrote is not too old yet.
        let answer = self.script.lock().0;
        self.answer(Answer::Fail);
        self.step();
        self.answer(answer);
        let found = self.courier.accounts();
        if exact && !self.disturbed {
            assert_eq!(
                found.total().recovered,
                last.total().spooled,
                "{last:?} {found:?}"
            );
            assert_eq!(found.spool_corrupt_bytes, 0);
        }
    }

    fn check(&self) {
        let accounts = self.courier.accounts();
        let mut delivered = [0; 3];
        for (signal, number) in &self.taken()[self.before..] {
            delivered[signal.index()] += self.pushed[number].1;
        }
        for signal in Signal::ALL {
            let account = accounts.of(signal);
            assert!(account.is_balanced(), "{signal}: {account:?}");
            assert!(account.spooled <= account.pending, "{signal}: {account:?}");
            let rejected = account.dropped.by(DropReason::Rejected);
            assert!(
                account.delivered <= delivered[signal.index()]
                    && delivered[signal.index()] <= account.delivered + rejected,
                "{signal}: took {delivered:?}, {account:?}"
            );
        }
        let total = accounts.total();
        assert_eq!(total.accepted, self.pushed_items + total.recovered);
        assert!(accounts.pending_bytes <= MEMORY as u64, "{accounts:?}");
        assert!(
            self.disk.segment_bytes() <= DISK,
            "{}",
            self.disk.segment_bytes()
        );
        self.check_order();
    }

    fn check_order(&self) {
        let mut last: BTreeMap<Signal, u64> = BTreeMap::new();
        let (mut seen, mut repeated) = (BTreeSet::new(), 0);
        for (signal, number) in self.taken() {
            if !seen.insert(number) {
                repeated += 1;
                continue;
            }
            let before = last.insert(signal, number);
            assert!(
                self.disturbed || before.is_none_or(|before| before < number),
                "{signal}: {number} after {before:?}"
            );
        }
        assert!(
            self.disturbed || repeated <= self.sudden_ends,
            "{repeated} repeated"
        );
    }

    /// Everything that is left arrives or is counted.
    fn finish(mut self) {
        self.disk.set_faults(Faults::default());
        self.answer(Answer::Deliver);
        for _ in 0..2000 {
            let at = self.at;
            match self.step() {
                Step::Sent => {}
                Step::Waiting(until) => self.at = until.max(at + Duration::from_millis(1)),
                _ => break,
            }
        }
        self.check();
        let total = self.courier.accounts().total();
        assert_eq!(total.pending, 0, "{total:?}");
        let result = self.courier.shutdown(now() + PATIENCE);
        assert_eq!(result.is_ok(), total.dropped.total() == 0, "{result:?}");
        assert_eq!(self.disk.segment_bytes(), 0);
        if self.disturbed {
            return;
        }
        // No item is both: what was never taken is what was dropped, or in memory at a sudden end.
        let taken: BTreeSet<_> = self.taken().iter().map(|(_, number)| *number).collect();
        let missing = self
            .pushed
            .iter()
            .filter(|(number, _)| !taken.contains(number));
        let missing: u64 = missing.map(|(_, (_, items))| *items).sum();
        let rejected = total.dropped.by(DropReason::Rejected);
        assert!(missing <= self.gone + total.dropped.total());
        assert!(missing + rejected + self.rejected_before() >= self.gone + total.dropped.total());
    }

    /// At most one of each batch that was taken.
    fn rejected_before(&self) -> u64 {
        self.taken().len() as u64
    }
}

fn play(moves: Vec<Move>, fsync: Fsync) {
    let mut run = Run::new(fsync);
    for step in moves {
        match step {
            Move::Push(signal, bytes) => run.push(Signal::ALL[signal], bytes),
            Move::Step => drop(run.step()),
            Move::Pass(millis) => run.at += Duration::from_millis(millis),
            Move::Answer(answer) => run.answer(answer),
            Move::Fault(fault) => run.fault(fault),
            Move::Kill => {
                let last = run.courier.accounts();
                run.sudden_ends += 1;
                run.begin(last, fsync, true);
            }
            Move::LosePower(kept) => {
                let last = run.courier.accounts();
                run.disk.lose_power(kept);
                run.sudden_ends += 1;
                let lasting = fsync == Fsync::EachBatch && kept == 0;
                run.begin(last, fsync, lasting);
                run.disturbed |= !lasting;
            }
            Move::Shutdown => {
                let result = run.courier.shutdown(now());
                let last = run.courier.accounts();
                assert_eq!(
                    result.is_ok(),
                    last.total().dropped.total() == 0,
                    "{result:?}"
                );
                assert_eq!(last.total().pending, last.total().spooled);
                run.begin(last, fsync, true);
            }
        }
        run.check();
    }
    run.finish();
}

fn policies() -> impl Strategy<Value = Fsync> {
    prop_oneof![
        Just(Fsync::Never),
        Just(Fsync::EachBatch),
        Just(Fsync::Every(Duration::from_millis(500))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn on_a_sound_disk_every_item_is_in_one_place_and_in_order(moves in moves(false), fsync in policies()) {
        play(moves, fsync);
    }

    #[test]
    fn on_a_failing_disk_every_item_is_in_one_place(moves in moves(true), fsync in policies()) {
        play(moves, fsync);
    }
}
