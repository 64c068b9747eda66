//! A line of a page in the text format: what is none, a scraper refuses with the whole page.

use std::fmt::Write;

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// A sample, without the blanks between its parts.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// Names, and values as they are escaped.
    labels: Labels<'a>,
    value: &'a str,
    millis: Option<i64>,
}

impl<'a> Sample<'a> {
    /// `None` where the line is no sample: `name{label="value"} 1 1700000000000`, labels and time being optional.
    pub(super) fn of(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_at(line.find(['{', ' ', '\t'])?);
        let rest = skip(rest);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inner) => labels(inner)?,
            None => (Vec::new(), rest),
        };
        let mut words = rest.split(BLANK).filter(|word| !word.is_empty());
        let value = words.next().filter(|value| is_value(value))?;
        let millis = match words.next() {
            Some(time) if time.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(time.parse().ok()?)
            }
            Some(_) => return None,
            None => None,
        };
        (is_name(name) && words.next().is_none()).then_some(Self {
            name,
            labels,
            value,
            millis,
        })
    }

    /// Its line. OpenMetrics has its time in seconds, where the text format has milliseconds.
    pub(super) fn write(&self, page: &mut String, open: bool) {
        page.push_str(self.name);
        for (index, (label, value)) in self.labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(page, "{before}{label}=\"{value}\"");
        }
        if !self.labels.is_empty() {
            page.push('}');
        }
        let _ = match self.millis {
            Some(millis) if open => writeln!(page, " {} {}", self.value, millis as f64 / 1e3),
            Some(millis) => writeln!(page, " {} {millis}", self.value),
            None => writeln!(page, " {}", self.value),
        };
    }
}

const BLANK: [char; 2] = [' ', '\t'];

fn skip(text: &str) -> &str {
    text.trim_start_matches(BLANK)
}

/// The labels up to the brace that closes them, and what stands behind it.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = skip(rest);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, quoted) = rest.split_once('=')?;
        let name = name.trim_end_matches(BLANK);
        let known = |label: &(&str, &str)| label.0 == name;
        if !is_label(name) || labels.iter().any(known) {
            return None;
        }
        let inner = skip(quoted).strip_prefix('"')?;
        let end = end_of_quoted(inner)?;
        labels.push((name, &inner[..end]));
        rest = skip(&inner[end + 1..]);
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

fn end_of_quoted(inner: &str) -> Option<usize> {
    let mut is_escaped = false;
    inner.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// Whether a metric may have the name, in the format as every version of Prometheus reads it.
pub(super) fn is_name(name: &str) -> bool {
    let is_any = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    name.bytes().all(is_any) && name.bytes().next().is_some_and(|it| !it.is_ascii_digit())
}

fn is_label(name: &str) -> bool {
    is_name(name) && !name.contains(':') && name != "__name__"
}

/// As both Go and Rust read a float: Go knows no sign of what is not a number, and nothing that is too large for one.
fn is_value(value: &str) -> bool {
    let is_nan = value.eq_ignore_ascii_case("nan");
    let is_infinity = value.to_ascii_lowercase().contains("inf");
    value
        .parse::<f64>()
        .is_ok_and(|it| is_nan || is_infinity || it.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read() {
        for line in [
            "a 1",
            "a:b_9 +Inf",
            "a -Inf 1700000000500",
            "a NaN",
            "a 1e-9",
            "a{b=\"\"} 1",
            "a{b=\"} 5 {\\\\\",_c=\"\\\"x\\n\"} 1 0",
        ] {
            let mut written = String::new();
            Sample::of(line).expect(line).write(&mut written, false);
            assert_eq!(written, format!("{line}\n"));
        }
    }

    #[test]
    fn what_is_no_sample_is_not() {
        for line in [
            "",
            " ",
            "#",
            "# a 1",
            "a",
            "a ",
            " a 1",
            "9a 1",
            "a-b 1",
            "ä 1",
            "{a=\"1\"} 1",
            "{\"a\"} 1",
            "<html>oops</html>",
            "Error: connection refused",
            "novalue",
            "bad{a=\"1\" 3",
            "a{b=\"1} 3",
            "a{b=\"1\\\"} 3",
            "a{b=1} 3",
            "a{b} 3",
            "a{,} 3",
            "a{b=\"1\",,} 3",
            "a{b=\"1\"c=\"2\"} 3",
            "a{b=\"1\",b=\"2\"} 3",
            "a{__name__=\"1\"} 3",
            "a{b:c=\"1\"} 3",
            "a{9=\"1\"} 3",
            "a{b=\"1\"}",
            "a{b=\"1\"}} 1",
            "a one",
            "a 1_000",
            "a 1e400",
            "a -1e999",
            "a -NaN",
            "a +NaN",
            "a 1 soon",
            "a 1 1.5",
            "a 1 +5",
            "a 1 99999999999999999999",
            "a 1 2 3",
            "a 1 # {trace_id=\"1\"} 1",
        ] {
            assert_eq!(Sample::of(line), None, "{line}");
        }
    }
}
