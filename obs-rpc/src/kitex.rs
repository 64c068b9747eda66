//! Context to and from peers that carry it as Kitex does, in the keys of `metainfo` beside a request: over TTHeader they are
//! called `RPC_TRANSIT_traceparent`, over HTTP/2 `rpc-transit-traceparent`. Volo moves them from there into the metainfo of
//! the task before anybody is asked, and from the metainfo to there when a request is written.
//!
//! A peer writes keys as its language likes: they are read without regard to case, and `_` as `-`.
#![allow(dead_code, reason = "used by adapters, each behind its feature")]

use faststr::FastStr;
use metainfo::{Forward, METAINFO, MetaInfo};
use obs_core::otel::propagation::Extractor;
use obs_core::propagation::baggage::{BAGGAGE, Baggage};
use obs_core::propagation::traceparent::TRACEPARENT;
use obs_core::propagation::tracestate::TRACESTATE;
use obs_core::propagation::{self, Propagator, Remote, TraceParent};
// By these names a service tells who it is, as Kitex's own telemetry does.
use obs_core::semconv::resource::{
    DEPLOYMENT_ENVIRONMENT as ENVIRONMENT, DEPLOYMENT_ENVIRONMENT_NAME as ENVIRONMENT_NAME,
    SERVICE_NAME as SERVICE, SERVICE_NAMESPACE as NAMESPACE,
};
use obs_core::{Active, Kind, Parent, Telemetry, Trust};

/// What came in with a request.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    parent: Option<TraceParent>,
    tracestate: String,
    /// What the caller's baggage is, as far as it could be read.
    pub(crate) baggage: Baggage,
    /// The service that called, as it names itself: bytes that nobody checked.
    pub(crate) service: Option<FastStr>,
}

impl Incoming {
    /// What is beside the request that this task works on. What makes no sense is counted.
    pub(crate) fn read(propagator: &Propagator, kind: &Kind) -> Self {
        let read = |info: &std::cell::RefCell<MetaInfo>| match info.try_borrow() {
            Ok(info) => Self::of(&info, propagator, kind),
            Err(_) => Self::default(),
        };
        // Outside of a call there is none.
        METAINFO.try_with(read).unwrap_or_default()
    }

    fn of(info: &MetaInfo, propagator: &Propagator, kind: &Kind) -> Self {
        // No peer carries anything: most calls from outside.
        if entries(info).next().is_none() {
            return Self::default();
        }
        let found = Found::of(info);
        let remote = match propagator {
            Propagator::Custom(_) => {
                kind.contain(Remote::default(), || propagator.extract(&Carrier(info)))
            }
            own => found.remote(own),
        };
        if remote.dropped.traceparent.is_some() {
            kind.count_invalid_parent();
        }
        if remote.dropped.tracestate.is_some() {
            kind.count_dropped_tracestate(1);
        }
        kind.count_dropped_baggage(remote.dropped.baggage as u64);
        Self {
            parent: remote.parent,
            tracestate: remote
                .tracestate
                .map(|state| state.as_str().to_owned())
                .unwrap_or_default(),
            baggage: remote.baggage,
            service: found.service.cloned(),
        }
    }

    /// Whose child the call is. `trust` is asked where it matters.
    pub(crate) fn parent(&self, trust: impl FnOnce() -> Trust) -> Parent<'_> {
        match self.parent {
            Some(parent) => Parent::Remote {
                parent,
                tracestate: &self.tracestate,
                trust: trust(),
            },
            None => Parent::Current,
        }
    }
}

/// The values of the keys that are wanted, by one pass over all.
#[derive(Default)]
struct Found<'a> {
    traceparents: Vec<&'a FastStr>,
    tracestates: Vec<&'a FastStr>,
    baggages: Vec<&'a FastStr>,
    service: Option<&'a FastStr>,
}

impl<'a> Found<'a> {
    /// What the caller says counts before what travels with all calls of a request.
    fn of(info: &'a MetaInfo) -> Self {
        let near = Self::among(info.get_all_upstreams());
        let far = Self::among(info.get_all_persistents());
        let context = if near.traceparents.is_empty() {
            &far
        } else {
            &near
        };
        let baggage = if near.baggages.is_empty() {
            &far
        } else {
            &near
        };
        Self {
            traceparents: context.traceparents.clone(),
            tracestates: context.tracestates.clone(),
            baggages: baggage.baggages.clone(),
            service: near.service.or(far.service),
        }
    }

    fn among(entries: Option<impl IntoIterator<Item = (&'a FastStr, &'a FastStr)>>) -> Self {
        let mut found = Self::default();
        for (key, value) in entries.into_iter().flatten() {
            match key.len() {
                7 if same(key, BAGGAGE) => found.baggages.push(value),
                10 if same(key, TRACESTATE) => found.tracestates.push(value),
                11 if same(key, TRACEPARENT) => found.traceparents.push(value),
                12 if same(key, SERVICE) => found.service = found.service.or(Some(value)),
                _ => {}
            }
        }
        // The same in two spellings is one.
        found.traceparents.dedup();
        found
    }

