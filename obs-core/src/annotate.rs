//! Facts from elsewhere on operations of other crates: what a GPU did while a model was asked.

use crate::engine::kind::Kind;
use crate::moment::Moment;
use crate::operation::Active;
use crate::setup::Telemetry;
use std::sync::OnceLock;

/// Stamps something on operations of crates that it knows nothing of. Domain crates say when
/// ([`Kind::annotate`]); they do not know by whom.
///
/// It is called on the operation's own thread, in the middle of the work that is observed: it reads what is in memory and sets
/// attributes, and neither waits nor allocates in steady state. A panic in it is contained and counted.
///
/// ```
/// use obs_core::{Active, Annotator, Key, Milestone, Telemetry};
///
/// #[derive(Debug)]
/// struct Load;
/// const LOAD: Key = Key::new(&"example.load");
///
/// impl Annotator for Load {
///     fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>) {
///         if let Milestone::Started = milestone {
///             operation.set(LOAD, 0.7);
///         }
///     }
/// }
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// assert!(telemetry.annotate(Load));
/// # Ok::<(), obs_core::Error>(())
/// ```
pub trait Annotator: Send + Sync + 'static {
    /// `operation` has come so far. Its [kind](Active::kind) tells what it is and its labels about what.
    fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>);
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Milestone {
    /// It has just begun; of its labels those that are known then.
    Started,
    /// The first of its output is there.
    FirstOutput {
        /// When that was.
        at: Moment,
        /// Whether it came later than it should.
        slow: bool,
    },
    /// It is about to end. What is set now is exported with it.
    Ending {
        /// When.
        at: Moment,
        /// When the first of its output was there, if it was.
        first_output: Option<Moment>,
        /// Whether any of what followed came later than it should.
        slow: bool,
    },
}

/// As many as one telemetry has room for.
const MOST: usize = 8;

/// Those of one telemetry. They are only added, so reading takes no lock.
#[derive(Default)]
pub(crate) struct Annotators([OnceLock<Box<dyn Annotator>>; MOST]);

impl Annotators {
    fn add(&self, mut annotator: Box<dyn Annotator>) -> bool {
        for place in &self.0 {
            match place.set(annotator) {
                Ok(()) => return true,
                Err(back) => annotator = back,
            }
        }
        false
    }

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.0[0].get().is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &dyn Annotator> {
        self.0
            .iter()
            .map_while(|place| place.get().map(|annotator| &**annotator))
    }
}

impl Telemetry {
    /// From now on `annotator` is asked by operations whose crate [asks](Kind::annotate). It stays for as long as the telemetry.
    ///
    /// False where there is no room for another one: there is for eight.
    pub fn annotate(&self, annotator: impl Annotator) -> bool {
        self.engine().annotators.add(Box::new(annotator))
    }
}

impl Kind {
    /// Lets [annotators](Annotator) say what they know of an operation that has come so far. For crates that describe operations;
    /// one load where nobody annotates.
    #[inline]
    pub fn annotate(&self, milestone: impl FnOnce() -> Milestone, operation: &mut Active<'_>) {
        if !self.engine.annotators.is_empty() {
            self.ask_annotators(milestone(), operation);
        }
    }

    #[cold]
    #[inline(never)]
    fn ask_annotators(&self, milestone: Milestone, operation: &mut Active<'_>) {
        for annotator in self.engine.annotators.iter() {
            self.contain((), || annotator.annotate(&milestone, operation));
        }
    }
}
