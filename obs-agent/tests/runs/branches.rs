//! Branches of a run that go on at once have it as their parent, and what is within each of them is that one's.

use crate::recorded::Log;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, Run, RunId, RunInfo, RunParent, RunRef,
    current,
};
use obs_testing::Capture;
use std::collections::HashMap;
use std::sync::{Arc, Barrier};
use tokio::task::yield_now;

const BRANCHES: usize = 8;

/// Two handlers, of which one makes operations of runs.
struct Told {
    capture: Capture,
    handlers: Handlers,
}

impl Told {
    fn new() -> Self {
        let capture = Capture::new();
        let observer = AgentObserver::new(capture.telemetry()).with_run_ids(true);
        let log = Log::default().handler("a");
        Self {
            capture,
            handlers: Handlers::new().with(log).with(observer),
        }
    }

    fn start(&self, name: &str, parent: RunParent<'_>) -> Run {
        start(&self.handlers, name, parent)
    }

    /// The outer run had each branch within it, those their leaves, and nothing is current any more; spans say the same.
    #[track_caller]
    fn check(self, outer: Run, branches: &[Branch]) {
        assert_eq!(branches.len(), BRANCHES);
        assert!(current::run().is_none());
        let of = reference(&outer);
        let mut steps: Vec<_> = branches.iter().map(|branch| branch.run.step()).collect();
        steps.sort_unstable();
        let all: Vec<_> = (1..).take(BRANCHES).collect();
        assert_eq!(steps, all);
        let mut expect = HashMap::from([(of.id().to_string(), None)]);
        for Branch { run, leaves } in branches {
            assert_eq!(run.parent(), Some(of.id()));
            assert_eq!((run.root(), run.depth()), (of.id(), 1));
            expect.insert(run.id().to_string(), Some(of.id().to_string()));
            for (number, leaf) in leaves.iter().enumerate() {
                assert_eq!(leaf.parent(), Some(run.id()));
                assert_eq!((leaf.root(), leaf.depth()), (of.id(), 2));
                assert_eq!(leaf.step() as usize, number + 1);
                expect.insert(leaf.id().to_string(), Some(run.id().to_string()));
            }
        }
        outer.end(&Output::Streamed);
        let records = self.capture.records();
        assert_eq!(records.len(), expect.len());
        let id = |record: &obs_testing::CapturedRecord| match record.attr("obs.agent.run.id") {
            Some(obs_testing::AttrValue::Str(id)) => id.to_string(),
            other => panic!("{other:?}"),
        };
        let spans: HashMap<_, _> = { records.iter() }
            .map(|record| (record.span_id, id(record)))
            .collect();
        for record in &records {
            let parent = record.parent_span_id.map(|parent| spans[&parent].clone());
            assert_eq!(parent, expect[&id(record)]);
        }
        assert_eq!(self.handlers.panics(), 0);
    }
}

fn start(handlers: &Handlers, name: &str, parent: RunParent<'_>) -> Run {
    let info = RunInfo::new(Component::Tool, name);
    handlers.start(info, parent, &Input::Tool(Default::default()))
}

fn reference(run: &Run) -> RunRef {
    run.reference().expect("somebody is told of it").clone()
}

struct Branch {
    run: RunRef,
    leaves: [RunRef; 2],
}

/// A branch of whatever is current, which lets others go on between its leaves.
async fn branch(handlers: Handlers) -> Branch {
    yield_now().await;
    let run = start(&handlers, "branch", RunParent::Current);
    let work = run.wrap(async {
        let mut leaves = Vec::new();
        for _ in 0..2 {
            yield_now().await;
            let leaf = start(&handlers, "leaf", RunParent::Current);
            leaves.push(reference(&leaf));
            leaf.wrap(yield_now()).await;
            leaf.end(&Output::Streamed);
            yield_now().await;
        }
        leaves
    });
    let leaves = work.await.try_into().expect("two");
    let branch = reference(&run);
    run.end(&Output::Streamed);
    Branch {
        run: branch,
        leaves,
    }
}

