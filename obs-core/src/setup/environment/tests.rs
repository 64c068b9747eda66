use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

mod variables;

fn read(variables: &[(&str, &str)]) -> Environment {
    let map: HashMap<_, _> = variables.iter().copied().collect();
    Environment::from_fn(|name| map.get(name).map(|&value| value.to_owned()))
}

/// Reads one variable that must be passed over with one warning that names it.
#[track_caller]
fn check_warned(variable: &str, value: &str, problem: &str) -> Environment {
    let environment = read(&[(variable, value)]);
    let [warning] = environment.warnings() else {
        panic!("{:?}", environment.warnings())
    };
    assert_eq!(warning.variable(), variable);
    assert!(warning.problem().contains(problem), "{warning}");
    environment
}

#[track_caller]
fn check_url(variables: &[(&str, &str)], signal: Signal, expect: &str) {
    let environment = read(variables);
    assert_eq!(environment.warnings(), []);
    assert_eq!(environment.destinations().of(signal).url, expect);
}

#[test]
fn nothing_set_is_the_default_of_every_option() {
    let environment = read(&[]);
    assert!(!environment.sdk_disabled && !environment.names_an_endpoint());
    assert_eq!(environment.warnings(), []);
    assert_eq!(environment.destinations(), Destinations::default());
    assert_eq!(
        environment.destinations().metrics.url,
        "http://localhost:4318/v1/metrics"
    );
}

#[test]
fn an_empty_value_is_unset() {
    let environment = read(&[
        ("OTEL_SDK_DISABLED", ""),
        ("OTEL_SERVICE_NAME", "  "),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", ""),
        ("OTEL_RESOURCE_ATTRIBUTES", ""),
    ]);
    assert_eq!(environment.warnings(), []);
    assert_eq!(environment.service_name, None);
    assert_eq!(environment.destinations(), Destinations::default());
}

#[test]
fn disabled_is_true_in_any_case_and_nothing_else() {
    assert!(read(&[("OTEL_SDK_DISABLED", "TRUE")]).sdk_disabled);
    assert!(!read(&[("OTEL_SDK_DISABLED", "False")]).sdk_disabled);
    assert!(!check_warned("OTEL_SDK_DISABLED", "1", "neither").sdk_disabled);
}

#[test]
fn endpoints_follow_the_exporter_specification() {
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/in");
    check_url(&[base], Signal::Logs, "http://collector:4318/v1/logs");
    check_url(&[base, own], Signal::Traces, "https://traces/in");
    check_url(
        &[base, own],
        Signal::Metrics,
        "http://collector:4318/v1/metrics",
    );
    check_url(&[own], Signal::Metrics, "http://localhost:4318/v1/metrics");
    check_url(
        &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://h:1")],
        Signal::Logs,
        "http://h:1/",
    );
}

#[test]
fn an_endpoint_that_is_no_url_is_passed_over_and_not_repeated() {
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    assert!(!check_warned(variable, "collector:4318", "not a URL beginning").names_an_endpoint());
    check_warned(variable, "http:///v1", "without a host");
    check_warned(variable, "http://:4318", "without a host");
    check_warned(variable, "http://host:99999", "whose port is none");
    check_warned(variable, "http://me:1@[::1]:0/", "whose port is none");
    check_warned(variable, "http://a b/", "white space");
    let secret = check_warned(variable, "ftp://user:secret@host", "not a URL beginning");
    assert!(!format!("{:?}", secret.warnings()).contains("secret"));
}

#[test]
fn options_of_a_signal_beat_the_common_ones() {
    let environment = read(&[
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=all,x=1"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "api-key=logs"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "GZIP"),
    ]);
    assert_eq!(environment.warnings(), []);
    let to = environment.destinations();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        to.traces.headers.0,
        [pair("api-key", "all"), pair("x", "1")]
    );
    assert_eq!(to.logs.headers.0, [pair("api-key", "logs")]);
    assert_eq!(to.traces.timeout, Duration::from_millis(2500));
    assert_eq!(to.metrics.timeout, Duration::MAX);
    assert_eq!(to.traces.compression, Compression::Gzip);
    assert_eq!(to.metrics.compression, Compression::None);
}

