//! The suite's requests as a table: what is sent, and what is carried on by a listener that trusts its callers.

pub(crate) const TRACE: &str = "12345678901234567890123456789012";
pub(crate) const PARENT: &str = "1234567890123456";

/// Which trace a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// The caller's.
    Same,
    /// One that begins here.
    New,
}

/// One request. Tests of the suite that send several have several of these.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The suite's name for it.
    pub(crate) test: &'static str,
    pub(crate) headers: Vec<(String, String)>,
    /// How many calls are asked for.
    pub(crate) calls: usize,
    pub(crate) trace: Trace,
    /// The flags of the calls, where the trace is the caller's.
    pub(crate) flags: Option<&'static str>,
    /// The `tracestate` of the calls, if they have one.
    pub(crate) state: Option<String>,
}

impl Case {
    fn new(test: &'static str, headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            test,
            headers: headers.iter().map(owned).collect(),
            calls: 1,
            trace: Trace::New,
            flags: None,
            state: None,
        }
    }

    fn continued(self, flags: &'static str) -> Self {
        Self {
            trace: Trace::Same,
            flags: Some(flags),
            ..self
        }
    }

    fn carrying(self, state: impl Into<String>) -> Self {
        Self {
            state: Some(state.into()),
            ..self
        }
    }

    fn called(self, calls: usize) -> Self {
        Self { calls, ..self }
    }

    /// Everything of a trace id's length that was sent.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().flat_map(|(_, value)| {
            (0..value.len()).filter_map(|at| value.get(at..at + TRACE.len()))
        })
    }
}

const ON: &str = "00-12345678901234567890123456789012-1234567890123456-01";
const OFF: &str = "00-12345678901234567890123456789012-1234567890123456-00";

/// A traceparent that makes no sense, or that is to be continued.
fn parent(test: &'static str, value: &str) -> Case {
    Case::new(test, &[("traceparent", value)])
}

/// A tracestate that comes with a traceparent.
fn state(test: &'static str, values: &[&str]) -> Case {
    let values = values.iter().map(|value| ("tracestate", *value));
    let headers: Vec<_> = [("traceparent", OFF)].into_iter().chain(values).collect();
    Case::new(test, &headers).continued("00")
}

/// One that is sent on as it is.
fn kept(test: &'static str, values: &[&str]) -> Case {
    state(test, values).carrying(values.join(","))
}

/// In the suite's order.
pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    all.extend(parents());
    all.extend(states());
    all.extend(limits());
    all.extend(several());
    all
}

