//! OTLP over `https`: real handshakes on loopback, with a server whose certificate an authority of the test's own signs.
#![cfg(all(feature = "tls", not(loom)))]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/support.rs"]
mod support;

use authority::{Authority, Papers, file};
use obs_core::courier::{Batch, Destinations, DropReason, HttpTransport, Sent, Signal, Transport};
use obs_core::setup::environment::Environment;
use obs_core::{Error, Labels, Outcome, Parent, Telemetry};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{WORK, sampler};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that shows these, and asks for papers of whoever this authority vouches for.
fn server(shown: &Papers, asks: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match asks {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(&authority.pem)).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    builder
        .with_single_cert(vec![certificate(&shown.certificate)], key)
        .unwrap()
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Takes whatever is sent to it over TLS; the paths in their order.
struct Collector {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (config, asks) = (Arc::new(config), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let (tls, asks) = (StreamOwned::new(connection, stream), asks.clone());
                std::thread::spawn(move || serve(tls, &asks));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Until the client goes away, does not believe us, or is not believed.
fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, asked: &Mutex<Vec<String>>) {
    answer(&mut stream, asked);
    // What is unread when a socket closes takes the last words with it.
    let rest = &mut stream.sock;
    while matches!(rest.read(&mut [0; 1024]), Ok(1..)) {}
}

fn answer(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
    asked: &Mutex<Vec<String>>,
) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1)?;
        let mut body = vec![0; length.split("\r\n").next()?.parse().ok()?];
        stream.read_exact(&mut body).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        asked.lock().unwrap().push(path);
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).ok()?;
        stream.flush().ok()?;
    }
}

/// A telemetry that exports to where these variables say.
fn telemetry(variables: &[(&str, String)]) -> Result<Telemetry, Error> {
    let get = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    Telemetry::builder()
        .manual()
        .with_environment(Environment::from_fn(get))
        .with_sampler(sampler(true))
        .with_otlp()
        .build()
}

fn variables(url: String, certificate: Option<&PathBuf>) -> Vec<(&'static str, String)> {
    let certificate = certificate.map(|file| file.display().to_string());
    let certificate = certificate.map(|file| ("OTEL_EXPORTER_OTLP_CERTIFICATE", file));
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_METRICS_EXPORTER", "none".to_owned()),
    ];
    variables.extend(certificate);
    variables
}

fn work(telemetry: &Telemetry) {
    let kind = telemetry.kind(&WORK);
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
}

/// One batch to a server that shows `shown`, by who trusts `trusted`.
fn send(shown: ServerConfig, trusted: Option<&PathBuf>) -> (Sent, Vec<String>) {
    let collector = Collector::start(shown);
    let mut destinations = Destinations::below(&collector.url());
    if let Some(file) = trusted {
        destinations.traces = destinations.traces.with_certificate(file);
    }
    let mut transport = HttpTransport::new(&destinations).unwrap();
    let batch = Batch::new(Signal::Traces, b"x".to_vec(), 1);
    let sent = transport.send(&batch, Instant::now() + PATIENCE);
    (sent, collector.asked())
}

#[track_caller]
fn check_refused(shown: ServerConfig, trusted: Option<&PathBuf>, expect: &str) {
    match send(shown, trusted) {
        (Sent::Refused { why }, asked) => {
            assert!(
                why.contains("the certificate of the server is not trusted"),
                "{why}"
            );
            assert!(why.contains(expect), "{why}");
            assert_eq!(asked, [""; 0], "nothing is said to a stranger");
        }
        (other, _) => panic!("it must be refused: {other:?}"),
    }
}

#[test]
fn spans_arrive_over_https_at_a_server_that_the_named_authority_signed() {
    let authority = Authority::new();
    let collector = Collector::start(server(&authority.certifies("localhost", 4000), None));
    let telemetry = telemetry(&variables(collector.url(), Some(&authority.file))).unwrap();
    work(&telemetry);
    telemetry.flush(PATIENCE).expect("delivered");
    let account = telemetry.accounts().traces;
    assert_eq!((account.accepted, account.delivered), (1, 1));
    assert_eq!(collector.asked(), ["/v1/traces"]);
    work(&telemetry);
    telemetry.shutdown(PATIENCE).expect("delivered");
    assert_eq!(collector.asked(), ["/v1/traces", "/v1/traces"]);
}

#[test]
fn a_wrong_authority_is_refused_and_counted() {
    let authority = Authority::new();
    let collector = Collector::start(server(&Authority::new().certifies("localhost", 4000), None));
    let telemetry = telemetry(&variables(collector.url(), Some(&authority.file))).unwrap();
    work(&telemetry);
    let flushed = telemetry.flush(PATIENCE);
    let account = telemetry.accounts().traces;
    assert_eq!(
        (account.accepted, account.delivered, account.pending),
        (1, 0, 0)
    );
    assert_eq!(account.dropped.by(DropReason::Rejected), 1);
    let error = flushed.expect_err("it was not delivered");
    assert!(error.to_string().contains("is not trusted"), "{error}");
    assert_eq!(collector.asked(), [""; 0]);
}

