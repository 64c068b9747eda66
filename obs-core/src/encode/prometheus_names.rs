//! OpenTelemetry's names and units as Prometheus has them: the rules of the specification's
//! [Prometheus compatibility](https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/), with
//! words and their order as the Collector's translator writes them.

use crate::engine::metric_set::Shape;

/// What of a metric's kind its name shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameOf {
    Counter,
    Gauge,
    Other,
}

/// Name and type that a registered metric has on a page.
pub(crate) fn name_and_type(name: &str, unit: &str, shape: &Shape) -> (String, &'static str) {
    let (of, kind) = match shape {
        Shape::Ticks { .. } | Shape::Values { .. } => (NameOf::Other, "histogram"),
        Shape::Sum { monotonic: true } | Shape::Absolute | Shape::AbsoluteF64 => {
            (NameOf::Counter, "counter")
        }
        Shape::Sum { monotonic: false } | Shape::Level => (NameOf::Other, "gauge"),
        Shape::Gauge => (NameOf::Gauge, "gauge"),
    };
    (metric_name(name, unit, of), kind)
}

/// The name of a metric: `http.server.request.duration` in `s` is `http_server_request_duration_seconds`. Empty if
/// nothing of the name can be used.
pub(crate) fn metric_name(name: &str, unit: &str, of: NameOf) -> String {
    let mut words = words(name);
    if words.is_empty() {
        return String::new();
    }
    let (main, per) = unit_words(unit);
    for (link, unit) in [(None, main), (Some("per"), per)] {
        let unit = unit.join("_");
        // A unit that the name says already is not said twice.
        if !unit.is_empty() && !words.contains(&unit) {
            words.extend(link.map(str::to_owned));
            words.push(unit);
        }
    }
    let last = match of {
        NameOf::Counter => Some("total"),
        NameOf::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    let name = words.join("_");
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("_{name}");
    }
    name
}

/// The name of a label: `http.route` is `http_route`.
pub(crate) fn label_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for character in key.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    match name.as_bytes().first() {
        // Labels that begin with underscores are Prometheus' own.
        Some(b'_') => format!("key{name}"),
        Some(first) if first.is_ascii_digit() => format!("key_{name}"),
        Some(_) => name,
        None => "key".into(),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A unit in words, and what it is per: `By/s` is bytes per second. `1` and annotations (`{request}`) have none.
fn unit_words(unit: &str) -> (Vec<String>, Vec<String>) {
    let mut parts = unit.splitn(2, '/').map(without_annotations);
    let main = parts.next().unwrap_or_default();
    let per = parts.next().unwrap_or_default();
    (words(plural(main.trim())), words(singular(per.trim())))
}

fn without_annotations(unit: &str) -> String {
    let mut depth = 0_u32;
    let outside = |character: &char| {
        match character {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    };
    unit.chars().filter(outside).collect()
}

fn plural(unit: &str) -> &str {
    match unit {
        "1" => "",
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        other => other,
    }
}

fn singular(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NameOf::{Counter, Gauge, Other};

    #[track_caller]
    fn check(name: &str, unit: &str, of: NameOf, expect: &str) {
        assert_eq!(metric_name(name, unit, of), expect);
    }

    // Cases of the specification and of the Collector's translator.
    #[test]
    fn units_become_words_at_the_end() {
        check(
            "http.server.request.duration",
            "s",
            Other,
            "http_server_request_duration_seconds",
        );
        check(
            "http.server.request.body.size",
            "By",
            Other,
            "http_server_request_body_size_bytes",
        );
        check("system.io", "By", Counter, "system_io_bytes_total");
        check("memory", "MiBy", Gauge, "memory_mebibytes");
        check("speed", "km/h", Gauge, "speed_km_per_hour");
        check(
            "net.throughput",
            "By/s",
            Gauge,
            "net_throughput_bytes_per_second",
        );
        check("events", "{event}/s", Gauge, "events_per_second");
        check("temperature", "Cel", Gauge, "temperature_celsius");
    }

    #[test]
    fn annotations_and_the_unit_one_say_nothing_but_ratio_of_a_gauge() {
        check(
            "http.server.active_requests",
            "{request}",
            Other,
            "http_server_active_requests",
        );
        check("calls", "{call}", Counter, "calls_total");
        check("cpu.utilization", "1", Gauge, "cpu_utilization_ratio");
        check("gc.cycles", "1", Counter, "gc_cycles_total");
        check("share", "1", Other, "share");
        check("hit.ratio", "1", Gauge, "hit_ratio");
    }

    #[test]
    fn what_the_name_says_is_not_said_again() {
        check("queue.wait.seconds", "s", Other, "queue_wait_seconds");
        check("total.requests", "", Counter, "requests_total");
        check("requests_total", "{request}", Counter, "requests_total");
        check("disk.bytes.read", "By", Counter, "disk_bytes_read_total");
    }

    #[test]
    fn what_prometheus_cannot_read_is_replaced() {
        check("a..b--c__d", "", Other, "a_b_c_d");
        check("4xx.count", "", Other, "_4xx_count");
        check("größe", "", Other, "gr_e");
        check("…", "s", Other, "");
        assert_eq!(label_name("http.request.method"), "http_request_method");
        assert_eq!(label_name("a..b"), "a_b");
        assert_eq!(label_name("__name__"), "key_name_");
        assert_eq!(label_name("0day"), "key_0day");
        assert_eq!(label_name(""), "key");
        assert_eq!(label_name("ключ"), "key_");
    }
}
