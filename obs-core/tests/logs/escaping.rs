//! Whatever is logged: one line, valid, harmless, and read back as it was.

use crate::rig::Logs;
use obs_core::logs::{Flood, Limits};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

/// Text with a taste for what does harm.
fn text() -> impl Strategy<Value = String> {
    let harmful = prop::sample::select(vec![
        '\0',
        '\n',
        '\r',
        '\t',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '"',
        '\\',
        '/',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{200e}',
        '\u{200f}',
        '\u{61c}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e0041}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{10ffff}',
    ]);
    let character = prop_oneof![3 => harmful, 1 => any::<char>(), 2 => "[a-z]".prop_map(|s| s.chars().next().unwrap())];
    prop::collection::vec(character, 0..40).prop_map(String::from_iter)
}

#[test]
fn what_is_read_back_is_what_was_logged() {
    let logs = Logs::with(|layer| layer.with_flood(Flood::off()));
    let run = |(message, value, other, int, unsigned, float, truth): (
        String,
        String,
        String,
        i64,
        u64,
        f64,
        bool,
    )| {
        logs.run(|| {
            tracing::info!(value = &*value, shown = %other, written = ?other, int, unsigned, float, truth, "{message}");
        });
        let line = logs.written.text();
        prop_assert_eq!(line.matches('\n').count(), 1);
        for c in line.trim_end_matches('\n').chars() {
            let harmful = c.is_control()
                || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
            prop_assert!(!harmful, "{:?}", c);
        }
        let line = logs.written.line();
        prop_assert_eq!(&line["message"], &json!(message));
        let float = if float.is_finite() {
            json!(float)
        } else {
            json!(float.to_string())
        };
        prop_assert_eq!(
            &line["fields"],
            &json!({
                "value": value, "shown": other, "written": format!("{other:?}"),
                "int": int, "unsigned": unsigned, "float": float, "truth": truth,
            })
        );
        Ok(())
    };
    let strategy = (
        text(),
        text(),
        text(),
        any::<i64>(),
        any::<u64>(),
        any::<f64>(),
        any::<bool>(),
    );
    TestRunner::new(Config::with_cases(2_000))
        .run(&strategy, run)
        .unwrap();
}

/// A terminal that shows a log shows text, and whoever greps it finds lines.
#[test]
fn a_forged_line_stays_inside_its_own() {
    let logs = Logs::new();
    let forged = "ok\"}\n{\"level\":\"ERROR\",\"message\":\"\u{1b}]0;pwned\u{7}\u{202e}gnp.exe";
    let line = logs.line_of(|| tracing::info!(target: "a\nb", user = forged, "hello"));
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields"]["user"], forged);
    assert_eq!(line["target"], "a\nb");
}

#[test]
fn whatever_is_cut_the_line_is_whole_and_within_its_bound() {
    let run = |(text, times, value, fields): (String, usize, usize, usize)| {
        let limits = Limits::default()
            .with_line(0)
            .with_value(value)
            .with_fields(fields);
        let logs = Logs::with(|layer| {
            layer
                .with_limits(limits)
                .with_location(true)
                .with_span_fields(true)
        });
        let text = text.repeat(times);
        logs.run(|| {
            let span = tracing::info_span!("outer", a = &*text);
            span.in_scope(|| tracing::info!(b = &*text, c = ?text, d = 1.5, e = true, "{text}"));
        });
        let line = logs.written.text();
        prop_assert!(line.len() <= 4_096, "{} bytes", line.len());
        let line = logs.written.line();
        let shown = line["fields"].as_object().map_or(0, |fields| fields.len())
            + line["spans"][0]["fields"]
                .as_object()
                .map_or(0, |fields| fields.len());
        let cut = line["obs.log.cut_fields"].as_u64().unwrap_or(0) as usize;
        // A span keeps no more fields than an event has: none of none.
        let all = shown + cut;
        prop_assert!(all == 5 || (fields == 0 && all == 4), "{line}");
        prop_assert_eq!(&line["code.file.path"], file!());
        Ok(())
    };
    let strategy = (
        text(),
        0..400_usize,
        prop_oneof![0..64_usize, Just(usize::MAX)],
        0..8_usize,
    );
    TestRunner::new(Config::with_cases(400))
        .run(&strategy, run)
        .unwrap();
}
