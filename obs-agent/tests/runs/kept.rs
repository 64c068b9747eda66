//! What a handler keeps of a run is there for that handler in the runs within, and for no other.

use obs_agent::{
    Component, Handler, Handlers, Input, Run, RunInfo, RunParent, RunRef, Starting, State,
};
use std::sync::{Arc, Mutex};

/// Keeps the name of each run that is not called "within", and says what was kept around it.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<Vec<Option<String>>>>);

impl Keeps {
    fn found(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Handler for Keeps {
    fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
        let around = run.kept_around::<String>().cloned();
        self.0.lock().unwrap().push(around);
        if run.info().name != "within" {
            run.keep(Arc::new(run.info().name.to_owned()));
        }
        State::none()
    }
}

fn start(handlers: &Handlers, name: &str, parent: RunParent<'_>) -> Run {
    let info = RunInfo::new(Component::Lambda, name);
    handlers.start(info, parent, &Input::Node(Default::default()))
}

fn reference(run: &Run) -> RunRef {
    run.reference().expect("somebody is told of it").clone()
}

#[test]
fn it_is_there_however_deep_until_something_else_is_kept() {
    let keeps = Keeps::default();
    let handlers = Handlers::new().with(keeps.clone());
    let outer = start(&handlers, "outer", RunParent::Root);
    let within = start(&handlers, "within", outer.as_parent());
    let deeper = start(&handlers, "within", within.as_parent());
    let inner = start(&handlers, "inner", deeper.as_parent());
    let last = start(&handlers, "within", inner.as_parent());
    drop((outer, within, deeper, inner, last));
    let outer = || Some("outer".to_owned());
    let expect = [None, outer(), outer(), outer(), Some("inner".to_owned())];
    assert_eq!(keeps.found(), expect);
}

#[test]
fn in_another_set_it_is_still_the_same_handler() {
    let keeps: Arc<Keeps> = Arc::default();
    let one = Handlers::new().with_shared(Arc::<Keeps>::clone(&keeps));
    let other = Handlers::new()
        .with(Keeps::default())
        .with_shared(Arc::<Keeps>::clone(&keeps));
    let outer = start(&one, "outer", RunParent::Root);
    drop(start(&other, "within", outer.as_parent()));
    assert_eq!(keeps.found(), [None, Some("outer".to_owned())]);
}

#[test]
fn another_handler_of_the_same_kind_has_nothing_of_it() {
    let (one, other) = (Keeps::default(), Keeps::default());
    let outer = start(&Handlers::new().with(one), "outer", RunParent::Root);
    let handlers = Handlers::new().with(other.clone());
    drop(start(&handlers, "within", outer.as_parent()));
    assert_eq!(other.found(), [None]);
}

/// A handler of one call goes with that call, and the next one's may stand where it stood.
#[test]
fn a_handler_that_is_made_where_one_was_has_nothing_of_that_ones() {
    for _ in 0..64 {
        let run = start(
            &Handlers::new().with(Keeps::default()),
            "outer",
            RunParent::Root,
        );
        let outer = reference(&run);
        drop(run);
        let next = Keeps::default();
        let handlers = Handlers::new().with(next.clone());
        let within = start(&handlers, "within", RunParent::Of(&outer));
        assert_eq!(next.found(), [None]);
        drop(within);
    }
}
