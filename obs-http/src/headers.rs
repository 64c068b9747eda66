//! One pass over a request's headers for everything that is wanted of them.
//!
//! A look-up by name hashes it (over 200 instructions); a pass compares lengths first (about 20 per header).

pub(crate) mod captured;

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::otel::propagation::Extractor;

/// What the pass found. Values are the first of their name, but for `traceparent`, of which two are an error.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    pub(crate) traceparent: Option<&'a HeaderValue>,
    pub(crate) traceparents: u32,
    pub(crate) tracestate: Option<&'a HeaderValue>,
    /// Several are joined elsewhere: few requests have them.
    pub(crate) tracestates: u32,
    pub(crate) baggage: bool,
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) user_agent: Option<&'a HeaderValue>,
}

#[inline(always)]
pub(crate) fn scan(headers: &HeaderMap) -> Found<'_> {
    let mut found = Found::default();
    for (name, value) in headers {
        let name = name.as_str();
        match name.len() {
            4 if name == "host" => found.host = found.host.or(Some(value)),
            7 if name == "baggage" => found.baggage = true,
            10 => match name {
                "user-agent" => found.user_agent = found.user_agent.or(Some(value)),
                "tracestate" => {
                    found.tracestates += 1;
                    found.tracestate = found.tracestate.or(Some(value));
                }
                _ => {}
            },
            11 if name == "traceparent" => {
                found.traceparents += 1;
                found.traceparent = found.traceparent.or(Some(value));
            }
            _ => {}
        }
    }
    found
}

/// Headers for propagators other than ours. Values that are no visible ASCII are not shown to them.
pub(crate) struct Carrier<'a>(pub(crate) &'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values = self.0.get_all(key).iter();
        let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn the_first_of_a_name_is_taken_and_repeats_are_counted() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "a"),
            ("traceparent", "one"),
            ("TraceParent", "two"),
            ("tracestate", "x=1"),
            ("user-agent", "u"),
        ] {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_static(value),
            );
        }
        let found = scan(&headers);
        assert_eq!(found.traceparents, 2);
        assert_eq!(found.host.unwrap(), "a");
        assert_eq!(found.user_agent.unwrap(), "u");
        assert_eq!(found.tracestates, 1);
        assert!(!found.baggage);
    }
}
