//! A strict parser of the text format 0.0.4, as its documentation describes it: what it does not know is an error.

use std::collections::{BTreeMap, HashSet};

/// A metric with all its lines.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: Option<String>,
    /// Name, labels, value, in order.
    pub(crate) samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Family {
    /// The value of the sample with these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |(known, with, _): &&(String, BTreeMap<String, String>, f64)| {
            known == name
                && with.len() == labels.len()
                && labels
                    .iter()
                    .all(|(key, value)| with.get(*key).map(String::as_str) == Some(*value))
        };
        self.samples.iter().find(is_it).map(|(_, _, value)| *value)
    }
}

/// Parses a page.
///
/// # Errors
/// The first thing that Prometheus would refuse, or that the format forbids.
pub(crate) fn parse(page: &str) -> Result<BTreeMap<String, Family>, String> {
    if !page.is_empty() && !page.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut open = String::new();
    let mut series = HashSet::new();
    for line in page.lines() {
        let fail = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            check_name(name, true)?;
            if families.contains_key(name) {
                return fail("HELP for a metric that was there");
            }
            families.entry(name.into()).or_default().help = Some(unescape(help, false)?);
            open = name.into();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else {
                return fail("TYPE without a type");
            };
            check_name(name, true)?;
            if !["counter", "gauge", "histogram"].contains(&kind) {
                return fail("unknown type");
            }
            if open != name && families.contains_key(name) {
                return fail("TYPE for a metric that was there");
            }
            let family = families.entry(name.into()).or_default();
            if !family.kind.is_empty() {
                return fail("a second TYPE");
            }
            family.kind = kind.into();
            open = name.into();
        } else {
            let (name, labels, value) = sample(line)?;
            let family = families.get_mut(&open).ok_or("a sample before its TYPE")?;
            let suffixes: &[&str] = if family.kind == "histogram" {
                &["_bucket", "_sum", "_count"]
            } else {
                &[""]
            };
            if !suffixes
                .iter()
                .any(|suffix| name == format!("{open}{suffix}"))
            {
                return fail("a sample of another metric");
            }
            if labels.contains_key("le") != name.ends_with("_bucket") {
                return fail("`le` is for buckets");
            }
            if !series.insert((name.clone(), labels.clone())) {
                return fail("the same series again");
            }
            family.samples.push((name, labels, value));
        }
    }
    for (name, family) in &families {
        if family.samples.is_empty() {
            return Err(format!("{name} has no sample"));
        }
        if family.kind == "histogram" {
            check_histogram(name, family)?;
        }
    }
    Ok(families)
}

/// Buckets ascend in bound and count, the last is `+Inf` and equals the count.
fn check_histogram(name: &str, family: &Family) -> Result<(), String> {
    let mut by_labels: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for (sample, labels, value) in &family.samples {
        if sample.ends_with("_bucket") {
            let mut labels = labels.clone();
            let bound = labels.remove("le").ok_or("a bucket without `le`")?;
            by_labels
                .entry(labels)
                .or_default()
                .push((number(&bound)?, *value));
        }
    }
    for (labels, buckets) in by_labels {
        let ascend = buckets
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let pairs: Vec<_> = labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let count = family.value(&format!("{name}_count"), &pairs);
        let last = buckets.last().copied();
        if !ascend
            || last.map(|(bound, _)| bound) != Some(f64::INFINITY)
            || last.map(|(_, count)| count) != count
        {
            return Err(format!("{name} {labels:?}: {buckets:?}, count {count:?}"));
        }
        if family.value(&format!("{name}_sum"), &pairs).is_none() {
            return Err(format!("{name} {labels:?} has no sum"));
        }
    }
    Ok(())
}

fn sample(line: &str) -> Result<(String, BTreeMap<String, String>, f64), String> {
    let end = line.find(['{', ' ']).ok_or("a sample without a value")?;
    let name = &line[..end];
    check_name(name, true)?;
    let mut labels = BTreeMap::new();
    let mut rest = &line[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest
                .split_once("=\"")
                .ok_or_else(|| format!("no label: {line}"))?;
            check_name(label, false)?;
            let end = closing_quote(after).ok_or_else(|| format!("no end of the value: {line}"))?;
            let value = unescape(&after[..end], true)?;
            if labels.insert(label.to_owned(), value).is_some() {
                return Err(format!("label twice: {line}"));
            }
            rest = &after[end + 1..];
            match rest.chars().next() {
                Some(',') => rest = &rest[1..],
                Some('}') => break rest = &rest[1..],
                _ => return Err(format!("neither `,` nor `}}`: {line}")),
            }
        }
    }
    let value = rest
        .strip_prefix(' ')
        .ok_or_else(|| format!("no value: {line}"))?;
    Ok((name.into(), labels, number(value)?))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, character)| {
        let closes = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn unescape(text: &str, quoted: bool) -> Result<String, String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quoted => '"',
                other => return Err(format!("unknown escape {other:?} in {text}")),
            },
            '"' if quoted => return Err(format!("bare quote in {text}")),
            other => other,
        });
    }
    Ok(plain)
}

fn check_name(name: &str, colons: bool) -> Result<(), String> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || colons && c == ':';
    let fine = name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit());
    let reserved = !colons && name.starts_with("__");
    if fine && !reserved {
        Ok(())
    } else {
        Err(format!("not a name: `{name}`"))
    }
}

/// Go's `ParseFloat`, as far as the format promises it.
fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        _ if text
            .chars()
            .all(|c| c.is_ascii_digit() || ".eE+-".contains(c)) =>
        {
            text.parse().map_err(|_| format!("not a number: {text}"))
        }
        _ => Err(format!("not a number: {text}")),
    }
}

#[test]
fn the_parser_refuses_what_prometheus_refuses() {
    let refused = [
        "a 1",
        "# TYPE a gauge\na 1",
        "# TYPE a gauge\na one\n",
        "# TYPE a gauge\na inf\n",
        "# TYPE a gauge\na 1\na 2\n",
        "# TYPE a gauge\na 1\n# TYPE a counter\na 2\n",
        "# TYPE a gauge\nb 1\n",
        "# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n",
        "# TYPE a gauge\na{b=\"\n\"} 1\n",
        "# TYPE a gauge\na{b=\"\\x\"} 1\n",
        "# TYPE a gauge\na{b-c=\"\"} 1\n",
        "# TYPE 0a gauge\n0a 1\n",
        "# TYPE a gauge\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n",
    ];
    for page in refused {
        assert!(parse(page).is_err(), "{page}");
    }
    let page =
        "# HELP a Says \\\\ and\\n.\n# TYPE a gauge\na{b=\"x\\\"\\n\\\\\",c=\"\"} 1e-7\na NaN\n";
    let parsed = parse(page).expect("valid");
    assert_eq!(parsed["a"].help.as_deref(), Some("Says \\ and\n."));
    assert_eq!(
        parsed["a"].value("a", &[("b", "x\"\n\\"), ("c", "")]),
        Some(1e-7)
    );
}
