//! Answers in a coding: they pass as they came, and are read beside that.

use crate::answers::{CHAT, STREAM, layer};
use crate::support::Frames;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use obs_llm::client::RequestBody;
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::convert::Infallible;
use std::io::Write;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let head = flate2::GzBuilder::new()
        .filename("a.txt")
        .comment("b")
        .extra([1, 2, 3]);
    let mut encoder = head.write(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn bare(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn brotli(plain: &[u8], window_log: u32) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut coded, 4096, 5, window_log);
    writer.write_all(plain).unwrap();
    drop(writer);
    coded
}

pub(crate) fn zstd(plain: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// What is recorded of an answer in these pieces, which the client has as they were sent.
async fn answered(capture: &Capture, coding: &'static str, pieces: &[&[u8]]) -> CapturedRecord {
    let service = service_fn(|request: Request<RequestBody<Frames>>| async move {
        request.into_body().collect().await?;
        let head = Response::builder().header(header::CONTENT_ENCODING, coding);
        let head = head.header(header::CONTENT_TYPE, "text/event-stream");
        Ok::<_, Infallible>(head.body(Frames::of(pieces)).unwrap())
    });
    let url = "https://api.openai.com/v1/chat/completions";
    let request = Request::post(url).body(Frames::of(&[CHAT])).unwrap();
    let response = layer(capture)
        .layer(service)
        .oneshot(request)
        .await
        .unwrap();
    let body: Bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, pieces.concat());
    capture.take_records().remove(0)
}

fn unreadable(capture: &Capture) -> f64 {
    let of = [("obs.anomaly", AttrValue::from("unreadable"))];
    let point = capture.points().sum("obs.llm.anomalies", &of);
    point.map_or(0.0, |point| point.as_f64())
}

#[tokio::test]
async fn each_coding_is_read_cut_wherever_it_may_be() {
    let plain = STREAM.concat();
    let plain = plain.as_bytes();
    let mut two = gzip(&plain[..100]);
    two.extend(gzip(&plain[100..]));
    for (coding, coded) in [
        ("gzip", gzip(plain)),
        ("x-gzip", two),
        ("deflate", zlib(plain)),
        ("Deflate", bare(plain)),
        ("br", brotli(plain, 16)),
        ("br", brotli(plain, 18)),
        ("zstd", zstd(plain, 18)),
        ("identity", plain.to_vec()),
    ] {
        let capture = Capture::new();
        let bytes: Vec<&[u8]> = coded.chunks(1).collect();
        let whole = [&coded[..]];
        let mut cuts: Vec<Vec<&[u8]>> = vec![bytes, whole.to_vec()];
        cuts.extend((1..coded.len()).step_by(7).map(|at| {
            let (one, other) = coded.split_at(at);
            vec![one, other]
        }));
        for pieces in cuts {
            let record = answered(&capture, coding, &pieces).await;
            assert_eq!(record.error_type(), None, "{coding}");
            let chunks = record.attr("obs.llm.response.chunks");
            assert_eq!(chunks, Some(&2_i64.into()), "{coding}");
            let output = record.attr("gen_ai.usage.output_tokens");
            assert_eq!(output, Some(&2_i64.into()), "{coding}");
        }
        assert_eq!(unreadable(&capture), 0.0, "{coding}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_measured_and_counted() {
    let plain = STREAM.concat();
    let plain = plain.as_bytes();
    let mut broken = gzip(plain);
    broken[60] ^= 0xff;
    for (coding, coded) in [
        ("gzip", b"no gzip at all".to_vec()),
        ("gzip", broken),
        ("br", brotli(plain, 22)),
        ("br", vec![0b1_0001; 9]),
        ("zstd", zstd(&plain.repeat(2000), 21)),
        ("zstd", b"neither is this".to_vec()),
        ("snappy", plain.to_vec()),
        ("gzip, br", plain.to_vec()),
    ] {
        let capture = Capture::new();
        let record = answered(&capture, coding, &[&coded]).await;
        assert_eq!(record.attr("gen_ai.usage.output_tokens"), None, "{coding}");
        assert_eq!(record.error_type(), None, "{coding}");
        assert_eq!(unreadable(&capture), 1.0, "{coding}");
        assert_eq!(capture.count("gen_ai.client.operation.duration"), 1);
    }
}

/// A stream whose last bytes stand for much more than is decoded at once.
#[tokio::test]
async fn what_a_few_bytes_stand_for_is_read_to_its_end() {
    let long = format!(": {}\n\n", "x".repeat(150_000));
    let plain = [STREAM[0], STREAM[2], &long, STREAM[3], STREAM[4], &long].concat();
    let plain = plain.as_bytes();
    for (coding, coded) in [
        ("gzip", gzip(plain)),
        ("deflate", zlib(plain)),
        ("br", brotli(plain, 18)),
        ("zstd", zstd(plain, 17)),
    ] {
        let capture = Capture::new();
        assert!(coded.len() < 2_000, "{coding}: {}", coded.len());
        let last = coded.len() - 1;
        for pieces in [vec![&coded[..]], vec![&coded[..last], &coded[last..]]] {
            let record = answered(&capture, coding, &pieces).await;
            let output = record.attr("gen_ai.usage.output_tokens");
            assert_eq!(output, Some(&2_i64.into()), "{coding}");
            assert_eq!(record.error_type(), None, "{coding}");
        }
        assert_eq!(unreadable(&capture), 0.0, "{coding}");
    }
}

#[tokio::test]
async fn a_few_kilobytes_that_stand_for_gigabytes_are_not_read_to_their_end() {
    let line = format!(": {}\n", "x".repeat(1 << 20));
    let large = line.repeat(65);
    let large = large.as_bytes();
    for (coding, coded) in [("zstd", zstd(large, 18)), ("br", brotli(large, 18))] {
        let capture = Capture::new();
        assert!(coded.len() < 20_000, "{}", coded.len());
        // It is too much at once.
        answered(&capture, coding, &[&coded]).await;
        assert_eq!(unreadable(&capture), 1.0, "{coding}");
    }
    // Byte by byte it is too much all in all.
    let capture = Capture::new();
    let coded = zstd(large, 18);
    let bytes: Vec<&[u8]> = coded.chunks(1).collect();
    answered(&capture, "zstd", &bytes).await;
    assert_eq!(unreadable(&capture), 1.0);
}

#[tokio::test]
async fn a_large_answer_that_is_no_bomb_is_read() {
    // Numbers of embeddings: three times smaller by their coding, and more than is read of a bomb at once.
    let mut numbers = String::new();
    let mut state = 7_u32;
    for _ in 0..1_000_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        numbers.push_str(&format!("{},", state >> 12));
    }
    let plain = format!(": {numbers}\n\n{}", STREAM.concat());
    let capture = Capture::new();
    let coded = gzip(plain.as_bytes());
    assert!(plain.len() > 6 << 20 && coded.len() > 1 << 20);
    let record = answered(&capture, "gzip", &[&coded]).await;
    let output = record.attr("gen_ai.usage.output_tokens");
    assert_eq!(output, Some(&2_i64.into()));
    assert_eq!(unreadable(&capture), 0.0);
}
