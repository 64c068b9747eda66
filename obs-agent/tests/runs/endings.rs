//! Each run ends once, whatever happens to it.

use crate::recorded::Log;
use obs_agent::{
    Component, Handler, Handlers, Input, Output, Run, RunError, RunInfo, RunParent, RunRef, State,
    Text,
};
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

/// The error itself is there for handlers, as text that they make or not.
#[test]
fn a_handler_can_read_the_error_itself() {
    struct Reads(Log);
    impl Handler for Reads {
        fn on_error(&self, _: &RunRef, _: &mut State, error: &RunError<'_>) {
            let message = error.message.map(ToString::to_string);
            self.0
                .push(format!("{:?} {} {message:?}", error.end, error.kind));
        }
    }
    let log = Log::default();
    let handlers = Handlers::new().with(Reads(log.clone()));
    let info = RunInfo::new(Component::Tool, "weather");
    let start = || handlers.start(info, RunParent::Root, &Input::Tool(Default::default()));
    start().fail(&RunError::failed("odd").with_message(&"it rains"));
    start().fail(&RunError::panicked().with_message(&7));
    drop(start());
    let expect = [
        r#"Failed odd Some("it rains")"#,
        r#"Panicked panic Some("7")"#,
        "Cancelled cancelled None",
    ];
    assert_eq!(log.take(), expect);
}

#[test]
fn a_text_is_the_same_whether_it_is_there_or_made() {
    let write = |out: &mut String| out.push_str("said");
    for (text, is_json) in [
        (Text::Plain("said"), false),
        (Text::from("said"), false),
        (Text::Json("said"), true),
        (Text::PlainBy(&write), false),
        (Text::JsonBy(&write), true),
    ] {
        let mut all = "it is ".to_owned();
        text.write_to(&mut all);
        assert_eq!(all, "it is said");
        assert_eq!(text.with(str::to_owned), "said");
        assert_eq!(text.is_json(), is_json);
    }
}

#[test]
fn debug_output_shows_no_content() {
    let secret = "my secret";
    let error = RunError::failed("odd").with_message(&secret);
    let text = Text::Plain(secret);
    let shown = format!("{error:?} {text:?}");
    assert!(!shown.contains(secret), "{shown}");
}
