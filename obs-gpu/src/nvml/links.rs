//! NVLink: each link by its own scope.

use super::Verdict;
use super::fields::Batch;
use super::raw::{Handle, Library};
use super::units::From;
use crate::calls::Calls;
use crate::quantity::Tier;
use crate::reading::Reading;
use crate::source::{LinkReading, SourceError};

/// What of a link a value is.
#[derive(Clone, Copy, Debug)]
enum Part {
    Up,
    Speed,
    Sent,
    Received,
    Replays,
    Recoveries,
    CrcErrors,
    Errors,
}

/// What is read once a second. Up to NVLink 4 it is kibibytes, from NVLink 5 on bytes by other numbers; a device has one of them.
const SECOND: &[(u32, Part, From)] = &[
    (138, Part::Sent, From::Kibibytes),
    (139, Part::Received, From::Kibibytes),
    (202, Part::Sent, From::Ours),
    (204, Part::Received, From::Ours),
];

/// What is read every ten seconds.
const SLOW: &[(u32, Part, From)] = &[
    (165, Part::Up, From::Ours),
    (164, Part::Speed, From::MegabytesPerSecond),
    (161, Part::Replays, From::Ours),
    (162, Part::Recoveries, From::Ours),
    (163, Part::CrcErrors, From::Ours),
    (208, Part::Errors, From::Ours),
    (215, Part::Recoveries, From::Ours),
];

/// How many links it has.
const COUNT: u32 = 91;

/// The links of one device.
#[derive(Debug)]
pub(super) struct Links {
    count: Option<Batch<()>>,
    second: Option<Batch<(usize, Part)>>,
    slow: Option<Batch<(usize, Part)>>,
    pub(super) read: Vec<LinkReading>,
}

impl Links {
    pub(super) fn new(library: Library) -> Self {
        Self {
            count: Some(Batch::new(library, [(COUNT, 0, (), From::Ours)])),
            second: None,
            slow: None,
            read: Vec::new(),
        }
    }

    /// Reads what belongs to a tier. The first time all of it.
    pub(super) fn read(
        &mut self,
        library: Library,
        of: Handle,
        tier: Tier,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let first = self.second.is_none();
        if first && !self.find(library, of, calls)? {
            return Ok(());
        }
        let Self {
            second, slow, read, ..
        } = self;
        let tiers = [(Tier::Second, second), (Tier::Slow, slow)];
        for (_, batch) in tiers.into_iter().filter(|(one, _)| first || *one == tier) {
            if let Some(batch) = batch {
                batch.read(library, of, calls, |(link, part), said| {
                    if let Some(link) = read.get_mut(link) {
                        put(link, part, said);
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Asks how many there are, once, and says whether there are any.
    fn find(
        &mut self,
        library: Library,
        of: Handle,
        calls: &mut Calls,
    ) -> Result<bool, SourceError> {
        let Some(count) = &mut self.count else {
            return Ok(false);
        };
        let mut links = None;
        count.read(library, of, calls, |(), said| links = Some(said))?;
        let links = match links {
            Some(Verdict::Value(links)) => u32::try_from(links).unwrap_or(0).min(64),
            Some(Verdict::Unsupported) => 0,
            // It is asked again.
            _ => return Ok(false),
        };
        self.count = None;
        let rows = |rows: &'static [(u32, Part, From)]| {
            (0..links).flat_map(move |link| {
                let row = move |(id, part, from): &(u32, Part, From)| {
                    (*id, link, (link as usize, *part), *from)
                };
                rows.iter().map(row)
            })
        };
        if links > 0 {
            self.read = (0..links).map(LinkReading::new).collect();
            self.second = Some(Batch::new(library, rows(SECOND)));
            self.slow = Some(Batch::new(library, rows(SLOW)));
        }
        Ok(links > 0)
    }

    /// What one of a reading is, over all links; `None` where one of them does not say.
    pub(super) fn sum(&self, of: impl Fn(&LinkReading) -> Reading) -> Option<i64> {
        let values = self.read.iter().map(|link| of(link).value());
        let sum: Option<i64> = values.sum();
        sum.filter(|_| !self.read.is_empty())
    }
}

fn put(link: &mut LinkReading, part: Part, said: Verdict) {
    if let Part::Up = part {
        link.up = match said {
            Verdict::Value(state) => Some(state == 1),
            _ => None,
        };
        return;
    }
    let place = match part {
        Part::Up => return,
        Part::Speed => &mut link.speed,
        Part::Sent => &mut link.sent,
        Part::Received => &mut link.received,
        Part::Replays => &mut link.replays,
        Part::Recoveries => &mut link.recoveries,
        Part::CrcErrors => &mut link.crc_errors,
        Part::Errors => &mut link.errors,
    };
    // Of two numbers for one thing a device has one: the other does not take it away.
    if said != Verdict::Unsupported || *place == Reading::Unread {
        *place = said.reading();
    }
}
