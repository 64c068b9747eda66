//! What a run is part of, wherever it runs.

use crate::recorded::{Log, Recorded};
use futures_util::future::join;
use obs_agent::{
    Component, Handler, Handlers, Input, Run, RunInfo, RunParent, RunRef, Starting, State, Timings,
    current,
};

fn start(handlers: &Handlers, name: &str, parent: RunParent<'_>) -> Run {
    let info = RunInfo::new(Component::Lambda, name);
    handlers.start(info, parent, &Input::Node(Default::default()))
}

fn reference(run: &Run) -> RunRef {
    run.reference().expect("somebody is told of it").clone()
}

fn handlers() -> Handlers {
    Handlers::new().with(Log::default().handler("a"))
}

#[test]
fn a_parent_that_is_named_is_the_parent_on_any_thread() {
    let handlers = handlers();
    let outer = start(&handlers, "outer", RunParent::Root);
    let parent = reference(&outer);
    let (inner, of) = (handlers.clone(), parent.clone());
    let inner = std::thread::spawn(move || reference(&start(&inner, "inner", RunParent::Of(&of))));
    let inner = inner.join().unwrap();
    assert_eq!(inner.parent(), Some(parent.id()));
    assert_eq!(inner.root(), parent.id());
    assert_eq!((parent.depth(), inner.depth()), (0, 1));
    assert_eq!((parent.step(), inner.step()), (0, 1));
    assert_ne!(inner.id(), parent.id());
}

#[test]
fn parallel_branches_have_one_parent_and_steps_of_their_own() {
    let handlers = handlers();
    let outer = start(&handlers, "outer", RunParent::Root);
    let branch = || async {
        let run = start(&handlers, "branch", RunParent::Current);
        let branch = reference(&run);
        let within = branch.wrap(async {
            // The other branch is polled between.
            YieldOnce::default().await;
            reference(&start(&handlers, "leaf", RunParent::Current))
        });
        let leaf = within.await;
        (branch, leaf)
    };
    let both = reference(&outer).wrap(join(branch(), branch()));
    let ((left, left_leaf), (right, right_leaf)) = block_on(both);
    assert_eq!(left.parent(), Some(reference(&outer).id()));
    assert_eq!(right.parent(), left.parent());
    assert_eq!((left.step(), right.step()), (1, 2));
    assert_eq!(left_leaf.parent(), Some(left.id()));
    assert_eq!(right_leaf.parent(), Some(right.id()));
    assert_eq!(right_leaf.root(), reference(&outer).id());
    assert!(current::run().is_none());
}

/// Wants no prompts.
struct AllButPrompts(Recorded);

impl Handler for AllButPrompts {
    fn needed(&self, info: &RunInfo<'_>) -> Timings {
        match info.component {
            Component::Prompt => Timings::NONE,
            _ => self.0.needed(info),
        }
    }
}

#[test]
fn what_is_within_a_run_that_nobody_wants_is_within_the_run_around_it() {
    let handlers = Handlers::new().with(AllButPrompts(Log::default().handler("most")));
    let outer = start(&handlers, "outer", RunParent::Root);
    let unwanted = handlers.start(
        RunInfo::new(Component::Prompt, "unwanted"),
        outer.as_parent(),
        &Input::Prompt(Default::default()),
    );
    assert!(!unwanted.is_told());
    let inner = start(&handlers, "inner", unwanted.as_parent());
    assert_eq!(reference(&inner).parent(), Some(reference(&outer).id()));
}

/// A call that is told at second hand is told by nobody else where nobody wants to be told of it.
#[test]
fn what_nobody_is_told_is_not_told_within() {
    let info = RunInfo::new(Component::Model, "").with_second_hand();
    let model = Input::Model(Default::default());
    let outer = handlers().start(info, RunParent::Root, &model);
    let info = RunInfo::new(Component::Model, "");
    let nobody = Handlers::new();
    drop(nobody.start(info, outer.as_parent(), &model));
    assert!(!reference(&outer).is_told_within());
    drop(handlers().start(info, outer.as_parent(), &model));
    assert!(reference(&outer).is_told_within());
}

