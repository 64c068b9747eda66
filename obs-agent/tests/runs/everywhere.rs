//! Runs and streams end once wherever they are when they end: each ending as handlers are told it and as the observer records it.

use crate::recorded::Log;
use futures_util::{Stream, StreamExt, stream};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, Run, RunError, RunInfo, RunParent, RunRef,
};
use obs_core::{Active, Annotator, End, Milestone};
use obs_testing::Capture;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// A handler that writes down, and the observer behind it.
struct Seen {
    log: Log,
    capture: Capture,
    handlers: Handlers,
}

impl Seen {
    fn new() -> Self {
        let (log, capture) = (Log::default(), Capture::new());
        let observer = AgentObserver::new(capture.telemetry());
        let handlers = Handlers::new().with(log.handler("a")).with(observer);
        Self {
            log,
            capture,
            handlers,
        }
    }

    fn start(&self) -> Run {
        let info = RunInfo::new(Component::Tool, "weather");
        let input = Input::Tool(Default::default());
        self.handlers.start(info, RunParent::Current, &input)
    }

    /// It has ended, once, in this way.
    #[track_caller]
    fn check(&self, end: End, what: &str) {
        let expect = match end {
            End::Answered => "a: end weather after 0".to_owned(),
            End::Failed => "a: error weather odd".to_owned(),
            End::TimedOut => "a: error weather timeout".to_owned(),
            End::Panicked => "a: error weather panic".to_owned(),
            _ => "a: error weather cancelled".to_owned(),
        };
        let mut told = self.log.take();
        told.retain(|line| !line.starts_with("a: output of"));
        assert_eq!(told, ["a: start weather".to_owned(), expect], "{what}");
        let records = self.capture.records();
        assert_eq!(records.len(), 1, "{what}: {records:?}");
        assert_eq!(records[0].outcome.end(), end, "{what}");
        let duration = "obs.agent.execute_tool.duration";
        assert_eq!(self.capture.count(duration), 1, "{what}");
        assert_eq!(
            self.capture.in_flight("obs.agent.active_tools"),
            0,
            "{what}"
        );
        assert_eq!(self.handlers.panics(), 0, "{what}");
    }
}

type Pieces = Pin<Box<dyn Stream<Item = u32> + Send>>;

/// What there is of a run while it goes on.
enum Held {
    /// It, and somebody who waits for its work.
    Awaited(Run),
    /// Its output.
    Streamed(Pieces),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Awaited,
    Streamed,
    /// Of which a piece was read already.
    InTheMiddle,
}

const HOW: [How; 3] = [How::Awaited, How::Streamed, How::InTheMiddle];

impl Held {
    fn new(run: Run, how: How) -> Self {
        let then = async {
            yield_now().await;
            2
        };
        let pieces = stream::iter([1]).chain(stream::once(then));
        match how {
            How::Awaited => Self::Awaited(run),
            How::Streamed => Self::Streamed(Box::pin(
                run.stream_with(stream::pending(), |_: &u32, _| {}),
            )),
            How::InTheMiddle => Self::Streamed(Box::pin(
                run.stream_with(pieces.chain(stream::pending()), |_, _| {}),
            )),
        }
    }

