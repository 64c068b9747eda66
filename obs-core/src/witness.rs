//! Who is told of each operation that ends in a session, whether it is exported or not: ledgers.

use crate::contain::contain;
use crate::engine::Engine;
use crate::engine::live::Live;
use crate::record::Record;
use crate::setup::Telemetry;
use std::cell::Cell;
use std::sync::OnceLock;

/// Is told of each operation that ends in a [session](crate::Session), sampled or not, as it ends.
///
/// A [`Subscriber`](crate::Subscriber) sees what is exported, later, on another thread: sums over that depend on sampling. A
/// witness is called on the thread that ends the operation, before [`Operation::end`](crate::Operation::end) returns, so what it
/// sums up is whole and can be relied on at once. Therefore it must be quick: it reads what it needs and neither waits nor
/// allocates in steady state.
///
/// Texts are as the operation has them, before any [redactor](crate::redact) but what [`UserIds`](crate::redact::UserIds) made
/// of the user's id. Operations of a kind that is [disabled](crate::StatsLevel::Disabled) are not recorded, and so not told of;
/// neither are those that a witness records itself while it is told, and those whose session was set before there was a witness.
///
/// A panic in it is contained and [counted](crate::EngineCounts::panics). After the shutdown it is told nothing. In a child that
/// was [forked](crate::Builder::manual) it is the same witness, with whatever its memory held at the fork.
///
/// ```
/// use obs_core::{Record, SessionWitness, Telemetry};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Debug, Default)]
/// struct Ended(AtomicU64);
///
/// impl SessionWitness for Ended {
///     fn ended(&self, _: &Record<'_>) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// assert!(telemetry.witness_sessions(Ended::default()));
/// # Ok::<(), obs_core::Error>(())
/// ```
pub trait SessionWitness: Send + Sync + 'static {
    /// This operation ended. Its [session](Record::session) is there.
    fn ended(&self, record: &Record<'_>);

    /// The telemetry is about to shut down: what is emitted now is delivered, what is emitted later is not. Called once, by whoever
    /// shuts down, when the operations that were running have had their time to end.
    fn closing(&self) {}
}

/// As many as one telemetry has room for.
const MOST: usize = 8;

/// Those of one telemetry. They are only added, so reading takes no lock.
#[derive(Default)]
pub(crate) struct Witnesses([OnceLock<Box<dyn SessionWitness>>; MOST]);

impl Witnesses {
    fn add(&self, mut witness: Box<dyn SessionWitness>) -> bool {
        for place in &self.0 {
            match place.set(witness) {
                Ok(()) => return true,
                Err(back) => witness = back,
            }
        }
        false
    }

    #[inline(always)]
    pub(crate) fn are_there(&self) -> bool {
        self.0[0].get().is_some()
    }

    fn iter(&self) -> impl Iterator<Item = &dyn SessionWitness> {
        self.0
            .iter()
            .map_while(|place| place.get().map(|witness| &**witness))
    }
}

impl Telemetry {
    /// From now on `witness` is told of operations in sessions. It stays for as long as the telemetry. Here and not on the
    /// [`Builder`](crate::Builder), as a ledger needs the telemetry that it emits its summaries through.
    ///
    /// False where there is no room for another one, which [`warnings`](Self::warnings) say, too: there is for eight.
    pub fn witness_sessions(&self, witness: impl SessionWitness) -> bool {
        let engine = self.engine();
        let taken = engine.witnesses.add(Box::new(witness));
        if !taken {
            let warning =
                format!("there are {MOST} witnesses of sessions: a further one is told nothing");
            engine.diagnostics.warn(warning);
        }
        taken
    }
}

thread_local! {
    /// Whether a witness is at work on this thread. Without a destructor: operations end in those of others.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

impl Live {
    /// When all that is to be said of it has been said, and nothing of ours is taken out of its place: witnesses are code of users.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell_witnesses(&mut self) {
        let engine = self.kind.engine;
        // One that tells of itself would be told of that in turn, for ever.
        if engine.is_closed() || WITHIN.replace(true) {
            return;
        }
        self.settle();
        let anchor = engine.clock.anchor();
        let record = Record::new(self, &anchor);
        engine.each_witness(|witness| witness.ended(&record));
        WITHIN.set(false);
    }
}

impl Engine {
    pub(crate) fn tell_witnesses_of_the_end(&self) {
        self.each_witness(|witness| witness.closing());
    }

    fn each_witness(&self, tell: impl Fn(&dyn SessionWitness)) {
        for witness in self.witnesses.iter() {
            if contain(|| tell(witness)).is_none() {
                self.counts.panics.add(1);
            }
        }
    }
}
