use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use opentelemetry::Context;
use proptest::prelude::*;

use super::time::now;
use super::*;

const MOMENT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

fn batch(items: u64) -> Batch {
    Batch::new(Signal::Traces, vec![0; 100], items)
}

fn impatient() -> Settings {
    Settings::default().with_backoff(Duration::from_millis(2), Duration::from_millis(10))
}

/// Answers with whatever `f` says, without capturing.
struct Answering<F>(F);

impl<F: FnMut(&Batch, Instant) -> Sent + Send + 'static> Transport for Answering<F> {
    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        (self.0)(batch, deadline)
    }
}

/// A transport that reports each attempt, then holds it until told, whatever the deadline: a socket that never answers.
fn stuck() -> (impl Transport, mpsc::Receiver<()>, mpsc::Sender<Sent>) {
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let transport = Answering(move |_: &Batch, _| {
        entered.send(()).ok();
        released.recv().unwrap_or(Sent::DELIVERED)
    });
    (transport, has_entered, release)
}

#[test]
fn a_started_courier_delivers_by_itself() {
    let (delivered, receive) = mpsc::channel();
    let courier = Courier::new(
        Answering(move |batch: &Batch, _| {
            delivered.send(batch.items).ok();
            Sent::DELIVERED
        }),
        impatient(),
    );
    courier.start().expect("a thread");
    courier.start().expect("starting twice changes nothing");
    courier.outbox().push(batch(3));
    assert_eq!(receive.recv_timeout(PATIENCE), Ok(3));
    courier.flush(now() + PATIENCE).expect("delivered");
    courier
        .shutdown(now() + PATIENCE)
        .expect("nothing was lost");
    assert_eq!(courier.accounts().traces.delivered, 3);
}

