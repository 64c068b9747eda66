//! What is known of one device: the last of everything, and since when its totals count.
//!
//! Since when they count is what can be known, by OTLP's data model (§"Cumulative Streams: handling unknown start time"): the first
//! reading counts from its own time on, which says that nothing is known of what was before. A total that fell began anew after
//! it was read last, and counts from then.

use crate::quantity::{Nature, Quantity, Tier};
use crate::reading::{Reading, Readings};
use crate::source::{Event, GpuProcess, LinkReading};
use obs_core::Moment;
use std::time::Duration;

/// A moment, and what the wall clock showed: kept, so that a start is the same each time that it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Moment,
    pub(crate) unix: u64,
}

/// A total as it was read last, and since when it counts, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) value: i64,
    pub(crate) since: u64,
    pub(crate) read: u64,
}

impl Total {
    /// Takes another reading, and says whether it began anew.
    pub(crate) fn take(known: &mut Option<Self>, value: i64, unix: u64) -> bool {
        let (since, fell) = match known {
            None => (unix, false),
            // Another start than before, or nobody would see that it is another stream.
            Some(known) if value < known.value => (known.read.max(known.since + 1), true),
            Some(known) => (known.since, false),
        };
        let since = since.min(unix);
        *known = Some(Self {
            value,
            since,
            read: unix,
        });
        fell
    }
}

/// What one link has of totals, in the order of [`LinkTotals::of`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkTotals(pub(crate) [Option<Total>; 6]);

impl LinkTotals {
    pub(crate) fn of(link: &LinkReading) -> [Reading; 6] {
        [
            link.sent,
            link.received,
            link.replays,
            link.recoveries,
            link.crc_errors,
            link.errors,
        ]
    }
}

/// How often one fault was reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Its number; `None` for those beyond the ones that have a line of their own.
    pub(crate) code: Option<u64>,
    pub(crate) times: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Numbers of faults that are counted one by one.
const FAULTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Board {
    /// When it was read first, in nanoseconds since the Unix epoch.
    pub(crate) began: Option<u64>,
    pub(crate) readings: Readings,
    /// When anything of each tier was read, by the source's word that it could be.
    pub(crate) read: [Option<Stamp>; 3],
    /// When each quantity was, and how old it may be.
    pub(crate) read_at: [Option<Stamp>; Quantity::COUNT],
    pub(crate) too_old: [Duration; Quantity::COUNT],
    pub(crate) totals: [Option<Total>; Quantity::COUNT],
    pub(crate) links: Vec<LinkReading>,
    pub(crate) link_totals: Vec<LinkTotals>,
    pub(crate) links_read: Option<Stamp>,
    pub(crate) links_too_old: Duration,
    pub(crate) processes: Vec<GpuProcess>,
    pub(crate) processes_read: Option<Stamp>,
    pub(crate) processes_too_old: Duration,
    /// How often what is read together is read, by its name.
    pub(crate) intervals: Vec<(&'static str, Duration)>,
    pub(crate) faults: Vec<Fault>,
    /// Bytes per second over NVLink, by the last two readings.
    nvlink: Option<(Moment, i64)>,
    pub(crate) nvlink_rate: Option<u64>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            began: None,
            readings: Readings::new(),
            read: [None; 3],
            read_at: [None; Quantity::COUNT],
            too_old: [Duration::MAX; Quantity::COUNT],
            totals: [None; Quantity::COUNT],
            links: Vec::new(),
            link_totals: Vec::new(),
            links_read: None,
            links_too_old: Duration::MAX,
            processes: Vec::new(),
            processes_read: None,
            processes_too_old: Duration::MAX,
            intervals: Vec::new(),
            faults: Vec::new(),
            nvlink: None,
            nvlink_rate: None,
        }
    }

    /// Takes what was read of a tier, and says whether anything shows that the device began anew. What was not read stays as it was,
    /// with its age.
    pub(crate) fn take(&mut self, tier: Tier, readings: &Readings, now: Stamp) -> bool {
        let mut anew = false;
        let of_tier = |(quantity, reading): &(Quantity, Reading)| {
            quantity.tier() == tier && *reading != Reading::Unread
        };
        for (quantity, reading) in readings.iter().filter(of_tier) {
            self.readings.set(quantity, reading);
            self.read_at[quantity as usize] = Some(now);
            if let (Nature::Total, Some(value)) = (quantity.nature(), reading.value()) {
                let fell = Total::take(&mut self.totals[quantity as usize], value, now.unix);
                anew |= fell && quantity == Quantity::Energy;
            }
        }
        self.read[tier as usize] = Some(now);
        self.began.get_or_insert(now.unix);
        anew
    }

    /// When a quantity was read, unless that is longer ago than it may be.
    pub(crate) fn fresh(
        &self,
        quantity: Quantity,
        age: impl FnOnce(Moment) -> Duration,
    ) -> Option<Stamp> {
        let stamp = self.read_at[quantity as usize]?;
        (age(stamp.at) <= self.too_old[quantity as usize]).then_some(stamp)
    }

    /// The same of its links.
    pub(crate) fn fresh_links(&self, age: impl FnOnce(Moment) -> Duration) -> Option<Stamp> {
        self.links_read
            .filter(|stamp| age(stamp.at) <= self.links_too_old)
    }

    /// The same of the processes that use it.
    pub(crate) fn fresh_processes(&self, age: impl FnOnce(Moment) -> Duration) -> Option<Stamp> {
        self.processes_read
            .filter(|stamp| age(stamp.at) <= self.processes_too_old)
    }

    /// The device did not let itself be read: of what belongs to the tier no more is known than why.
    pub(crate) fn lose(&mut self, tier: Tier, reading: Reading) {
        let of = |quantity: &&Quantity| quantity.tier() == tier;
        for quantity in Quantity::ALL.iter().filter(of) {
            self.readings.set(*quantity, reading);
        }
    }

    /// Takes the links, and notes by how much both ways grew.
    pub(crate) fn take_links(&mut self, links: &[LinkReading], now: Stamp) {
        self.link_totals.resize(links.len(), LinkTotals::default());
        for (at, link) in links.iter().enumerate() {
            // Another link at that place counts for itself.
            if self
                .links
                .get(at)
                .is_some_and(|before| before.link != link.link)
            {
                self.link_totals[at] = LinkTotals::default();
            }
            let totals = &mut self.link_totals[at].0;
            for (known, reading) in totals.iter_mut().zip(LinkTotals::of(link)) {
                if let Some(value) = reading.value() {
                    Total::take(known, value, now.unix);
                }
            }
        }
        self.links.clear();
        self.links.extend_from_slice(links);
        self.links_read = Some(now);
    }

    /// What went over NVLink since the last time. `seconds`: from one moment to another.
    pub(crate) fn rate_nvlink(&mut self, now: Moment, seconds: impl FnOnce(Moment, Moment) -> f64) {
        let both = [Quantity::NvlinkSent, Quantity::NvlinkReceived];
        let [sent, received] = both.map(|quantity| self.readings.value(quantity));
        let bytes = sent
            .zip(received)
            .map(|(sent, received)| sent.saturating_add(received));
        let before = std::mem::replace(&mut self.nvlink, bytes.map(|bytes| (now, bytes)));
        self.nvlink_rate = match (before, bytes) {
            (Some((then, had)), Some(has)) if has >= had => {
                let rate = (has - had) as f64 / seconds(then, now);
                rate.is_finite().then_some(rate as u64)
            }
            _ => None,
        };
    }

    /// Counts a fault.
    pub(crate) fn take_event(&mut self, event: Event, unix: u64) {
        let Event::Xid { code, .. } = event else {
            return;
        };
        let known = self.faults.iter().any(|fault| fault.code == Some(code));
        let code = (known || self.faults.len() < FAULTS).then_some(code);
        match self.faults.iter_mut().find(|fault| fault.code == code) {
            Some(fault) => {
                fault.times += 1;
                fault.last = fault.last.max(unix);
            }
            None => self.faults.push(Fault {
                code,
                times: 1,
                first: unix,
                last: unix,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(at: u64) -> Stamp {
        Stamp {
            at: Moment::from_bits(at).expect("not zero"),
            unix: at * 1_000,
        }
    }

    #[test]
    fn totals_count_since_they_began_anew() {
        let mut board = Board::new();
        let mut read = |value, at| {
            let mut readings = Readings::new();
            readings.set(Quantity::Energy, value);
            let anew = board.take(Tier::Fast, &readings, stamp(at));
            let total =
                board.totals[Quantity::Energy as usize].map(|total| (total.value, total.since));
            (anew, total)
        };
        assert_eq!(read(Reading::Failed(999), 1), (false, None));
        assert_eq!(read(Reading::Value(50), 2), (false, Some((50, 2_000))));
        assert_eq!(read(Reading::Value(50), 3), (false, Some((50, 2_000))));
        // A gap is no start.
        assert_eq!(read(Reading::Failed(15), 4), (false, Some((50, 2_000))));
        assert_eq!(read(Reading::Value(60), 5), (false, Some((60, 2_000))));
        assert_eq!(read(Reading::Value(0), 6), (true, Some((0, 5_000))));
        assert_eq!(read(Reading::Value(7), 7), (false, Some((7, 5_000))));
    }

    #[test]
    fn levels_may_fall() {
        let mut board = Board::new();
        let mut readings = Readings::new();
        for (value, at) in [(9, 1), (3, 2)] {
            readings.set(Quantity::Power, Reading::Value(value));
            assert!(!board.take(Tier::Fast, &readings, stamp(at)));
        }
        assert_eq!(board.totals[Quantity::Power as usize], None);
        assert_eq!(board.readings.value(Quantity::Power), Some(3));
    }

    #[test]
    fn one_tier_leaves_another_alone_and_a_lost_device_has_no_values() {
        let mut board = Board::new();
        let mut readings = Readings::new();
        readings.set(Quantity::Power, Reading::Value(0));
        readings.set(Quantity::Temperature, Reading::Value(30_000));
        board.take(Tier::Fast, &readings, stamp(1));
        assert_eq!(board.readings.get(Quantity::Temperature), Reading::Unread);
        board.take(Tier::Second, &readings, stamp(2));
        board.lose(Tier::Fast, Reading::Failed(15));
        assert_eq!(board.readings.get(Quantity::Power), Reading::Failed(15));
        assert_eq!(board.readings.value(Quantity::Temperature), Some(30_000));
    }

    #[test]
    fn what_goes_over_nvlink_is_a_rate_of_two_readings() {
        let mut board = Board::new();
        let mut rate = |sent: i64, at: u64| {
            board
                .readings
                .set(Quantity::NvlinkSent, Reading::Value(sent));
            board
                .readings
                .set(Quantity::NvlinkReceived, Reading::Value(0));
            let seconds = |from: Moment, to: Moment| to.ticks_since(from) as f64;
            board.rate_nvlink(stamp(at).at, seconds);
            board.nvlink_rate
        };
        assert_eq!(rate(100, 1), None);
        assert_eq!(rate(300, 3), Some(100));
        // It began anew: what came in between is not known.
        assert_eq!(rate(50, 4), None);
        assert_eq!(rate(50, 5), Some(0));
        // Two readings at one moment.
        assert_eq!(rate(60, 5), None);
    }

    #[test]
    fn faults_are_counted_by_number_and_beyond_the_last_line_together() {
        let mut board = Board::new();
        let mut xid = |code, unix| {
            board.take_event(
                Event::Xid {
                    code,
                    gpu_instance: None,
                },
                unix,
            );
        };
        xid(79, 5);
        xid(79, 9);
        (100..200).for_each(|code| xid(code, code));
        board.take_event(Event::EccDouble, 300);
        let counted: u64 = board.faults.iter().map(|fault| fault.times).sum();
        assert_eq!((board.faults.len(), counted), (FAULTS + 1, 102));
        let first = board.faults[0];
        assert_eq!(
            (first.code, first.times, first.first, first.last),
            (Some(79), 2, 5, 9)
        );
        assert_eq!(board.faults[FAULTS].code, None);
    }
}
