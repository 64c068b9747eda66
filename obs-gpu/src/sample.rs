//! The few numbers that a call is explained by, as they were at one moment.

use obs_core::Moment;
use std::fmt;

/// A device at one moment: what a [snapshot](crate::Gpu::sample) gives and a [ring](crate::Gpu::history) keeps. What is absent is
/// `None`, never zero.
///
/// It is eight words, so that reading one is copying them, and ten minutes of them are small. What does not fit is cut: a share
/// above two is as good as two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    at: Moment,
    words: [u64; Sample::WORDS - 1],
}

/// Bits of a share in millionths; all set is absent.
const SHARE: u32 = 21;
/// Bits of a power in milliwatts.
const POWER: u32 = 43;

/// Where in the words, from which bit on and how many, something is.
#[derive(Clone, Copy)]
struct Place(usize, u32, u32);

const UTILIZATION: Place = Place(0, 0, SHARE);
const DRAM: Place = Place(0, SHARE, SHARE);
const TENSOR: Place = Place(0, 2 * SHARE, SHARE);
const CLOCK: Place = Place(1, 0, SHARE);
const MILLIWATTS: Place = Place(1, SHARE, POWER);
const USED: Place = Place(2, 0, 64);
const TOTAL: Place = Place(3, 0, 64);
const ENERGY: Place = Place(4, 0, 64);
const THROTTLE: Place = Place(5, 0, 64);
const NVLINK: Place = Place(6, 0, 64);

impl Place {
    const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.2)
    }
}

impl Sample {
    /// Words of one.
    pub(crate) const WORDS: usize = 8;

    /// One of which only the moment is known.
    pub const fn new(at: Moment) -> Self {
        Self {
            at,
            words: [u64::MAX; Self::WORDS - 1],
        }
    }

    #[inline(always)]
    pub(crate) fn to_words(self) -> [u64; Self::WORDS] {
        let [a, b, c, d, e, f, g] = self.words;
        [self.at.to_bits(), a, b, c, d, e, f, g]
    }

    /// `None` where there never was one.
    #[inline(always)]
    pub(crate) fn from_words([at, words @ ..]: [u64; Self::WORDS]) -> Option<Self> {
        Some(Self {
            at: Moment::from_bits(at)?,
            words,
        })
    }

    const fn get(&self, place: Place) -> Option<u64> {
        let value = (self.words[place.0] >> place.1) & place.mask();
        if value == place.mask() {
            None
        } else {
            Some(value)
        }
    }

    fn set(mut self, place: Place, value: Option<u64>) -> Self {
        let value = value.map_or(place.mask(), |value| value.min(place.mask() - 1));
        let word = &mut self.words[place.0];
        *word = (*word & !(place.mask() << place.1)) | (value << place.1);
        self
    }

    /// When it was read.
    pub const fn at(&self) -> Moment {
        self.at
    }

    /// Why its clocks are held down.
    pub const fn throttle(&self) -> Option<Throttle> {
        match self.get(THROTTLE) {
            Some(bits) => Some(Throttle(bits)),
            None => None,
        }
    }

    /// The same with another reason.
    #[must_use]
    pub fn with_throttle(self, throttle: Option<Throttle>) -> Self {
        self.set(THROTTLE, throttle.map(|throttle| throttle.0))
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $get:ident, $with:ident: $place:ident;)*) => {
        impl Sample {$(
            $(#[$doc])*
            pub const fn $get(&self) -> Option<u64> {
                self.get($place)
            }

            /// The same with this one another.
            #[must_use]
            pub fn $with(self, value: Option<u64>) -> Self {
                self.set($place, value)
            }
        )*}

        impl fmt::Debug for Sample {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct("Sample");
                shown.field("at", &self.at);
                $(shown.field(stringify!($get), &self.$get());)*
                shown.field("throttle", &self.throttle()).finish()
            }
        }
    };
}

fields! {
    /// Share of time in which a kernel ran, in millionths.
    utilization, with_utilization: UTILIZATION;
    /// Share of the memory's peak bandwidth in use, in millionths, of the last second.
    dram_active, with_dram_active: DRAM;
    /// Share of time in which tensor cores worked, in millionths, of the last second.
    tensor_active, with_tensor_active: TENSOR;
    /// Clock of the multiprocessors, as a share of the highest that they can have, in millionths.
    sm_clock_ratio, with_sm_clock_ratio: CLOCK;
    /// Milliwatts.
    power, with_power: MILLIWATTS;
    /// Bytes in use.
    memory_used, with_memory_used: USED;
    /// Bytes that there are.
    memory_total, with_memory_total: TOTAL;
    /// Millijoules since the driver was loaded.
    energy, with_energy: ENERGY;
    /// Bytes per second over NVLink, both ways, in the last second.
    nvlink_rate, with_nvlink_rate: NVLINK;
}