#[test]
fn a_manual_courier_moves_only_when_stepped() {
    let capture = Capture::new();
    let courier = Courier::new(capture.clone(), impatient());
    let at = now();
    assert_eq!(courier.step(at, at + PATIENCE), Step::Idle);
    courier.outbox().push(batch(1));
    courier.outbox().push(batch(2));
    assert_eq!(courier.step(at, at + PATIENCE), Step::Sent);
    assert_eq!(
        capture
            .take()
            .iter()
            .map(|batch| batch.items)
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(courier.accounts().traces.pending, 2);
    courier
        .shutdown(now() + PATIENCE)
        .expect("the rest is sent on this thread");
    assert_eq!(capture.take().len(), 1);
    assert_eq!(courier.step(at, at + PATIENCE), Step::Closed);
}

#[test]
fn a_step_says_when_the_next_is_due() {
    let answers = Mutex::new(vec![
        Sent::DELIVERED,
        Sent::Retry {
            after: Some(PATIENCE),
            why: "busy".into(),
        },
    ]);
    let capture = Capture::new().with_answer(move |_| answers.lock().unwrap().pop().unwrap());
    let courier = Courier::new(capture, Settings::default());
    let at = now();
    courier.outbox().push(batch(1));
    assert_eq!(courier.step(at, at + PATIENCE), Step::Sent);
    let Step::Waiting(due) = courier.step(at, at + PATIENCE) else {
        panic!("must wait")
    };
    assert!(due >= at + PATIENCE && due < at + PATIENCE * 2);
    assert_eq!(courier.step(due, due + PATIENCE), Step::Sent);
    assert_eq!(courier.accounts().traces.delivered, 1);
}

#[test]
fn a_flush_says_what_is_still_pending() {
    let courier = Courier::new(
        Capture::new().with_answer(|_| Sent::retry("no route to host")),
        impatient(),
    );
    courier.outbox().push(batch(7));
    let error = courier.flush(now() + MOMENT).expect_err("nobody takes it");
    assert!(error.is_timeout() && !error.is_lost());
    assert_eq!(error.pending(), 7);
    assert!(error.to_string().contains("no route to host"), "{error}");
    assert!(courier.accounts().retries > 1, "it went on trying");
}

#[test]
fn a_flush_waits_only_for_what_was_there_before() {
    let outbox = Arc::new(Mutex::new(None::<Outbox>));
    let later = Arc::clone(&outbox);
    let capture = Capture::new().with_answer(move |sent| {
        if sent.items == 2 {
            return Sent::retry("never");
        }
        // Comes in while the flush is at it.
        later.lock().unwrap().as_ref().unwrap().push(batch(2));
        Sent::DELIVERED
    });
    let courier = Courier::new(capture, impatient());
    *outbox.lock().unwrap() = Some(courier.outbox());
    courier.outbox().push(batch(1));
    let deadline = now() + PATIENCE;
    courier
        .flush(deadline)
        .expect("delivered, whatever came after it");
    assert!(now() < deadline, "it went on with what came after it");
    assert_eq!(courier.accounts().traces.pending, 2);
}

#[test]
fn a_flush_does_not_sit_out_a_backoff() {
    for threaded in [true, false] {
        let down = Arc::new(AtomicBool::new(true));
        let is_down = Arc::clone(&down);
        let capture = Capture::new().with_answer(move |_| {
            if is_down.load(Ordering::Relaxed) {
                Sent::retry("down")
            } else {
                Sent::DELIVERED
            }
        });
        let courier = Courier::new(
            capture,
            Settings::default().with_backoff(PATIENCE * 4, PATIENCE * 4),
        );
        if threaded {
            courier.start().expect("a thread");
        }
        courier.outbox().push(batch(1));
        let deadline = now() + PATIENCE;
        while courier.accounts().retries == 0 {
            assert!(now() < deadline, "no attempt was made");
            courier.step(now(), deadline);
        }
        down.store(false, Ordering::Relaxed);
        courier.flush(deadline).expect("tried again at once");
    }
}

#[test]
fn a_flush_tells_a_loss() {
    let courier = Courier::new(
        Capture::new().with_answer(|_| Sent::refused("HTTP 400")),
        impatient(),
    );
    courier.outbox().push(batch(4));
    let error = courier.flush(now() + PATIENCE).expect_err("refused");
    assert!(error.is_lost() && !error.is_timeout());
    assert_eq!(error.lost(), 4);
    assert!(
        error.to_string().contains("rejected 4") && error.to_string().contains("HTTP 400"),
        "{error}"
    );
    courier
        .flush(now() + PATIENCE)
        .expect("nothing has been lost since");
}

#[test]
fn shutdown_is_never_ok_after_a_loss_however_long_ago() {
    let courier = Courier::new(Capture::new(), Settings::default().with_capacity_bytes(300));
    courier.outbox().push(batch(1));
    courier.outbox().push(batch(2));
    let error = courier
        .shutdown(now() + PATIENCE)
        .expect_err("one was dropped");
    assert_eq!(
        (error.lost(), error.pending(), error.is_timeout()),
        (1, 0, false)
    );
    assert!(error.to_string().contains("queue_full 1"), "{error}");
    let again = courier
        .shutdown(now() + PATIENCE)
        .expect_err("the account stands");
    assert_eq!(again.lost(), 1);
}

#[test]
fn what_comes_after_shutdown_is_counted() {
    let courier = Courier::new(Capture::new(), Settings::default());
    let outbox = courier.outbox();
    courier
        .shutdown(now() + PATIENCE)
        .expect("nothing was lost");
    outbox.push(batch(5));
    assert_eq!(outbox.accounts().traces.dropped.by(DropReason::Shutdown), 5);
    assert_eq!(
        courier
            .shutdown(now() + PATIENCE)
            .expect_err("lost since")
            .lost(),
        5
    );
}

#[test]
fn shutdown_does_not_wait_for_a_transport_that_ignores_its_deadline() {
    let (transport, has_entered, release) = stuck();
    let courier = Courier::new(transport, impatient());
    courier.start().expect("a thread");
    courier.outbox().push(batch(2));
    has_entered.recv_timeout(PATIENCE).expect("an attempt");
    courier.outbox().push(batch(3));
    let started = now();
    let error = courier.shutdown(started + MOMENT).expect_err("stuck");
    assert!(now() - started < MOMENT + Duration::from_millis(100));
    assert!(error.is_timeout() && error.lost() == 5, "{error}");
    let outbox = courier.outbox();
    let before = outbox.accounts();
    drop(courier);
    release.send(Sent::DELIVERED).ok();
    // The thread lets go of its share of the state when it ends.
    let deadline = now() + PATIENCE;
    while Arc::strong_count(&outbox.0) > 1 {
        assert!(now() < deadline, "the thread never ended");
        thread::yield_now();
    }
    assert_eq!(outbox.accounts(), before, "a late answer changes nothing");
}

#[test]
fn a_second_manual_caller_waits_no_longer_than_its_deadline() {
    let (transport, has_entered, release) = stuck();
    let courier = Arc::new(Courier::new(transport, impatient()));
    courier.outbox().push(batch(1));
    let first = thread::spawn({
        let courier = Arc::clone(&courier);
        move || courier.step(now(), now() + PATIENCE)
    });
    has_entered.recv_timeout(PATIENCE).expect("an attempt");
    assert_eq!(courier.step(now(), now() + PATIENCE), Step::Busy);
    let started = now();
    let error = courier
        .flush(started + MOMENT)
        .expect_err("the first still holds it");
    assert!(now() - started < MOMENT + Duration::from_millis(100));
    assert_eq!(error.pending(), 1);
    release.send(Sent::DELIVERED).ok();
    assert_eq!(first.join().ok(), Some(Step::Sent));
}

#[test]
fn a_courier_started_in_mid_step_takes_over() {
    let (transport, has_entered, release) = stuck();
    let courier = Arc::new(Courier::new(transport, impatient()));
    courier.outbox().push(batch(1));
    let stepping = thread::spawn({
        let courier = Arc::clone(&courier);
        move || courier.step(now(), now() + PATIENCE)
    });
    has_entered.recv_timeout(PATIENCE).expect("an attempt");
    courier.start().expect("a thread");
    release.send(Sent::retry("once more")).ok();
    release.send(Sent::DELIVERED).ok();
    assert_eq!(stepping.join().ok(), Some(Step::Sent));
    courier
        .flush(now() + PATIENCE)
        .expect("the thread delivers the rest");
}

#[test]
fn dropping_a_courier_ends_its_thread_and_counts_what_is_left() {
    let courier = Courier::new(
        Capture::new().with_answer(|_| Sent::retry("down")),
        Settings::default(),
    );
    courier.start().expect("a thread");
    let outbox = courier.outbox();
    outbox.push(batch(6));
    drop(courier);
    assert_eq!(outbox.accounts().traces.dropped.by(DropReason::Shutdown), 6);
    let deadline = now() + PATIENCE;
    while Arc::strong_count(&outbox.0) > 1 {
        assert!(now() < deadline, "the thread never ended");
        thread::yield_now();
    }
}

#[test]
fn a_panicking_transport_is_survived() {
    let attempts = AtomicU64::new(0);
    let capture = Capture::new().with_answer(move |batch| {
        let first_of_batch = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        assert!(!first_of_batch && batch.items != 13, "transport broke");
        Sent::DELIVERED
    });
    let courier = Courier::new(capture.clone(), impatient());
    courier.start().expect("a thread");
    courier.outbox().push(batch(1));
    courier
        .flush(now() + PATIENCE)
        .expect("delivered at the second try");
    courier.outbox().push(batch(13));
    courier.outbox().push(batch(2));
    let error = courier
        .flush(now() + PATIENCE)
        .expect_err("thirteen are lost");
    assert_eq!(error.lost(), 13);
    assert!(error.to_string().contains("transport broke"), "{error}");
    assert_eq!(courier.accounts().panics, 1 + 3);
    assert_eq!(
        courier.accounts().traces.delivered,
        3,
        "the thread lives on"
    );
    assert_eq!(courier.accounts().traces.dropped.by(DropReason::Fault), 13);
}

#[test]
fn attempts_run_in_the_suppressed_scope_and_leave_it() {
    let suppressed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&suppressed);
    let courier = Courier::new(
        Answering(move |_: &Batch, _| {
            seen.store(
                Context::is_current_telemetry_suppressed(),
                Ordering::Relaxed,
            );
            Sent::DELIVERED
        }),
        Settings::default(),
    );
    courier.outbox().push(batch(1));
    courier.flush(now() + PATIENCE).expect("delivered");
    assert!(suppressed.load(Ordering::Relaxed));
    assert!(!Context::is_current_telemetry_suppressed());
}

