//! The metrics page as a service, joined with another exporter's, and on an address of its own.

use http::{Method, Request, Response, StatusCode, header};
use obs_core::encode::PageFormat;
use obs_core::metrics_facade::MetricsRecorder;
use obs_http::{HttpServerLayer, MetricsPage};
use obs_testing::Capture;
use tower::{Layer, Service, ServiceExt, service_fn};

const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// A telemetry with one exchange behind it, exported.
async fn exchanged() -> Capture {
    let capture = Capture::new();
    let service =
        HttpServerLayer::new(capture.telemetry()).layer(service_fn(|_: Request<String>| async {
            Ok::<_, std::convert::Infallible>(Response::new(String::new()))
        }));
    service.oneshot(Request::new(String::new())).await.unwrap();
    assert_eq!(capture.records().len(), 1);
    capture
}

async fn ask(page: &MetricsPage, method: Method, accept: Option<&str>) -> Response<String> {
    let mut request = Request::builder().method(method).uri("/metrics");
    if let Some(accept) = accept {
        request = request.header(header::ACCEPT, accept);
    }
    page.clone().call(request.body(()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn prometheus_gets_openmetrics_with_an_exemplar_that_leads_to_the_exported_trace() {
    let capture = exchanged().await;
    let page = MetricsPage::new(capture.telemetry());
    let answer = ask(&page, Method::GET, Some(PROMETHEUS)).await;
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        PageFormat::OpenMetrics.content_type()
    );
    assert_eq!(answer.headers()[header::VARY], "accept");
    let exemplar = format!("# {{trace_id=\"{}\"", capture.record().trace_id);
    let buckets = answer
        .body()
        .lines()
        .filter(|line| line.contains("request_duration_seconds_bucket"));
    assert!(
        buckets.clone().any(|line| line.contains(&exemplar)),
        "{}",
        answer.body()
    );
    assert!(answer.body().ends_with("# EOF\n"));
}

#[tokio::test]
async fn whoever_does_not_ask_for_it_gets_the_text_format() {
    let page = MetricsPage::new(exchanged().await.telemetry());
    for accept in [None, Some("*/*"), Some("text/html")] {
        let answer = ask(&page, Method::GET, accept).await;
        assert_eq!(
            answer.headers()[header::CONTENT_TYPE],
            PageFormat::Text.content_type()
        );
        assert!(
            answer
                .body()
                .contains("http_server_request_duration_seconds_count")
        );
        assert!(!answer.body().contains("trace_id") && !answer.body().contains("EOF"));
    }
}

#[tokio::test]
async fn a_page_is_read_and_not_written() {
    let page = MetricsPage::new(exchanged().await.telemetry());
    let refused = ask(&page, Method::POST, None).await;
    assert_eq!(
        (refused.status(), &refused.headers()[header::ALLOW]),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            &"GET, HEAD".parse().unwrap()
        )
    );
    let head = ask(&page, Method::HEAD, None).await;
    assert_eq!((head.status(), head.body().as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn business_metrics_of_the_metrics_macros_are_on_the_same_page() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let order = || {
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("orders_total", "shop" => "a").increment(3);
            metrics::counter!("visits").increment(1);
            metrics::histogram!("basket").record(2.5);
        });
    };
    order();
    let capture = exchanged().await;
    let rendering = handle.clone();
    let page =
        MetricsPage::new(capture.telemetry()).with_joined("metrics", move || rendering.render());
    let page = page.expect("no name twice");
    let text = page.render(PageFormat::Text);
    for line in [
        "orders_total{shop=\"a\"} 3",
        "# TYPE orders_total counter",
        "basket_count 1",
        "visits 1",
    ] {
        assert!(
            text.lines().any(|known| known == line),
            "no {line} in\n{text}"
        );
    }
    order();
    let open = page.render(PageFormat::OpenMetrics);
    for line in [
        "orders_total{shop=\"a\"} 6",
        "# TYPE orders counter",
        "# TYPE visits unknown",
        "visits 2",
    ] {
        assert!(
            open.lines().any(|known| known == line),
            "no {line} in\n{open}"
        );
    }
    assert_eq!(open.matches("# EOF").count(), 1);
    assert!(open.contains("# TYPE http_server_request_duration_seconds histogram"));
}

#[tokio::test]
async fn our_recorder_puts_them_on_the_page_itself_and_refuses_to_be_joined_with_whom_it_hands_on_to()
 {
    let capture = exchanged().await;
    let theirs = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = theirs.handle();
    let recorder = MetricsRecorder::new(capture.telemetry()).with_forward(theirs);
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("orders_total", "shop" => "a").increment(3);
    });
    let line = "orders_total{shop=\"a\"} 3\n";
    assert!(handle.render().contains(line));
    let page = MetricsPage::new(capture.telemetry());
    for format in [PageFormat::Text, PageFormat::OpenMetrics] {
        assert_eq!(page.render(format).matches(line).count(), 1);
    }
    let joined = page.clone().with_joined("metrics", move || handle.render());
    let refused = joined.unwrap_err();
    assert!(refused.is_configuration() && refused.to_string().contains("`orders_total`"));

    // What records elsewhere joins as ever.
    let others = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = others.handle();
    metrics::with_local_recorder(&others, || metrics::counter!("visits").increment(1));
    let page = page.with_joined("others", move || handle.render()).unwrap();
    let text = page.render(PageFormat::Text);
    assert!(text.contains(line) && text.contains("visits 1\n"), "{text}");
}

