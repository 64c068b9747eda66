//! What is told of runs, and to whom.

use crate::failure::RunError;
use crate::input::Input;
use crate::output::{Item, Output};
use crate::run::{RunInfo, RunRef, Starting};
use obs_core::Operation;
use std::any::Any;
use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::sync::{Mutex, PoisonError};

/// Is told of runs: at five timings, those of Eino's callbacks.
///
/// Each run that is told to begin is told to end, once: [`on_end`](Self::on_end) or [`on_error`](Self::on_error), whatever happens
/// to it. What a handler must remember of a run stands in its [`State`], which goes with the run wherever that goes, to other
/// tasks and threads; there is nothing ambient to lose. Calls for one run come one after another.
///
/// A handler sees and does not touch: it is told of references, and can neither hold up nor stop a run. It is called in the middle of
/// the run's own work, so it does not wait. A panic in it is contained and [counted](crate::Handlers::panics), and of that run it is
/// told nothing more. So is one of what it leaves behind, as that is dropped: its states, its taps, itself; what it
/// [keeps](crate::Starting::keep) goes as quietly, and uncounted.
pub trait Handler: Send + Sync + 'static {
    /// What it wants to be told of this run; all of it, unless this says otherwise. Of what nobody wants nothing is made.
    fn needed(&self, info: &RunInfo<'_>) -> Timings {
        let _ = info;
        Timings::ALL
    }

    /// A run begins, and its input is there.
    fn on_start(&self, run: &mut Starting<'_>, input: &Input<'_>) -> State {
        let _ = (run, input);
        State::none()
    }

    /// A run has ended well. Where its output was streamed, its pieces were told before and this is the end of them:
    /// [`Output::Streamed`], or what was said of the whole with the last one.
    fn on_end(&self, run: &RunRef, state: &mut State, output: &Output<'_>) {
        let _ = (run, state, output);
    }

    /// A run has ended otherwise: it failed, also in the middle of its stream, or it was dropped, timed out, or panicked.
    fn on_error(&self, run: &RunRef, state: &mut State, error: &RunError<'_>) {
        let _ = (run, state, error);
    }

    /// A run begins whose input comes in pieces. Who wants them gives who takes them.
    fn on_start_with_stream_input(
        &self,
        run: &mut Starting<'_>,
    ) -> (State, Option<Box<dyn InputTap>>) {
        (self.on_start(run, &Input::Streamed), None)
    }

    /// The output of a run begins to come, in pieces.
    fn on_end_with_stream_output(&self, run: &RunRef, state: &mut State) {
        let _ = (run, state);
    }

    /// A piece of the output has come, as it is passed on.
    fn on_output_item(&self, run: &RunRef, state: &mut State, item: &Item<'_>) {
        let _ = (run, state, item);
    }
}

/// Takes pieces of an input as they pass, on whichever thread reads them, also while its handler is told of the run or after that has
/// ended. It is dropped when there are no more, when nobody reads them any longer, or when it panicked.
pub trait InputTap: Send {
    /// A piece.
    fn item(&mut self, item: &Item<'_>);
}

/// Which timings a handler is told of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timings(u8);

impl Timings {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// [`Handler::on_start`].
    pub const START: Self = Self(1);
    /// [`Handler::on_end`].
    pub const END: Self = Self(1 << 1);
    /// [`Handler::on_error`].
    pub const ERROR: Self = Self(1 << 2);
    /// [`Handler::on_start_with_stream_input`]; without it such a run begins by [`Handler::on_start`].
    pub const STREAM_INPUT: Self = Self(1 << 3);
    /// [`Handler::on_end_with_stream_output`], and each item.
    pub const STREAM_OUTPUT: Self = Self(1 << 4);
    /// Everything.
    pub const ALL: Self = Self(0b1_1111);

    /// Whether these have all of those.
    #[inline]
    pub const fn has(self, those: Self) -> bool {
        self.0 & those.0 == those.0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Timings {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Timings {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["start", "end", "error", "stream_input", "stream_output"];
        let set = names.iter().enumerate();
        f.debug_set()
            .entries(set.filter_map(|(bit, name)| (self.0 >> bit & 1 == 1).then_some(name)))
            .finish()
    }
}

/// What a handler remembers of a run, from its start to its end.
#[derive(Default)]
pub struct State(
    /// Never locked: whoever has the run alone has this. A reference to a run can be held across an `await`, though.
    Mutex<Kept>,
);

#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    /// What most runs are to the handler that emits, which is on the heap already.
    Operation(Operation),
    Any(Box<dyn Any + Send>),
}

impl State {
    /// Nothing.
    pub const fn none() -> Self {
        Self(Mutex::new(Kept::Nothing))
    }

    /// This.
    pub fn new<T: Send + 'static>(value: T) -> Self {
        Self(Mutex::new(Kept::Any(Box::new(value))))
    }

    pub(crate) const fn of(operation: Operation) -> Self {
        Self(Mutex::new(Kept::Operation(operation)))
    }

    /// It, if it is of this type.
    #[inline]
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        match self.kept() {
            Kept::Any(value) => value.downcast_mut(),
            _ => None,
        }
    }

    /// Takes it out, if it is of this type.
    #[inline]
    pub fn take<T: 'static>(&mut self) -> Option<Box<T>> {
        self.get_mut::<T>()?;
        match std::mem::take(self.kept()) {
            Kept::Any(value) => value.downcast().ok(),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn take_operation(&mut self) -> Option<Operation> {
        match self.kept() {
            Kept::Operation(operation) => {
                let operation = std::mem::replace(operation, Operation::disabled());
                *self.kept() = Kept::Nothing;
                Some(operation)
            }
            _ => None,
        }
    }

    /// There is nothing any more.
    pub(crate) fn clear(&mut self) {
        *self.kept() = Kept::Nothing;
    }

    /// Whether there is nothing, or it was taken out.
    #[inline]
    pub(crate) fn is_none(&mut self) -> bool {
        matches!(self.kept(), Kept::Nothing)
    }

    #[inline]
    fn kept(&mut self) -> &mut Kept {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