fn parents() -> Vec<Case> {
    vec![
        Case::new("both_traceparent_and_tracestate_missing", &[]),
        parent("traceparent_included_tracestate_missing", ON).continued("01"),
        Case::new(
            "traceparent_duplicated",
            &[
                (
                    "traceparent",
                    "00-12345678901234567890123456789011-1234567890123456-01",
                ),
                ("traceparent", ON),
            ],
        ),
        Case::new("traceparent_header_name", &[("trace-parent", ON)]),
        Case::new("traceparent_header_name", &[("trace.parent", ON)]),
        Case::new(
            "traceparent_header_name_valid_casing",
            &[("TraceParent", ON)],
        )
        .continued("01"),
        Case::new(
            "traceparent_header_name_valid_casing",
            &[("TrAcEpArEnT", ON)],
        )
        .continued("01"),
        Case::new(
            "traceparent_header_name_valid_casing",
            &[("TRACEPARENT", ON)],
        )
        .continued("01"),
        parent("traceparent_version_0x00", &format!("{ON}.")),
        parent(
            "traceparent_version_0x00",
            &format!("{ON}-what-the-future-will-be-like"),
        ),
        parent("traceparent_version_0xcc", &ON.replacen("00", "cc", 1)).continued("01"),
        parent(
            "traceparent_version_0xcc",
            &format!(
                "{}-what-the-future-will-be-like",
                ON.replacen("00", "cc", 1)
            ),
        )
        .continued("01"),
        parent(
            "traceparent_version_0xcc",
            &format!(
                "{}.what-the-future-will-be-like",
                ON.replacen("00", "cc", 1)
            ),
        ),
        parent("traceparent_version_0xff", &ON.replacen("00", "ff", 1)),
        parent(
            "traceparent_version_illegal_characters",
            &ON.replacen("00", ".0", 1),
        ),
        parent(
            "traceparent_version_illegal_characters",
            &ON.replacen("00", "0.", 1),
        ),
        parent("traceparent_version_too_long", &format!("0{ON}")),
        parent("traceparent_version_too_long", &format!("00{ON}")),
        parent("traceparent_version_too_short", &ON[1..]),
        parent(
            "traceparent_trace_id_all_zero",
            "00-00000000000000000000000000000000-1234567890123456-01",
        ),
        parent(
            "traceparent_trace_id_illegal_characters",
            "00-.2345678901234567890123456789012-1234567890123456-01",
        ),
        parent(
            "traceparent_trace_id_illegal_characters",
            "00-1234567890123456789012345678901.-1234567890123456-01",
        ),
        parent(
            "traceparent_trace_id_too_long",
            "00-123456789012345678901234567890123-1234567890123456-01",
        ),
        parent(
            "traceparent_trace_id_too_short",
            "00-1234567890123456789012345678901-1234567890123456-01",
        ),
        parent(
            "traceparent_parent_id_all_zero",
            "00-12345678901234567890123456789012-0000000000000000-01",
        ),
        parent(
            "traceparent_parent_id_illegal_characters",
            "00-12345678901234567890123456789012-.234567890123456-01",
        ),
        parent(
            "traceparent_parent_id_illegal_characters",
            "00-12345678901234567890123456789012-123456789012345.-01",
        ),
        parent(
            "traceparent_parent_id_too_long",
            "00-12345678901234567890123456789012-12345678901234567-01",
        ),
        parent(
            "traceparent_parent_id_too_short",
            "00-12345678901234567890123456789012-123456789012345-01",
        ),
        parent(
            "traceparent_trace_flags_illegal_characters",
            "00-12345678901234567890123456789012-1234567890123456-.0",
        ),
        parent(
            "traceparent_trace_flags_illegal_characters",
            "00-12345678901234567890123456789012-1234567890123456-0.",
        ),
        parent(
            "traceparent_trace_flags_too_long",
            "00-12345678901234567890123456789012-1234567890123456-001",
        ),
        parent(
            "traceparent_trace_flags_too_short",
            "00-12345678901234567890123456789012-1234567890123456-1",
        ),
        parent("traceparent_ows_handling", &format!(" {ON}")).continued("01"),
        parent("traceparent_ows_handling", &format!("\t{ON}")).continued("01"),
        parent("traceparent_ows_handling", &format!("{ON} ")).continued("01"),
        parent("traceparent_ows_handling", &format!("{ON}\t")).continued("01"),
        parent("traceparent_ows_handling", &format!("\t {ON} \t")).continued("01"),
    ]
}