#[tokio::test]
async fn a_name_that_both_have_is_an_error_at_set_up() {
    let capture = exchanged().await;
    let page = MetricsPage::new(capture.telemetry());
    let taken = || {
        "# TYPE http_server_request_duration_seconds histogram\nhttp_server_request_duration_seconds_sum 1\n".to_owned()
    };
    let error = page.clone().with_joined("theirs", taken).unwrap_err();
    assert!(error.is_configuration());
    assert!(
        error
            .to_string()
            .contains("http_server_request_duration_seconds"),
        "{error}"
    );
    let other = || "# TYPE a counter\na 1\n".to_owned();
    let page = page.with_joined("one", other).unwrap();
    assert!(
        page.with_joined("two", other).is_err(),
        "two joined pages with one name"
    );
}

#[test]
fn a_name_that_both_will_have_is_found_before_either_has_a_series() {
    let capture = Capture::new();
    let _layer = HttpServerLayer::new(capture.telemetry());
    assert!(
        !capture
            .telemetry()
            .prometheus()
            .contains("request_duration")
    );
    let theirs = || {
        "# TYPE http_server_request_duration_seconds histogram\nhttp_server_request_duration_seconds_sum 1\n".to_owned()
    };
    let joined = MetricsPage::new(capture.telemetry()).with_joined("theirs", theirs);
    assert!(joined.unwrap_err().is_configuration());
}

