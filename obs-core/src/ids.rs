//! Trace and span ids: where they come from, and the generator behind them.
//!
//! Ids must not collide across every thread of every process that ever sends to the same backend, so the generator has
//! 128 bits of state: with 64 bits all threads of a fleet would walk one short orbit and overlap. It is Lehmer's, the upper
//! half of a 128-bit product: two multiplications a word, a third of what xoroshiro128++ takes, and as good a
//! distribution for this (it passes BigCrush; <https://lemire.me/blog/2019/03/19/the-fastest-conventional-random-number-generator-that-can-pass-big-crush/>).

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

use crate::contain::contain;
use crate::engine::live::Live;

/// The `random` bit of trace flags: the last 7 bytes of the trace id are random, so that samplers may use them
/// ([Trace Context Level 2](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag)).
pub const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// Makes the ids of new traces and operations.
///
/// Implementations are called on the caller's thread for every operation that needs an id: they must not block, and
/// should not return an all-zero id, which is invalid on every wire. Where one does, or panics (which is contained and
/// counted), the operation gets a random id.
pub trait IdGenerator: fmt::Debug + Send + Sync {
    /// The id of a new trace; never [`TraceId::INVALID`].
    fn new_trace_id(&self) -> TraceId;

    /// The id of a new operation; never [`SpanId::INVALID`].
    fn new_span_id(&self) -> SpanId;

    /// Whether the last 7 bytes of [`new_trace_id`](Self::new_trace_id) are uniformly random. It decides the
    /// [`RANDOM`] flag on what is propagated; say `true` only if they are, since samplers downstream build on it.
    fn has_random_trace_ids(&self) -> bool {
        false
    }
}

/// The default generator: random ids from a generator of the calling thread, no lock and no allocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdGenerator for RandomIds {
    #[inline]
    fn new_trace_id(&self) -> TraceId {
        with_thread_rng(Rng::trace_id)
    }

    #[inline]
    fn new_span_id(&self) -> SpanId {
        with_thread_rng(Rng::span_id)
    }

    fn has_random_trace_ids(&self) -> bool {
        true
    }
}

impl Live {
    /// Ids by a generator of this thread.
    #[inline(always)]
    pub(crate) fn random_ids(&mut self, rng: &mut Rng) {
        rng.refresh();
        if self.trace_id == 0 {
            self.trace_id = rng.trace_bits();
            self.trace_flags = RANDOM.to_u8();
        }
        self.span_id = rng.next_nonzero();
    }

    /// Ids by the service's own generator; by ours where that panics or makes none.
    #[cold]
    pub(crate) fn own_ids(&mut self) {
        let engine = self.kind.engine;
        let Some(own) = &engine.config.ids else {
            return;
        };
        let begins = self.trace_id == 0;
        let made = contain(|| {
            let trace = begins.then(|| (own.new_trace_id(), own.has_random_trace_ids()));
            (trace, own.new_span_id())
        });
        let (trace, span) = made.unwrap_or_else(|| {
            engine.counts.panics.add(1);
            (begins.then_some((TraceId::INVALID, true)), SpanId::INVALID)
        });
        if let Some((id, random)) = trace {
            let (id, random) = match id {
                TraceId::INVALID => (RandomIds.new_trace_id(), true),
                id => (id, random),
            };
            self.trace_id = u128::from_be_bytes(id.to_bytes());
            let flags = random.then_some(RANDOM);
            self.trace_flags = flags.map_or(0, TraceFlags::to_u8);
        }
        let span = match span {
            SpanId::INVALID => RandomIds.new_span_id(),
            span => span,
        };
        self.span_id = u64::from_be_bytes(span.to_bytes());
    }
}

/// Lehmer's generator with 128 bits of state, to be owned by one thread. Fast and well distributed, not for secrets.
pub struct Rng {
    /// Odd, always.
    state: u128,
    epoch: u32,
}

/// The one of `lehmer64`, chosen for its spectrum (Steele and Vigna, "Computationally easy, spectrally good multipliers").
const MULTIPLIER: u128 = 0xda94_2042_e4dd_58b5;

impl Rng {
    /// A generator seeded from the operating system's randomness (by way of std's hasher keys), the process id, a
    /// counter and an address, so that no two threads and no forked child share a sequence.
    #[must_use]
    pub fn from_entropy() -> Self {
        static SEEDS: AtomicU64 = AtomicU64::new(0);
        let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
        let state = std::array::from_fn(|word| {
            // Hasher keys are inherited by a forked child together with their counter: only the process id tells the
            // two apart. The address adds what the loader randomised.
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u64(seed);
            hasher.write_u32(std::process::id());
            hasher.write_usize(&raw const seed as usize);
            hasher.write_usize(word);
            hasher.finish()
        });
        Self::from_state(state, EPOCH.load(Ordering::Relaxed))
    }

