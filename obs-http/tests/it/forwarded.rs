//! What proxies say of the original request: only if asked for, only from those who are believed.

use crate::support::ask::{Yes, ask, build};
use crate::support::{ACTIVE, layer};
use http::Request;
use obs_http::{Forwarded, HttpServerLayer, PeerAddress};
use obs_testing::{CapturedRecord, attrs};
use proptest::prelude::*;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use tower::Layer;

#[path = "../properties/forwarded.rs"]
mod properties;

const PROXY: &str = "10.0.0.1:5000";

fn record(
    headers: &[(&str, &str)],
    set: impl FnOnce(HttpServerLayer) -> HttpServerLayer,
) -> CapturedRecord {
    let capture = crate::support::capture();
    let request = Request::builder().uri("/").header("host", "inner.local");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let mut request = build(request);
    let proxy: SocketAddr = PROXY.parse().expect("an address");
    request.extensions_mut().insert(PeerAddress(proxy));
    ask(set(layer(&capture)).layer(Yes), request);
    let scheme = capture.record().text("url.scheme").map(str::to_owned);
    let scheme = attrs!["url.scheme" => scheme.expect("always")];
    assert!(capture.points().sum(ACTIVE, &scheme).is_some());
    capture.record()
}

/// `client server scheme`, each address with its port.
fn told(record: &CapturedRecord) -> String {
    let pair = |address: &str, port: &str| {
        let text = record.text(address).unwrap_or("-");
        match record.attr(port).and_then(obs_testing::AttrValue::as_i64) {
            Some(port) => format!("{text}|{port}"),
            None => text.to_owned(),
        }
    };
    assert_eq!(record.text("network.peer.address"), Some("10.0.0.1"));
    format!(
        "{} {} {}",
        pair("client.address", "client.port"),
        pair("server.address", "server.port"),
        record.text("url.scheme").expect("always")
    )
}

#[track_caller]
fn standard(proxies: usize, value: &str, expect: &str) {
    let rule = Forwarded::standard(proxies);
    let record = record(&[("forwarded", value)], |layer| layer.with_forwarded(rule));
    assert_eq!(told(&record), expect, "{value}");
}

#[track_caller]
fn x_headers(proxies: usize, headers: &[(&str, &str)], expect: &str) {
    let rule = Forwarded::x_headers(proxies);
    let record = record(headers, |layer| layer.with_forwarded(rule));
    assert_eq!(told(&record), expect, "{headers:?}");
}

const AS_IT_CAME: &str = "10.0.0.1 inner.local|80 http";

#[test]
fn nobody_is_believed_unasked() {
    let headers = [
        ("forwarded", "for=192.0.2.1;proto=https;host=shop.example"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(told(&record(&headers, |layer| layer)), AS_IT_CAME);
    standard(0, "for=192.0.2.1", AS_IT_CAME);
}

#[test]
fn the_original_request_is_what_the_proxy_says() {
    standard(
        1,
        "for=192.0.2.1;proto=https;host=shop.example",
        "192.0.2.1 shop.example|443 https",
    );
    standard(
        1,
        "For=\"[2001:db8::17]:4711\";Host=\"shop.example:8443\";Proto=HTTPS",
        "2001:db8::17|4711 shop.example|8443 https",
    );
    standard(1, "proto=https", "10.0.0.1 inner.local|443 https");
    standard(
        1,
        "host=\"[2001:db8::1]:81\"",
        "10.0.0.1 2001:db8::1|81 http",
    );
    x_headers(
        1,
        &[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
        ],
        "192.0.2.1 shop.example|443 https",
    );
    x_headers(
        1,
        &[("x-forwarded-for", "2001:db8::1")],
        "2001:db8::1 inner.local|80 http",
    );
    x_headers(
        1,
        &[("x-forwarded-port", "8443"), ("x-forwarded-proto", "https")],
        "10.0.0.1 inner.local|8443 https",
    );
}

#[test]
fn the_client_is_as_many_hops_away_as_there_are_proxies() {
    let chain =
        "for=6.6.6.6;proto=https, for=192.0.2.1;host=a.example, for=10.0.0.2;host=b.example";
    standard(1, chain, "10.0.0.2 b.example|80 http");
    standard(2, chain, "192.0.2.1 a.example|80 http");
    standard(9, chain, "6.6.6.6 inner.local|443 https");
    let chain = [
        ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
        ("x-forwarded-for", "10.0.0.2"),
    ];
    x_headers(1, &chain, "10.0.0.2 inner.local|80 http");
    x_headers(2, &chain, "192.0.2.1 inner.local|80 http");
}

#[test]
fn a_client_that_is_hidden_is_not_taken_for_the_proxy() {
    standard(1, "for=unknown", "- inner.local|80 http");
    standard(1, "for=_hidden;proto=https", "- inner.local|443 https");
    standard(
        1,
        "for=\"192.0.2.1:_port\"",
        "192.0.2.1 inner.local|80 http",
    );
    x_headers(
        1,
        &[("x-forwarded-for", "unknown")],
        "- inner.local|80 http",
    );
}

#[test]
fn what_is_malformed_says_nothing() {
    for value in [
        "",
        "for",
        "for=",
        "for=192.0.2.256",
        "for=\"192.0.2.1",
        "for=\"192.0.2.1:65536\"",
        "for=192.0.2.1;for=192.0.2.2",
        "for=192.0.2.1;host=\"me:secret@shop.example\"",
        "for=192.0.2.1 proto=https",
        "for=fe80::1%eth0",
    ] {
        standard(1, value, AS_IT_CAME);
    }
    x_headers(
        1,
        &[
            ("x-forwarded-for", "\"192.0.2.1\""),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "a/b"),
            ("x-forwarded-port", "80x"),
        ],
        AS_IT_CAME,
    );
}

#[test]
fn the_headers_of_the_other_kind_are_a_strangers() {
    x_headers(1, &[("forwarded", "for=192.0.2.1")], AS_IT_CAME);
    let rule = Forwarded::standard(1);
    let headers = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
    ];
    let record = record(&headers, |layer| layer.with_forwarded(rule));
    assert_eq!(told(&record), AS_IT_CAME);
}