#[test]
fn headers_are_percent_decoded_and_checked_without_showing_values() {
    let variable = "OTEL_EXPORTER_OTLP_HEADERS";
    let environment = read(&[(variable, "Authorization=Basic%20YTpi, x-b = c%2Cd ")]);
    let headers = &environment.destinations().traces.headers.0;
    assert_eq!(
        headers[0],
        ("Authorization".to_owned(), "Basic YTpi".to_owned())
    );
    assert_eq!(headers[1], ("x-b".to_owned(), "c,d".to_owned()));
    for (value, problem) in [
        ("api-key:secret", "pair 1 has no `=`"),
        ("a=ok,b=%zzsecret", "pair 2 is not properly"),
        ("a%20b=secret", "header 1"),
        ("a=%0d%0asecret", "control characters"),
        ("=secret", "pair 1 has no key"),
    ] {
        let environment = check_warned(variable, value, problem);
        assert!(!format!("{environment:?}").contains("secret"), "{value}");
        assert_eq!(environment.destinations().traces.headers.0, []);
    }
}

#[test]
fn a_protocol_that_is_not_spoken_is_reported_and_http_protobuf_stays() {
    let environment = check_warned(
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
        "http/json",
        "`http/protobuf` is used",
    );
    assert_eq!(
        environment.destinations().logs.protocol,
        Protocol::HttpProtobuf
    );
    assert_eq!(
        read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).warnings(),
        []
    );
    if !cfg!(feature = "grpc") {
        let told = "needs the feature `grpc` of obs-core; `http/protobuf` is used";
        let environment = check_warned("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", told);
        assert_eq!(environment.destinations(), Destinations::default());
    }
}

#[test]
#[cfg(feature = "grpc")]
fn each_signal_may_have_a_protocol_of_its_own() {
    let environment = read(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
    ]);
    assert_eq!(environment.warnings(), []);
    let to = environment.destinations();
    assert_eq!(to.traces, Destination::grpc("http://localhost:4317"));
    assert_eq!(to.metrics, Destinations::default().metrics);
    assert_eq!(to.logs.url, "http://localhost:4317");
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:1");
    let environment = read(&[base, ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "GRPC")]);
    assert_eq!(environment.warnings(), []);
    let to = environment.destinations();
    assert_eq!(to.traces.url, "http://collector:1/v1/traces");
    assert_eq!(to.logs, Destination::grpc("http://collector:1"));
}

#[test]
#[cfg(feature = "grpc")]
fn insecure_decides_for_an_endpoint_of_grpc_without_a_scheme_and_for_no_other() {
    let url = |endpoint: &str, insecure: &str| {
        let environment = read(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
            ("OTEL_EXPORTER_OTLP_LOGS_INSECURE", "false"),
        ]);
        assert_eq!(environment.warnings(), []);
        let to = environment.destinations();
        (to.traces.url, to.logs.url)
    };
    let both = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(
        url("collector:1", "true"),
        both("http://collector:1", "https://collector:1")
    );
    assert_eq!(
        url("collector", ""),
        both("https://collector:4317", "https://collector:4317")
    );
    for whole in ["http://collector:1", "https://collector"] {
        assert_eq!(url(whole, "true"), both(whole, whole));
        assert_eq!(url(whole, "false"), both(whole, whole));
    }
    // Over HTTP the scheme has to be there.
    let environment = read(&[
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:1"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
    ]);
    let [warning] = environment.warnings() else {
        panic!("{:?}", environment.warnings())
    };
    assert_eq!(warning.variable(), "OTEL_EXPORTER_OTLP_ENDPOINT");
    let to = environment.destinations();
    assert_eq!(to.traces.url, "http://collector:1");
    assert_eq!(to.metrics, Destinations::default().metrics);
}

#[test]
fn a_compression_that_the_build_lacks_is_reported_and_the_default_stays() {
    let variable = "OTEL_EXPORTER_OTLP_COMPRESSION";
    let compression = if cfg!(feature = "zstd") {
        read(&[(variable, "zstd")])
            .destinations()
            .traces
            .compression
    } else {
        let told = "needs the feature `zstd`";
        check_warned(variable, "zstd", told)
            .destinations()
            .traces
            .compression
    };
    let expect = if cfg!(feature = "zstd") {
        Compression::Zstd
    } else {
        Compression::Gzip
    };
    assert_eq!(compression, expect);
    check_warned(variable, "brotli", "`zstd`");
}

