//! What a network does: it hangs, holds, drips, breaks, and comes back.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use obs_core::courier::{
    Batch, Compression, Courier, Destinations, DropReason, GrpcTransport, Sent, Signal, Transport,
};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use prost::Message;

use super::relay::{Network, Relay};
use super::server::{Collector, Reply};
use super::{Place, batch, courier, courier_to, soon};

const DEADLINE: Duration = Duration::from_millis(400);
const GRACE: Duration = Duration::from_millis(100);

/// A busy machine may be late by itself, so once in so many times is enough. Who waits for the other side always is.
const TRIES: usize = 8;

/// A shutdown against somebody who does not answer: it ends in time, and says what is lost.
#[track_caller]
fn check_in_time(place: Place, what: &str, courier: impl Fn() -> Courier) {
    let mut took = Vec::new();
    for _ in 0..TRIES {
        took.push(shut_down(place, what, courier()));
        if took.last().is_some_and(|took| *took <= DEADLINE + GRACE) {
            return;
        }
    }
    panic!("{what}, {place:?}: {took:?}");
}

#[track_caller]
fn shut_down(place: Place, what: &str, courier: Courier) -> Duration {
    courier.outbox().push(batch(Signal::Logs, 2));
    courier.outbox().push(batch(Signal::Logs, 3));
    let (courier, (took, result)) = place.run(courier, |courier| {
        let started = Instant::now();
        let result = courier.shutdown(started + DEADLINE);
        (started.elapsed(), result)
    });
    assert!(took >= DEADLINE, "{what}, {place:?}: {took:?}");
    let error = result.expect_err("nobody answered");
    assert_eq!(error.lost(), 5, "{what}, {place:?}: {error}");
    let account = courier.accounts().logs;
    assert_eq!(account.dropped.by(DropReason::Shutdown), 5);
    assert!(account.is_balanced());
    took
}

#[test]
fn a_shutdown_ends_in_time_however_the_other_side_is_silent() {
    for place in Place::ALL {
        let silent = Collector::start(vec![Reply::Silence; 2 * TRIES]);
        check_in_time(place, "a call without an answer", || courier(&silent));

        let deaf = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = deaf.local_addr().expect("bound");
        let destinations = Destinations::grpc(format!("http://{address}"));
        check_in_time(place, "nobody accepts", || courier_to(&destinations));

        let collector = Collector::start([]);
        let relay = Relay::to(collector.address);
        relay.set(Network::Drips(Duration::from_millis(20)));
        let destinations = Destinations::grpc(format!("http://{}", relay.address()));
        check_in_time(place, "a byte at a time", || courier_to(&destinations));
    }
}

#[test]
fn a_shutdown_ends_in_time_when_the_connection_is_never_made() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    // A queue of one, filled: the kernel says nothing to whoever comes next.
    let (address, _full) = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a loopback port");
        let listener = socket.listen(1).expect("listening");
        let address = listener.local_addr().expect("bound");
        let mut waiting = Vec::new();
        loop {
            let connect = tokio::net::TcpStream::connect(address);
            match tokio::time::timeout(Duration::from_millis(300), connect).await {
                Ok(stream) => waiting.push(stream.expect("queued")),
                Err(_) => break,
            }
            assert!(waiting.len() < 100, "the queue never fills");
        }
        (address, (listener, waiting))
    });
    for place in Place::ALL {
        let destinations = Destinations::grpc(format!("http://{address}"));
        check_in_time(place, "never connected", || courier_to(&destinations));
    }
}

#[test]
fn a_partition_costs_retries_and_nothing_else() {
    for place in [Place::Thread, Place::Outside, Place::CurrentThread] {
        let collector = Collector::start([]);
        let relay = Relay::to(collector.address);
        let mut destinations = Destinations::grpc(format!("http://{}", relay.address()));
        destinations.traces = destinations.traces.with_timeout(Duration::from_millis(200));
        let courier = courier_to(&destinations);
        courier.outbox().push(batch(Signal::Traces, 1));
        let (courier, first) = place.flush(courier, soon());
        first.expect("delivered");
        relay.set(Network::Holds);
        courier.outbox().push(batch(Signal::Traces, 2));
        let (courier, held) = place.flush(courier, Instant::now() + DEADLINE);
        let error = held.expect_err("nothing comes through");
        assert_eq!(
            (error.pending(), error.lost()),
            (2, 0),
            "{place:?}: {error}"
        );
        relay.set(Network::Passes);
        let (courier, healed) = place.flush(courier, soon());
        healed.expect("delivered");
        let accounts = courier.accounts();
        assert_eq!(accounts.traces.delivered, 3);
        assert!(accounts.retries >= 1, "{place:?}: {accounts:?}");
        let problem = courier.last_problem().expect("it is told");
        assert!(problem.contains("no answer in time"), "{problem}");
        // What was half open is not used again, though it has come back to life.
        assert!(relay.connections() >= 2, "{place:?}");
    }
}

