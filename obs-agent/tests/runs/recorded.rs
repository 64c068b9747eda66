//! A handler that writes down what it is told.

use obs_agent::{
    Handler, Input, InputTap, Item, Output, RunError, RunInfo, RunRef, Starting, State, Timings,
};
use std::sync::{Arc, Mutex};

/// What handlers of one test were told, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// What was told since it was last asked for.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A handler of this name that writes here.
    pub(crate) fn handler(&self, name: &'static str) -> Recorded {
        Recorded {
            name,
            log: self.clone(),
            wants: Timings::ALL,
            is_lax: false,
            panics_at: None,
        }
    }
}

pub(crate) struct Recorded {
    name: &'static str,
    log: Log,
    pub(crate) wants: Timings,
    /// Whether it may be told of a run of whose start it was not.
    pub(crate) is_lax: bool,
    /// The timing in which it panics.
    pub(crate) panics_at: Option<&'static str>,
}

/// What it remembers: how often it was told something.
struct Times(u32);

impl Recorded {
    fn tell(&self, what: &'static str, run: &str, more: &str) {
        self.log.push(format!("{}: {what} {run}{more}", self.name));
        if self.panics_at == Some(what) {
            panic!("as the test wants");
        }
    }

    fn again(&self, state: &mut State) -> u32 {
        if self.is_lax {
            return 0;
        }
        let times = state.get_mut::<Times>().expect("it was told of the start");
        times.0 += 1;
        times.0
    }
}

impl Handler for Recorded {
    fn needed(&self, _: &RunInfo<'_>) -> Timings {
        self.wants
    }

    fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
        self.tell("start", run.info().name, "");
        State::new(Times(0))
    }

    fn on_end(&self, run: &RunRef, state: &mut State, _: &Output<'_>) {
        let times = state.get_mut::<Times>().map_or(0, |times| times.0);
        self.tell("end", run.info().name, &format!(" after {times}"));
    }

    fn on_error(&self, run: &RunRef, _: &mut State, error: &RunError<'_>) {
        self.tell("error", run.info().name, &format!(" {}", error.kind));
    }

    fn on_start_with_stream_input(
        &self,
        run: &mut Starting<'_>,
    ) -> (State, Option<Box<dyn InputTap>>) {
        self.tell("start with stream", run.info().name, "");
        let tap = Taken {
            name: self.name,
            log: self.log.clone(),
        };
        (State::new(Times(0)), Some(Box::new(tap)))
    }

    fn on_end_with_stream_output(&self, run: &RunRef, state: &mut State) {
        self.again(state);
        self.tell("output of", run.info().name, "");
    }

    fn on_output_item(&self, run: &RunRef, state: &mut State, item: &Item<'_>) {
        let times = self.again(state);
        let Item::Node(node) = item else {
            panic!("these tests stream nodes' items");
        };
        let said = node
            .value
            .map(|text| text.with(str::to_owned))
            .unwrap_or_default();
        self.tell("item of", run.info().name, &format!(" {times} {said}"));
    }
}

struct Taken {
    name: &'static str,
    log: Log,
}

impl InputTap for Taken {
    fn item(&mut self, _: &Item<'_>) {
        self.log.push(format!("{}: input", self.name));
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.log.push(format!("{}: input is over", self.name));
    }
}
