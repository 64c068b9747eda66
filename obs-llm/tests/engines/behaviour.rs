//! What targets do: stay away, dawdle, never end, break off, begin anew, send somebody elsewhere, say something else.

use crate::server::{Server, send, send_as, write};
use crate::{Rig, corpus};
use obs_core::metrics::Temporality;
use obs_llm::engines::{LLAMACPP, ScrapeSettings, ScrapeTarget, VLLM};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const TOKENS: &str = "obs.llm.engine.output_tokens";
const UP: &str = "obs.llm.engine.up";

fn tokens(total: u64) -> String {
    format!("# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total {total}\n")
}

/// A page that fails for this reason, and shows nothing.
#[track_caller]
fn check_fails(why: &str, answer: impl FnMut(&str, &mut TcpStream) + Send + 'static) {
    let server = Server::start(answer);
    let rig = Rig::with(ScrapeSettings::new().with_page_bytes(100_000));
    rig.add(ScrapeTarget::new(&server.url(), &VLLM).expect("usable"));
    let shown = rig.scrape();
    assert_eq!(shown.number(UP), 0.0);
    assert_eq!(shown.errors(), [format!("type={why} 1")]);
    assert!(shown.names().is_empty(), "{:?}", shown.names());
    let status = rig.scraper.targets().remove(0);
    assert_eq!(
        (status.up, status.error.as_deref()),
        (Some(false), Some(why))
    );
    // Once more, and then it is well.
    rig.scrape();
    server.then_page(tokens(7));
    let shown = rig.scrape();
    assert_eq!(shown.errors(), [format!("type={why} 2")]);
    assert_eq!((shown.number(UP), shown.number(TOKENS)), (1.0, 7.0));
    assert_eq!(rig.telemetry.counts().slow_observables, 0);
}

#[test]
fn a_target_that_is_down_shows_nothing_old_and_leaves_others_alone() {
    let other = Server::page(tokens(5));
    let server = Server::page(tokens(3));
    let rig = Rig::of(&server, &VLLM);
    rig.add(ScrapeTarget::new(&other.url(), &VLLM).expect("usable"));
    let up = |shown: &crate::Shown| {
        let points = shown.number_points(UP);
        points.iter().map(|point| point.value.as_f64()).sum::<f64>()
    };
    let shown = rig.scrape();
    assert_eq!((up(&shown), shown.number_points(TOKENS).len()), (2.0, 2));
    let port = server.port();
    drop(server);
    let shown = rig.scrape();
    assert_eq!(shown.number_points(UP).len(), 2);
    assert_eq!((up(&shown), shown.number(TOKENS)), (1.0, 5.0));
    assert_eq!(shown.errors(), ["type=connection_error 1"]);
    // It is back, and its total went on: the stream is the same.
    let before = rig.scrape();
    assert_eq!(before.number(TOKENS), 5.0);
    let _server = Server::at(&format!("127.0.0.1:{port}"), |_, stream| {
        send(stream, &tokens(4))
    });
    let shown = rig.scrape();
    assert_eq!((up(&shown), shown.number_points(TOKENS).len()), (2.0, 2));
}

#[test]
fn a_target_that_began_anew_is_another_stream() {
    let server = Server::page(tokens(100));
    let rig = Rig::of(&server, &VLLM);
    let read = |total| {
        rig.clock.advance(Duration::from_secs(10));
        server.then_page(tokens(total));
        let point = rig.scrape().number_points(TOKENS).remove(0);
        (point.start_unix_nanos, point.unix_nanos)
    };
    let first = read(100);
    // Nobody knows since when it counts: it says so by a point without a duration.
    assert_eq!(first.0, first.1);
    let second = read(130);
    assert_eq!((second.0, second.1 - first.1), (first.0, 10_000_000_000));
    // What it counts now came after that.
    let third = read(20);
    assert_eq!(third.0, second.1);
    assert_eq!(read(25).0, second.1);
}

#[test]
fn a_reader_of_deltas_gets_what_was_added_and_after_a_restart_what_there_is() {
    let server = Server::page(tokens(100));
    let rig = Rig::of(&server, &VLLM);
    let reader = rig.telemetry.reader(Temporality::Delta);
    let read = |total| {
        rig.clock.advance(Duration::from_secs(10));
        server.then_page(tokens(total));
        let shown = crate::Shown(reader.collect());
        let points = shown.number_points(TOKENS);
        points.first().map(|point| point.value.as_f64())
    };
    assert_eq!(read(100), None);
    assert_eq!(read(130), Some(30.0));
    assert_eq!(read(20), Some(20.0));
    assert_eq!(read(25), Some(5.0));
}