#[test]
fn a_connection_that_went_away_between_two_batches_costs_no_retry() {
    for place in Place::ALL {
        let collector = Collector::start([]);
        let relay = Relay::to(collector.address);
        let courier = courier_to(&Destinations::grpc(format!("http://{}", relay.address())));
        courier.outbox().push(batch(Signal::Traces, 1));
        let (courier, first) = place.flush(courier, soon());
        first.expect("delivered");
        assert_eq!(relay.connections(), 1);
        relay.cut();
        courier.outbox().push(batch(Signal::Traces, 2));
        let (courier, second) = place.flush(courier, soon());
        second.expect("delivered");
        assert_eq!(courier.accounts().retries, 0, "{place:?}");
        assert_eq!(relay.connections(), 2, "{place:?}");
    }
}

/// A frame of HTTP/2 (RFC 9113 §6.8): streams up to `last` were seen, the others were not; no error.
fn goaway(last: u32) -> Vec<u8> {
    let head = [0, 0, 8, 7, 0, 0, 0, 0, 0];
    [&head[..], &last.to_be_bytes(), &[0; 4]].concat()
}

#[test]
fn a_server_that_says_goodbye_is_left_without_a_retry_or_a_loss() {
    for place in Place::ALL {
        let collector = Collector::start([]);
        let relay = Relay::to(collector.address);
        let courier = courier_to(&Destinations::grpc(format!("http://{}", relay.address())));
        for items in 1..=3 {
            courier.outbox().push(batch(Signal::Logs, items));
        }
        let (courier, flushed) = place.flush(courier, soon());
        flushed.expect("delivered");
        assert_eq!(relay.connections(), 1, "one is kept for all");
        // The third call was the fifth stream.
        relay.say(&goaway(5));
        courier.outbox().push(batch(Signal::Logs, 4));
        let (courier, flushed) = place.flush(courier, soon());
        flushed.expect("delivered");
        assert_eq!(courier.accounts().retries, 0, "{place:?}");
        assert_eq!(courier.accounts().logs.delivered, 10);
        assert_eq!(relay.connections(), 2, "{place:?}");
    }
}

#[test]
fn a_goodbye_in_the_middle_of_a_call_is_tried_again() {
    let collector = Collector::start([Reply::Silence]);
    let relay = Relay::to(collector.address);
    let courier = courier_to(&Destinations::grpc(format!("http://{}", relay.address())));
    courier.start().expect("a thread");
    courier.outbox().push(batch(Signal::Logs, 4));
    collector.wait_for(1);
    relay.say(&goaway(0));
    courier.shutdown(soon()).expect("delivered");
    assert_eq!(courier.accounts().logs.delivered, 4);
    assert_eq!(collector.seen().len(), 2);
}

#[test]
fn a_reset_is_tried_again() {
    for place in [Place::Thread, Place::Outside, Place::CurrentThread] {
        let collector = Collector::start([]);
        let relay = Relay::to(collector.address);
        relay.set(Network::Resets);
        let courier = courier_to(&Destinations::grpc(format!("http://{}", relay.address())));
        courier.outbox().push(batch(Signal::Metrics, 7));
        let (courier, held) = place.flush(courier, Instant::now() + DEADLINE);
        let error = held.expect_err("nothing comes through");
        assert_eq!(
            (error.pending(), error.lost()),
            (7, 0),
            "{place:?}: {error}"
        );
        relay.set(Network::Passes);
        let (courier, healed) = place.flush(courier, soon());
        healed.expect("delivered");
        assert!(courier.accounts().retries >= 1);
        assert_eq!(courier.accounts().metrics.delivered, 7);
    }
}

#[test]
fn a_collector_that_comes_up_late_gets_everything_in_order() {
    let place = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = place.local_addr().expect("bound");
    drop(place);
    let courier = courier_to(&Destinations::grpc(format!("http://{address}")));
    courier.start().expect("a thread");
    for items in 1..=5 {
        courier.outbox().push(batch(Signal::Traces, items));
    }
    let deadline = soon();
    while courier.accounts().retries < 3 {
        assert!(Instant::now() < deadline, "no attempt was made");
        std::thread::yield_now();
    }
    let problem = courier.last_problem().expect("it is told");
    assert!(problem.to_lowercase().contains("refused"), "{problem}");
    let collector = Collector::start_at(address, [], None);
    courier.flush(soon()).expect("delivered");
    let order: Vec<_> = collector.seen().into_iter().map(|seen| seen.body).collect();
    let expect: Vec<_> = (1..=5)
        .map(|items| batch(Signal::Traces, items).body.to_vec())
        .collect();
    assert_eq!(order, expect, "in the order of arrival");
}