#[test]
fn who_is_not_trusted_is_told_apart_from_a_broken_connection() {
    let authority = Authority::new();
    let theirs = || server(&authority.certifies("localhost", 4000), None);
    let (sent, asked) = send(theirs(), Some(&authority.file));
    assert!(matches!(sent, Sent::Delivered { .. }), "{sent:?}");
    assert_eq!(asked, ["/v1/traces"]);
    check_refused(theirs(), Some(&Authority::new().file), "UnknownIssuer");
    check_refused(theirs(), None, "UnknownIssuer");
    let elsewhere = authority.certifies("collector.example", 4000);
    check_refused(
        server(&elsewhere, None),
        Some(&authority.file),
        "collector.example",
    );
}

#[test]
fn an_expired_certificate_may_be_renewed() {
    let authority = Authority::new();
    let (sent, _) = send(
        server(&authority.certifies("localhost", 2020), None),
        Some(&authority.file),
    );
    assert!(
        matches!(&sent, Sent::Retry { why, .. } if why.contains("xpired")),
        "{sent:?}"
    );
}

#[test]
fn several_authorities_in_one_file_are_all_trusted() {
    let (one, two) = (Authority::new(), Authority::new());
    let read = |authority: &Authority| std::fs::read_to_string(&authority.file).unwrap();
    let both = file(&format!("# ours\n{}\n{}", read(&one), read(&two)));
    for authority in [one, two] {
        let (sent, _) = send(
            server(&authority.certifies("localhost", 4000), None),
            Some(&both),
        );
        assert!(matches!(sent, Sent::Delivered { .. }), "{sent:?}");
    }
}

#[test]
fn a_signals_own_authority_beats_the_common_one() {
    let (common, own) = (Authority::new(), Authority::new());
    let collector = Collector::start(server(&own.certifies("localhost", 4000), None));
    let mut variables = variables(collector.url(), Some(&common.file));
    let own = own.file.display().to_string();
    variables.push(("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", own));
    let telemetry = telemetry(&variables).unwrap();
    work(&telemetry);
    telemetry.flush(PATIENCE).expect("delivered");
    assert_eq!(telemetry.accounts().traces.delivered, 1);
}

#[test]
fn a_file_without_certificates_is_refused_at_set_up() {
    let check = |file: &PathBuf, expect: &str| {
        let variables = variables("https://localhost:1".to_owned(), Some(file));
        let error = telemetry(&variables).expect_err("unusable");
        assert!(error.is_configuration());
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let shown = file.display().to_string();
        let source = source.expect("it says which");
        assert!(
            source.contains(expect) && source.contains(&shown),
            "{source}"
        );
    };
    check(&PathBuf::from("/nowhere/ca.pem"), "cannot be read");
    check(&file("no certificate"), "are none");
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    check(&file(broken), "are no PEM");
}

/// One batch to a server that asks for papers of this authority's, by whoever has `papers`.
fn send_with(papers: Option<(PathBuf, PathBuf)>, authority: &Authority) -> (Sent, Vec<String>) {
    let shown = authority.certifies("localhost", 4000);
    let collector = Collector::start(server(&shown, Some(authority)));
    let mut destinations = Destinations::below(&collector.url());
    destinations.traces = destinations.traces.with_certificate(&authority.file);
    if let Some((certificate, key)) = papers {
        destinations.traces = destinations
            .traces
            .with_client_certificate(certificate, key);
    }
    let mut transport = HttpTransport::new(&destinations).unwrap();
    let batch = Batch::new(Signal::Traces, b"x".to_vec(), 1);
    let sent = transport.send(&batch, Instant::now() + PATIENCE);
    (sent, collector.asked())
}

#[test]
fn a_client_certificate_is_shown_to_who_asks_and_who_has_none_is_refused() {
    let authority = Authority::new();
    let papers = authority.certifies("a service", 4000).files();
    let (sent, asked) = send_with(Some(papers), &authority);
    assert!(matches!(sent, Sent::Delivered { .. }), "{sent:?}");
    assert_eq!(asked, ["/v1/traces"]);
    let anothers = Authority::new().certifies("a service", 4000).files();
    for papers in [None, Some(anothers)] {
        let (sent, asked) = send_with(papers, &authority);
        let Sent::Refused { why } = &sent else {
            panic!("it must be refused: {sent:?}")
        };
        assert!(why.contains("does not accept our certificate"), "{why}");
        assert_eq!(asked, [""; 0]);
    }
}

#[test]
fn half_a_client_certificate_is_refused_at_set_up() {
    let authority = Authority::new();
    let (certificate, key) = authority.certifies("a service", 4000).files();
    let check = |certificate: Option<&PathBuf>, key: Option<&PathBuf>, expect: &str| {
        let mut variables = variables("https://localhost:1".to_owned(), Some(&authority.file));
        for (name, file) in [
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key),
        ] {
            variables.extend(file.map(|file| (name, file.display().to_string())));
        }
        let error = telemetry(&variables).expect_err("unusable");
        assert!(error.is_configuration());
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let source = source.expect("it says which");
        assert!(source.contains(expect), "{source}");
    };
    check(Some(&certificate), None, "no key");
    check(None, Some(&key), "no certificate");
    check(Some(&certificate), Some(&certificate), "is none");
    check(Some(&key), Some(&key), "are none");
    check(
        Some(&certificate),
        Some(&PathBuf::from("/nowhere")),
        "cannot be read",
    );
}