#[test]
fn one_that_does_not_answer_is_left_at_its_deadline() {
    let began = Instant::now();
    check_fails("timeout", |_, _| {
        std::thread::sleep(Duration::from_millis(1_500))
    });
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn one_that_answers_a_byte_at_a_time_is_left_at_its_deadline() {
    check_fails("timeout", |_, stream| {
        write(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        for _ in 0..20 {
            write(stream, "#");
            std::thread::sleep(Duration::from_millis(60));
        }
    });
}

#[test]
fn a_slow_target_takes_no_time_of_others() {
    let slow = Server::start(|_, _| std::thread::sleep(Duration::from_secs(2)));
    let quick = Server::page(tokens(5));
    let rig = Rig::of(&slow, &VLLM);
    rig.add(ScrapeTarget::new(&quick.url(), &VLLM).expect("usable"));
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(rig.scrape().number(TOKENS), 5.0);
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(rig.telemetry.counts().slow_observables, 0);
}

#[test]
fn a_page_that_is_too_long_is_left_as_a_whole() {
    // It says how long it is.
    check_fails("page_too_large", |_, stream| {
        write(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n");
    });
    // It does not, and never ends.
    check_fails("page_too_large", |_, stream| {
        write(
            stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        let page = tokens(7);
        let chunk = format!("{:x}\r\n{page}\r\n", page.len());
        for _ in 0..3_000 {
            write(stream, &chunk);
        }
    });
}

#[test]
fn a_page_that_breaks_off_is_left_as_a_whole() {
    // Before the length that it said.
    check_fails("page_cut_off", |_, stream| {
        let page = tokens(7);
        write(
            stream,
            &format!("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{page}"),
        );
    });
    // Between two of its chunks.
    check_fails("page_cut_off", |_, stream| {
        let page = tokens(7);
        let chunk = format!("{:x}\r\n{page}\r\n", page.len());
        write(
            stream,
            &format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"),
        );
    });
    // Within a line, where nobody said a length.
    check_fails("page_cut_off", |_, stream| {
        let page = tokens(7);
        write(
            stream,
            &format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{page}vllm:x"),
        );
    });
    // Before its end, in the format that has one.
    check_fails("page_cut_off", |_, stream| {
        send_as(
            stream,
            "application/openmetrics-text; version=1.0.0",
            &tokens(7),
        );
    });
}

#[test]
fn a_page_may_come_in_any_way_that_http_has() {
    let check = |answer: fn(&str, &mut TcpStream)| {
        let server = Server::start(answer);
        assert_eq!(Rig::of(&server, &VLLM).scrape().number(TOKENS), 7.0);
    };
    check(|_, stream| {
        let page = tokens(7);
        write(
            stream,
            &format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{page}"),
        );
    });
    check(|_, stream| {
        write(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        for piece in tokens(7).as_bytes().chunks(5) {
            write(
                stream,
                &format!(
                    "{:x}\r\n{}\r\n",
                    piece.len(),
                    String::from_utf8_lossy(piece)
                ),
            );
        }
        write(stream, "0\r\n\r\n");
    });
    check(|_, stream| {
        let page = tokens(7) + "# EOF\n";
        send_as(
            stream,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            &page,
        );
    });
}

#[test]
fn another_status_is_no_page() {
    for (status, why) in [
        ("500 Oh", "500"),
        ("503 Soon", "503"),
        ("401 Who", "401"),
        ("204 No", "204"),
        ("501 Not", "501"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        check_fails(why, move |_, stream| write(stream, &answer));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::page(tokens(1));
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}/metrics\r\ncontent-length: 0\r\n\r\n",
        other.url()
    );
    check_fails("302", move |_, stream| write(stream, &answer));
    assert_eq!(other.asked(), 0);
}

#[test]
fn what_is_no_text_of_either_format_is_no_page() {
    check_fails("unexpected_content_type", |_, stream| {
        send_as(stream, "text/html", &tokens(1));
    });
    check_fails("unexpected_content_type", |_, stream| {
        send_as(stream, "application/json", "{}\n");
    });
    check_fails("unexpected_encoding", |_, stream| {
        write(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx",
        );
    });
    check_fails("protocol_error", |_, stream| {
        write(stream, "SSH-2.0-OpenSSH_9.6\r\n\r\n")
    });
}

#[test]
fn lines_that_are_none_are_counted_and_the_others_shown() {
    let page = format!("{}<html>\nvllm:num_requests_running three\n\n", tokens(7));
    let server = Server::page(page);
    let rig = Rig::of(&server, &VLLM);
    let shown = rig.scrape();
    assert_eq!((shown.number(UP), shown.number(TOKENS)), (1.0, 7.0));
    assert_eq!(shown.anomalies(), ["anomaly=malformed_line 2"]);
    assert_eq!(rig.scrape().anomalies(), ["anomaly=malformed_line 4"]);
    assert!(shown.errors().is_empty());
}

#[test]
fn the_page_of_another_engine_says_nothing_and_that_is_counted() {
    let server = Server::page(corpus("llamacpp"));
    let shown = Rig::of(&server, &VLLM).scrape();
    assert_eq!(shown.number(UP), 1.0);
    assert_eq!(shown.anomalies(), ["anomaly=nothing_known 1"]);
    assert!(shown.names().is_empty());
}

#[test]
fn more_samples_than_are_read_are_no_page() {
    let line = |n: u32| format!("vllm:num_requests_running{{n=\"{n}\"}} 1\n");
    let page: String = (0..101).map(line).collect();
    let server = Server::page(page);
    let rig = Rig::with(ScrapeSettings::new().with_samples(100));
    rig.add(ScrapeTarget::new(&server.url(), &VLLM).expect("usable"));
    let shown = rig.scrape();
    assert_eq!(shown.errors(), ["type=too_many_samples 1"]);
    assert!(shown.names().is_empty());
}

#[test]
fn what_is_asked_is_the_page_with_its_headers() {
    let (say, said) = std::sync::mpsc::channel();
    let server = Server::start(move |head, stream| {
        say.send(head.to_owned()).expect("somebody listens");
        send(stream, &tokens(1));
    });
    let rig = Rig::new();
    let target = ScrapeTarget::new(&server.url(), &VLLM).expect("usable");
    let target = target
        .with_header("authorization", "Bearer s3cret")
        .expect("usable");
    let shown = format!("{target:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    rig.add(target);
    rig.scrape();
    let head = said.recv().expect("a request").to_ascii_lowercase();
    assert!(head.starts_with("get /metrics http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nauthorization: bearer s3cret\r\n"),
        "{head}"
    );
    assert!(head.contains("text/plain"), "{head}");
    assert!(!head.contains("accept-encoding: g"), "{head}");
    // A path of one's own is taken as it is.
    assert!(rig.scraper.remove("vllm", "127.0.0.1", server.port()));
    let url = format!("{}/up/stairs?model=tiny", server.url());
    rig.add(ScrapeTarget::new(&url, &LLAMACPP).expect("usable"));
    rig.scrape();
    let head = said.recv().expect("a request");
    assert!(
        head.starts_with("GET /up/stairs?model=tiny HTTP/1.1\r\n"),
        "{head}"
    );
}

#[test]
fn how_long_it_takes_is_a_histogram_of_each_target() {
    let server = Server::page(tokens(1));
    let rig = Rig::of(&server, &VLLM);
    for _ in 0..3 {
        rig.scrape();
    }
    let took = &rig.scrape().histograms("obs.llm.engine.scrape.duration")[0];
    let attributes: Vec<_> = { took.attributes.iter() }
        .map(|(key, value)| format!("{key}={}", value.to_text()))
        .collect();
    let port = format!("server.port={}", server.port());
    assert_eq!(
        attributes,
        ["obs.llm.engine=vllm", "server.address=127.0.0.1", &port]
    );
    // The one that is going on while this is read is among them.
    assert_eq!(took.count, 4);
}

/// An engine on a machine whose clock is ahead says that it is to begin: that is no restart at each page, nor one when that time
/// has come.
#[test]
fn an_engine_whose_clock_is_ahead_is_counted_once() {
    let server = Server::page(tokens(100));
    let rig = Rig::of(&server, &VLLM);
    let reader = rig.telemetry.reader(Temporality::Delta);
    let probe = rig.scrape().number_points(TOKENS).remove(0);
    let ahead = probe.unix_nanos / 1_000_000_000 + 30;
    let read = |total| {
        rig.clock.advance(Duration::from_secs(10));
        server.then_page(format!(
            "process_start_time_seconds {ahead}\n{}",
            tokens(total)
        ));
        let shown = crate::Shown(reader.collect());
        let points = shown.number_points(TOKENS);
        points.first().map(|point| point.value.as_f64())
    };
    read(100);
    let read: Vec<_> = (1..6).map(|more| read(100 + more)).collect();
    assert_eq!(read, [Some(1.0); 5]);
}