#[test]
fn an_attempt_ends_with_its_own_timeout_and_the_server_is_told_of_it() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let collector = Collector::start(vec![Reply::Silence; TRIES]);
    let mut destinations = Destinations::grpc(collector.endpoint());
    destinations.traces = destinations.traces.with_timeout(TIMEOUT);
    let mut transport = GrpcTransport::new(&destinations).expect("usable");
    let mut attempt = || {
        let started = Instant::now();
        let sent = transport.send(&batch(Signal::Traces, 1), soon());
        let took = started.elapsed();
        // The server knows the time too, and may be the first to say that it is up.
        let late = |why: &str| why.contains("no answer in time") || why.contains("gRPC Cancelled");
        assert!(
            matches!(&sent, Sent::Retry { why, .. } if late(why)),
            "{sent:?}"
        );
        took
    };
    let took: Vec<_> = (0..TRIES).map(|_| attempt()).collect();
    assert!(took.iter().any(|it| *it <= TIMEOUT + GRACE), "{took:?}");
    let told = collector.seen()[0].metadata.get("grpc-timeout").cloned();
    let told = told.expect("it is told").to_str().expect("text").to_owned();
    let millis: u64 = told.trim_end_matches('m').parse().expect("milliseconds");
    assert!((1..=300).contains(&millis), "{told}");
}

/// A batch of so many bytes that cannot be made small: each letter is what is left of a product.
fn noise(bytes: u64) -> Batch {
    let letters = (0..bytes)
        .map(|n: u64| char::from(b'!' + (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as u8));
    text(letters.collect())
}

fn text(schema_url: String) -> Batch {
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            schema_url,
            ..ResourceLogs::default()
        }],
    };
    Batch::new(Signal::Logs, request.encode_to_vec(), 1)
}

#[test]
fn a_batch_that_the_server_finds_too_large_does_not_stand_in_the_way_of_the_others() {
    // The server takes 4 MiB, as all do unless told otherwise.
    for compression in [Compression::None, Compression::Gzip] {
        let large = text("a".repeat(5 << 20));
        let collector = Collector::start([]);
        let mut destinations = Destinations::grpc(collector.endpoint());
        destinations.logs = destinations.logs.with_compression(compression);
        let courier = courier_to(&destinations);
        courier.outbox().push(large);
        courier.outbox().push(batch(Signal::Logs, 2));
        let error = courier.flush(soon()).expect_err("one is lost");
        assert_eq!((error.lost(), error.pending()), (1, 0), "{error}");
        let account = courier.accounts().logs;
        assert_eq!(account.delivered, 2);
        assert_eq!(account.dropped.by(DropReason::Rejected), 1);
        assert_eq!(collector.seen().len(), 1);
    }
}

#[test]
fn a_large_batch_arrives_whole() {
    let large = noise(3 << 20);
    let collector = Collector::start([]);
    for place in [Place::Thread, Place::CurrentThread] {
        let courier = courier(&collector);
        courier.outbox().push(large.clone());
        let (_, flushed) = place.flush(courier, soon());
        flushed.expect("delivered");
    }
    let seen = collector.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.body == *large.body));
}

#[test]
#[cfg(unix)]
fn a_transport_in_a_forked_child_makes_a_connection_of_its_own_and_leaves_its_parents_alone() {
    use fork::Fork;
    let collector = Collector::start([]);
    let relay = Relay::to(collector.address);
    let destinations = Destinations::grpc(format!("http://{}", relay.address()));
    let mut transport = GrpcTransport::new(&destinations).expect("usable");
    let delivers = |transport: &mut GrpcTransport| {
        let sent = transport.send(&batch(Signal::Traces, 1), soon());
        matches!(sent, Sent::Delivered { .. })
    };
    assert!(delivers(&mut transport));
    let child = match fork::fork().expect("a fork") {
        Fork::Child => std::process::exit(i32::from(
            !delivers(&mut transport) || !delivers(&mut transport),
        )),
        Fork::Parent(child) => child,
    };
    let deadline = soon();
    let status = loop {
        if let Some(status) = fork::waitpid_nohang(child).expect("a child") {
            break status;
        }
        assert!(Instant::now() < deadline, "the child hangs");
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(status >> 8, 0, "it delivered");
    assert!(delivers(&mut transport));
    assert_eq!(collector.seen().len(), 4);
    assert_eq!(relay.connections(), 2, "the parent's is as it was");
}
