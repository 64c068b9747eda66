//! Context to and from peers that carry it as Kitex does: as metainfo, whose entries are `rpc-transit-*` over HTTP/2, and
//! `rpc-persist-*` where they go on with all calls of a request. Volo moves those of a request from its metadata into the
//! metainfo of the task, behind our server's layer: so they are read from the metadata here, and written there.

use ::http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::Telemetry;
use obs_core::semconv::resource::{
    self, DEPLOYMENT_ENVIRONMENT as ENVIRONMENT, DEPLOYMENT_ENVIRONMENT_NAME as ENVIRONMENT_NAME,
};

const SOURCE_SERVICE: &str = "source-service";

/// The W3C's headers, and what they are called there: said by the caller itself, and as what travels with all calls of a
/// request.
const CONTEXT: [[HeaderName; 3]; 3] = [
    [
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("rpc-transit-traceparent"),
        HeaderName::from_static("rpc-persist-traceparent"),
    ],
    [
        HeaderName::from_static("tracestate"),
        HeaderName::from_static("rpc-transit-tracestate"),
        HeaderName::from_static("rpc-persist-tracestate"),
    ],
    [
        HeaderName::from_static("baggage"),
        HeaderName::from_static("rpc-transit-baggage"),
        HeaderName::from_static("rpc-persist-baggage"),
    ],
];

/// By what names a service tells who it is, as Kitex's own telemetry does: what its resource calls them, and here.
const IDENTITY: [(&str, HeaderName); 3] = [
    (
        resource::SERVICE_NAME,
        HeaderName::from_static("rpc-transit-service.name"),
    ),
    (
        resource::SERVICE_NAMESPACE,
        HeaderName::from_static("rpc-transit-service.namespace"),
    ),
    (
        ENVIRONMENT,
        HeaderName::from_static("rpc-transit-deployment.environment"),
    ),
];

/// Where only Kitex's entries carry a trace, they become the W3C's headers, which are read next. Those of a request that has
/// its own `traceparent` are left alone.
pub(crate) fn adopt(metadata: &mut HeaderMap) {
    let [[ours, theirs @ ..], ..] = &CONTEXT;
    if metadata.contains_key(ours) {
        return;
    }
    let Some(from) = theirs.iter().position(|it| metadata.contains_key(it)) else {
        return;
    };
    for [ours, theirs @ ..] in &CONTEXT {
        let values: Vec<_> = metadata.get_all(&theirs[from]).iter().cloned().collect();
        for value in values {
            metadata.append(ours, value);
        }
    }
}

/// The service that called, as it names itself: its telemetry first, and then its framework.
pub(crate) fn caller(metadata: &HeaderMap) -> Option<&HeaderValue> {
    let [(_, name), ..] = &IDENTITY;
    let said = metadata.get(name).or_else(|| metadata.get(SOURCE_SERVICE));
    said.filter(|name| !name.is_empty())
}

/// What a request carries in the W3C's headers, as the caller's own word to Kitex.
pub(crate) fn repeat(metadata: &mut HeaderMap) {
    for [ours, theirs, _] in &CONTEXT {
        match metadata.get(ours).cloned() {
            Some(value) => metadata.insert(theirs, value),
            None => metadata.remove(theirs),
        };
    }
}

/// Who this service is, for those whom it calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity(Vec<(HeaderName, HeaderValue)>);

impl Identity {
    /// As its resource says.
    pub(crate) fn of(telemetry: &Telemetry) -> Self {
        let resource = telemetry.resource();
        let said = |(key, name): &(&'static str, HeaderName)| {
            let value = match resource?.get(key) {
                // As the conventions call it by now.
                None if *key == ENVIRONMENT => resource?.get(ENVIRONMENT_NAME)?,
                value => value?,
            };
            let text = value.as_str();
            // What stands there where nobody named the service.
            if text.starts_with("unknown_service") {
                return None;
            }
            Some((name.clone(), HeaderValue::from_str(&text).ok()?))
        };
        Self(IDENTITY.iter().filter_map(said).collect())
    }

    pub(crate) fn write(&self, metadata: &mut HeaderMap) {
        for (name, value) in &self.0 {
            metadata.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let entries = entries.iter();
        let header = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        entries.map(header).collect()
    }

    #[test]
    fn a_trace_of_kitex_is_read_where_there_is_no_other() {
        let mut metadata = map(&[
            ("rpc-transit-traceparent", "theirs"),
            ("rpc-transit-tracestate", "state"),
        ]);
        adopt(&mut metadata);
        assert_eq!(metadata["traceparent"], "theirs");
        assert_eq!(metadata["tracestate"], "state");
        assert!(!metadata.contains_key("baggage"));
        let mut metadata = map(&[("rpc-persist-traceparent", "far")]);
        adopt(&mut metadata);
        assert_eq!(metadata["traceparent"], "far");
        let mut metadata = map(&[
            ("rpc-transit-traceparent", "near"),
            ("rpc-persist-traceparent", "far"),
            ("rpc-persist-tracestate", "far"),
        ]);
        adopt(&mut metadata);
        assert_eq!(metadata["traceparent"], "near");
        assert!(!metadata.contains_key("tracestate"));
        let mut metadata = map(&[
            ("traceparent", "ours"),
            ("rpc-transit-traceparent", "theirs"),
            ("rpc-transit-tracestate", "state"),
        ]);
        adopt(&mut metadata);
        assert_eq!(metadata["traceparent"], "ours");
        assert!(!metadata.contains_key("tracestate"));
    }

    #[test]
    fn what_is_repeated_is_all_that_stands_there() {
        let mut metadata = map(&[
            ("traceparent", "ours"),
            ("rpc-transit-traceparent", "old"),
            ("rpc-transit-tracestate", "old"),
        ]);
        repeat(&mut metadata);
        assert_eq!(metadata["rpc-transit-traceparent"], "ours");
        assert!(!metadata.contains_key("rpc-transit-tracestate"));
    }

    #[test]
    fn a_service_that_nobody_named_does_not_say_who_it_is() {
        let resource = obs_core::setup::resource::ResourceBuilder::empty()
            .with_attribute(ENVIRONMENT_NAME, "staging");
        let capture = obs_testing::Capture::builder()
            .with(|builder| builder.with_resource(resource.build()))
            .build();
        let mut metadata = HeaderMap::new();
        Identity::of(capture.telemetry()).write(&mut metadata);
        let expect = map(&[("rpc-transit-deployment.environment", "staging")]);
        assert_eq!(metadata, expect);
    }

    #[test]
    fn a_caller_is_whom_its_telemetry_says_and_then_its_framework() {
        let (both, one) = (
            map(&[
                ("source-service", "shop.psm"),
                ("rpc-transit-service.name", "shop"),
            ]),
            map(&[("source-service", "shop.psm")]),
        );
        assert_eq!(caller(&both).expect("said"), "shop");
        assert_eq!(caller(&one).expect("said"), "shop.psm");
        assert_eq!(caller(&map(&[("source-service", "")])), None);
    }
}
