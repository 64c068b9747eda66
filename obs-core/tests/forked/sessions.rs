//! Who is told of operations in sessions, in a child.

use crate::child::in_child;
use crate::support::*;
use obs_core::{Labels, Outcome, Parent, Record, Session, SessionWitness};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Default)]
struct Told {
    steps: Arc<Mutex<Vec<String>>>,
    closings: Arc<AtomicU32>,
}

impl SessionWitness for Told {
    fn ended(&self, record: &Record<'_>) {
        self.steps.lock().unwrap().push(record.name());
    }

    fn closing(&self) {
        self.closings.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_child_tells_of_what_it_began_itself_and_of_nothing_of_its_parents() {
    let telemetry = builder().manual().build().expect("usable");
    let told = Told::default();
    telemetry.witness_sessions(told.clone());
    let kind = telemetry.kind(&WORK);
    let start = |step| {
        let labels = Labels::NONE.with(METHOD, kind.label(METHOD, step));
        let mut operation = kind.start(labels, Parent::Root);
        { operation.active().expect("recording") }.set_session(Session::new("s-1"));
        operation
    };
    start("before").end(Outcome::ANSWERED);
    let mut running = Some(start("running"));
    in_child(|| {
        told.steps.lock().unwrap().clear();
        running
            .take()
            .expect("of the parent")
            .end(Outcome::ANSWERED);
        start("child").end(Outcome::ANSWERED);
        assert_eq!(*told.steps.lock().unwrap(), ["work child"]);
        telemetry
            .shutdown(Duration::from_secs(5))
            .expect("nothing is lost");
        assert_eq!(told.closings.load(Ordering::Relaxed), 1);
    });
    running
        .take()
        .expect("of the parent")
        .end(Outcome::ANSWERED);
    telemetry
        .shutdown(Duration::from_secs(5))
        .expect("nothing is lost");
    assert_eq!(*told.steps.lock().unwrap(), ["work before", "work running"]);
    assert_eq!(told.closings.load(Ordering::Relaxed), 1);
}