/// Why clocks are held down: NVML's bits, unknown ones kept (`nvmlClocksEventReason*` of `nvml.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Throttle(pub u64);

impl Throttle {
    /// Nothing runs.
    pub const IDLE: Self = Self(0x1);
    /// An application set its clocks.
    pub const APPLICATION_CLOCKS: Self = Self(0x2);
    /// Power, as software found.
    pub const POWER: Self = Self(0x4);
    /// Hardware slowed it down, for heat or power.
    pub const HARDWARE_SLOWDOWN: Self = Self(0x8);
    /// To stay in step with others.
    pub const SYNC_BOOST: Self = Self(0x10);
    /// Heat, as software found.
    pub const THERMAL_SOFTWARE: Self = Self(0x20);
    /// Heat, as hardware found.
    pub const THERMAL_HARDWARE: Self = Self(0x40);
    /// The power supply's brake.
    pub const POWER_BRAKE: Self = Self(0x80);
    /// A display's clocks.
    pub const DISPLAY_CLOCKS: Self = Self(0x100);

    /// Those that have a name, each with it.
    pub const NAMED: [(Self, &'static str); 9] = [
        (Self::IDLE, "idle"),
        (Self::APPLICATION_CLOCKS, "application_clocks"),
        (Self::POWER, "power"),
        (Self::HARDWARE_SLOWDOWN, "hardware_slowdown"),
        (Self::SYNC_BOOST, "sync_boost"),
        (Self::THERMAL_SOFTWARE, "thermal_software"),
        (Self::THERMAL_HARDWARE, "thermal_hardware"),
        (Self::POWER_BRAKE, "power_brake"),
        (Self::DISPLAY_CLOCKS, "display_clocks"),
    ];

    /// Whether any of these holds.
    pub const fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether there is one without a name.
    pub const fn has_others(self) -> bool {
        self.0 & !0x1ff != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment() -> Moment {
        Moment::from_bits(7).expect("not zero")
    }

    #[test]
    fn absent_is_not_zero() {
        let sample = Sample::new(moment());
        assert_eq!((sample.utilization(), sample.throttle()), (None, None));
        let zero = sample
            .with_utilization(Some(0))
            .with_power(Some(0))
            .with_throttle(Some(Throttle(0)));
        assert_eq!(zero.utilization(), Some(0));
        assert_eq!((zero.power(), zero.energy()), (Some(0), None));
        assert_eq!(zero.throttle(), Some(Throttle(0)));
        assert_eq!(zero.with_power(None).power(), None);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_present() {
        let sample = Sample::new(moment()).with_utilization(Some(5_000_000));
        assert_eq!(sample.utilization(), Some((1 << 21) - 2));
        assert_eq!((sample.dram_active(), sample.tensor_active()), (None, None));
        let sample = sample.with_energy(Some(u64::MAX));
        assert_eq!(sample.energy(), Some(u64::MAX - 1));
    }

    fn share() -> impl Strategy<Value = Option<u64>> {
        proptest::option::of(0..=1_000_000_u64)
    }

    proptest! {
        #[test]
        fn everything_is_what_was_put_in(
            shares in [share(), share(), share(), share()],
            power in proptest::option::of(0..u64::from(u32::MAX)),
            words in [proptest::option::of(0..u64::MAX), proptest::option::of(0..u64::MAX),
                proptest::option::of(0..u64::MAX), proptest::option::of(0..u64::MAX)],
            bits in proptest::option::of(0..u64::MAX),
        ) {
            let sample = Sample::new(moment())
                .with_nvlink_rate(words[3])
                .with_tensor_active(shares[2])
                .with_utilization(shares[0])
                .with_power(power)
                .with_sm_clock_ratio(shares[3])
                .with_dram_active(shares[1])
                .with_memory_used(words[0])
                .with_memory_total(words[1])
                .with_energy(words[2])
                .with_throttle(bits.map(Throttle));
            let sample = Sample::from_words(sample.to_words()).expect("one that was");
            let read = [sample.utilization(), sample.dram_active(), sample.tensor_active(), sample.sm_clock_ratio()];
            prop_assert_eq!(read, shares);
            let read = [sample.memory_used(), sample.memory_total(), sample.energy(), sample.nvlink_rate()];
            prop_assert_eq!(read, words);
            prop_assert_eq!(sample.power(), power);
            prop_assert_eq!(sample.throttle().map(|throttle| throttle.0), bits);
            prop_assert_eq!(sample.at(), moment());
        }
    }
}
