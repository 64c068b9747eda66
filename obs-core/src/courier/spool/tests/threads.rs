//! A courier with a spool and all its threads at work.

use super::*;

#[test]
fn with_all_threads_at_work_every_batch_arrives_once() {
    const BATCHES: u64 = 3_000;
    let disk = SimulatedDisk::default();
    let arrived = Arc::new(std::sync::Mutex::new(Vec::new()));
    let taken = Arc::clone(&arrived);
    let mut attempts = 0_u64;
    // Down for a while every so often, and slow to say so.
    let capture = Capture::new().with_answer(move |batch| {
        attempts += 1;
        if attempts % 40 < 20 {
            thread::sleep(Duration::from_micros(200));
            return Sent::retry("down");
        }
        let number = u64::from_le_bytes(batch.body[..8].try_into().unwrap());
        taken.lock().unwrap().push((batch.signal, number));
        Sent::DELIVERED
    });
    let settings = Settings::default()
        .with_backoff(Duration::from_micros(50), Duration::from_micros(200))
        .with_capacity_bytes(400_000);
    let spool = spool().with_patience(Duration::from_millis(1));
    let courier = courier_with(&disk, capture, settings, spool);
    courier.start().expect("threads");
    for number in 0..BATCHES {
        let signal = Signal::ALL[number as usize % 3];
        let body = [number.to_le_bytes(), [7; 8]].concat();
        courier.outbox().push(Batch::new(signal, body, 1));
        if number % 100 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
    }
    courier
        .shutdown(now() + 3 * PATIENCE)
        .expect("nothing was lost");
    let accounts = courier.accounts();
    // A shutdown does not wait where everybody refuses: the rest is for the next.
    let arrived = arrived.lock().unwrap();
    assert_eq!(arrived.len() as u64, accounts.total().delivered);
    assert_eq!(
        accounts.total().delivered + accounts.total().spooled,
        BATCHES
    );
    for signal in Signal::ALL {
        let of_it = arrived.iter().filter(|(of, _)| *of == signal);
        assert!(
            of_it
                .map(|(_, number)| *number)
                .is_sorted_by(|one, next| one < next)
        );
    }
    assert!(accounts.spool_errors == 0, "{accounts:?}");
}
