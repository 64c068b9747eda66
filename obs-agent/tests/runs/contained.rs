//! Whatever handlers do, and what they leave behind when it goes, what is observed goes on as without them.

use crate::recorded::Log;
use obs_agent::output::NodeOutput;
use obs_agent::{
    Component, Handler, Handlers, Input, InputTap, Item, Output, Run, RunError, RunInfo, RunParent,
    RunRef, Starting, State, Text, Timings,
};
use std::panic::panic_any;
use std::sync::Arc;

const ECHO: RunInfo<'static> = RunInfo::new(Component::Lambda, "echo");

fn start(handlers: &Handlers) -> Run {
    handlers.start(ECHO, RunParent::Root, &Input::Node(Default::default()))
}

fn piece(text: &str) -> Item<'_> {
    let mut node = NodeOutput::default();
    node.value = Some(Text::Plain(text));
    Item::Node(node)
}

/// Runs that are told at every timing.
fn all_timings(handlers: &Handlers) {
    let mut streams = start(handlers);
    streams.begin_output();
    streams.item(&piece("x"));
    streams.end(&Output::Streamed);
    start(handlers).fail(&RunError::failed("odd"));
    drop(start(handlers));
    let (reads, mut taps) = handlers.start_streamed(ECHO, RunParent::Root);
    taps.item(&piece("y"));
    drop(taps);
    reads.end(&Output::Streamed);
}

/// Throws this whenever it is told of the timing, or asked what it wants.
struct Throws<F>(&'static str, F);

impl<F: Fn() + Send + Sync + 'static> Throws<F> {
    fn tell(&self, timing: &str) {
        if self.0 == timing {
            (self.1)();
        }
    }
}

impl<F: Fn() + Send + Sync + 'static> Handler for Throws<F> {
    fn needed(&self, _: &RunInfo<'_>) -> Timings {
        self.tell("needed");
        Timings::ALL
    }

    fn on_start(&self, _: &mut Starting<'_>, _: &Input<'_>) -> State {
        self.tell("start");
        State::none()
    }

    fn on_end(&self, _: &RunRef, _: &mut State, _: &Output<'_>) {
        self.tell("end");
    }

    fn on_error(&self, _: &RunRef, _: &mut State, _: &RunError<'_>) {
        self.tell("error");
    }

    fn on_start_with_stream_input(
        &self,
        _: &mut Starting<'_>,
    ) -> (State, Option<Box<dyn InputTap>>) {
        self.tell("start with stream");
        (State::none(), None)
    }

    fn on_end_with_stream_output(&self, _: &RunRef, _: &mut State) {
        self.tell("output of");
    }

    fn on_output_item(&self, _: &RunRef, _: &mut State, _: &Item<'_>) {
        self.tell("item of");
    }
}

/// How many of the runs are told of each timing.
const TIMINGS: [(&str, u64); 7] = [
    ("needed", 4),
    ("start", 3),
    ("start with stream", 1),
    ("output of", 1),
    ("item of", 1),
    ("end", 2),
    ("error", 2),
];

/// One that throws, between two others, at each timing: those are told what they are told without it.
#[track_caller]
fn check(throw: fn()) {
    let log = Log::default();
    let beside = |bad: Option<&'static str>| {
        let handlers = Handlers::new().with(log.handler("a"));
        let handlers = match bad {
            Some(timing) => handlers.with(Throws(timing, throw)),
            None => handlers,
        };
        let handlers = handlers.with(log.handler("b"));
        all_timings(&handlers);
        (log.take(), handlers.panics())
    };
    let (alone, 0) = beside(None) else {
        panic!("nobody throws")
    };
    for (timing, times) in TIMINGS {
        let (told, panics) = beside(Some(timing));
        assert_eq!(told, alone, "{timing}");
        assert_eq!(panics, times, "{timing}");
    }
}

#[test]
fn a_handler_that_panics_at_any_timing_changes_nothing_of_what_others_are_told() {
    check(|| panic!("as the test wants"));
}

