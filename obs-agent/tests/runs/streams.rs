//! Streams: nothing is copied, read ahead or held back, and their endings are the run's.

use crate::recorded::Log;
use futures_util::{Stream, StreamExt, stream};
use obs_agent::output::NodeOutput;
use obs_agent::{
    Component, Handlers, Input, Item, Output, Run, RunError, RunInfo, RunParent, Tap, Text, current,
};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

type Piece = Result<&'static str, &'static str>;

fn start(log: &Log) -> Run {
    let handlers = Handlers::new().with(log.handler("a"));
    let info = RunInfo::new(Component::Lambda, "echo");
    let run = handlers.start(info, RunParent::Root, &Input::Node(Default::default()));
    log.take();
    run
}

fn observe(piece: &Piece, tap: &mut Tap<'_>) {
    match piece {
        Ok("panic") => panic!("as the test wants"),
        Ok("last") => tap.complete(&Output::Streamed),
        Ok(piece) => {
            let mut node = NodeOutput::default();
            node.value = Some(Text::Plain(piece));
            tap.item(&Item::Node(node));
        }
        Err(error) => tap.fail(&RunError::failed(error)),
    }
}

fn next<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn read_to_its_end() {
    let log = Log::default();
    let mut pieces =
        pin!(start(&log).stream_with(stream::iter([Ok("x"), Ok("y")] as [Piece; 2]), observe));
    assert_eq!(next(&mut pieces), Poll::Ready(Some(Ok("x"))));
    assert_eq!(log.take(), ["a: output of echo", "a: item of echo 2 x"]);
    assert_eq!(next(&mut pieces), Poll::Ready(Some(Ok("y"))));
    assert_eq!(log.take(), ["a: item of echo 3 y"]);
    assert_eq!(next(&mut pieces), Poll::Ready(None));
    assert_eq!(log.take(), ["a: end echo after 3"]);
    assert_eq!(pieces.size_hint(), (0, Some(0)));
}

#[test]
fn an_error_in_the_middle_ends_it_with_the_error_and_the_rest_passes() {
    let log = Log::default();
    let all: [Piece; 3] = [Ok("x"), Err("overloaded_error"), Ok("y")];
    let pieces = start(&log).stream_with(stream::iter(all), observe);
    let passed: Vec<_> = futures_util::FutureExt::now_or_never(pieces.collect()).unwrap();
    assert_eq!(passed, all);
    assert_eq!(
        log.take(),
        [
            "a: output of echo",
            "a: item of echo 2 x",
            "a: error echo overloaded_error"
        ]
    );
}

#[test]
fn after_each_number_of_pieces_a_dropped_one_was_cancelled_once() {
    let all: [Piece; 4] = [Ok("a"), Ok("b"), Ok("c"), Ok("d")];
    for read in 0..=all.len() {
        let log = Log::default();
        let mut pieces = Box::pin(start(&log).stream_with(stream::iter(all), observe));
        for _ in 0..read {
            assert!(next(&mut pieces).is_ready());
        }
        drop(pieces);
        let told = log.take();
        assert_eq!(told.len(), read + 2, "{told:?}");
        assert_eq!(told[read + 1], "a: error echo cancelled");
    }
}

#[test]
fn complete_with_an_item_it_is_not_cancelled_when_nobody_reads_on() {
    let log = Log::default();
    let all: [Piece; 3] = [Ok("x"), Ok("last"), Ok("y")];
    let mut pieces = Box::pin(start(&log).stream_with(stream::iter(all), observe));
    assert!(next(&mut pieces).is_ready());
    assert!(next(&mut pieces).is_ready());
    drop(pieces);
    assert_eq!(log.take()[2..], ["a: end echo after 2"]);
}

#[test]
fn who_cannot_read_items_changes_none_of_them() {
    let log = Log::default();
    let all: [Piece; 3] = [Ok("x"), Ok("panic"), Ok("y")];
    let pieces = start(&log).stream_with(stream::iter(all), observe);
    let passed: Vec<_> = futures_util::FutureExt::now_or_never(pieces.collect()).unwrap();
    assert_eq!(passed, all);
    assert_eq!(log.take()[2..], ["a: error echo observer_panicked"]);
}

/// A source that says how often it was asked, and in which run.
struct Source {
    asked: Arc<AtomicUsize>,
    within: Arc<AtomicUsize>,
}

impl Source {
    fn note(&self) {
        if current::run().is_some() {
            self.within.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Stream for Source {
    type Item = Piece;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.note();
        match self.asked.fetch_add(1, Ordering::SeqCst) {
            1 => panic!("as the test wants"),
            _ => Poll::Ready(Some(Ok("x"))),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.note();
    }
}

#[test]
fn the_source_is_asked_when_the_reader_asks_and_within_the_run() {
    let log = Log::default();
    let (asked, within) = (Arc::default(), Arc::default());
    let source = Source {
        asked: Arc::clone(&asked),
        within: Arc::clone(&within),
    };
    let mut pieces = Box::pin(start(&log).stream_with(source, observe));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert!(next(&mut pieces).is_ready());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Closing early reaches it, within the run.
    drop(pieces);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(within.load(Ordering::SeqCst), 2);
    assert_eq!(log.take().last().unwrap(), "a: error echo cancelled");
}

#[test]
fn a_source_that_panics_is_a_run_that_panicked() {
    let log = Log::default();
    let source = Source {
        asked: Arc::default(),
        within: Arc::default(),
    };
    let mut pieces = Box::pin(start(&log).stream_with(source, observe));
    assert!(next(&mut pieces).is_ready());
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| next(&mut pieces)));
    assert!(unwound.is_err());
    drop(pieces);
    assert_eq!(log.take().last().unwrap(), "a: error echo panic");
}

#[test]
fn an_input_is_tapped_as_the_run_reads_it_and_wherever_that_is() {
    let log = Log::default();
    let handlers = Handlers::new().with(log.handler("a"));
    let info = RunInfo::new(Component::Lambda, "echo");
    let (run, taps) = handlers.start_streamed(info, RunParent::Root);
    let input = taps.stream_with(stream::iter([1, 2, 3]), |_, taps| {
        taps.item(&Item::Node(NodeOutput::default()));
    });
    let thread = std::thread::spawn(move || {
        let mut input = Box::pin(input);
        assert_eq!(next(&mut input), Poll::Ready(Some(1)));
    });
    thread.join().unwrap();
    run.end(&Output::Node(NodeOutput::default()));
    assert_eq!(
        log.take(),
        [
            "a: start with stream echo",
            "a: input",
            "a: input is over",
            "a: end echo after 0"
        ]
    );
}
