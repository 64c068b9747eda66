//! A forked child has no courier's thread, and perhaps a lock that nobody will ever release: it must be left in peace.
#![cfg(unix)]

use std::process::{Command, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use obs_core::courier::{
    Courier, Destinations, DropReason, HttpTransport, Sent, Signal, Step, Transport,
};

use super::collector::{Collector, PATIENCE};
use super::{batch, courier, soon};

/// What the child finds; the number of the first check that fails, or zero.
fn in_the_child(courier: &Courier) -> i32 {
    let started = Instant::now();
    let clean = courier.flush(soon()).is_ok();
    courier.outbox().push(batch(Signal::Traces, 7));
    let accounts = courier.accounts();
    let checks = [
        clean,
        accounts.traces.is_balanced(),
        accounts.traces.dropped.by(DropReason::Forked) == 7,
        accounts.total().accepted == 7,
        courier.step(Instant::now(), soon()) == Step::Closed,
        courier.start().is_err_and(|error| error.is_configuration()),
        courier.flush(soon()).is_err_and(|error| error.lost() == 7),
        courier
            .shutdown(soon())
            .is_err_and(|error| error.lost() == 7),
        courier.last_problem().is_none(),
        started.elapsed() < Duration::from_secs(5),
    ];
    checks
        .iter()
        .position(|&held| !held)
        .map_or(0, |index| index as i32 + 1)
}

#[test]
fn a_forked_child_is_inert_and_never_hangs() {
    let collector = Collector::start([]);
    let courier = courier(&collector);
    courier.start().expect("a thread");
    let over = AtomicBool::new(false);
    let pushed = thread::scope(|scope| {
        // Somebody holds the lock most of the time, so some of the forks fall into it.
        let pushing = scope.spawn(|| {
            let mut pushed = 0;
            while !over.load(Ordering::Relaxed) {
                courier.accounts();
                if pushed < 100 {
                    courier.outbox().push(batch(Signal::Metrics, 1));
                    pushed += 1;
                }
            }
            pushed
        });
        // A child that hung ends the series: one is enough.
        let bad = (0..20)
            .map(|_| fork_and_wait(&courier))
            .find(|&code| code != Some(0));
        over.store(true, Ordering::Relaxed);
        assert_eq!(bad, None, "an exit code; `Some(None)` is a child that hung");
        pushing.join().expect("no panic")
    });
    courier.shutdown(soon()).expect("the parent lost nothing");
    assert_eq!(courier.accounts().total().delivered, pushed);
    assert_eq!(
        collector.requests().len() as u64,
        pushed,
        "no child sent anything"
    );
}

#[test]
fn a_transport_in_a_forked_child_makes_connections_of_its_own_and_leaves_its_parents_alone() {
    let collector = Collector::start([]);
    let destinations = Destinations::below(&collector.url());
    let mut transport = HttpTransport::new(&destinations).expect("usable");
    let delivers = |transport: &mut HttpTransport| {
        let sent = transport.send(&batch(Signal::Traces, 1), soon());
        matches!(sent, Sent::Delivered { .. })
    };
    assert!(delivers(&mut transport));
    let child =
        wait_for_child(|| i32::from(!delivers(&mut transport) || !delivers(&mut transport)));
    assert_eq!(child, Some(0), "it delivered");
    assert!(delivers(&mut transport));
    let connections: Vec<_> = collector
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [0, 1, 1, 0]);
}

fn fork_and_wait(courier: &Courier) -> Option<i32> {
    wait_for_child(|| in_the_child(courier))
}

fn wait_for_child(work: impl FnOnce() -> i32) -> Option<i32> {
    let child = match fork::fork().expect("a fork") {
        Fork::Child => exit(work()),
        Fork::Parent(child) => child,
    };
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = fork::waitpid_nohang(child).expect("a child") {
            // The exit code, in the second byte of a wait status.
            return Some(status >> 8);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill")
        .args(["-9", &child.to_string()])
        .status()
        .ok();
    fork::waitpid(child).ok();
    None
}
