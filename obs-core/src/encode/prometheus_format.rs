//! In which of its formats a Prometheus page is written, and which of them a reader asks for.

/// A format of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageFormat {
    /// Prometheus's own, version 0.0.4. It has no exemplars.
    #[default]
    Text,
    /// [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/), with exemplars.
    OpenMetrics,
}

impl PageFormat {
    /// The media type, for `content-type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that the value of an `accept` header asks for: OpenMetrics where it is named, in a version that this
    /// is, and not wanted less than the text format. Whatever else it says, the answer is the text format.
    pub fn negotiate(accept: &str) -> Self {
        let (mut open, mut text) = (0.0_f32, 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let (mut quality, mut version) = (1.0, None);
            for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                let value = value.trim().trim_matches('"');
                match key.trim() {
                    key if key.eq_ignore_ascii_case("q") => {
                        // What is no number is as good as not asked for.
                        quality = value.parse::<f32>().map_or(0.0, |q| q.clamp(0.0, 1.0));
                    }
                    key if key.eq_ignore_ascii_case("version") => version = Some(value),
                    _ => {}
                }
            }
            if name.eq_ignore_ascii_case("application/openmetrics-text") {
                // 0.0.1 is the draft that 1.0.0 was published from without a change of the text.
                if matches!(version, None | Some("1.0.0" | "0.0.1")) {
                    open = open.max(quality);
                }
            } else if name.eq_ignore_ascii_case("text/plain")
                && matches!(version, None | Some("0.0.4"))
            {
                text = text.max(quality);
            }
        }
        if open > 0.0 && open >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expect: PageFormat) {
        assert_eq!(PageFormat::negotiate(accept), expect, "{accept}");
    }

    #[test]
    fn openmetrics_is_given_to_who_asks_for_it() {
        use PageFormat::{OpenMetrics, Text};
        // Prometheus 2.55 and 3.x.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OpenMetrics,
        );
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            OpenMetrics,
        );
        check(
            "APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\"",
            OpenMetrics,
        );
        check("application/openmetrics-text", OpenMetrics);
        check(
            "text/plain;q=0.5,application/openmetrics-text;q=0.5",
            OpenMetrics,
        );
        check("text/plain,application/openmetrics-text;q=0.5", Text);
        check("application/openmetrics-text;q=0", Text);
        check("application/openmetrics-text;q=x", Text);
        check("application/openmetrics-text;version=2.0.0", Text);
        check("text/html,*/*;q=0.8", Text);
        check("*/*", Text);
        check("", Text);
        check(",;,=;q=1", Text);
    }
}
