//! What a network does to OTLP/HTTP: it holds, cuts, resets, and comes back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use obs_core::courier::{Courier, Destinations, Signal};

use super::collector::Collector;
use super::relay::{Network, Relay};
use super::{batch, courier_to, soon};

const TIMEOUT: Duration = Duration::from_secs(1);
/// Longer than an attempt takes.
const A_WHILE: Duration = Duration::from_millis(1500);

/// A courier to a collector behind a relay, in both modes.
fn check(work: impl Fn(&Collector, &Relay, Courier)) {
    for threaded in [true, false] {
        let collector = Collector::start([]);
        let address: SocketAddr = collector.url()["http://".len()..].parse().expect("one");
        let relay = Relay::to(address);
        let mut destinations = Destinations::below(&format!("http://{}", relay.address()));
        destinations.traces = destinations.traces.with_timeout(TIMEOUT);
        let courier = courier_to(&destinations);
        if threaded {
            courier.start().expect("a thread");
        }
        courier.outbox().push(batch(Signal::Traces, 1));
        courier.flush(soon()).expect("delivered");
        assert_eq!(relay.connections(), 1);
        work(&collector, &relay, courier);
    }
}

#[test]
fn a_partition_costs_retries_and_nothing_else() {
    check(|_, relay, courier| {
        relay.set(Network::Holds);
        courier.outbox().push(batch(Signal::Traces, 2));
        let error = courier
            .flush(Instant::now() + A_WHILE)
            .expect_err("nothing comes through");
        assert_eq!((error.pending(), error.lost()), (2, 0), "{error}");
        relay.set(Network::Passes);
        courier.shutdown(soon()).expect("delivered");
        let accounts = courier.accounts();
        assert_eq!(accounts.traces.delivered, 3);
        assert!(accounts.retries >= 1, "{accounts:?}");
        // What was half open is not used again, though it has come back to life.
        assert!(relay.connections() >= 2);
    });
}

#[test]
fn a_connection_that_went_away_between_two_batches_costs_no_retry() {
    check(|collector, relay, courier| {
        relay.cut();
        courier.outbox().push(batch(Signal::Traces, 2));
        courier.shutdown(soon()).expect("delivered");
        assert_eq!(courier.accounts().retries, 0);
        assert_eq!(relay.connections(), 2);
        assert_eq!(collector.requests().len(), 2);
    });
}

#[test]
fn resets_and_a_byte_at_a_time_are_tried_again() {
    check(|_, relay, courier| {
        for network in [Network::Resets, Network::Drips(Duration::from_millis(200))] {
            relay.set(network);
            courier.outbox().push(batch(Signal::Traces, 7));
            let error = courier
                .flush(Instant::now() + A_WHILE)
                .expect_err("no answer comes through");
            assert_eq!((error.pending(), error.lost()), (7, 0), "{error}");
            relay.set(Network::Passes);
            courier.flush(soon()).expect("delivered");
        }
        let accounts = courier.accounts();
        assert!(accounts.retries >= 2, "{accounts:?}");
        assert_eq!(accounts.traces.delivered, 15);
    });
}