fn states() -> Vec<Case> {
    let named =
        |test, name, value| Case::new(test, &[("traceparent", OFF), (name, value)]).continued("00");
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value: String = (' '..='~').filter(|c| !matches!(c, ',' | '=')).collect();
    vec![
        Case::new(
            "tracestate_included_traceparent_missing",
            &[("tracestate", "foo=1")],
        ),
        Case::new(
            "tracestate_included_traceparent_missing",
            &[("tracestate", "foo=1,bar=2")],
        ),
        kept("tracestate_included_traceparent_included", &["foo=1,bar=2"]),
        named("tracestate_header_name", "trace-state", "foo=1"),
        named("tracestate_header_name", "trace.state", "foo=1"),
        named("tracestate_header_name_valid_casing", "TraceState", "foo=1").carrying("foo=1"),
        named("tracestate_header_name_valid_casing", "TrAcEsTaTe", "foo=1").carrying("foo=1"),
        named("tracestate_header_name_valid_casing", "TRACESTATE", "foo=1").carrying("foo=1"),
        state("tracestate_empty_header", &[""]),
        state("tracestate_empty_header", &["foo=1", ""]).carrying("foo=1"),
        state("tracestate_empty_header", &["", "foo=1"]).carrying("foo=1"),
        kept(
            "tracestate_multiple_headers_different_keys",
            &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
        ),
        state("tracestate_duplicated_keys", &["foo=1,foo=1"]).carrying("foo=1"),
        state("tracestate_duplicated_keys", &["foo=1,foo=2"]).carrying("foo=1"),
        state("tracestate_duplicated_keys", &["foo=1", "foo=1"]).carrying("foo=1"),
        state("tracestate_duplicated_keys", &["foo=1", "foo=2"]).carrying("foo=1"),
        kept(
            "tracestate_all_allowed_characters",
            &[&format!("{key}={value}")],
        ),
        kept(
            "tracestate_all_allowed_characters",
            &[&format!("{key}@a-z0-9_-*/={value}")],
        ),
        state(
            "tracestate_ows_handling",
            &["foo=1 \t , \t bar=2, \t baz=3"],
        )
        .carrying("foo=1,bar=2,baz=3"),
        state(
            "tracestate_ows_handling",
            &["foo=1\t \t,\t \tbar=2,\t \tbaz=3"],
        )
        .carrying("foo=1,bar=2,baz=3"),
        state("tracestate_ows_handling", &[" foo=1"]).carrying("foo=1"),
        state("tracestate_ows_handling", &["\tfoo=1"]).carrying("foo=1"),
        state("tracestate_ows_handling", &["foo=1 "]).carrying("foo=1"),
        state("tracestate_ows_handling", &["foo=1\t"]).carrying("foo=1"),
        state("tracestate_ows_handling", &["\t foo=1 \t"]).carrying("foo=1"),
        state("tracestate_key_illegal_characters", &["foo =1"]),
        state("tracestate_key_illegal_characters", &["FOO=1"]),
        state("tracestate_key_illegal_characters", &["foo.bar=1"]),
        kept("tracestate_key_illegal_vendor_format", &["foo@=1,bar=2"]),
        state("tracestate_key_illegal_vendor_format", &["@foo=1,bar=2"]),
        kept(
            "tracestate_key_illegal_vendor_format",
            &["foo@@bar=1,bar=2"],
        ),
        kept(
            "tracestate_key_illegal_vendor_format",
            &["foo@bar@baz=1,bar=2"],
        ),
    ]
}

fn limits() -> Vec<Case> {
    let numbered = |from: usize, to: usize| {
        let members: Vec<_> = (from..=to).map(|n| format!("bar{n:02}={n:02}")).collect();
        members.join(",")
    };
    let tens = [numbered(1, 10), numbered(11, 20), numbered(21, 30)];
    let with =
        |last: &str| -> Vec<String> { tens.iter().cloned().chain([last.to_owned()]).collect() };
    let (most, too_many) = (with(&numbered(31, 32)), with(&numbered(31, 33)));
    let texts = |all: &'static [String]| all.iter().map(String::as_str).collect::<Vec<_>>();
    let long = |key: String| {
        kept(
            "tracestate_key_length_limit",
            &["foo=1", &format!("{key}=1")],
        )
    };
    vec![
        kept("tracestate_member_count_limit", &texts(most.leak())),
        state("tracestate_member_count_limit", &texts(too_many.leak())),
        long("z".repeat(256)),
        state(
            "tracestate_key_length_limit",
            &["foo=1", &format!("{}=1", "z".repeat(257))],
        ),
        long(format!("{}@{}", "t".repeat(241), "v".repeat(14))),
        long(format!("{}@v", "t".repeat(242))),
        long(format!("t@{}", "v".repeat(15))),
        state("tracestate_value_illegal_characters", &["foo=bar=baz"]),
        state("tracestate_value_illegal_characters", &["foo=,bar=3"]),
    ]
}

fn several() -> Vec<Case> {
    vec![
        parent("multiple_requests_with_valid_traceparent", ON)
            .continued("01")
            .called(3),
        Case::new("multiple_requests_without_traceparent", &[]).called(3),
        parent(
            "multiple_requests_with_illegal_traceparent",
            "00-00000000000000000000000000000000-1234567890123456-01",
        )
        .called(3),
        parent(
            "propagates_random_flag",
            "00-12345678901234567890123456789012-1234567890123456-02",
        )
        .continued("02"),
    ]
}
