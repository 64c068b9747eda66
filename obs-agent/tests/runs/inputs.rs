//! Inputs that come in pieces: they are looked into as the run reads them, wherever that is.

use crate::recorded::Log;
use futures_util::{Stream, StreamExt, stream};
use obs_agent::output::NodeOutput;
use obs_agent::{Component, Handlers, InputTaps, Item, Output, Run, RunError, RunInfo, RunParent};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

fn start(log: &Log) -> (Run, InputTaps) {
    let handlers = Handlers::new().with(log.handler("a"));
    let info = RunInfo::new(Component::Lambda, "echo");
    let begun = handlers.start_streamed(info, RunParent::Root);
    assert_eq!(log.take(), ["a: start with stream echo"]);
    begun
}

type Piece = Result<Box<u32>, &'static str>;

fn observe(piece: &Piece, taps: &mut InputTaps) {
    match piece {
        Ok(piece) if **piece == 13 => panic!("as the test wants"),
        Ok(_) => taps.item(&Item::Node(NodeOutput::default())),
        Err(_) => taps.close(),
    }
}

fn next<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// Says in the log when it is asked, when it has nothing, and when it goes.
struct Source {
    log: Log,
    pieces: std::vec::IntoIter<Poll<Piece>>,
}

impl Source {
    fn new(log: &Log, pieces: Vec<Poll<Piece>>) -> Self {
        Self {
            log: log.clone(),
            pieces: pieces.into_iter(),
        }
    }
}

impl Stream for Source {
    type Item = Piece;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.log.push("asked".to_owned());
        match self.pieces.next() {
            Some(piece) => piece.map(Some),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (3, Some(7))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.log.push("closed".to_owned());
    }
}

fn ready(number: u32) -> Poll<Piece> {
    Poll::Ready(Ok(Box::new(number)))
}

#[test]
fn the_source_is_asked_when_the_run_asks_and_told_when_it_wants_no_more() {
    let log = Log::default();
    let (run, taps) = start(&log);
    let source = Source::new(&log, vec![ready(1), Poll::Pending, ready(2), ready(3)]);
    let mut input = taps.stream_with(source, observe);
    assert_eq!(input.size_hint(), (3, Some(7)));
    assert_eq!(log.take(), <[&str; 0]>::default());
    assert!(next(&mut input).is_ready());
    assert_eq!(log.take(), ["asked", "a: input"]);
    assert!(next(&mut input).is_pending());
    assert_eq!(log.take(), ["asked"]);
    assert!(next(&mut input).is_ready());
    assert_eq!(log.take(), ["asked", "a: input"]);
    drop(input);
    assert_eq!(log.take(), ["closed", "a: input is over"]);
    run.end(&Output::Streamed);
    assert_eq!(log.take(), ["a: end echo after 0"]);
}

#[test]
fn read_to_its_end_taps_know_it_then_and_once() {
    let log = Log::default();
    let (run, taps) = start(&log);
    let source = Source::new(&log, vec![ready(1)]);
    let mut input = taps.stream_with(source, observe);
    assert!(next(&mut input).is_ready());
    log.take();
    assert!(matches!(next(&mut input), Poll::Ready(None)));
    assert_eq!(log.take(), ["asked", "a: input is over"]);
    drop(input);
    assert_eq!(log.take(), ["closed"]);
    run.end(&Output::Streamed);
}

/// The very pieces pass: they could not be copied.
#[test]
fn pieces_pass_as_they_are_whoever_can_read_them() {
    let log = Log::default();
    let (run, taps) = start(&log);
    let boxes = [1, 13, 2].map(Box::new);
    let places = boxes.each_ref().map(|piece| std::ptr::from_ref(&**piece));
    let source = boxes.map(|piece| Poll::Ready(Ok(piece))).into();
    let mut input = taps.stream_with(Source::new(&log, source), observe);
    for place in places {
        let Poll::Ready(Some(Ok(piece))) = next(&mut input) else {
            panic!("it is there")
        };
        assert!(std::ptr::eq(&*piece, place));
    }
    // From the piece on that could not be read nothing is told.
    let told = log.take();
    let told = told.iter().filter(|line| *line != "asked");
    assert_eq!(told.collect::<Vec<_>>(), ["a: input", "a: input is over"]);
    run.end(&Output::Streamed);
}

#[test]
fn an_error_in_the_middle_passes_and_the_run_that_reads_it_fails() {
    let log = Log::default();
    let (run, taps) = start(&log);
    let source = Source::new(
        &log,
        vec![ready(1), Poll::Ready(Err("unavailable")), ready(2)],
    );
    let mut input = taps.stream_with(source, observe);
    assert!(next(&mut input).is_ready());
    log.take();
    let Poll::Ready(Some(Err(error))) = next(&mut input) else {
        panic!("it is there")
    };
    assert_eq!(log.take(), ["asked", "a: input is over"]);
    run.fail(&RunError::failed(error));
    assert_eq!(log.take(), ["a: error echo unavailable"]);
    // What comes after it is nobody's, and passes.
    assert!(matches!(next(&mut input), Poll::Ready(Some(Ok(_)))));
    assert_eq!(log.take(), ["asked"]);
}

/// The source's panic is that of whoever reads: the run, if it reads within itself.
#[test]
fn a_source_that_panics_is_a_run_that_panicked_if_it_reads_there() {
    let log = Log::default();
    let (run, taps) = start(&log);
    let asked = AtomicUsize::new(0);
    let source = stream::poll_fn(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => ready(1).map(Some),
        _ => panic!("as the test wants"),
    });
    let mut input = taps.stream_with(source, observe);
    let read = catch_unwind(AssertUnwindSafe(|| {
        run.in_scope(|| while next(&mut input).is_ready() {});
    }));
    assert!(read.is_err());
    drop(input);
    drop(run);
    assert_eq!(
        log.take(),
        ["a: input", "a: input is over", "a: error echo panic"]
    );
}

#[test]
fn it_goes_anywhere_and_outlives_its_run() {
    let log = Log::default();
    let (run, taps) = start(&log);
    let source = Source::new(&log, vec![ready(1), ready(2)]);
    let mut input = taps.stream_with(source, observe);
    run.end(&Output::Streamed);
    log.take();
    let read = std::thread::spawn(move || {
        assert!(next(&mut input).is_ready());
        drop(input);
    });
    read.join().unwrap();
    assert_eq!(
        log.take(),
        ["asked", "a: input", "closed", "a: input is over"]
    );
}

/// Nobody taps it: it is only passed on.
#[test]
fn without_a_tap_nobody_looks_into_it() {
    let info = RunInfo::new(Component::Lambda, "echo");
    let (run, taps) = Handlers::new().start_streamed(info, RunParent::Root);
    assert!(taps.is_empty());
    let looked = Arc::new(AtomicUsize::new(0));
    let looks = Arc::clone(&looked);
    let mut input = taps.stream_with(stream::iter([1, 2]), move |_, _| {
        looks.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(next(&mut input), Poll::Ready(Some(1)));
    assert_eq!(next(&mut input), Poll::Ready(Some(2)));
    assert_eq!(next(&mut input), Poll::Ready(None));
    assert_eq!(looked.load(Ordering::Relaxed), 0);
    assert!(!run.is_told());
}
