//! Lines of both formats, good and bad, cut at every byte.

use super::*;
use proptest::prelude::*;

type Read = (String, Vec<(String, String)>, f64);

fn read_in(pieces: &[&[u8]]) -> (Vec<Read>, Counts) {
    let mut samples = Vec::new();
    let mut reader = PageReader::new();
    for piece in pieces {
        reader.feed(piece, &mut |sample| {
            let labels = sample
                .labels()
                .map(|(key, value)| (key.into(), value.into()));
            samples.push((sample.name.into(), labels.collect(), sample.value));
        });
    }
    (samples, reader.counts())
}

/// Name, labels and value.
type Expect<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

#[track_caller]
fn check(line: &str, expect: Option<Expect<'_>>) {
    let page = format!("{line}\n");
    let (samples, counts) = read_in(&[page.as_bytes()]);
    let Some((name, labels, value)) = expect else {
        assert_eq!(
            (samples.len(), counts.malformed),
            (0, 1),
            "{line}: {samples:?}"
        );
        return;
    };
    assert_eq!(
        (samples.len(), counts.malformed, counts.samples),
        (1, 0, 1),
        "{line}"
    );
    let labels: Vec<(String, String)> = { labels.iter() }
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    assert_eq!((&*samples[0].0, &samples[0].1), (name, &labels), "{line}");
    let same = samples[0].2 == value || samples[0].2.is_nan() && value.is_nan();
    assert!(same, "{line}: {}", samples[0].2);
}

// The examples of the text format's own description, and of OpenMetrics's.
#[test]
fn lines_of_the_formats_are_read() {
    check(
        r#"http_requests_total{method="post",code="200"} 1027 1395066363000"#,
        Some((
            "http_requests_total",
            &[("method", "post"), ("code", "200")],
            1027.0,
        )),
    );
    check(
        r#"msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9"#,
        Some((
            "msdos_file_access_time_seconds",
            &[
                ("path", "C:\\DIR\\FILE.TXT"),
                ("error", "Cannot find file:\n\"FILE.TXT\""),
            ],
            1.458255915e9,
        )),
    );
    check(
        "metric_without_timestamp_and_labels 12.47",
        Some(("metric_without_timestamp_and_labels", &[], 12.47)),
    );
    check(
        r#"something_weird{problem="division by zero"} +Inf -3982045"#,
        Some((
            "something_weird",
            &[("problem", "division by zero")],
            f64::INFINITY,
        )),
    );
    check(
        r##"foo_bucket{le="0.1"} 8 # {} 0.054"##,
        Some(("foo_bucket", &[("le", "0.1")], 8.0)),
    );
    check(
        r##"foo_bucket{le="1"} 11 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1.5"##,
        Some(("foo_bucket", &[("le", "1")], 11.0)),
    );
}