/// Throws itself again when it goes, so many times.
struct Again(u32);

impl Drop for Again {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Again(self.0 - 1));
        }
    }
}

#[test]
fn what_it_throws_may_throw_when_it_goes_and_that_too() {
    check(|| panic_any(Again(1)));
    check(|| panic_any(Again(7)));
}

/// Whoever cannot say what it wants is told nothing.
#[test]
fn one_that_panics_as_it_is_asked_what_it_wants_is_told_nothing() {
    struct Asked(Log);
    impl Handler for Asked {
        fn needed(&self, _: &RunInfo<'_>) -> Timings {
            panic!("as the test wants");
        }
        fn on_start(&self, _: &mut Starting<'_>, _: &Input<'_>) -> State {
            self.0.push("start".to_owned());
            State::none()
        }
        fn on_end(&self, _: &RunRef, _: &mut State, _: &Output<'_>) {
            self.0.push("end".to_owned());
        }
        fn on_error(&self, _: &RunRef, _: &mut State, _: &RunError<'_>) {
            self.0.push("error".to_owned());
        }
    }
    let log = Log::default();
    let handlers = Handlers::new().with(Asked(log.clone()));
    all_timings(&handlers);
    assert!(!start(&handlers).is_told());
    assert_eq!(log.take(), <[&str; 0]>::default());
}

/// How often one panicked is known of a set and of all that were made of it, in each of them.
#[test]
fn panics_are_counted_together_with_those_of_sets_that_were_made_of_one() {
    let all = Handlers::new().with(Throws("end", || panic!("as the test wants")));
    let once = all
        .clone()
        .with(Throws("end", || panic!("as the test wants")));
    start(&once).end(&Output::Streamed);
    start(&all).end(&Output::Streamed);
    assert_eq!((all.panics(), once.panics()), (3, 3));
    assert_eq!(Handlers::new().panics(), 0);
}

/// Of this run it is told nothing more, and of the next one as if nothing had been.
#[test]
fn one_that_panicked_in_a_stream_is_told_no_more_of_it() {
    let log = Log::default();
    for at in ["output of", "item of"] {
        let mut bad = log.handler("bad");
        bad.panics_at = Some(at);
        let handlers = Handlers::new().with(bad);
        for _ in 0..2 {
            let mut run = start(&handlers);
            run.begin_output();
            run.item(&piece("x"));
            run.item(&piece("y"));
            run.end(&Output::Streamed);
            let told = log.take();
            let last = told.last().map(String::as_str).unwrap_or_default();
            assert!(last.starts_with(&format!("bad: {at}")), "{told:?}");
            assert_eq!(told.len(), if at == "item of" { 3 } else { 2 }, "{told:?}");
        }
        assert_eq!(handlers.panics(), 2);
    }
}

/// Panics when it goes.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

/// What it leaves behind, and where.
#[derive(Clone, Copy, PartialEq)]
enum Leaves {
    State,
    Kept,
    /// Kept, by one that panics then.
    KeptAndPanics,
    /// Itself, of which the run is the last to know.
    Itself,
}

struct Bombs(Leaves, Option<Bomb>);

impl Bombs {
    fn new(leaves: Leaves) -> Self {
        Self(leaves, (leaves == Leaves::Itself).then(|| Bomb))
    }
}

impl Handler for Bombs {
    fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
        debug_assert_eq!(self.1.is_some(), self.0 == Leaves::Itself);
        match self.0 {
            Leaves::State => return State::new(Bomb),
            Leaves::Kept => run.keep(Arc::new(Bomb)),
            Leaves::KeptAndPanics => {
                run.keep(Arc::new(Bomb));
                panic!("as the test wants");
            }
            Leaves::Itself => {}
        }
        State::none()
    }
}

const LEAVES: [Leaves; 4] = [
    Leaves::State,
    Leaves::Kept,
    Leaves::KeptAndPanics,
    Leaves::Itself,
];