    /// A generator with a fixed sequence, for tests and replays.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        // SplitMix64: close seeds give unrelated states.
        let mut x = seed;
        let state = std::array::from_fn(|_| {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self::from_state(state, EPOCH.load(Ordering::Relaxed))
    }

    fn from_state([high, low]: [u64; 2], epoch: u32) -> Self {
        // Even states lie on short orbits.
        let state = u128::from(high) << 64 | u128::from(low) | 1;
        Self { state, epoch }
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(MULTIPLIER);
        (self.state >> 64) as u64
    }

    /// A new trace id, never zero, all 16 bytes random.
    #[inline]
    pub fn trace_id(&mut self) -> TraceId {
        TraceId::from(self.trace_bits())
    }

    #[inline(always)]
    pub(crate) fn trace_bits(&mut self) -> u128 {
        // Never zero because the half that no sampler reads is not.
        let high = self.next_nonzero();
        u128::from(high) << 64 | u128::from(self.next_u64())
    }

    /// A new span id, never zero.
    #[inline]
    pub fn span_id(&mut self) -> SpanId {
        SpanId::from(self.next_nonzero())
    }

    /// Seeds anew if [`reseed`] was called since this generator was made; otherwise one load and one compare.
    #[inline]
    pub fn refresh(&mut self) {
        if self.epoch != EPOCH.load(Ordering::Relaxed) {
            self.renew();
        }
    }

    #[cold]
    #[inline(never)]
    fn renew(&mut self) {
        *self = Self::from_entropy();
    }

    #[inline(always)]
    pub(crate) fn next_nonzero(&mut self) -> u64 {
        loop {
            let word = self.next_u64();
            if word != 0 {
                return word;
            }
        }
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rng").finish_non_exhaustive() // its state foretells ids: not for logs
    }
}

/// Makes every thread's [`RandomIds`] (and every [`Rng`] at its next [`refresh`](Rng::refresh)) seed anew.
///
/// To be called in a forked child, which otherwise continues the sequence of its parent. A telemetry in
/// [manual mode](crate::Builder::manual) notices a fork by itself; where there are threads, asking for the process id would
/// cost a system call per id.
pub fn reseed() {
    // Zero means "never seeded"; to come round to it takes 2^32 forks in one line of descent.
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

static EPOCH: AtomicU32 = AtomicU32::new(1);

thread_local! {
    // Constant and without a destructor: usable at any time in a thread's life, its end included.
    static THREAD: (Cell<u128>, Cell<u32>) = const { (Cell::new(0), Cell::new(0)) };
}

#[inline]
fn with_thread_rng<T>(draw: impl FnOnce(&mut Rng) -> T) -> T {
    THREAD.with(|(state, epoch)| {
        let mut rng = Rng {
            state: state.get(),
            epoch: epoch.get(),
        };
        rng.refresh();
        let drawn = draw(&mut rng);
        state.set(rng.state);
        epoch.set(rng.epoch);
        drawn
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn follows_the_reference_sequence() {
        // First outputs for the state 2^64 + 3, from Python's integers.
        let mut rng = Rng::from_state([1, 2], 0);
        let drawn: [u64; 4] = std::array::from_fn(|_| rng.next_u64());
        assert_eq!(
            drawn,
            [
                15_750_249_268_501_108_919,
                3_032_005_217_812_357_399,
                5_791_640_937_270_758_783,
                9_304_363_626_964_388_973
            ]
        );
    }

    #[test]
    fn a_dead_state_is_never_entered() {
        let mut rng = Rng::from_state([0; 2], 0);
        assert!((0..8).any(|_| rng.next_u64() != 0));
    }

    #[test]
    fn seeds_decide_the_sequence() {
        let ids = |seed| {
            let mut rng = Rng::from_seed(seed);
            (rng.trace_id(), rng.span_id())
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }

    #[test]
    fn threads_and_calls_never_share_an_id() {
        let draw = || {
            (0..2_000)
                .map(|_| (RandomIds.new_trace_id(), RandomIds.new_span_id()))
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let all: Vec<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .chain(draw())
            .collect();
        assert_eq!(
            all.iter()
                .map(|(trace, _)| *trace)
                .collect::<HashSet<_>>()
                .len(),
            all.len()
        );
        assert_eq!(
            all.iter()
                .map(|(_, span)| *span)
                .collect::<HashSet<_>>()
                .len(),
            all.len()
        );
        assert!(
            all.iter()
                .all(|(trace, span)| *trace != TraceId::INVALID && *span != SpanId::INVALID)
        );
    }

    #[test]
    fn a_reseeded_generator_leaves_its_sequence() {
        let (mut stays, mut leaves) = (Rng::from_seed(1), Rng::from_seed(1));
        leaves.refresh();
        assert_eq!(
            stays.next_u64(),
            leaves.next_u64(),
            "nothing to refresh yet"
        );
        reseed();
        leaves.refresh();
        assert_ne!(stays.next_u64(), leaves.next_u64());
    }
}