#[tokio::test]
async fn a_joined_exporter_that_panics_costs_its_own_metrics_only() {
    let capture = exchanged().await;
    let page = MetricsPage::new(capture.telemetry());
    let page = page.with_joined("bad", || panic!("not today")).unwrap();
    let (own, before) = (
        capture.telemetry().prometheus(),
        capture.telemetry().counts().panics,
    );
    let text = page.render(PageFormat::Text);
    assert_eq!(text, own);
    let counted = capture.telemetry().counts().panics - before;
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn a_joined_exporter_that_fails_in_words_does_not_cost_the_scrape() {
    let said = "<html>oops</html>\nError: connection refused\nnovalue\nwrong{a=\"1\" 3\n# TYPE <b> gauge\nfine 1\n";
    let capture = exchanged().await;
    let page = MetricsPage::new(capture.telemetry());
    let page = page.with_joined("words", move || said.to_owned()).unwrap();
    let text = page.render(PageFormat::Text);
    let fine = "# TYPE fine untyped\nfine 1\n";
    assert_eq!(text, format!("{}{fine}", capture.telemetry().prometheus()));
    let open = page.render(PageFormat::OpenMetrics);
    assert!(
        open.ends_with("# TYPE fine unknown\nfine 1\n# EOF\n"),
        "{open}"
    );
    // None of them can be a part of an id in hexadecimal digits.
    for left_out in ["html", "Error", "novalue", "wrong", "<b>"] {
        assert!(!open.contains(left_out), "{left_out} in\n{open}");
    }
}

#[cfg(feature = "listener")]
mod listener {
    use super::*;
    use obs_http::MetricsListener;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    fn send(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        read(stream)
    }

    fn read(mut stream: TcpStream) -> String {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(address: SocketAddr, path: &str) -> String {
        send(
            address,
            &format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {PROMETHEUS}\r\n\r\n"),
        )
    }

    async fn listening() -> (Capture, MetricsListener) {
        let capture = exchanged().await;
        let page = MetricsPage::new(capture.telemetry());
        let listener = MetricsListener::start(page, "127.0.0.1:0").unwrap();
        (capture, listener)
    }

    #[tokio::test]
    async fn it_answers_scrapes_and_nothing_else() {
        let (capture, listener) = listening().await;
        let at = listener.address();
        let page = get(at, "/metrics");
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        assert!(
            head.contains(PageFormat::OpenMetrics.content_type()),
            "{head}"
        );
        assert!(body.contains(&capture.record().trace_id.to_string()));
        assert!(get(at, "/metrics?name=x").starts_with("HTTP/1.1 200"));
        assert!(get(at, "/").starts_with("HTTP/1.1 404"));
        assert!(send(at, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        let head = send(at, "HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(
            head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert!(send(at, "\u{0}\u{1}\r\n\r\n").starts_with("HTTP/1.1 400"));
    }

    #[tokio::test]
    async fn a_target_with_its_host_is_not_a_404() {
        let (_capture, listener) = listening().await;
        let at = listener.address();
        for target in ["http://x/metrics", "HTTPS://x:1/metrics?name=x"] {
            assert!(get(at, target).starts_with("HTTP/1.1 200"), "{target}");
        }
        for target in [
            "http://x",
            "http://metrics",
            "http:///x/metrics",
            "http://x?/metrics",
            "ftp://x/metrics",
            "/http://x/metrics",
            "*",
        ] {
            assert!(get(at, target).starts_with("HTTP/1.1 404"), "{target}");
        }
    }

    #[tokio::test]
    async fn who_asks_slowly_or_too_much_keeps_nobody_else_waiting() {
        let (_capture, listener) = listening().await;
        let at = listener.address();
        let mut slow = TcpStream::connect(at).unwrap();
        slow.write_all(b"GET /met").unwrap();
        let mut large = TcpStream::connect(at).unwrap();
        // Over what it reads of a head; where it has hung up by then, that is an answer too.
        let _ = large.write_all(
            format!("GET /metrics HTTP/1.1\r\nx: {}\r\n", "y".repeat(64 << 10)).as_bytes(),
        );
        assert!(get(at, "/metrics").starts_with("HTTP/1.1 200"));
        slow.write_all(b"rics HTTP/1.1\r\n\r\n").unwrap();
        assert!(read(slow).starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn more_than_a_few_scrapes_at_once_are_turned_away() {
        let (_capture, listener) = listening().await;
        let at = listener.address();
        let waiting: Vec<_> = (0..4).map(|_| TcpStream::connect(at).unwrap()).collect();
        // The listener takes connections in order: it has these four by the time it answers the fifth.
        let refused = get(at, "/metrics");
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        drop(waiting);
        let answered = || get(at, "/metrics").starts_with("HTTP/1.1 200");
        assert!((0..500).any(|_| answered() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }));
    }

    #[tokio::test]
    async fn dropped_it_listens_no_more() {
        let (_capture, listener) = listening().await;
        let at = listener.address();
        drop(listener);
        assert!(TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_err());
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_an_error() {
        let (capture, listener) = listening().await;
        let page = MetricsPage::new(capture.telemetry());
        let error = MetricsListener::start(page, listener.address()).unwrap_err();
        assert!(error.is_configuration(), "{error}");
    }
}
