use proptest::prelude::*;

use super::*;
use crate::courier::time::now;

const SECOND: Duration = Duration::from_secs(1);

fn batch(signal: Signal, bytes: usize, items: u64) -> Batch {
    Batch::new(signal, vec![0; bytes], items)
}

/// A ledger with room for so many batches of 100 bytes.
fn ledger(batches: usize) -> Ledger {
    let room = batches * batch(Signal::Traces, 100, 1).weight();
    Ledger::new(&Settings::default().with_capacity_bytes(room))
}

#[track_caller]
fn take(ledger: &mut Ledger, at: Instant) -> Queued {
    match ledger.next(at) {
        Next::Send(queued) => queued,
        other => panic!("nothing to send: {other:?}"),
    }
}

#[track_caller]
fn waits_until(ledger: &mut Ledger, at: Instant) -> Option<Instant> {
    match ledger.next(at) {
        Next::Wait(until) => until,
        other => panic!("there is something to do: {other:?}"),
    }
}

fn retry(after: Option<Duration>) -> Outcome {
    Outcome::Sent(Sent::Retry {
        after,
        why: "busy".into(),
    })
}

#[test]
fn a_destination_that_asks_for_no_wait_at_all_is_not_asked_without_a_pause() {
    for asked in [Duration::ZERO, Duration::from_nanos(1)] {
        let (mut ledger, start) = (ledger(1), now());
        ledger.push(batch(Signal::Traces, 100, 1), start);
        let queued = take(&mut ledger, start);
        ledger.settle(queued, retry(Some(asked)), start);
        let until = waits_until(&mut ledger, start).expect("a moment");
        assert!(until >= start + Duration::from_millis(100));
    }
}

#[test]
fn a_transport_that_panics_after_the_end_is_counted() {
    let (mut ledger, at) = (ledger(1), now());
    ledger.push(batch(Signal::Traces, 100, 1), at);
    let queued = take(&mut ledger, at);
    ledger.close();
    ledger.settle(queued, Outcome::Panicked("boom".into()), at);
    let accounts = ledger.accounts();
    assert_eq!((accounts.panics, accounts.traces.dropped.total()), (1, 1));
}

#[test]
fn the_oldest_of_all_lanes_goes_first_and_is_dropped_first() {
    let mut ledger = ledger(3);
    for (signal, items) in [
        (Signal::Logs, 1),
        (Signal::Traces, 2),
        (Signal::Metrics, 4),
        (Signal::Traces, 8),
    ] {
        ledger.push(batch(signal, 100, items), now());
    }
    let accounts = ledger.accounts();
    assert_eq!(accounts.logs.dropped.by(DropReason::QueueFull), 1);
    assert_eq!(accounts.total().pending, 2 + 4 + 8);
    let order: Vec<_> = (0..3)
        .map(|_| {
            let queued = take(&mut ledger, now());
            let items = queued.batch.items;
            ledger.settle(queued, Outcome::Sent(Sent::DELIVERED), now());
            items
        })
        .collect();
    assert_eq!(order, [2, 4, 8]);
    assert_eq!(ledger.accounts().pending_bytes, 0);
}

#[test]
fn a_batch_that_fits_nowhere_costs_nobody_else_a_place() {
    let mut ledger = ledger(2);
    ledger.push(batch(Signal::Traces, 100, 1), now());
    ledger.push(batch(Signal::Traces, 1000, 10), now());
    assert_eq!(
        ledger.accounts().traces.dropped.by(DropReason::QueueFull),
        10
    );
    assert_eq!(ledger.accounts().traces.pending, 1);
}

#[test]
fn what_is_in_flight_cannot_be_dropped_and_still_counts_in_bytes() {
    let mut ledger = ledger(1);
    ledger.push(batch(Signal::Traces, 100, 1), now());
    let flying = take(&mut ledger, now());
    ledger.push(batch(Signal::Traces, 100, 2), now());
    assert_eq!(
        ledger.accounts().traces.dropped.by(DropReason::QueueFull),
        2
    );
    ledger.settle(flying, Outcome::Sent(Sent::DELIVERED), now());
    assert_eq!(ledger.accounts().traces.delivered, 1);
}

