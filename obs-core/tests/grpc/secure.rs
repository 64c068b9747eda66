//! Over TLS: who is believed, and who believes us.

#[path = "../support/authority.rs"]
mod authority;

use std::path::PathBuf;
use std::time::Instant;

use authority::Authority;
use obs_core::courier::{Batch, Destinations, GrpcTransport, Sent, Signal, Transport};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::server::{Collector, PATIENCE};
use super::{Place, batch, courier_to, soon};

/// A server that `authority` vouches for under this name, and that asks for papers of whoever `asks` vouches for.
fn server(authority: &Authority, host: &str, until: i32, asks: Option<&Authority>) -> Collector {
    let papers = authority.certifies(host, until);
    let identity = Identity::from_pem(&papers.certificate, &papers.key);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(asks) = asks {
        tls = tls.client_ca_root(Certificate::from_pem(&asks.pem));
    }
    Collector::start_at("127.0.0.1:0", [], Some(tls))
}

fn trusting(collector: &Collector, file: Option<&PathBuf>) -> Destinations {
    let mut destinations =
        Destinations::grpc(format!("https://localhost:{}", collector.address.port()));
    if let Some(file) = file {
        destinations.traces = destinations.traces.with_certificate(file);
    }
    destinations
}

fn send(destinations: &Destinations) -> Sent {
    let mut transport = GrpcTransport::new(destinations).expect("usable");
    transport.send(&batch(Signal::Traces, 1), Instant::now() + PATIENCE)
}

#[track_caller]
fn check_refused(collector: &Collector, destinations: &Destinations, expect: &str) {
    match send(destinations) {
        Sent::Refused { why } => assert!(why.contains(expect), "{why}"),
        other => panic!("it must be refused: {other:?}"),
    }
    assert_eq!(collector.seen().len(), 0, "nothing is said to a stranger");
}

#[test]
fn batches_arrive_over_tls_from_every_kind_of_thread() {
    let authority = Authority::new();
    for place in Place::ALL {
        let collector = server(&authority, "localhost", 4000, None);
        let courier = courier_to(&trusting(&collector, Some(&authority.file)));
        for items in 1..=2 {
            courier.outbox().push(batch(Signal::Traces, items));
        }
        let (courier, flushed) = place.flush(courier, soon());
        flushed.unwrap_or_else(|error| panic!("{place:?}: {error}"));
        assert_eq!(courier.accounts().traces.delivered, 3);
        assert_eq!(collector.seen().len(), 2);
    }
}

#[test]
fn a_server_that_is_not_trusted_is_a_refusal_and_an_expired_one_may_be_renewed() {
    let authority = Authority::new();
    let theirs = server(&authority, "localhost", 4000, None);
    let not_trusted = "the certificate of the server is not trusted";
    check_refused(&theirs, &trusting(&theirs, None), not_trusted);
    let another = Authority::new();
    let by_another = trusting(&theirs, Some(&another.file));
    check_refused(&theirs, &by_another, "UnknownIssuer");
    let elsewhere = server(&authority, "collector.example", 4000, None);
    let by_name = trusting(&elsewhere, Some(&authority.file));
    check_refused(&elsewhere, &by_name, "collector.example");
    let expired = server(&authority, "localhost", 2020, None);
    let sent = send(&trusting(&expired, Some(&authority.file)));
    assert!(
        matches!(&sent, Sent::Retry { why, .. } if why.contains("xpired")),
        "{sent:?}"
    );
}

#[test]
fn a_client_certificate_is_shown_to_who_asks_and_who_has_none_gets_nothing_through() {
    let authority = Authority::new();
    let collector = server(&authority, "localhost", 4000, Some(&authority));
    let mut destinations = trusting(&collector, Some(&authority.file));
    let nothing_shown = send(&destinations);
    let mut shown = |papers: authority::Papers| {
        let (certificate, key) = papers.files();
        let traces = destinations.traces.clone();
        destinations.traces = traces.with_client_certificate(certificate, key);
        send(&destinations)
    };
    let anothers = shown(Authority::new().certifies("a service", 4000));
    assert_eq!(collector.seen().len(), 0);
    for sent in [nothing_shown, anothers] {
        // Whether the server's last words arrive before the end of its connection is the network's to say.
        let said = "does not accept our certificate";
        let passes = matches!(&sent, Sent::Retry { .. });
        let told = matches!(&sent, Sent::Refused { why } if why.contains(said));
        assert!(passes || told, "{sent:?}");
    }
    let sent = shown(authority.certifies("a service", 4000));
    assert!(matches!(sent, Sent::Delivered { .. }), "{sent:?}");
    assert_eq!(collector.seen().len(), 1);
}

#[test]
fn who_speaks_no_http2_over_tls_is_no_collector_and_does_not_hold_anybody_up() {
    let plain = Collector::start([]);
    let mut transport = GrpcTransport::new(&Destinations::grpc(format!(
        "https://localhost:{}",
        plain.address.port()
    )))
    .expect("usable");
    let sent = transport.send(
        &Batch::new(Signal::Logs, b"".to_vec(), 1),
        Instant::now() + PATIENCE,
    );
    assert!(matches!(sent, Sent::Retry { .. }), "{sent:?}");
    assert_eq!(plain.seen().len(), 0);
}