#[test]
fn only_senders_that_are_named_are_believed() {
    let from = |sender: &'static str, expect: &str| {
        let sender: IpAddr = sender.parse().expect("an address");
        let rule = Forwarded::standard(1).with_senders(move |peer| peer == sender);
        let headers = [("forwarded", "for=192.0.2.1")];
        let record = record(&headers, |layer| layer.with_forwarded(rule));
        assert_eq!(told(&record), expect);
    };
    from("10.0.0.1", "192.0.2.1 inner.local|80 http");
    from("10.0.0.2", AS_IT_CAME);

    let rule = Forwarded::standard(1).with_senders(|_| std::panic::resume_unwind(Box::new(())));
    let headers = [("forwarded", "for=192.0.2.1")];
    assert_eq!(
        told(&record(&headers, |layer| layer.with_forwarded(rule))),
        AS_IT_CAME
    );
}

#[test]
fn where_the_peer_is_not_known_only_a_rule_without_senders_believes() {
    for (rule, client) in [
        (Forwarded::standard(1), Some("192.0.2.1")),
        (Forwarded::standard(1).with_senders(|_| true), None),
    ] {
        let capture = crate::support::capture();
        let request = Request::builder()
            .uri("/")
            .header("forwarded", "for=192.0.2.1");
        ask(
            layer(&capture).with_forwarded(rule).layer(Yes),
            build(request),
        );
        assert_eq!(capture.record().text("client.address"), client);
    }
}

#[test]
fn addresses_that_are_not_wanted_are_not_taken_from_proxies_either() {
    let rule = Forwarded::standard(1);
    let headers = [("forwarded", "for=\"192.0.2.1:7\"")];
    let record = record(&headers, |layer| {
        layer.with_forwarded(rule).with_addresses(false)
    });
    assert_eq!(
        (record.attr("client.address"), record.attr("client.port")),
        (None, None)
    );
}

#[test]
fn a_filter_goes_with_it() {
    let rule = Forwarded::standard(1);
    let record = record(&[("forwarded", "for=192.0.2.1")], |layer| {
        layer.with_forwarded(rule).with_filter(|_| true)
    });
    assert_eq!(told(&record), "192.0.2.1 inner.local|80 http");
}

#[test]
fn the_committed_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/forwarded");
    let mut inputs = 0;
    for file in fs::read_dir(folder).expect("the corpus is committed") {
        let input = fs::read(file.expect("readable").path()).expect("readable");
        properties::check(properties::read, &input);
        inputs += 1;
    }
    assert!(inputs >= 20, "{inputs} inputs");
}

/// Pieces of these headers in any order: more of it makes sense than of any bytes.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(
        &[
            "for=",
            "For=",
            "proto=",
            "host=",
            "by=",
            "192.0.2.1",
            "[2001:db8::1]",
            "2001:db8::1",
            "unknown",
            "_x",
            ":80",
            ":_p",
            ":70000",
            "\"",
            "\\",
            ",",
            ", ",
            ";",
            " ",
            "\t",
            "=",
            "https",
            "http",
            "a.example",
            "\n",
            "\nf",
            "\np",
            "\nh",
            "\no8",
            "\u{fc}",
        ][..],
    );
    let rule = prop::sample::select(&["0s", "1s", "2s", "3s", "1x", "2x"][..]);
    (rule, prop::collection::vec(piece, 0..12))
        .prop_map(|(rule, pieces)| format!("{rule}\n{}", pieces.concat()).into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_looks_like_these_headers_reads_the_same_from_both_ends(input in pieces()) {
        properties::check(properties::read, &input);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        properties::check(properties::read, &input);
    }
}
