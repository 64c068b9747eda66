//! Where readings come from: another vendor is one file that implements these.

use crate::calls::Calls;
use crate::device::{DeviceId, DeviceInfo};
use crate::quantity::Tier;
use crate::reading::{Reading, Readings};
use crate::xid::Xid;
use std::fmt;
use std::time::Duration;

/// Devices of one vendor, by its library. Its calls may block for as long as the driver likes: they are made on threads that
/// nothing else waits for.
///
/// Each call of the driver's goes through [`Calls::time`], which is how one that does not return is found,
/// and how long each takes is known.
///
/// A vendor whose library says how busy a device is:
///
/// ```
/// use obs_gpu::{
///     Calls, DeviceId, DeviceInfo, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading, Quantity, Reading, Readings,
///     SourceError, Tier,
/// };
/// # mod smi { pub fn uuids() -> Result<Vec<String>, i32> { Ok(vec!["A-1".into()]) } pub fn busy(_: &str) -> Result<u8, i32> { Ok(37) } }
///
/// #[derive(Debug)]
/// struct Smi;
///
/// impl GpuSource for Smi {
///     fn name(&self) -> &'static str {
///         "smi"
///     }
///
///     fn devices(&self, calls: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
///         let uuids = calls.time("smi_uuids", smi::uuids).map_err(SourceError::Failed)?;
///         let info = |(at, uuid)| DeviceInfo::new(DeviceId::new(uuid), at, "Acme");
///         Ok((0..).zip(uuids).map(info).collect())
///     }
///
///     fn open(&self, device: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuDevice>, SourceError> {
///         Ok(Box::new(One(device.clone())))
///     }
///
///     fn events(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuEvents>, SourceError> {
///         Err(SourceError::Unsupported)
///     }
/// }
///
/// #[derive(Debug)]
/// struct One(DeviceId);
///
/// impl GpuDevice for One {
///     fn read(&mut self, tier: Tier, into: &mut Readings, calls: &mut Calls) -> Result<(), SourceError> {
///         if tier == Quantity::Utilization.tier() {
///             let percent = calls.time("smi_busy", || smi::busy(self.0.as_str()));
///             into.set(Quantity::Utilization, match percent {
///                 Ok(percent) => Reading::Value(i64::from(percent) * 10_000),
///                 Err(code) => Reading::Failed(code),
///             });
///         }
///         Ok(())
///     }
///
///     fn links(&mut self, _: &mut Vec<LinkReading>, _: &mut Calls) -> Result<(), SourceError> {
///         Ok(())
///     }
///
///     fn processes(&mut self, _: &mut Vec<GpuProcess>, _: &mut Calls) -> Result<(), SourceError> {
///         Ok(())
///     }
/// }
///
/// let telemetry = obs_core::Telemetry::builder().manual().build()?;
/// let _monitor = obs_gpu::GpuMonitor::new(&telemetry, Smi, obs_gpu::GpuSettings::new())?;
/// let page = telemetry.prometheus();
/// assert!(page.contains("hw_gpu_utilization_ratio{hw_id=\"A-1\""), "{page}");
/// # Ok::<(), obs_core::Error>(())
/// ```
pub trait GpuSource: fmt::Debug + Send + Sync + 'static {
    /// What it is called in diagnostics: `nvml`.
    fn name(&self) -> &'static str;

    /// The devices that are there now, parts of devices after the whole that they are of. An empty list is a machine without.
    ///
    /// # Errors
    /// [`SourceError::Absent`] where there is no driver; it is asked again later. Devices that are there but do not answer are in the
    /// list if anything is known of them.
    fn devices(&self, calls: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError>;

    /// How many more there were in the last search that the driver lists and that do not say which they are, as one does that was lost
    /// before anybody looked. It asks nobody and waits for nobody.
    fn nameless(&self) -> u32 {
        0
    }

    /// A device to read, for one thread.
    ///
    /// # Errors
    /// Where it is gone, or does not answer.
    fn open(&self, device: &DeviceId, calls: &mut Calls)
    -> Result<Box<dyn GpuDevice>, SourceError>;

    /// What a device reports by itself, for one thread of its own.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] where it reports nothing.
    fn events(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuEvents>, SourceError>;
}

/// One device, read by one thread.
pub trait GpuDevice: fmt::Debug + Send {
    /// Reads what belongs to a tier and notes for each quantity what came of it. It remembers what is unsupported and does not ask
    /// again. Whether the device is there at all is told by the result.
    ///
    /// # Errors
    /// [`SourceError::Lost`] where the driver says that it is gone.
    fn read(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError>;

    /// What is read in one go, and how much it matters, in the order in which it is read. What costs much stands apart from what costs
    /// little, so that the one can be read less often than the other where there is a [budget](crate::GpuSettings::with_budget). By
    /// default each tier is a group: the fast one keeps its pace, the others stretch.
    fn groups(&self) -> &'static [ReadGroup] {
        &ReadGroup::TIERS
    }

    /// Reads one of its [groups](Self::groups), and nothing else. By default the whole tier.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn read_group(
        &mut self,
        group: &ReadGroup,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        self.read(group.tier(), into, calls)
    }

    /// The state of each link to other devices; empty where there is none.
    ///
    /// # Errors
    /// Where the driver does not say.
    fn links(&mut self, into: &mut Vec<LinkReading>, calls: &mut Calls) -> Result<(), SourceError>;

    /// The processes that use it; empty where none does.
    ///
    /// # Errors
    /// Where the driver does not say.
    fn processes(
        &mut self,
        into: &mut Vec<GpuProcess>,
        calls: &mut Calls,
    ) -> Result<(), SourceError>;
}