/// Which runs are the same as the one around them, that is told at second hand, and which are others within it.
#[test]
fn a_call_is_told_within_and_an_agent_by_its_own_framework() {
    struct Again(Log);
    impl Handler for Again {
        fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
            self.0.push(run.tells_again().to_string());
            State::none()
        }
    }
    use Component::{Agent, Embedding, Model, Tool};
    let rig = |component| RunInfo::new(component, "").with_kind("rig");
    let other = |component| RunInfo::new(component, "").with_kind("other");
    for (outer, inner, within, again) in [
        (rig(Model).with_second_hand(), other(Model), true, true),
        (
            rig(Model).with_second_hand(),
            rig(Model).with_second_hand(),
            true,
            true,
        ),
        (
            rig(Embedding).with_second_hand(),
            other(Embedding),
            true,
            true,
        ),
        (rig(Model).with_second_hand(), rig(Embedding), false, false),
        (rig(Model), rig(Model), false, false),
        (rig(Agent).with_second_hand(), rig(Agent), true, true),
        (rig(Agent).with_second_hand(), rig(Model), false, false),
        (rig(Agent).with_second_hand(), other(Agent), false, true),
        (
            rig(Agent).with_second_hand(),
            rig(Agent).with_second_hand(),
            false,
            true,
        ),
        (rig(Tool).with_second_hand(), rig(Tool), true, true),
    ] {
        let log = Log::default();
        let handlers = Handlers::new().with(Again(log.clone()));
        let around = handlers.start(outer, RunParent::Root, &Input::Streamed);
        drop(handlers.start(inner, around.as_parent(), &Input::Streamed));
        let what = format!("{outer:?} {inner:?}");
        assert_eq!(reference(&around).is_told_within(), within, "{what}");
        assert_eq!(
            log.take(),
            ["false".to_owned(), again.to_string()],
            "{what}"
        );
    }
}

/// For work that is given to a runtime, and holds a reference to its run while it waits.
#[test]
fn a_run_can_be_lent_across_an_await() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let run = start(&handlers(), "outer", RunParent::Root);
    let work = is_send(async {
        let lent = &run;
        YieldOnce::default().await;
        lent.is_told()
    });
    assert!(block_on(work));
}

/// What says that it is part of nothing is so wherever it begins, and what nobody is told of is part of what it says.
#[test]
fn a_root_is_one_within_another_run_too() {
    let handlers = handlers();
    let outer = start(&handlers, "outer", RunParent::Root);
    outer.in_scope(|| {
        let root = start(&handlers, "root", RunParent::Root);
        let root = reference(&root);
        assert_eq!((root.parent(), root.root()), (None, root.id()));
        assert_eq!((root.depth(), root.step()), (0, 0));
        let current = start(&handlers, "current", RunParent::default());
        assert_eq!(reference(&current).parent(), Some(reference(&outer).id()));
        let nobody = start(&Handlers::new(), "nobody", RunParent::Root);
        assert!(nobody.reference().is_none());
        let within = start(&handlers, "within", nobody.as_parent());
        assert_eq!(reference(&within).parent(), None);
    });
}

#[test]
fn a_framework_brings_its_own_ids() {
    let info = RunInfo::new(Component::Agent, "planner")
        .with_id(0xfeed_u128.into())
        .with_kind("ours")
        .with_attempt(2);
    let run = handlers().start(info, RunParent::Root, &Input::Agent(Default::default()));
    assert_eq!(reference(&run).id().to_string(), "feed");
    let reference = reference(&run);
    let info = reference.info();
    assert_eq!((info.component, info.attempt), (Component::Agent, 2));
    assert_eq!((info.name, info.kind), ("planner", "ours"));
}

#[test]
fn a_run_that_is_current_is_so_for_its_destructors_too_and_no_longer() {
    struct Last(Handlers, std::sync::mpsc::Sender<Option<obs_agent::RunId>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let run = start(&self.0, "last", RunParent::Current);
            self.1.send(reference(&run).parent()).unwrap();
        }
    }
    let handlers = handlers();
    let outer = start(&handlers, "outer", RunParent::Root);
    let (tell, told) = std::sync::mpsc::channel();
    let last = Last(handlers.clone(), tell);
    let mut within = Box::pin(reference(&outer).wrap(async move {
        let _last = last;
        std::future::pending::<()>().await;
    }));
    assert!(poll_once(within.as_mut()).is_pending());
    drop(within);
    assert_eq!(told.recv().unwrap(), Some(reference(&outer).id()));
    assert!(current::run().is_none());
}

/// Pending once.
#[derive(Default)]
struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    loop {
        if let std::task::Poll::Ready(done) = poll_once(future.as_mut()) {
            return done;
        }
    }
}