    /// Never comes back.
    async fn work(self) {
        match self {
            Self::Awaited(run) => {
                let work = run.wrap(async {
                    yield_now().await;
                    std::future::pending::<()>().await;
                });
                work.await;
                run.end(&Output::Tool(Default::default()));
            }
            Self::Streamed(mut pieces) => while pieces.next().await.is_some() {},
        }
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_time().build().unwrap()
}

/// Work that goes on until somebody ends it, having been polled a few times.
fn each(end: End, what: &str, stop: impl Fn(Runtime, Held)) {
    for how in HOW {
        let seen = Seen::new();
        let held = Held::new(seen.start(), how);
        stop(runtime(), held);
        seen.check(end, &format!("{what} {how:?}"));
    }
}

async fn a_few_polls() {
    for _ in 0..8 {
        yield_now().await;
    }
}

#[test]
fn dropped_before_it_is_polled() {
    each(End::Cancelled, "dropped", |_, held| drop(held));
    each(End::Cancelled, "dropped", |_, held| drop(held.work()));
}

#[test]
fn another_branch_of_a_select_is_first() {
    each(End::Cancelled, "select", |runtime, held| {
        runtime.block_on(async {
            tokio::select! {
                () = held.work() => panic!("it never ends"),
                () = a_few_polls() => {}
            }
        });
    });
}

#[test]
fn a_timeout_around_it_drops_it() {
    each(End::Cancelled, "timeout", |runtime, held| {
        runtime.block_on(async {
            let waits = tokio::time::timeout(Duration::ZERO, held.work());
            assert!(waits.await.is_err());
        });
    });
}

#[test]
fn its_task_is_aborted() {
    each(End::Cancelled, "abort", |runtime, held| {
        runtime.block_on(async {
            let (tell, told) = oneshot::channel();
            let task = tokio::spawn(async {
                tokio::join!(held.work(), async {
                    a_few_polls().await;
                    tell.send(()).unwrap();
                });
            });
            told.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn its_runtime_is_shut_down() {
    each(End::Cancelled, "shutdown", |runtime, held| {
        let (tell, told) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            tokio::join!(held.work(), async {
                a_few_polls().await;
                tell.send(()).unwrap();
            });
        });
        told.recv().unwrap();
        drop(runtime);
    });
    // A task that the runtime never came to.
    each(End::Cancelled, "shutdown", |runtime, held| {
        drop(runtime);
        let lazy = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        lazy.spawn(held.work());
        drop(lazy);
    });
}

#[test]
fn the_task_that_has_it_panics() {
    each(End::Panicked, "task", |runtime, held| {
        let ended = runtime.block_on(async {
            let task = tokio::spawn(async {
                tokio::join!(held.work(), async {
                    a_few_polls().await;
                    panic!("as the test wants");
                });
            });
            task.await
        });
        assert!(ended.unwrap_err().is_panic());
    });
}

/// Its work panics in a task of its own, and whoever has the run sees no panic but that one is gone.
#[test]
fn its_work_panics_elsewhere() {
    let panics = |run: &Run, elsewhere: fn(RunRef)| elsewhere(run.reference().unwrap().clone());
    let elsewhere: [fn(RunRef); 3] = [
        |reference| {
            let thread = std::thread::spawn(move || {
                reference.in_scope(|| panic!("as the test wants"));
            });
            assert!(thread.join().is_err());
        },
        |reference| {
            let runtime = runtime();
            let task = runtime.spawn(reference.wrap(async { panic!("as the test wants") }));
            let ended: Result<(), _> = runtime.block_on(task);
            assert!(ended.unwrap_err().is_panic());
        },
        // What the work leaves behind panics as it goes.
        |reference| {
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    panic!("as the test wants");
                }
            }
            let bomb = Bomb;
            let work = reference.wrap(async move {
                let _bomb = bomb;
                std::future::pending::<()>().await;
            });
            assert!(catch_unwind(AssertUnwindSafe(|| drop(work))).is_err());
        },
    ];
    for elsewhere in elsewhere {
        let seen = Seen::new();
        let run = seen.start();
        panics(&run, elsewhere);
        drop(run);
        seen.check(End::Panicked, "elsewhere");
        // Who knows better says so.
        let seen = Seen::new();
        let run = seen.start();
        panics(&run, elsewhere);
        run.end(&Output::Tool(Default::default()));
        seen.check(End::Answered, "elsewhere");
    }
}

#[test]
fn its_end_is_told_within_another_run() {
    let ends: [(End, fn(Run)); 4] = [
        (End::Answered, |run| {
            run.end(&Output::Tool(Default::default()));
        }),
        (End::Failed, |run| run.fail(&RunError::failed("odd"))),
        (End::TimedOut, |run| run.fail(&RunError::timed_out())),
        (End::Cancelled, drop),
    ];
    for (end, told) in ends {
        let (seen, other) = (Seen::new(), Seen::new());
        let around = other.start();
        around.in_scope(|| {
            let run = seen.start();
            let reference = run.reference().unwrap().clone();
            assert_eq!(reference.parent(), around.reference().map(RunRef::id));
            // Also within itself, which is its own work.
            reference.in_scope(|| told(run));
        });
        seen.check(end, "within another");
        around.end(&Output::Tool(Default::default()));
        other.check(End::Answered, "around another");
    }
}

thread_local! {
    static LAST: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

/// What a thread has of its own goes as it ends, and some of that is gone already then.
#[test]
fn its_thread_ends() {
    for how in HOW {
        let seen = Seen::new();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // It is made first, and so it goes last.
                LAST.with_borrow_mut(|last| {
                    let mut held = Held::new(seen.start(), how);
                    let mut polled = std::task::Context::from_waker(std::task::Waker::noop());
                    if let Held::Streamed(pieces) = &mut held {
                        let _ = pieces.as_mut().poll_next(&mut polled);
                    }
                    last.push(held);
                });
            });
            thread.join().unwrap();
        });
        seen.check(End::Cancelled, &format!("{how:?}"));
    }
}

/// What begins as the thread ends, by what the thread had of its own, ends as well.
#[test]
fn it_begins_as_its_thread_ends() {
    struct Last(Handlers);
    impl Drop for Last {
        fn drop(&mut self) {
            let info = RunInfo::new(Component::Tool, "weather");
            let input = Input::Tool(Default::default());
            let run = self.0.start(info, RunParent::Current, &input);
            run.in_scope(|| {
                let within = RunInfo::new(Component::Lambda, "within");
                let run = Handlers::new().start(within, RunParent::Current, &Input::Streamed);
                assert!(run.reference().is_some(), "it is within the tool");
            });
            run.end(&Output::Tool(Default::default()));
        }
    }
    thread_local! {
        static ENDS: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let seen = Seen::new();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            ENDS.set(Some(Last(seen.handlers.clone())));
            // What others have of this thread is made later, and so it goes first.
            let other = Seen::new();
            other.start().end(&Output::Tool(Default::default()));
            other.check(End::Answered, "before");
        });
        thread.join().unwrap();
    });
    seen.check(End::Answered, "as its thread ends");
}

/// Somebody knows how long calls of models may take, and says so of each. The handler beside it knows nothing of that.
#[test]
fn a_models_call_dropped_after_a_deadline_that_it_has_timed_out() {
    struct Deadline;
    impl Annotator for Deadline {
        fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>) {
            if let Milestone::Started = milestone {
                operation.set_deadline(Duration::from_secs(1));
            }
        }
    }
    for (seconds, end) in [(0, End::Cancelled), (2, End::TimedOut)] {
        for how in HOW {
            let seen = Seen::new();
            assert!(seen.capture.telemetry().annotate(Deadline));
            let info = RunInfo::new(Component::Model, "");
            let input = Input::Model(Default::default());
            let run = seen.handlers.start(info, RunParent::Root, &input);
            let held = Held::new(run, how);
            seen.capture.clock().advance(Duration::from_secs(seconds));
            drop(held);
            assert_eq!(seen.capture.record().outcome.end(), end, "{how:?}");
        }
    }
}