#[test]
fn a_refused_thread_is_an_error_and_manual_mode_remains() {
    let capture = Capture::new();
    let courier = Courier::new(capture.clone(), Settings::default());
    // More address space than there is.
    let impossible = thread::Builder::new().stack_size(1 << 60);
    let error = courier.start_with(impossible).expect_err("no such thread");
    assert!(error.is_configuration());
    assert!(std::error::Error::source(&error).is_some());
    courier.outbox().push(batch(1));
    courier
        .flush(now() + PATIENCE)
        .expect("delivered on this thread");
    assert_eq!(capture.take().len(), 1);
}

#[test]
fn deadlines_reach_the_transport() {
    let (report, reported) = mpsc::channel();
    let courier = Courier::new(
        Answering(move |_: &Batch, deadline| {
            report.send(deadline).ok();
            Sent::DELIVERED
        }),
        Settings::default(),
    );
    courier.outbox().push(batch(1));
    let deadline = now() + PATIENCE;
    courier.shutdown(deadline).expect("delivered");
    assert_eq!(reported.recv(), Ok(deadline));
}

#[test]
fn the_end_sets_the_deadline_of_the_threads_last_attempts() {
    let (report, reported) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let courier = Courier::new(
        Answering(move |_: &Batch, deadline| {
            report.send(deadline).ok();
            released.recv().ok();
            Sent::DELIVERED
        }),
        Settings::default(),
    );
    courier.start().expect("a thread");
    courier.outbox().push(batch(1));
    courier.outbox().push(batch(1));
    let end = now() + PATIENCE;
    assert!(
        reported.recv_timeout(PATIENCE).expect("an attempt") > end,
        "only the transport's own limit"
    );
    thread::scope(|scope| {
        scope.spawn(|| courier.shutdown(end).expect_err("what came too late"));
        while courier.accounts().traces.dropped.by(DropReason::Shutdown) == 0 {
            assert!(now() < end, "the shutdown never began");
            courier.outbox().push(batch(1));
        }
        release.send(()).ok();
        assert_eq!(reported.recv_timeout(PATIENCE), Ok(end));
        // However many came before the shutdown did, none is held any longer.
        drop(release);
    });
    assert!(now() < end, "the shutdown sat out its deadline");
    assert_eq!(courier.accounts().traces.pending, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Random answers, against what the destination itself counted.
    #[test]
    fn the_accounts_agree_with_the_destination(
        script in proptest::collection::vec((0u8..5, 1u64..5, 0usize..3, 0u64..40), 1..60),
    ) {
        let taken = Arc::new(AtomicU64::new(0));
        let (answer, next_answer) = mpsc::channel::<u8>();
        let capture = Capture::new().with_answer({
            let taken = Arc::clone(&taken);
            move |batch| match next_answer.try_recv() {
                Ok(0) => Sent::retry("down"),
                Ok(1) => Sent::Retry { after: Some(Duration::from_secs(5)), why: "busy".into() },
                Ok(2) => Sent::refused("bad"),
                Ok(3) => {
                    taken.fetch_add(batch.items - 1, Ordering::Relaxed);
                    Sent::Delivered { rejected: 1, message: None }
                }
                _ => {
                    taken.fetch_add(batch.items, Ordering::Relaxed);
                    Sent::DELIVERED
                }
            }
        });
        let courier = Courier::new(capture, Settings::default().with_capacity_bytes(1500));
        let mut at = now();
        let mut pushed = 0;
        for (said, items, signal, seconds) in script {
            courier.outbox().push(Batch::new(Signal::ALL[signal], vec![0; 100], items));
            pushed += items;
            answer.send(said).ok();
            courier.step(at, at + PATIENCE);
            at += Duration::from_secs(seconds);
            let accounts = courier.accounts();
            prop_assert!(Signal::ALL.iter().all(|&signal| accounts.of(signal).is_balanced()));
            prop_assert_eq!(accounts.total().accepted, pushed);
            prop_assert_eq!(accounts.total().delivered, taken.load(Ordering::Relaxed));
        }
        let lost = courier.shutdown(now()).map_or_else(|error| error.lost(), |()| 0);
        prop_assert_eq!(taken.load(Ordering::Relaxed) + lost, pushed);
    }
}