/// The run has all that is left behind, and others beside it are told of its end.
fn start_with_bombs(log: &Log, leaves: Leaves) -> Run {
    let handlers = Handlers::new()
        .with(log.handler("a"))
        .with(Bombs::new(leaves))
        .with(log.handler("b"));
    let run = start(&handlers);
    log.take();
    run
}

#[test]
fn what_a_handler_leaves_behind_may_panic_when_it_goes() {
    for leaves in LEAVES {
        let log = Log::default();
        start_with_bombs(&log, leaves).end(&Output::Streamed);
        assert_eq!(log.take(), ["b: end echo after 0", "a: end echo after 0"]);
        drop(start_with_bombs(&log, leaves));
        let cancelled = ["b: error echo cancelled", "a: error echo cancelled"];
        assert_eq!(log.take(), cancelled);
    }
}

/// A panic that leaves a destructor while something unwinds ends the process.
#[test]
fn also_where_the_run_goes_as_something_unwinds() {
    for leaves in LEAVES {
        let log = Log::default();
        let run = start_with_bombs(&log, leaves);
        let thread = std::thread::spawn(move || {
            let _run = run;
            panic!("as the test wants");
        });
        assert!(thread.join().is_err());
        assert_eq!(log.take(), ["b: error echo panic", "a: error echo panic"]);
    }
    let handlers = Handlers::new().with(Throws("error", || panic_any(Again(2))));
    let run = start(&handlers);
    let thread = std::thread::spawn(move || {
        let _run = run;
        panic!("as the test wants");
    });
    assert!(thread.join().is_err());
    assert_eq!(handlers.panics(), 1);
}

/// A handler that is added, or a set that goes, drops none in the middle of others' work.
#[test]
fn a_reference_that_is_the_last_to_hold_what_is_kept_goes_quietly() {
    let run = start_with_bombs(&Log::default(), Leaves::Kept);
    let last = run.reference().cloned();
    let within = start(&Handlers::new().with(Log::default().handler("c")));
    within.end(&Output::Streamed);
    run.end(&Output::Streamed);
    drop(last);
}

/// Taps an input, and panics as it is told to.
struct Taps {
    item: bool,
    drop: bool,
}

struct Tap {
    item: bool,
    _bomb: Option<Bomb>,
}

impl Handler for Taps {
    fn on_start_with_stream_input(
        &self,
        _: &mut Starting<'_>,
    ) -> (State, Option<Box<dyn InputTap>>) {
        let tap = Tap {
            item: self.item,
            _bomb: self.drop.then(|| Bomb),
        };
        (State::none(), Some(Box::new(tap)))
    }
}

impl InputTap for Tap {
    fn item(&mut self, _: &Item<'_>) {
        if self.item {
            panic!("as the test wants");
        }
    }
}

#[test]
fn a_tap_may_panic_at_a_piece_and_when_it_goes() {
    for (item, drop) in [(true, false), (false, true), (true, true)] {
        let log = Log::default();
        let handlers = Handlers::new()
            .with(log.handler("a"))
            .with(Taps { item, drop })
            .with(log.handler("b"));
        let (run, mut taps) = handlers.start_streamed(ECHO, RunParent::Root);
        log.take();
        for _ in 0..2 {
            taps.item(&piece("x"));
            assert_eq!(log.take(), ["a: input", "b: input"], "{item} {drop}");
        }
        std::mem::drop(taps);
        assert_eq!(log.take(), ["a: input is over", "b: input is over"]);
        let alone = Handlers::new().with(Taps { item, drop });
        let (_run, mut taps) = alone.start_streamed(ECHO, RunParent::Root);
        taps.item(&piece("x"));
        assert_eq!(taps.is_empty(), item);
        run.end(&Output::Streamed);
        let panics = u64::from(item) + u64::from(drop);
        assert_eq!(handlers.panics(), panics, "{item} {drop}");
    }
}
