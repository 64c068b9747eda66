//! Flush, collect and shutdown: whose deadline holds, whose failure is told, and who gets which result.

use crate::support::builder;
use obs_core::{Builder, Error, Records, Subscriber, Telemetry};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Does as it is told when it is flushed or shut down, and says what it was given.
struct Asked<F>(F);

impl<F: FnMut(&str, Duration) -> Result<(), Error> + Send> Subscriber for Asked<F> {
    fn on_records(&mut self, _: Records<'_>) {}

    fn flush(&mut self, deadline: Duration) -> Result<(), Error> {
        self.0("flush", deadline)
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        self.0("shutdown", deadline)
    }
}

/// Both ways to run, with a subscriber each.
#[track_caller]
fn each<F>(subscriber: impl Fn() -> F, check: impl Fn(Telemetry))
where
    F: FnMut(&str, Duration) -> Result<(), Error> + Send + 'static,
{
    for set in [Builder::manual, std::convert::identity as fn(_) -> _] {
        let builder = set(builder()).with_subscriber(Asked(subscriber()));
        check(builder.build().expect("usable"));
    }
}

#[test]
fn a_subscriber_is_given_the_callers_deadline_and_not_a_second() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let subscriber = || {
        let seen = seen.clone();
        move |what: &str, left: Duration| {
            seen.lock().unwrap().push((what.to_owned(), left));
            Ok(())
        }
    };
    each(subscriber, |telemetry| {
        telemetry.flush(LONG).expect("in time");
        telemetry.shutdown(2 * LONG).expect("in time");
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let names: Vec<_> = seen.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(names, ["flush", "flush", "shutdown"]);
        let lefts: Vec<_> = seen.iter().map(|(_, left)| *left).collect();
        assert!(lefts[0] > LONG / 2 && lefts[0] <= LONG, "{lefts:?}");
        assert!(lefts[1] > LONG && lefts[2] > LONG, "{lefts:?}");
    });
}

#[test]
fn a_subscriber_that_fails_makes_flush_and_shutdown_fail() {
    let subscriber = || |what: &str, _| Err(Error::failed(format!("no {what}")));
    each(subscriber, |telemetry| {
        let told = |result: Result<(), Error>| result.expect_err("it failed").to_string();
        assert_eq!(told(telemetry.flush(LONG)), "no flush");
        assert_eq!(told(telemetry.collect(LONG)), "no flush");
        assert_eq!(told(telemetry.shutdown(LONG)), "no flush");
    });
}

#[test]
fn a_subscriber_that_panics_while_flushing_is_told_and_contained() {
    each(
        || |_: &str, _| panic!("on purpose"),
        |telemetry| {
            let error = telemetry.flush(LONG).expect_err("it panicked");
            assert!(error.is_failed(), "{error}");
            assert_eq!(telemetry.counts().panics, 1);
            telemetry.shutdown(LONG).expect_err("it panicked");
        },
    );
}

#[test]
fn a_subscriber_that_flushes_its_own_telemetry_is_refused_and_nothing_hangs() {
    let own: Arc<Mutex<Option<Telemetry>>> = Arc::default();
    let (results, got) = channel();
    let subscriber = || {
        let (own, results) = (own.clone(), results.clone());
        move |_: &str, _: Duration| {
            let telemetry = own.lock().unwrap().expect("set before the first flush");
            for result in [
                telemetry.flush(Duration::MAX),
                telemetry.collect(Duration::MAX),
                telemetry.shutdown(Duration::MAX),
            ] {
                results.send(result).unwrap();
            }
            Ok(())
        }
    };
    each(subscriber, |telemetry| {
        *own.lock().unwrap() = Some(telemetry);
        telemetry
            .flush(LONG)
            .expect("the outer one is not affected");
        let inner: Vec<_> = got.try_iter().collect();
        assert_eq!(inner.len(), 3);
        for result in inner {
            assert!(result.expect_err("refused").is_failed());
        }
        telemetry.shutdown(LONG).expect("only now");
        got.try_iter().for_each(drop);
    });
}

/// A telemetry whose subscriber waits in its `flush` until it is let go.
fn held(builder: Builder) -> (Telemetry, Sender<()>, Receiver<()>) {
    let ((go, gone), (arrive, arrived)) = (channel(), channel());
    let subscriber = Asked(move |what: &str, _| {
        if what == "flush" {
            arrive.send(()).unwrap();
            gone.recv().unwrap();
        }
        Ok(())
    });
    let telemetry = builder.with_subscriber(subscriber).build();
    (telemetry.expect("usable"), go, arrived)
}

#[test]
fn a_second_shutdown_gets_the_result_of_the_first_and_not_ok() {
    let failing = || |_: &str, _| Err(Error::failed("all is lost"));
    each(failing, |telemetry| {
        let first = telemetry.shutdown(LONG).expect_err("it failed");
        let second = telemetry.shutdown(LONG).expect_err("it still has");
        assert_eq!(first.to_string(), second.to_string());
    });
}

#[test]
fn a_concurrent_second_shutdown_waits_for_the_first() {
    for set in [Builder::manual, std::convert::identity as fn(_) -> _] {
        let (telemetry, go, arrived) = held(set(builder()));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| telemetry.shutdown(LONG));
            arrived.recv_timeout(LONG).expect("the first is at it");
            let late = telemetry.shutdown(Duration::from_millis(20));
            assert!(late.expect_err("not over").is_timeout());
            let second = scope.spawn(|| telemetry.shutdown(LONG));
            go.send(()).unwrap();
            first.join().unwrap().expect("in time");
            second.join().unwrap().expect("the same");
        });
    }
}

#[test]
fn in_manual_mode_whoever_waits_for_another_is_let_go_at_his_deadline() {
    let (telemetry, go, arrived) = held(builder().manual());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| telemetry.collect(LONG));
        arrived.recv_timeout(LONG).expect("the first is at it");
        let begun = Instant::now();
        let late = telemetry.collect(Duration::from_millis(20));
        assert!(late.expect_err("not over").is_timeout());
        assert!(begun.elapsed() < LONG / 2);
        go.send(()).unwrap();
        first.join().unwrap().expect("in time");
    });
}

#[test]
fn a_manual_collection_that_is_late_says_so() {
    let slow = |_: &str, left: Duration| {
        std::thread::sleep(left + Duration::from_millis(5));
        Ok(())
    };
    let telemetry = builder()
        .manual()
        .with_subscriber(Asked(slow))
        .build()
        .expect("usable");
    let late = telemetry.collect(Duration::from_millis(5));
    assert!(late.expect_err("it took longer").is_timeout());
}