#[test]
#[cfg(feature = "tls")]
fn a_signals_own_client_certificate_beats_the_common_one() {
    let environment = read(&[
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/all.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/all.key"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "/logs.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "/logs.key"),
    ]);
    assert_eq!(environment.warnings(), []);
    let to = environment.destinations();
    let shown = |of: &Destination| (of.client_certificate.clone(), of.client_key.clone());
    let pair = |one: &str, other: &str| (Some(one.into()), Some(other.into()));
    assert_eq!(shown(&to.traces), pair("/all.pem", "/all.key"));
    assert_eq!(shown(&to.logs), pair("/logs.pem", "/logs.key"));
}

#[test]
fn numbers_are_milliseconds_and_counts_within_range() {
    let environment = read(&[
        ("OTEL_METRIC_EXPORT_INTERVAL", "15000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", " 4096 "),
    ]);
    assert_eq!(environment.warnings(), []);
    assert_eq!(
        environment.metric_export_interval,
        Some(Duration::from_secs(15))
    );
    assert_eq!(environment.spans.schedule_delay, Some(Duration::ZERO));
    assert_eq!(environment.spans.max_export_batch_size, Some(4096));
    check_warned("OTEL_METRIC_EXPORT_INTERVAL", "30s", "not a whole number");
    check_warned("OTEL_METRIC_EXPORT_INTERVAL", "0", "from 1");
    check_warned("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1", "from 1");
    check_warned("OTEL_SPAN_LINK_COUNT_LIMIT", "2147483648", "to 2147483647");
}

#[test]
fn a_general_limit_stands_in_for_the_limit_of_spans() {
    let limits = read(&[
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "10"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "20"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "0"),
    ])
    .limits;
    assert_eq!(
        (limits.attributes, limits.attributes_per_event),
        (Some(20), Some(10))
    );
    assert_eq!(
        (limits.value_length, limits.events, limits.links),
        (Some(100), Some(0), None)
    );
}

#[test]
fn lists_and_choices() {
    let environment = read(&[
        ("OTEL_PROPAGATORS", "tracecontext, baggage,,tracecontext"),
        ("OTEL_TRACES_EXPORTER", "none"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "LowMemory",
        ),
        ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,PURGE"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ]);
    assert_eq!(environment.warnings(), []);
    assert_eq!(
        environment.propagators.as_deref(),
        Some(&["tracecontext".to_owned(), "baggage".to_owned()][..])
    );
    assert_eq!(
        environment.exporters.traces.as_deref(),
        Some(&["none".to_owned()][..])
    );
    assert_eq!(
        environment.temporality_preference,
        Some(TemporalityPreference::LowMemory)
    );
    assert_eq!(
        environment.http_known_methods.map(|methods| methods.len()),
        Some(2)
    );
    assert_eq!(
        environment.traces_sampler.as_deref(),
        Some("parentbased_traceidratio")
    );
    assert_eq!(environment.traces_sampler_arg.as_deref(), Some("0.25"));
    check_warned(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "both",
        "`lowmemory`",
    );
    check_warned("OTEL_PROPAGATORS", ",", "without a name");
}

#[test]
fn resource_attributes_are_decoded_or_discarded_as_a_whole() {
    let variable = "OTEL_RESOURCE_ATTRIBUTES";
    let environment = read(&[(
        variable,
        "deployment.environment.name=prod, team=a%2Cb%3Dc,k=v=w",
    )]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        environment.resource_attributes,
        [
            pair("deployment.environment.name", "prod"),
            pair("team", "a,b=c"),
            pair("k", "v=w")
        ],
    );
    assert_eq!(
        check_warned(variable, "a=b,broken", "pair 2 has no `=`").resource_attributes,
        []
    );
    assert_eq!(
        check_warned(variable, "a=%ff", "percent-encoded UTF-8").resource_attributes,
        []
    );
}

#[test]
fn what_is_not_utf8_is_reported() {
    check_warned("OTEL_SERVICE_NAME", "caf\u{fffd}", "UTF-8");
}

proptest! {
    #[test]
    fn any_value_of_any_variable_is_survived(value in "\\PC{0,60}|[a-z%=,0-9:/]{0,60}") {
        let environment = Environment::from_fn(|_| Some(value.clone()));
        prop_assert!(environment.warnings().len() < 200);
        prop_assert!(!environment.destinations().traces.url.is_empty());
    }

    #[test]
    fn percent_encoding_is_undone(text in "\\PC{0,30}") {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let read = read::pairs(&format!("key={encoded}"));
        prop_assert_eq!(read, Ok(vec![("key".to_owned(), text)]));
    }
}
