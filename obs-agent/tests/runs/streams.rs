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

/// The runs that begin as the stream is read have their parent there, whoever reads, and also where nobody wants the one that streams,
/// or where it has ended before the stream has.
#[test]
fn in_each_poll_it_is_the_current_one() {
    let log = Log::default();
    let found = |run: Run, ends: bool| {
        let source = stream::repeat_with(|| current::run().map(|run| run.id())).take(2);
        let mut runs = Box::pin(run.stream_with(source, move |_, tap| {
            if ends {
                tap.complete(&Output::Streamed);
            }
        }));
        let read = move || [next(&mut runs), next(&mut runs), next(&mut runs)];
        std::thread::spawn(read).join().unwrap()
    };
    for ends in [false, true] {
        let run = start(&log);
        let id = run.reference().unwrap().id();
        let all = Poll::Ready(Some(Some(id)));
        assert_eq!(found(run, ends), [all, all, Poll::Ready(None)], "{ends}");
        let around = start(&log);
        let id = around.reference().unwrap().id();
        let info = RunInfo::new(Component::Lambda, "of nobody");
        let node = Input::Node(Default::default());
        let run = Handlers::new().start(info, around.as_parent(), &node);
        assert!(!run.is_told());
        let all = Poll::Ready(Some(Some(id)));
        assert_eq!(found(run, ends), [all, all, Poll::Ready(None)], "{ends}");
    }
}

/// Nobody listens any more: nobody looks.
#[test]
fn after_its_end_nobody_looks_into_it() {
    let log = Log::default();
    let mut looked = 0;
    let pieces = start(&log).stream_with(stream::iter(0..4), |piece, tap| {
        looked += 1;
        if *piece == 1 {
            tap.fail(&RunError::failed("odd"));
            // It has ended: these are nobody's.
            tap.complete(&Output::Streamed);
            tap.item(&Item::Node(NodeOutput::default()));
        }
    });
    let passed: Vec<_> = futures_util::FutureExt::now_or_never(pieces.collect()).unwrap();
    assert_eq!(passed, [0, 1, 2, 3]);
    assert_eq!(looked, 2);
    assert_eq!(log.take(), ["a: output of echo", "a: error echo odd"]);
}

/// The very pieces pass: they could not be copied. And what the source says of what is to come is said.
#[test]
fn pieces_pass_as_they_are() {
    let log = Log::default();
    let boxes = [1, 2, 3].map(Box::new);
    let places = boxes.each_ref().map(|piece| std::ptr::from_ref(&**piece));
    let mut pieces = start(&log).stream_with(stream::iter(boxes), |_, _| {});
    assert_eq!(pieces.size_hint(), (3, Some(3)));
    for place in places {
        let Poll::Ready(Some(piece)) = next(&mut pieces) else {
            panic!("it is there")
        };
        assert!(std::ptr::eq(&*piece, place));
    }
    assert_eq!(pieces.size_hint(), (0, Some(0)));
    assert!(pieces.run().is_told() && pieces.get_ref().is_some());
}

/// What waits for its source is woken by it, and nothing else is told meanwhile.
#[test]
fn a_source_that_has_nothing_yet_wakes_the_reader() {
    let log = Log::default();
    let waker: Arc<std::sync::Mutex<Option<Waker>>> = Arc::default();
    let keeps = Arc::clone(&waker);
    let mut pieces = start(&log).stream_with(
        stream::poll_fn(move |cx| {
            *keeps.lock().unwrap() = Some(cx.waker().clone());
            Poll::<Option<Piece>>::Pending
        }),
        observe,
    );
    struct Woken(AtomicUsize);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let reader = Waker::from(Arc::clone(&woken));
    let polled = pieces.poll_next_unpin(&mut Context::from_waker(&reader));
    assert!(polled.is_pending());
    waker.lock().unwrap().take().unwrap().wake();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(log.take(), ["a: output of echo"]);
}

/// The source's own destructor panics: that is its reader's, as without the run, and the run is told.
#[test]
fn a_source_that_panics_as_it_goes_is_a_run_that_panicked() {
    struct Bomb;
    impl Stream for Bomb {
        type Item = Piece;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
            Poll::Pending
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as the test wants");
        }
    }
    let log = Log::default();
    let pieces = start(&log).stream_with(Bomb, observe);
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(pieces)));
    assert!(dropped.is_err());
    assert_eq!(log.take(), ["a: output of echo", "a: error echo panic"]);
}
