//! Variables that are not honoured: whoever sets one is told what is done instead.

use super::read::{Reader, excerpt};

/// Names, and what is done instead.
type Other = (&'static [&'static str], &'static str);

const OTHERS: &[Other] = &[
    (
        &[
            "OTEL_BLRP_SCHEDULE_DELAY",
            "OTEL_BLRP_EXPORT_TIMEOUT",
            "OTEL_BLRP_MAX_QUEUE_SIZE",
            "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
        ],
        "log events leave with each collection, and wait bounded in bytes",
    ),
    (
        &["OTEL_BSP_MAX_QUEUE_SIZE"],
        "what waits for delivery is bounded in bytes, not in spans",
    ),
    (
        &[
            "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        ],
        "log events are bounded in bytes, all together",
    ),
    (
        &[
            "OTEL_EXPORTER_PROMETHEUS_HOST",
            "OTEL_EXPORTER_PROMETHEUS_PORT",
        ],
        "no port is opened; the service shows `Telemetry::prometheus` where it likes",
    ),
    (
        &[
            "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
            "OTEL_EXPORTER_ZIPKIN_TIMEOUT",
        ],
        "there is no Zipkin exporter",
    ),
    (
        &["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"],
        "there is no configuration by file",
    ),
    (
        &["OTEL_LOG_LEVEL"],
        "nothing is printed; see `Builder::with_diagnostics`",
    ),
];

pub(super) fn warn(read: &mut Reader<'_>) {
    for (variables, instead) in OTHERS {
        for variable in *variables {
            if read.text(variable).is_some() {
                read.warn(variable, format!("not honoured: {instead}"));
            }
        }
    }
}

/// A list of exporters. What is not among the `known` is warned about: data that leaves beats data that is lost.
pub(super) fn exporters(
    read: &mut Reader<'_>,
    variable: &str,
    known: &[&str],
) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for mut name in read.list(variable)? {
        if !known.contains(&&*name) {
            let shown = excerpt(&name);
            read.warn(
                variable,
                format!("there is no exporter `{shown}` here; it counts as `otlp`"),
            );
            name = "otlp".into();
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}