/// The same without waiting.
fn blocking_branch(handlers: &Handlers, together: &Barrier) -> Branch {
    let run = start(handlers, "branch", RunParent::Current);
    let leaves = run.in_scope(|| {
        [(); 2].map(|()| {
            together.wait();
            let leaf = start(handlers, "leaf", RunParent::Current);
            let found = reference(&leaf);
            leaf.end(&Output::Streamed);
            found
        })
    });
    let branch = reference(&run);
    run.end(&Output::Streamed);
    Branch {
        run: branch,
        leaves,
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(4).build().unwrap().block_on(future)
}

#[test]
fn joined_in_one_task() {
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let branch = || branch(told.handlers.clone());
    let all = outer.wrap(async {
        let (one, two, rest) = tokio::join!(
            branch(),
            branch(),
            futures_util::future::join_all((2..BRANCHES).map(|_| branch()))
        );
        { [one, two].into_iter() }.chain(rest).collect::<Vec<_>>()
    });
    let branches = block_on(all);
    told.check(outer, &branches);
}

#[test]
fn as_they_come_in_one_task() {
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let all: FuturesUnordered<_> = (0..BRANCHES)
        .map(|_| branch(told.handlers.clone()))
        .collect();
    let branches: Vec<_> = block_on(outer.wrap(all.collect()));
    told.check(outer, &branches);
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let all = stream::iter(0..BRANCHES).map(|_| branch(told.handlers.clone()));
    let branches: Vec<_> = block_on(outer.wrap(all.buffer_unordered(3).collect()));
    told.check(outer, &branches);
}

#[test]
fn spawned_each_in_a_task() {
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let of = reference(&outer);
    let branches = block_on(async {
        let tasks: Vec<_> = (0..BRANCHES)
            .map(|_| tokio::spawn(of.wrap(branch(told.handlers.clone()))))
            .collect();
        let mut branches = Vec::new();
        for task in tasks {
            branches.push(task.await.unwrap());
        }
        branches
    });
    told.check(outer, &branches);
}

#[test]
fn each_on_a_thread() {
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let together = Barrier::new(BRANCHES);
    let branches: Vec<_> = std::thread::scope(|scope| {
        let (of, handlers) = (reference(&outer), &told.handlers);
        let together = &together;
        let threads: Vec<_> = (0..BRANCHES)
            .map(|_| {
                let of = of.clone();
                scope.spawn(move || of.in_scope(|| blocking_branch(handlers, together)))
            })
            .collect();
        let threads = threads.into_iter();
        threads.map(|thread| thread.join().unwrap()).collect()
    });
    told.check(outer, &branches);
}

/// One thread's work for many branches, as pools of threads have it: what it did before says nothing of what it does now.
#[test]
fn one_after_another_on_threads_that_have_other_work() {
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let of = reference(&outer);
    let (give, take) = std::sync::mpsc::channel::<Box<dyn FnOnce() -> Option<Branch> + Send>>();
    let worker = std::thread::spawn(move || {
        take.into_iter()
            .filter_map(|work| {
                let done = work();
                assert!(current::run().is_none());
                done
            })
            .collect::<Vec<_>>()
    });
    for _ in 0..BRANCHES {
        let (of, handlers) = (of.clone(), told.handlers.clone());
        let alone = Arc::new(Barrier::new(1));
        let work = move || Some(of.in_scope(|| blocking_branch(&handlers, &alone)));
        give.send(Box::new(work)).unwrap();
        give.send(Box::new(|| {
            assert!(current::run().is_none());
            None
        }))
        .unwrap();
    }
    drop(give);
    told.check(outer, &worker.join().unwrap());
}

/// The first one there ends the others, whose runs end with them, and what comes then is within what is around.
#[test]
fn raced_in_a_select() {
    let (log, capture) = (Log::default(), Capture::new());
    let observer = AgentObserver::new(capture.telemetry());
    let handlers = Handlers::new().with(log.handler("a")).with(observer);
    let outer = start(&handlers, "outer", RunParent::Root);
    let of = reference(&outer);
    block_on(outer.wrap(async {
        let slow = async {
            let run = start(&handlers, "slow", RunParent::Current);
            let never = std::future::pending::<()>();
            run.wrap(never).await;
        };
        let fast = async {
            let run = start(&handlers, "fast", RunParent::Current);
            run.wrap(yield_now()).await;
            run.end(&Output::Streamed);
        };
        tokio::select! {
            biased;
            () = slow => panic!("it never ends"),
            () = fast => {}
        }
        let after = start(&handlers, "after", RunParent::Current);
        assert_eq!(reference(&after).parent(), Some(of.id()));
        after.end(&Output::Streamed);
    }));
    outer.end(&Output::Streamed);
    assert_eq!(
        log.take(),
        [
            "a: start outer",
            "a: start slow",
            "a: start fast",
            "a: end fast after 0",
            "a: error slow cancelled",
            "a: start after",
            "a: end after after 0",
            "a: end outer after 0",
        ]
    );
    let records = capture.records();
    let outer = records.last().unwrap();
    for record in &records[..3] {
        assert_eq!(record.parent_span_id, Some(outer.span_id));
    }
}

/// Nothing is ambient across tasks that are spawned: whoever spawns says where they are.
#[test]
fn spawned_without_saying_where_it_is_within_nothing() {
    let told = Told::new();
    let outer = told.start("outer", RunParent::Root);
    let handlers = told.handlers.clone();
    let found: Option<RunId> = block_on(outer.wrap(async move {
        let task = tokio::spawn(async move {
            let run = start(&handlers, "elsewhere", RunParent::Current);
            reference(&run).parent()
        });
        task.await.unwrap()
    }));
    assert_eq!(found, None);
}

/// One branch's panic is its own, and that of whoever lets it through.
#[test]
fn a_branch_that_panics_is_one_that_panicked_and_no_other() {
    let log = Log::default();
    let handlers = Handlers::new().with(log.handler("a"));
    let outer = start(&handlers, "outer", RunParent::Root);
    block_on(outer.wrap(async {
        let branch = |name: &'static str, panics: bool| {
            let run = start(&handlers, name, RunParent::Current);
            tokio::spawn(async move {
                let work = run.wrap(async move {
                    yield_now().await;
                    if panics {
                        panic!("as the test wants");
                    }
                });
                work.await;
                run.end(&Output::Streamed);
            })
        };
        let (bad, good) = (branch("bad", true), branch("good", false));
        assert!(bad.await.unwrap_err().is_panic());
        good.await.unwrap();
    }));
    drop(outer);
    let mut told = log.take();
    told.sort();
    assert_eq!(
        told,
        [
            "a: end good after 0",
            "a: error bad panic",
            "a: error outer cancelled",
            "a: start bad",
            "a: start good",
            "a: start outer",
        ]
    );
}