/// How a group of readings gives way where all together would cost more than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It is read at each turn of its tier: what health, gates and explanations need.
    Keeps,
    /// It is read at each turn of its tier, or as rarely as the budget makes it.
    Stretches,
    /// It does not change while a device is there: it is read once, and at every sixtieth turn of its tier.
    Constant,
}

/// What a device is asked for in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadGroup {
    name: &'static str,
    tier: Tier,
    pace: Pace,
    has_links: bool,
}

impl ReadGroup {
    /// One for each tier.
    pub const TIERS: [Self; 3] = [
        Self::new("fast", Tier::Fast, Pace::Keeps),
        Self::new("second", Tier::Second, Pace::Stretches).with_links(),
        Self::new("slow", Tier::Slow, Pace::Stretches),
    ];

    /// A group by its name, which is `obs.gpu.read.group`.
    pub const fn new(name: &'static str, tier: Tier, pace: Pace) -> Self {
        Self {
            name,
            tier,
            pace,
            has_links: false,
        }
    }

    /// What [`GpuDevice::links`] says is read with it, and is asked for when it was read.
    #[must_use]
    pub const fn with_links(mut self) -> Self {
        self.has_links = true;
        self
    }

    /// Its name: one of few, and always the same.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The tier that all of its quantities belong to.
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// How it gives way.
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether links are read with it.
    pub const fn has_links(&self) -> bool {
        self.has_links
    }
}

/// What one device reports by itself.
pub trait GpuEvents: fmt::Debug + Send {
    /// The next event, if one comes in time. The call that waits goes through [`Calls::wait`].
    ///
    /// # Errors
    /// Where the driver does not say; the caller lets go of this, waits a while and [asks](GpuSource::events) for another, also after
    /// [`SourceError::Lost`].
    fn wait(&mut self, at_most: Duration, calls: &mut Calls) -> Result<Option<Event>, SourceError>;
}

/// What a device reported by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The driver's own number of a fault. Where several came before they were asked for, the library gives the last one's number to
    /// all of them.
    Xid {
        /// The number.
        code: u64,
        /// The GPU instance that it is about, where it is about one.
        gpu_instance: Option<u32>,
    },
    /// A single bit error.
    EccSingle,
    /// A double bit error.
    EccDouble,
    /// What the driver asks to be done has changed.
    RecoveryAction,
    /// The device cannot be used.
    Unavailable,
    /// Many corrected errors at once.
    EccStorm,
    /// Memory was given up.
    MemoryRetired,
    /// Memory should have been given up, and could not be.
    RetirementFailed,
    /// Data that could not be corrected was used: whether the device goes on.
    Poison {
        /// It does not.
        fatal: bool,
    },
    /// Anything else, by the driver's bits.
    Other(u64),
}

impl Event {
    /// Whether the driver asks for something else to be done than before: by an event, or by the number that older drivers have for it.
    pub(crate) fn is_of_recovery_action(self) -> bool {
        match self {
            Self::RecoveryAction => true,
            Self::Xid { code, .. } => code == Xid::RECOVERY_ACTION,
            _ => false,
        }
    }
}

/// One link between devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkReading {
    /// Its number.
    pub link: u32,
    /// Whether it is up.
    pub up: Option<bool>,
    /// Bytes per second that it can carry each way.
    pub speed: Reading,
    /// Bytes sent, since the driver was loaded.
    pub sent: Reading,
    /// Bytes received.
    pub received: Reading,
    /// Packets sent again.
    pub replays: Reading,
    /// Times that it had to be brought up again.
    pub recoveries: Reading,
    /// Packets whose sum was wrong.
    pub crc_errors: Reading,
    /// Packets that came with an error of any kind, where that is counted as one.
    pub errors: Reading,
}

impl LinkReading {
    /// One of which nothing is known.
    pub const fn new(link: u32) -> Self {
        Self {
            link,
            up: None,
            speed: Reading::Unread,
            sent: Reading::Unread,
            received: Reading::Unread,
            replays: Reading::Unread,
            recoveries: Reading::Unread,
            crc_errors: Reading::Unread,
            errors: Reading::Unread,
        }
    }
}

/// What a process does on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessKind {
    /// Computes.
    Compute,
    /// Draws.
    Graphics,
    /// Computes through the multi-process service.
    Mps,
}

/// A process that uses a device. Rows of the driver that cannot be true (a share above one, of a process that is gone) are left out
/// by the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GpuProcess {
    /// Its number, in the driver's namespace: in a container not one's own.
    pub pid: u32,
    /// What it does there.
    pub kind: ProcessKind,
    /// Bytes that it has; the driver may not say.
    pub memory: Reading,
    /// Share of the multiprocessors' time, in millionths.
    pub utilization: Reading,
    /// The GPU instance that it runs on, where the device is in parts.
    pub gpu_instance: Option<u32>,
    /// The compute instance within.
    pub compute_instance: Option<u32>,
}

impl GpuProcess {
    /// One of which the rest is unknown.
    pub const fn new(pid: u32, kind: ProcessKind) -> Self {
        Self {
            pid,
            kind,
            memory: Reading::Unread,
            utilization: Reading::Unread,
            gpu_instance: None,
            compute_instance: None,
        }
    }
}

/// Why a source did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no driver, or no library.
    Absent,
    /// The device is gone, by the driver's word: its code.
    Lost(i32),
    /// This device has no such thing.
    Unsupported,
    /// Anything else: the driver's code.
    Failed(i32),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is no driver"),
            Self::Lost(code) => write!(f, "the device is gone (code {code})"),
            Self::Unsupported => f.write_str("the device does not have it"),
            Self::Failed(code) => write!(f, "the driver answered with code {code}"),
        }
    }
}

impl std::error::Error for SourceError {}
