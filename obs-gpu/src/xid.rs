//! What the driver's own numbers of faults mean, and what to do of each: a table with a version, which a service changes where its
//! experience says otherwise.

mod overrides;
mod table;

use obs_core::Error;
use std::fmt;

/// What a fault asks of whoever sends work to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing: it is counted.
    Note,
    /// Its application has to be started again; the device goes on.
    App,
    /// The device goes on, and is worse than it should be.
    Degraded,
    /// What runs on it may end; nothing new is sent to it.
    Drain,
    /// Nothing is sent to it.
    Isolate,
}

impl Verdict {
    /// All of them, the mildest first.
    pub const ALL: [Self; 5] = [
        Self::Note,
        Self::App,
        Self::Degraded,
        Self::Drain,
        Self::Isolate,
    ];

    /// Its name in lower case, as [`XidCatalogue::with_text`] reads it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::App => "app",
            Self::Degraded => "degraded",
            Self::Drain => "drain",
            Self::Isolate => "isolate",
        }
    }

    /// The verdict that [`as_str`](Self::as_str) names so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What NVIDIA's catalogue says is to be done at once ("Resolution Bucket (Immediate Action)").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum XidAction {
    /// `IGNORE`.
    Ignore,
    /// `RESTART_APP`.
    RestartApp,
    /// `RESTART_VM`.
    RestartVm,
    /// `RESET_GPU`.
    ResetGpu,
    /// `RESTART_BM`: the machine.
    RestartMachine,
    /// `CHECK_MECHANICALS`: cables and seats.
    CheckMechanicals,
    /// `CHECK_UVM`: the driver's unified memory.
    CheckUvm,
    /// `UPDATE_SWFW`: driver or firmware.
    Update,
    /// `CONTACT_SUPPORT`: also of the numbers that the catalogue has as unused.
    ContactSupport,
    /// A procedure of several steps, `WORKFLOW_…`: other numbers or details decide.
    Workflow,
    /// `XID_154`: what the driver's recovery action says.
    RecoveryAction,
    /// The catalogue has the number and says nothing.
    Unlisted,
    /// The catalogue does not have the number.
    Unknown,
}

impl XidAction {
    /// As NVIDIA's catalogue has it; lower case where that has nothing.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "IGNORE",
            Self::RestartApp => "RESTART_APP",
            Self::RestartVm => "RESTART_VM",
            Self::ResetGpu => "RESET_GPU",
            Self::RestartMachine => "RESTART_BM",
            Self::CheckMechanicals => "CHECK_MECHANICALS",
            Self::CheckUvm => "CHECK_UVM",
            Self::Update => "UPDATE_SWFW",
            Self::ContactSupport => "CONTACT_SUPPORT",
            Self::Workflow => "WORKFLOW",
            Self::RecoveryAction => "XID_154",
            Self::Unlisted => "unlisted",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for XidAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of one XID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Xid {
    /// The number.
    pub code: u64,
    /// What it is, in a few words.
    pub name: &'static str,
    /// What NVIDIA says is to be done.
    pub action: XidAction,
    /// What routing does: the table's word, or the service's.
    pub verdict: Verdict,
    /// Whether the service said otherwise than the table.
    pub overridden: bool,
}

impl Xid {
    /// Preemptive cleanup: what is left of a channel whose application is gone. It means something only where no other number comes
    /// beside it.
    pub const CLEANUP: u64 = 45;
    /// A double bit error.
    pub const DOUBLE_BIT: u64 = 48;
    /// An uncorrectable error that touched one application only.
    pub const CONTAINED: u64 = 94;
    /// What the driver asks to be done is another than before.
    pub const RECOVERY_ACTION: u64 = 154;

    /// Whether a number is of the links between devices: work that takes several of them suffers.
    pub const fn is_of_fabric(code: u64) -> bool {
        matches!(code, 74 | 144..=150)
    }
}

/// Numbers, and what to do of each.
///
/// A number that is not in it is [`Degraded`](Verdict::Degraded): the driver had something to say that nobody here understands, which
/// is no reason to stop and none to say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XidCatalogue {
    /// By number, ascending.
    changed: Vec<(u64, Verdict)>,
}

impl XidCatalogue {
    /// The day of the edition that names and actions are of.
    pub const VERSION: &'static str = "2025-10-29";
    /// Where that stands.
    pub const SOURCE: &'static str =
        "https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html";

    /// The table as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another verdict on a number, known or not. Of two on one number the last counts.
    ///
    /// On [`CLEANUP`](Xid::CLEANUP) it is the verdict on one that came alone; on [`RECOVERY_ACTION`](Xid::RECOVERY_ACTION) the one
    /// until the action has been read.
    #[must_use]
    pub fn with(mut self, code: u64, verdict: Verdict) -> Self {
        match self.changed.binary_search_by_key(&code, |of| of.0) {
            Ok(place) => self.changed[place].1 = verdict,
            Err(place) => self.changed.insert(place, (code, verdict)),
        }
        self
    }

    /// With other verdicts, one line each: a number or a range of them, then `note`, `app`, `degraded`, `drain` or `isolate`. What
    /// follows a `#` is a comment.
    ///
    /// ```
    /// use obs_gpu::{Verdict, XidCatalogue};
    ///
    /// let catalogue = XidCatalogue::new().with_text(
    ///     "# Power smoothing is not used here.
    ///      162-165 note
    ///      31 degraded # none of our kernels faults by itself",
    /// )?;
    /// assert_eq!(catalogue.look_up(164).verdict, Verdict::Note);
    /// # Ok::<(), obs_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where a line is anything else, where a number has two verdicts in it, or a range runs backwards or over more than 1,000
    /// numbers: the error says which line. Nothing is taken then.
    pub fn with_text(self, text: &str) -> Result<Self, Error> {
        overrides::read(text).map(|read| {
            { read.into_iter() }.fold(self, |this, (code, verdict)| this.with(code, verdict))
        })
    }

    /// What is known of a number.
    pub fn look_up(&self, code: u64) -> Xid {
        let mut xid = table::find(code).unwrap_or(Xid {
            code,
            name: "not in the catalogue",
            action: XidAction::Unknown,
            verdict: Verdict::Degraded,
            overridden: false,
        });
        if let Ok(place) = self.changed.binary_search_by_key(&code, |of| of.0) {
            xid.overridden = self.changed[place].1 != xid.verdict;
            xid.verdict = self.changed[place].1;
        }
        xid
    }

    /// Every number of the table, ascending, with the verdicts that count here.
    pub fn known(&self) -> impl Iterator<Item = Xid> + '_ {
        table::codes().map(|code| self.look_up(code))
    }
}