    fn remote(&self, propagator: &Propagator) -> Remote {
        fn bytes<'b>(values: &'b [&FastStr], wanted: bool) -> impl Iterator<Item = &'b [u8]> {
            let values = if wanted { values } else { &[] };
            values.iter().map(|value| value.as_bytes())
        }
        let (context, baggage) = (propagator.has_trace_context(), propagator.has_baggage());
        propagation::extract(
            bytes(&self.traceparents, context),
            bytes(&self.tracestates, context),
            bytes(&self.baggages, baggage),
        )
    }
}

/// What the caller said, and then what travels with all calls of a request.
fn entries(info: &MetaInfo) -> impl Iterator<Item = (&FastStr, &FastStr)> {
    let near = info.get_all_upstreams().into_iter().flatten();
    near.chain(info.get_all_persistents().into_iter().flatten())
}

/// Volo makes strings of what comes without a check. What is none is not there.
pub(crate) fn checked(text: &FastStr) -> Option<&str> {
    std::str::from_utf8(text.as_bytes()).ok()
}

/// Whether a key in whichever spelling is `name`, which is in lower case.
fn same(key: &str, name: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    key.len() == name.len() && key.bytes().map(plain).eq(name.bytes().map(plain))
}

/// The metainfo for propagators of others.
struct Carrier<'a>(&'a MetaInfo);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let key = key.to_ascii_lowercase();
        entries(self.0)
            .find(|(found, _)| same(found, &key))
            .and_then(|(_, value)| checked(value))
    }

    fn keys(&self) -> Vec<&str> {
        entries(self.0)
            .filter_map(|(key, _)| checked(key))
            .collect()
    }
}

/// Who this service is, for those whom it calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity(Vec<(FastStr, FastStr)>);

impl Identity {
    /// As its resource says.
    pub(crate) fn of(telemetry: &Telemetry) -> Self {
        let resource = telemetry.resource();
        let said = |key: &'static str| {
            let value = match resource?.get(key) {
                // As the conventions call it by now.
                None if key == ENVIRONMENT => resource?.get(ENVIRONMENT_NAME)?,
                value => value?,
            };
            let value = value.as_str();
            // What stands there where nobody named the service.
            let named = !value.starts_with("unknown_service");
            named.then(|| (FastStr::from_static_str(key), FastStr::new(&*value)))
        };
        Self(
            [SERVICE, NAMESPACE, ENVIRONMENT]
                .into_iter()
                .filter_map(said)
                .collect(),
        )
    }
}

/// What a request carries: what its receiver continues, and who sent it. It is in the task's metainfo only while the call is
/// polled, since calls that run in one task at a time share that.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// `None`: what an application left there would lie.
    context: Vec<(FastStr, Option<FastStr>)>,
}

impl Outgoing {
    pub(crate) fn of(active: &mut Active<'_>, propagator: &Propagator, who: &Identity) -> Self {
        let mut context = Vec::with_capacity(5);
        let (mut has_parent, mut has_state) = (false, false);
        propagator.inject_operation(active, |name, value| {
            let key = match name {
                TRACEPARENT => {
                    has_parent = true;
                    FastStr::from_static_str(TRACEPARENT)
                }
                TRACESTATE => {
                    has_state = true;
                    FastStr::from_static_str(TRACESTATE)
                }
                BAGGAGE => FastStr::from_static_str(BAGGAGE),
                other => FastStr::new(other),
            };
            context.push((key, Some(FastStr::new(value))));
        });
        if has_parent && !has_state {
            context.push((FastStr::from_static_str(TRACESTATE), None));
        }
        for (key, value) in &who.0 {
            context.push((key.clone(), Some(value.clone())));
        }
        Self { context }
    }

    /// Puts it there until the guard goes. Where there is no metainfo nothing happens.
    pub(crate) fn lend(&mut self) -> Lent<'_> {
        self.exchange();
        Lent(self)
    }

    /// Puts what is here there, and what is there here.
    fn exchange(&mut self) {
        let _ = METAINFO.try_with(|info| {
            let Ok(mut info) = info.try_borrow_mut() else {
                return;
            };
            for (key, value) in &mut self.context {
                let before = info.del_transient(&**key);
                if let Some(value) = std::mem::replace(value, before) {
                    info.set_transient(key.clone(), value);
                }
            }
        });
    }
}