#[test]
fn a_failing_lane_waits_and_the_others_do_not() {
    let mut ledger = ledger(10);
    let start = now();
    ledger.push(batch(Signal::Traces, 100, 1), now());
    ledger.push(batch(Signal::Traces, 100, 2), now());
    ledger.push(batch(Signal::Metrics, 100, 4), now());
    let failed = take(&mut ledger, start);
    ledger.settle(failed, retry(None), start);
    assert_eq!(take(&mut ledger, start).batch.signal, Signal::Metrics);
    assert_eq!(ledger.accounts().retries, 1);
}

#[test]
fn the_failed_batch_is_tried_again_first_and_no_sooner_than_asked() {
    let mut ledger = ledger(10);
    let start = now();
    ledger.push(batch(Signal::Traces, 100, 1), now());
    ledger.push(batch(Signal::Traces, 100, 2), now());
    let failed = take(&mut ledger, start);
    ledger.settle(failed, retry(Some(7 * SECOND)), start);
    ledger.hurry();
    assert_eq!(
        waits_until(&mut ledger, start + 6 * SECOND),
        Some(start + 7 * SECOND)
    );
    assert_eq!(take(&mut ledger, start + 7 * SECOND).batch.items, 1);
}

#[test]
fn an_absurd_wait_is_cut_and_our_own_is_dropped_in_a_hurry() {
    let mut ledger = ledger(10);
    let start = now();
    ledger.push(batch(Signal::Traces, 100, 1), now());
    let failed = take(&mut ledger, start);
    ledger.settle(failed, retry(Some(Duration::MAX)), start);
    assert_eq!(
        waits_until(&mut ledger, start),
        Some(start + MAX_ASKED_WAIT)
    );
    let failed = take(&mut ledger, start + MAX_ASKED_WAIT);
    ledger.settle(failed, retry(None), start);
    assert!(waits_until(&mut ledger, start).is_some());
    ledger.hurry();
    take(&mut ledger, start);
}

#[test]
fn a_batch_that_breaks_the_transport_is_given_up_after_three_times() {
    let mut ledger = ledger(10);
    let mut at = now();
    ledger.push(batch(Signal::Logs, 100, 5), now());
    for _ in 0..MAX_FAULTS {
        let queued = take(&mut ledger, at);
        ledger.settle(queued, Outcome::Panicked("boom".into()), at);
        at += 60 * SECOND;
    }
    assert_eq!(ledger.accounts().logs.dropped.by(DropReason::Fault), 5);
    assert_eq!(ledger.accounts().panics, u64::from(MAX_FAULTS));
    assert_eq!(
        ledger.last_problem(),
        Some("logs: the transport panicked: boom")
    );
}

#[test]
fn an_answer_after_the_end_changes_nothing() {
    let mut ledger = ledger(10);
    ledger.push(batch(Signal::Traces, 100, 3), now());
    let late = take(&mut ledger, now());
    ledger.close();
    let closed = ledger.accounts();
    assert_eq!(closed.traces.dropped.by(DropReason::Shutdown), 3);
    ledger.settle(late, Outcome::Sent(Sent::DELIVERED), now());
    assert_eq!(ledger.accounts(), closed);
}

#[test]
fn more_rejected_than_sent_is_not_believed() {
    let mut ledger = ledger(10);
    ledger.push(batch(Signal::Traces, 100, 3), now());
    let queued = take(&mut ledger, now());
    let sent = Sent::Delivered {
        rejected: 99,
        message: None,
    };
    ledger.settle(queued, Outcome::Sent(sent), now());
    assert_eq!(ledger.accounts().traces.dropped.by(DropReason::Rejected), 3);
    assert_eq!(ledger.accounts().traces.delivered, 0);
}

#[test]
fn a_long_answer_is_shortened_at_a_character() {
    let mut ledger = ledger(10);
    ledger.push(batch(Signal::Traces, 100, 3), now());
    let queued = take(&mut ledger, now());
    ledger.settle(
        queued,
        Outcome::Sent(Sent::refused("ü".repeat(10_000))),
        now(),
    );
    assert_eq!(
        ledger.last_problem().map(|text| text.chars().count()),
        Some(MAX_PROBLEM_CHARS + 1)
    );
}

#[derive(Clone, Debug)]
enum Move {
    Push(usize, usize, u64),
    Take,
    Settle(Answer),
    Pass(u64),
    Hurry,
    Drain,
    Close,
}

