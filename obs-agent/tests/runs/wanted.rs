//! What a handler says that it wants, and what it remembers.

use crate::recorded::Log;
use obs_agent::{
    Component, Handler, Handlers, Input, Output, RunInfo, RunParent, Starting, State, Timings,
};

const ALL: [Timings; 5] = [
    Timings::START,
    Timings::END,
    Timings::ERROR,
    Timings::STREAM_INPUT,
    Timings::STREAM_OUTPUT,
];

#[test]
fn timings_are_had_all_or_not() {
    let mut some = Timings::NONE;
    assert!(some.is_empty());
    for (number, one) in ALL.into_iter().enumerate() {
        assert!(!some.has(one) && Timings::ALL.has(one) && !one.is_empty());
        some |= one;
        assert_eq!(
            some,
            ALL[..=number]
                .iter()
                .fold(Timings::NONE, |all, one| all | *one)
        );
        assert!(ALL[..=number].iter().all(|one| some.has(*one)));
        assert_eq!(some.has(Timings::ALL), number + 1 == ALL.len());
    }
    // Of two that are asked for one is not enough.
    assert!(!Timings::START.has(Timings::START | Timings::END));
    assert!(some.has(Timings::START | Timings::END));
    assert_eq!(some, Timings::ALL);
    let shown = format!("{:?} {:?}", Timings::START | Timings::ERROR, Timings::NONE);
    assert_eq!(shown, r#"{"start", "error"} {}"#);
}

/// Who knows nothing of streams is told of the start as of any other, that its input is streamed.
#[test]
fn one_that_knows_nothing_of_streamed_inputs_is_told_of_the_start() {
    struct Plain(Log);
    impl Handler for Plain {
        fn on_start(&self, run: &mut Starting<'_>, input: &Input<'_>) -> State {
            let streams = matches!(input, Input::Streamed);
            self.0.push(format!("{} {streams}", run.info().name));
            State::none()
        }
    }
    let log = Log::default();
    let handlers = Handlers::new().with(Plain(log.clone()));
    let info = RunInfo::new(Component::Lambda, "echo");
    let (run, taps) = handlers.start_streamed(info, RunParent::Root);
    assert!(taps.is_empty());
    run.end(&Output::Streamed);
    drop(handlers.start(info, RunParent::Root, &Input::Node(Default::default())));
    assert_eq!(log.take(), ["echo true", "echo false"]);
}

#[test]
fn what_is_remembered_is_there_by_its_type_until_it_is_taken() {
    let mut state = State::new(7_u32);
    assert!(state.get_mut::<u64>().is_none());
    assert!(state.take::<u64>().is_none());
    *state.get_mut::<u32>().expect("there") += 1;
    assert_eq!(state.take::<u32>().as_deref(), Some(&8));
    assert!(state.get_mut::<u32>().is_none());
    assert!(State::none().take::<u32>().is_none());
}
