//! What each answer comes to.

use std::time::{Duration, Instant};

use obs_core::courier::{Courier, Destinations, DropReason, GrpcTransport, Settings, Signal};
use tonic::{Code, Status};

use super::server::{Collector, Reply};
use super::{Place, batch, courier, soon};

/// `google.rpc.Status` with a `google.rpc.RetryInfo`, as the official encoder writes them.
fn status_with_delay(code: Code, delay: Duration) -> Status {
    use prost::encoding::{bytes, int32, int64, string};
    let mut duration = Vec::new();
    int64::encode(1, &(delay.as_secs() as i64), &mut duration);
    int32::encode(2, &(delay.subsec_nanos() as i32), &mut duration);
    let mut info = Vec::new();
    bytes::encode(1, &duration, &mut info);
    let any = |kind: &str, value: &Vec<u8>| {
        let mut any = Vec::new();
        let kind = format!("type.googleapis.com/google.rpc.{kind}");
        string::encode(1, &kind, &mut any);
        bytes::encode(2, value, &mut any);
        any
    };
    let mut status = Vec::new();
    int32::encode(1, &(code as i32), &mut status);
    string::encode(2, &"busy".to_owned(), &mut status);
    bytes::encode(3, &any("DebugInfo", &duration), &mut status);
    bytes::encode(3, &any("RetryInfo", &info), &mut status);
    Status::with_details(code, "busy", status.into())
}

/// Codes of gRPC, and whether OTLP lets the client try again.
const CODES: [(Code, bool); 16] = [
    (Code::Cancelled, true),
    (Code::Unknown, false),
    (Code::InvalidArgument, false),
    (Code::DeadlineExceeded, true),
    (Code::NotFound, false),
    (Code::AlreadyExists, false),
    (Code::PermissionDenied, false),
    (Code::ResourceExhausted, false),
    (Code::FailedPrecondition, false),
    (Code::Aborted, true),
    (Code::OutOfRange, true),
    (Code::Unimplemented, false),
    (Code::Internal, false),
    (Code::Unavailable, true),
    (Code::DataLoss, true),
    (Code::Unauthenticated, false),
];

#[test]
fn codes_that_may_pass_are_tried_again_and_the_others_drop_the_batch() {
    for place in Place::ALL {
        let passing: Vec<_> = CODES.iter().filter(|(_, passes)| *passes).collect();
        let script = passing
            .iter()
            .map(|(code, _)| Reply::Fails(Status::new(*code, "later")));
        let collector = Collector::start(script);
        let courier = courier(&collector);
        courier.outbox().push(batch(Signal::Metrics, 10));
        let (courier, flushed) = place.flush(courier, soon());
        flushed.unwrap_or_else(|error| panic!("{place:?}: {error}"));
        assert_eq!(
            courier.accounts().retries,
            passing.len() as u64,
            "{place:?}"
        );
        assert_eq!(courier.accounts().metrics.delivered, 10);
        let seen = collector.seen();
        assert_eq!(seen.len(), passing.len() + 1);
        assert!(
            seen.iter()
                .all(|seen| seen.body == *batch(Signal::Metrics, 10).body)
        );
    }
    for (code, _) in CODES.iter().filter(|(_, passes)| !passes) {
        let collector = Collector::start([Reply::Fails(Status::new(*code, "no: \u{e9}%"))]);
        let courier = courier(&collector);
        courier.outbox().push(batch(Signal::Logs, 10));
        let error = courier.flush(soon()).expect_err("it is final");
        assert_eq!(error.lost(), 10, "{code:?}");
        let account = courier.accounts().logs;
        assert_eq!(account.dropped.by(DropReason::Rejected), 10);
        assert_eq!(courier.accounts().retries, 0);
        let problem = courier.last_problem().expect("it is told");
        assert!(
            problem.contains(&format!("gRPC {code:?}: no: \u{e9}%")),
            "{problem}"
        );
    }
}

#[test]
fn an_exhausted_server_is_tried_again_only_if_it_says_when() {
    let delay = Duration::from_millis(700);
    for (place, code) in [
        (Place::Thread, Code::ResourceExhausted),
        (Place::Outside, Code::Unavailable),
        (Place::CurrentThread, Code::ResourceExhausted),
    ] {
        let collector = Collector::start([Reply::Fails(status_with_delay(code, delay))]);
        let courier = courier(&collector);
        courier.outbox().push(batch(Signal::Traces, 3));
        let started = Instant::now();
        let (courier, flushed) = place.flush(courier, soon());
        flushed.expect("delivered at the second try");
        assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
        assert_eq!(courier.accounts().retries, 1);
        assert_eq!(collector.seen().len(), 2);
    }
}

#[test]
fn partial_success_is_counted_and_its_reason_kept() {
    for signal in Signal::ALL {
        let collector = Collector::start([
            Reply::Rejected(4, "too old"),
            Reply::Rejected(0, "deprecated field"),
        ]);
        let courier = courier(&collector);
        courier.outbox().push(batch(signal, 10));
        let error = courier.flush(soon()).expect_err("four are lost");
        assert_eq!(error.lost(), 4);
        let account = *courier.accounts().of(signal);
        assert_eq!((account.delivered, account.pending), (6, 0));
        assert_eq!(account.dropped.by(DropReason::Rejected), 4);
        let problem = courier.last_problem().expect("it is told");
        assert!(
            problem.contains("rejected 4 of 10 items: too old"),
            "{problem}"
        );
        courier.outbox().push(batch(signal, 10));
        courier.flush(soon()).expect("a warning is no loss");
        let problem = courier.last_problem().expect("it is told");
        assert!(problem.contains("deprecated field"), "{problem}");
        assert!(collector.seen().iter().all(|seen| seen.signal == signal));
    }
}

#[test]
fn what_a_server_repeats_of_the_metadata_it_was_sent_is_not_told() {
    const KEY: &str = "tenant-of-mine-42";
    // What it says may leave the scheme out.
    let script = [
        Reply::Fails(Status::unauthenticated(format!("`{KEY}` is not known"))),
        Reply::Rejected(1, "for tenant-of-mine-42 it is too old"),
    ];
    let collector = Collector::start(script);
    let mut destinations = Destinations::grpc(collector.endpoint());
    destinations.traces = destinations
        .traces
        .with_header("x-tenant", format!("Plain {KEY}"));
    let transport = GrpcTransport::new(&destinations).expect("usable");
    let courier = Courier::new(transport, Settings::default());
    for said in ["is not known", "it is too old"] {
        courier.outbox().push(batch(Signal::Traces, 3));
        courier.flush(soon()).expect_err("some are lost");
        let problem = courier.last_problem().expect("it is told");
        assert!(
            problem.contains(said) && !problem.contains(KEY),
            "{problem}"
        );
    }
}
