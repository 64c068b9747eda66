//! Each run ends once, whatever happens to it.

use crate::recorded::Log;
use obs_agent::{Component, Handlers, Input, Output, Run, RunError, RunInfo, RunParent};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn start(log: &Log) -> Run {
    let handlers = Handlers::new().with(log.handler("a"));
    let info = RunInfo::new(Component::Tool, "weather");
    let run = handlers.start(info, RunParent::Root, &Input::Tool(Default::default()));
    assert_eq!(log.take(), ["a: start weather"]);
    run
}

#[test]
fn as_it_is_told() {
    let log = Log::default();
    start(&log).end(&Output::Tool(Default::default()));
    assert_eq!(log.take(), ["a: end weather after 0"]);
    start(&log).fail(&RunError::failed("rate_limit_error"));
    assert_eq!(log.take(), ["a: error weather rate_limit_error"]);
    start(&log).fail(&RunError::timed_out());
    assert_eq!(log.take(), ["a: error weather timeout"]);
}

#[test]
fn dropped_it_was_cancelled() {
    let log = Log::default();
    drop(start(&log));
    assert_eq!(log.take(), ["a: error weather cancelled"]);
}

#[test]
fn on_another_thread_with_what_its_handler_remembers() {
    let log = Log::default();
    let mut run = start(&log);
    run.begin_output();
    assert_eq!(log.take(), ["a: output of weather"]);
    let thread = std::thread::spawn(move || run.end(&Output::Streamed));
    thread.join().unwrap();
    assert_eq!(log.take(), ["a: end weather after 1"]);
}

#[test]
fn unwinding_it_panicked() {
    let log = Log::default();
    let run = start(&log);
    let thread = std::thread::spawn(move || {
        let _run = run;
        panic!("as the test wants");
    });
    assert!(thread.join().is_err());
    assert_eq!(log.take(), ["a: error weather panic"]);
}

/// Where somebody catches the panic in between, the run is dropped by a thread that does not panic.
#[test]
fn a_panic_of_its_work_is_one_also_where_it_was_caught() {
    let log = Log::default();
    let run = start(&log);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        run.in_scope(|| panic!("as the test wants"));
    }));
    assert!(caught.is_err());
    drop(run);
    assert_eq!(log.take(), ["a: error weather panic"]);
}

#[test]
fn debug_output_shows_no_content() {
    let secret = "my secret";
    let error = RunError::failed("odd").with_message(&secret);
    let text = obs_agent::Text::Plain(secret);
    let shown = format!("{error:?} {text:?}");
    assert!(!shown.contains(secret), "{shown}");
}
