//! Several handlers: who is told when, and what one of them cannot do to the others.

use crate::recorded::Log;
use obs_agent::{
    Component, Handlers, Input, Item, Output, Run, RunError, RunInfo, RunParent, Timings,
    append_global,
};

const TOOL: RunInfo<'static> = RunInfo::new(Component::Tool, "weather");

fn run(handlers: &Handlers) {
    let run = handlers.start(TOOL, RunParent::Root, &Input::Tool(Default::default()));
    run.end(&Output::Tool(Default::default()));
}

#[test]
fn the_first_one_is_around_all_others() {
    let log = Log::default();
    let handlers = Handlers::new()
        .with(log.handler("a"))
        .with(log.handler("b"));
    run(&handlers);
    assert_eq!(
        log.take(),
        [
            "a: start weather",
            "b: start weather",
            "b: end weather after 0",
            "a: end weather after 0",
        ]
    );
}

#[test]
fn one_of_a_single_call_is_added_to_a_clone() {
    let log = Log::default();
    let all = Handlers::new().with(log.handler("all"));
    run(&all.clone().with(log.handler("once")));
    assert_eq!(log.take().len(), 4);
    run(&all);
    assert_eq!(
        log.take(),
        ["all: start weather", "all: end weather after 0"]
    );
}

#[test]
fn global_ones_are_around_all_others_and_do_not_change_what_is_there() {
    let log = Log::default();
    let before = Handlers::global();
    append_global(log.handler("global"));
    append_global(log.handler("second"));
    run(&before);
    assert_eq!(log.take(), <[&str; 0]>::default());
    run(&Handlers::global().with(log.handler("own")));
    assert_eq!(
        log.take(),
        [
            "global: start weather",
            "second: start weather",
            "own: start weather",
            "own: end weather after 0",
            "second: end weather after 0",
            "global: end weather after 0",
        ]
    );
}

#[test]
fn each_is_told_what_it_wants_and_nothing_else() {
    let log = Log::default();
    let mut errors = log.handler("errors");
    errors.wants = Timings::ERROR;
    let mut nothing = log.handler("nothing");
    nothing.wants = Timings::NONE;
    let handlers = Handlers::new().with(errors).with(nothing);
    run(&handlers);
    assert_eq!(log.take(), <[&str; 0]>::default());
    let failed = handlers.start(TOOL, RunParent::Root, &Input::Tool(Default::default()));
    failed.fail(&RunError::failed("not_found"));
    assert_eq!(log.take(), ["errors: error weather not_found"]);
}

#[test]
fn one_that_panics_is_told_nothing_more_of_that_run_and_the_others_are() {
    for at in ["start", "end"] {
        let log = Log::default();
        let mut bad = log.handler("bad");
        bad.panics_at = Some(at);
        let handlers = Handlers::new()
            .with(log.handler("a"))
            .with(bad)
            .with(log.handler("b"));
        run(&handlers);
        let told = log.take();
        assert_eq!(handlers.panics(), 1, "{at}");
        let of = |who: &str| told.iter().filter(|line| line.starts_with(who)).count();
        assert_eq!((of("a:"), of("b:")), (2, 2), "{at}: {told:?}");
        assert_eq!(of("bad:"), if at == "start" { 1 } else { 2 }, "{told:?}");
        // The next run is told to all of them again.
        run(&handlers);
        assert_eq!(handlers.panics(), 2);
    }
}

/// Each timing alone, over all that can be told.
#[test]
fn one_that_wants_a_single_timing_is_told_that_one() {
    for (wants, streams, whole) in [
        (Timings::START, "start echo", "start echo"),
        (Timings::END, "end echo after 0", "end echo after 0"),
        (Timings::STREAM_INPUT, "start with stream echo", ""),
        (Timings::STREAM_OUTPUT, "output of echo", "output of echo"),
        (Timings::ERROR, "", ""),
    ] {
        let log = Log::default();
        let mut one = log.handler("one");
        one.wants = wants;
        one.is_lax = true;
        let handlers = Handlers::new().with(one);
        let info = RunInfo::new(Component::Lambda, "echo");
        let check = |mut run: Run, expect: &str| {
            run.begin_output();
            run.end(&Output::Streamed);
            let mut told = log.take();
            told.retain(|line| !line.contains("input"));
            let expect: Vec<_> = (!expect.is_empty())
                .then(|| format!("one: {expect}"))
                .into_iter()
                .collect();
            assert_eq!(told, expect, "{wants:?}");
        };
        let (reads, taps) = handlers.start_streamed(info, RunParent::Root);
        drop(taps);
        check(reads, streams);
        let whole_input = Input::Node(Default::default());
        check(handlers.start(info, RunParent::Root, &whole_input), whole);
        let failed = handlers.start(info, RunParent::Root, &whole_input);
        log.take();
        failed.fail(&RunError::failed("odd"));
        let errors = usize::from(wants == Timings::ERROR);
        assert_eq!(log.take().len(), errors, "{wants:?}");
        assert_eq!(handlers.panics(), 0);
    }
}

/// Of pieces of an input those who are told first at the start are told first; of all that comes out, those who are told last.
#[test]
fn pieces_of_an_input_go_inwards_and_those_of_an_output_outwards() {
    let log = Log::default();
    let handlers = Handlers::new()
        .with(log.handler("a"))
        .with(log.handler("b"));
    let info = RunInfo::new(Component::Lambda, "echo");
    let (mut run, mut taps) = handlers.start_streamed(info, RunParent::Root);
    taps.item(&Item::Node(Default::default()));
    taps.close();
    run.begin_output();
    run.item(&Item::Node(Default::default()));
    run.fail(&RunError::failed("odd"));
    assert_eq!(
        log.take(),
        [
            "a: start with stream echo",
            "b: start with stream echo",
            "a: input",
            "b: input",
            "a: input is over",
            "b: input is over",
            "b: output of echo",
            "a: output of echo",
            "b: item of echo 2 ",
            "a: item of echo 2 ",
            "b: error echo odd",
            "a: error echo odd",
        ]
    );
}

#[test]
fn where_nobody_listens_a_run_is_nothing() {
    let run = Handlers::new().start(TOOL, RunParent::Root, &Input::Streamed);
    assert!(!run.is_told());
    assert!(run.reference().is_none());
    run.end(&Output::Streamed);
}