#[test]
fn blanks_commas_and_carriage_returns_are_where_they_may_be() {
    let labels = &[("a", "1"), ("b", "2")];
    check(
        "  x{ a = \"1\" , b=\"2\" , }\t 3 ",
        Some(("x", labels, 3.0)),
    );
    check("x {a=\"1\",b=\"2\"} 3", Some(("x", labels, 3.0)));
    check("x{} 3", Some(("x", &[], 3.0)));
    check("x{a=\"1\",b=\"2\"}3", Some(("x", labels, 3.0)));
    check("vllm:x:y\t3\r", Some(("vllm:x:y", &[], 3.0)));
    check("llamacpp:x nan", Some(("llamacpp:x", &[], f64::NAN)));
    // A label without a value is none.
    check("x{a=\"\",b=\"2\"} 3", Some(("x", &[("b", "2")], 3.0)));
    check(r#"x{a="\q"} 3"#, Some(("x", &[("a", "\\q")], 3.0)));
}

#[test]
fn names_of_any_characters_are_read_in_their_quotes() {
    check(r#"{"my.metric é"} 3"#, Some(("my.metric é", &[], 3.0)));
    check(
        r#"{"my.\"x\"","a.b"="1"} 3"#,
        Some(("my.\"x\"", &[("a.b", "1")], 3.0)),
    );
    check(r#"{a="1"} 3"#, None);
    check(r#"{a="1","x"} 3"#, None);
    check(r#"x{"y"} 3"#, None);
    check(r#"{""} 3"#, None);
}

#[test]
fn what_is_no_sample_is_counted() {
    for line in [
        "x",
        "x ",
        "3",
        "3x 4",
        "x3.5",
        "x y",
        "x 1 y",
        "x 1 2 3",
        "x 0x10",
        "x 1_000",
        "x{a=\"1\" 3",
        "x{a=\"1} 3",
        "x{a=1} 3",
        "x{a} 3",
        "x{=\"1\"} 3",
        "x{1a=\"1\"} 3",
        "x{,} 3",
        "x{a=\"1\" b=\"2\"} 3",
        "x{a=\"1\",a=\"2\"} 3",
        "x{a=\"1\"} # {} 1",
        "x 1 # y",
        "é 3",
        "{} 3",
        "<html>",
        "x 1 inf",
    ] {
        check(line, None);
    }
}

#[test]
fn comments_and_empty_lines_are_nothing_and_after_the_end_there_is_nothing() {
    let page =
        b"# HELP x A { \" page\n# TYPE x wrong\n#\n\n \t\n# EOF of nothing\nx 1\n# EOF\nx 2\n";
    let (samples, counts) = read_in(&[page]);
    assert_eq!(samples.len(), 1);
    assert!(counts.eof && counts.whole_lines);
    assert_eq!((counts.samples, counts.malformed), (1, 1));
}

#[test]
fn a_line_without_its_end_is_not_read() {
    let (samples, counts) = read_in(&[b"x 1\nx 2"]);
    assert_eq!((samples.len(), counts.whole_lines), (1, false));
    assert!(read_in(&[]).1.whole_lines);
}

#[test]
fn what_is_no_utf8_is_left_out_and_the_next_line_is_read() {
    let (samples, counts) = read_in(&[b"x{a=\"\xff\"} 1\nx 2\n"]);
    assert_eq!((samples.len(), counts.malformed), (1, 1));
}

#[test]
fn a_line_that_is_too_long_is_skipped_whether_or_not_it_comes_in_one_piece() {
    let long = [&b"x{a=\""[..], &vec![b'a'; MAX_LINE], &b"\"} 1\ny 2\n"[..]].concat();
    let (whole, counts) = read_in(&[&long]);
    assert_eq!((whole.len(), counts.malformed), (1, 1));
    let pieces: Vec<&[u8]> = long.chunks(1000).collect();
    assert_eq!(read_in(&pieces), (whole, counts));
    // Nothing more of it is held.
    let mut reader = PageReader::new();
    for _ in 0..10 {
        reader.feed(&[b'a'; MAX_LINE], &mut |_| panic!("no sample"));
    }
    assert!(reader.begun.len() <= MAX_LINE);
    assert_eq!(reader.begun.capacity().max(MAX_LINE), MAX_LINE);
}

#[test]
fn a_page_cut_at_any_byte_is_the_same_page() {
    let page = "# HELP a é\na{x=\"é\\\"\\n\"} 1\r\n\nb 2 3\nwrong\nc{} +Inf # {q=\"1\"} 2\n# EOF\n";
    let expect = read_in(&[page.as_bytes()]);
    assert_eq!((expect.1.samples, expect.1.malformed), (3, 1));
    for at in 0..=page.len() {
        let (first, second) = page.as_bytes().split_at(at);
        assert_eq!(read_in(&[first, second]), expect, "cut at {at}");
    }
}

#[test]
fn more_labels_than_anybody_has_are_no_sample() {
    let labels = |many| -> String { (0..many).map(|n| format!("l{n}=\"v\",")).collect() };
    let (samples, _) = read_in(&[format!("x{{{}}} 1\n", labels(MAX_LABELS)).as_bytes()]);
    assert_eq!(samples[0].1.len(), MAX_LABELS);
    let (samples, _) = read_in(&[format!("x{{{}}} 1\n", labels(MAX_LABELS + 1)).as_bytes()]);
    assert!(samples.is_empty());
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

proptest! {
    /// What was written is read, whatever it is.
    #[test]
    fn what_was_written_is_read(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        labels in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", "[^\r]{1,12}", 0..6),
        value in any::<f64>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let pairs: Vec<String> = { labels.iter() }
            .map(|(key, value)| format!("{key}=\"{}\"", escaped(value)))
            .collect();
        let line = format!("{name}{{{}}} {value}\n", pairs.join(","));
        let (first, second) = line.as_bytes().split_at(cut.index(line.len()));
        let (samples, _) = read_in(&[first, second]);
        prop_assert_eq!(samples.len(), 1, "{}", line);
        prop_assert_eq!(&samples[0].0, &name);
        prop_assert_eq!(&samples[0].1, &labels.into_iter().collect::<Vec<_>>());
        prop_assert!(samples[0].2 == value || value.is_nan());
    }

    /// No bytes panic, and however they are cut the same is read.
    #[test]
    fn bytes_of_any_kind_are_read_the_same_however_cut(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(b"{}\"\\=,#\n x1_\xc3\xa9".to_vec())], 0..200,
        ),
        size in 1_usize..20,
    ) {
        let (whole, counts) = read_in(&[&bytes]);
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        let (cut, counts_cut) = read_in(&pieces);
        prop_assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
        prop_assert_eq!(counts, counts_cut);
    }
}