/// See [`Outgoing::lend`].
#[must_use]
pub(crate) struct Lent<'a>(&'a mut Outgoing);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.exchange();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obs_core::{Labels, Outcome};
    use obs_testing::Capture;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn kind(capture: &Capture) -> &'static Kind {
        capture.telemetry().kind(&crate::RPC_SERVER)
    }

    /// The parent that is found among `(is it from the caller, key, value)`.
    #[track_caller]
    fn check(keys: &[(bool, &'static str, &'static str)], expect: Option<&str>) -> Incoming {
        let capture = Capture::new();
        let mut info = MetaInfo::new();
        for (near, key, value) in keys {
            match near {
                true => info.strip_rpc_prefix_and_set_upstream(*key, *value),
                false => info.strip_rpc_prefix_and_set_persistent(*key, *value),
            }
        }
        let found = Incoming::of(&info, &Propagator::W3c, kind(&capture));
        let parent = found.parent.map(|parent| parent.to_string());
        assert_eq!(parent.as_deref(), expect, "{keys:?}");
        found
    }

    #[test]
    fn a_parent_is_found_in_any_spelling() {
        for key in [
            "RPC_TRANSIT_traceparent",
            "RPC_TRANSIT_TRACEPARENT",
            "RPC_TRANSIT_Traceparent",
        ] {
            check(&[(true, key, PARENT)], Some(PARENT));
        }
        check(&[(true, "RPC_TRANSIT_trace_parent", PARENT)], None);
        check(&[(true, "RPC_TRANSIT_traceparent", "nonsense")], None);
        check(&[], None);
    }

    #[test]
    fn the_callers_own_word_counts_before_what_travels_with_the_request() {
        let far = (false, "RPC_PERSIST_TRACEPARENT", OTHER);
        let near = (true, "RPC_TRANSIT_traceparent", PARENT);
        check(&[far], Some(OTHER));
        check(&[far, near], Some(PARENT));
    }

    #[test]
    fn two_that_differ_are_none_and_two_that_do_not_are_one() {
        let (one, two) = ("RPC_TRANSIT_traceparent", "RPC_TRANSIT_TRACEPARENT");
        check(&[(true, one, PARENT), (true, two, OTHER)], None);
        check(&[(true, one, PARENT), (true, two, PARENT)], Some(PARENT));
    }

    #[test]
    fn the_rest_comes_along() {
        let found = check(
            &[
                (true, "RPC_TRANSIT_traceparent", PARENT),
                (true, "RPC_TRANSIT_TRACESTATE", "a=1,b=2"),
                (true, "RPC_TRANSIT_baggage", "tenant=blue"),
                (true, "RPC_TRANSIT_SERVICE.NAME", "checkout"),
            ],
            Some(PARENT),
        );
        assert_eq!(found.tracestate, "a=1,b=2");
        assert_eq!(found.baggage.as_str(), "tenant=blue");
        assert_eq!(found.service.as_deref(), Some("checkout"));
    }

    #[test]
    fn keys_are_alike_without_case_and_with_either_dash() {
        for (key, name) in [("A_b-C", "a-b_c"), ("service.name", "service.name")] {
            assert!(same(key, name), "{key} {name}");
        }
        for (key, name) in [("ab", "abc"), ("a.b", "a-b"), ("é", "e_")] {
            assert!(!same(key, name), "{key} {name}");
        }
    }

    #[test]
    fn an_environment_goes_to_kitex_by_the_name_that_it_knows() {
        let resource = obs_core::setup::resource::ResourceBuilder::empty()
            .with_attribute(ENVIRONMENT_NAME, "staging");
        let capture = Capture::builder()
            .with(|builder| builder.with_resource(resource.build()))
            .build();
        let Identity(said) = Identity::of(capture.telemetry());
        assert_eq!(said, [(ENVIRONMENT.into(), "staging".into())]);
    }

    #[tokio::test]
    async fn what_is_lent_is_there_meanwhile_and_gone_afterwards() {
        let capture = Capture::new();
        let mut operation = kind(&capture).start(Labels::NONE, Parent::Root);
        let mut active = operation.active().expect("recorded");
        let expect = active.trace_parent().to_string();
        let who = Identity(vec![(SERVICE.into(), "shop".into())]);
        let mut outgoing = Outgoing::of(&mut active, &Propagator::W3c, &who);
        let mut info = MetaInfo::new();
        info.set_transient("tracestate", "left=behind");
        info.set_transient("mine", "stays");
        let seen = |key: &str| METAINFO.with(|info| info.borrow().get_transient(key));
        METAINFO
            .scope(info.into(), async {
                let lent = outgoing.lend();
                assert_eq!(seen(TRACEPARENT).as_deref(), Some(&*expect));
                assert_eq!(seen(TRACESTATE), None);
                assert_eq!(seen(SERVICE).as_deref(), Some("shop"));
                assert_eq!(seen("mine").as_deref(), Some("stays"));
                drop(lent);
                assert_eq!(seen(TRACEPARENT), None);
                assert_eq!(seen(TRACESTATE).as_deref(), Some("left=behind"));
                assert_eq!(seen(SERVICE), None);
                assert_eq!(seen("mine").as_deref(), Some("stays"));
            })
            .await;
        // Elsewhere it is nothing.
        drop(outgoing.lend());
        operation.end(Outcome::ANSWERED);
    }
}
