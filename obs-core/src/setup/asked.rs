//! What the environment asks for, as the builder's settings.

use super::environment::{Environment, PerSignal, TemporalityPreference};
use crate::engine::config::Config;
use crate::engine::fold::Preference;
use crate::propagation::Propagator;
use crate::sampling::HeadSampler;

pub(super) fn sampler_of(environment: &Environment, warnings: &mut Vec<String>) -> HeadSampler {
    let (name, arg) = (
        environment.traces_sampler.as_deref(),
        environment.traces_sampler_arg.as_deref(),
    );
    HeadSampler::from_env_values(name, arg).unwrap_or_else(|error| {
        warnings.push(error.to_string());
        error.fallback()
    })
}

pub(super) fn propagator_of(environment: &Environment, warnings: &mut Vec<String>) -> Propagator {
    let names = environment.propagators.as_deref().unwrap_or_default();
    Propagator::from_env_value(&names.join(",")).unwrap_or_else(|unknown| {
        warnings.push(format!(
            "OTEL_PROPAGATORS: `{}` is not known here; `tracecontext,baggage` is used (others: `Builder::with_propagator`)",
            unknown.escape_debug()
        ));
        Propagator::W3c
    })
}

/// Which signals are pushed: `none` switches one off, `prometheus` too.
pub(super) fn signals_of(environment: &Environment) -> PerSignal<bool> {
    let pushed = |list: &Option<Vec<String>>| {
        let pushes = |name: &String| name != "none" && name != "prometheus";
        list.as_ref().is_none_or(|list| list.iter().any(pushes))
    };
    let exporters = &environment.exporters;
    PerSignal {
        traces: pushed(&exporters.traces),
        metrics: pushed(&exporters.metrics),
        logs: pushed(&exporters.logs),
    }
}

impl From<TemporalityPreference> for Preference {
    fn from(preference: TemporalityPreference) -> Self {
        match preference {
            TemporalityPreference::Cumulative => Self::Cumulative,
            TemporalityPreference::Delta => Self::Delta,
            TemporalityPreference::LowMemory => Self::LowMemory,
        }
    }
}

/// The limits hold where a span is handed out. What is kept of it until then is bounded for memory's sake, at least that
/// widely: a character takes up to four bytes.
pub(super) fn limits_of(environment: &Environment, config: &mut Config) {
    let (asked, limits) = (&environment.limits, &mut config.limits);
    limits.attributes = asked.attributes.unwrap_or(limits.attributes);
    limits.events = asked.events.unwrap_or(limits.events);
    limits.links = asked.links.unwrap_or(limits.links);
    limits.per_event = asked.attributes_per_event.unwrap_or(limits.per_event);
    limits.per_link = asked.attributes_per_link.unwrap_or(limits.per_link);
    limits.characters = asked.value_length.unwrap_or(limits.characters);
    let narrow = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let (bounds, side) = (&mut config.bounds, &mut config.side);
    bounds.count = bounds.count.max(narrow(limits.attributes));
    side.attributes = side.attributes.max(limits.attributes);
    side.events = side.events.max(limits.events);
    side.links = side.links.max(limits.links);
    side.per_event = side.per_event.max(limits.per_event).max(limits.per_link);
    if let Some(characters) = asked.value_length {
        let bytes = characters.saturating_mul(4);
        bounds.value_bytes = bounds.value_bytes.max(narrow(bytes));
        side.value_bytes = side.value_bytes.max(bytes);
    }
    if config.known_http_methods.is_none() {
        config.known_http_methods = environment.http_known_methods.clone();
    }
}
