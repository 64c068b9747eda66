//! Whose a part of what a device used is.

/// Whose a part is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Owner {
    /// A claim's: claims of the same model and task are one owner.
    Claim {
        /// The model, if it said one.
        model: Option<Box<str>>,
        /// What for, if it said so.
        task: Option<Box<str>>,
    },
    /// Another process's, by what its environment and its control group say.
    Process(Foreign),
    /// One for whom there is no room: of so many owners only the first have a name.
    Other,
    /// Nobody's: nothing ran.
    Idle,
    /// Somebody's, and nobody said whose.
    Unattributed,
}

impl Owner {
    /// Itself where there is room for it, else [`Other`](Self::Other).
    pub(super) fn or_other(&self, has_room: impl FnOnce(&Self) -> bool) -> Self {
        if has_room(self) {
            self.clone()
        } else {
            Self::Other
        }
    }

    /// `obs.gpu.owner`: `claim`, `process`, `_OTHER`, `idle`, `unattributed`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Process(_) => "process",
            Self::Other => obs_core::OTHER,
            Self::Idle => "idle",
            Self::Unattributed => "unattributed",
        }
    }
}

/// What is known of a process that made no claim here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Foreign {
    /// The model that its environment names.
    pub model: Option<Box<str>>,
    /// What its environment says that it is for.
    pub task: Option<Box<str>>,
    /// The service that its environment names.
    pub service: Option<Box<str>>,
    /// The container that it runs in.
    pub container: Option<Box<str>>,
    /// The pod that it runs in.
    pub pod: Option<Box<str>>,
}

impl Foreign {
    /// Nothing is known.
    pub const NOTHING: Self = Self {
        model: None,
        task: None,
        service: None,
        container: None,
        pod: None,
    };
}