#[derive(Clone, Debug)]
enum Answer {
    Delivered(u64),
    Retry(Option<u64>),
    Refused,
    Panicked,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let answer = prop_oneof![
        3 => (0u64..6).prop_map(Answer::Delivered),
        3 => proptest::option::of(0u64..60).prop_map(Answer::Retry),
        1 => Just(Answer::Refused),
        1 => Just(Answer::Panicked),
    ];
    let one = prop_oneof![
        60 => (0usize..3, 0usize..400, 0u64..6).prop_map(|(s, b, i)| Move::Push(s, b, i)),
        60 => Just(Move::Take),
        60 => answer.prop_map(Move::Settle),
        20 => (0u64..40).prop_map(Move::Pass),
        5 => Just(Move::Hurry),
        1 => Just(Move::Drain),
        1 => Just(Move::Close),
    ];
    proptest::collection::vec(one, 0..120)
}

/// Everything the ledger says about itself, recomputed from what it holds and from what the script did.
#[track_caller]
fn check_consistent(ledger: &Ledger, accepted: u64, delivered: u64, flying: Option<&Queued>) {
    let accounts = ledger.accounts();
    for signal in Signal::ALL {
        let account = accounts.of(signal);
        assert!(account.is_balanced(), "{signal}: {account:?}");
        let queued: u64 = ledger.lanes[signal.index()]
            .queue
            .iter()
            .map(|queued| queued.batch.items)
            .sum();
        let flying = ledger
            .in_flight
            .as_ref()
            .filter(|flight| flight.signal == signal)
            .map_or(0, |flight| flight.items);
        assert_eq!(account.pending, queued + flying, "{signal}");
        let tickets: Vec<_> = ledger.lanes[signal.index()]
            .queue
            .iter()
            .map(|queued| queued.ticket)
            .collect();
        assert!(tickets.is_sorted(), "{tickets:?}");
    }
    assert_eq!(accounts.total().accepted, accepted);
    assert_eq!(accounts.total().delivered, delivered);
    let held: usize = ledger
        .lanes
        .iter()
        .flat_map(|lane| &lane.queue)
        .map(|queued| queued.batch.weight())
        .sum();
    let flying = flying
        .filter(|_| ledger.in_flight.is_some())
        .map_or(0, |queued| queued.batch.weight());
    assert_eq!(accounts.pending_bytes as usize, held + flying);
    assert!(held + flying <= ledger.capacity, "over the cap");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_item_is_in_exactly_one_place_at_every_step(moves in moves(), batches in 1usize..12) {
        let mut ledger = ledger(batches);
        let mut at = now();
        let (mut accepted, mut delivered) = (0, 0);
        let mut flying: Option<Queued> = None;
        for step in moves {
            match step {
                Move::Push(signal, bytes, items) => {
                    ledger.push(batch(Signal::ALL[signal], bytes, items), now());
                    accepted += items;
                }
                Move::Take if flying.is_none() => {
                    if let Next::Send(queued) = ledger.next(at) {
                        flying = Some(queued);
                    }
                }
                Move::Take => prop_assert!(!matches!(ledger.next(at), Next::Send(_)), "two in flight"),
                Move::Settle(answer) => {
                    let Some(queued) = flying.take() else { continue };
                    let items = queued.batch.items;
                    let counts = ledger.in_flight.is_some();
                    let outcome = match answer {
                        Answer::Delivered(rejected) => {
                            if counts {
                                delivered += items - rejected.min(items);
                            }
                            Outcome::Sent(Sent::Delivered { rejected, message: None })
                        }
                        Answer::Retry(after) => retry(after.map(Duration::from_secs)),
                        Answer::Refused => Outcome::Sent(Sent::refused("no")),
                        Answer::Panicked => Outcome::Panicked("boom".into()),
                    };
                    ledger.settle(queued, outcome, at);
                }
                Move::Pass(seconds) => at += Duration::from_secs(seconds),
                Move::Hurry => ledger.hurry(),
                Move::Drain => ledger.drain(at),
                Move::Close => ledger.close(),
            }
            check_consistent(&ledger, accepted, delivered, flying.as_ref());
        }
        ledger.close();
        check_consistent(&ledger, accepted, delivered, flying.as_ref());
        prop_assert_eq!(ledger.accounts().total().pending, 0);
    }
}
