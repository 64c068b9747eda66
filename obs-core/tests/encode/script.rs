//! Random things to do to an operation, and what it must look like afterwards: the model knows the script alone.

use crate::said::Said;
use crate::support::*;
use obs_core::otel::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use obs_core::otel::{Array, Context, KeyValue, StringValue, Value};
use obs_core::propagation::TraceParent;
use obs_core::trust::Trust;
use obs_core::{ErrorType, Event, Key, LabelId, Labels, Outcome, Parent, Session, StatsLevel};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Keys that the owner sets; the second half is also set dynamically, and one of each is a label's, a measure's and
/// the session's.
pub(crate) const KEYS: &[Key] = &[
    Key::new(&"a"),
    Key::new(&"app.tenant"),
    Key::new(&"app.schlüssel"),
    Key::new(
        &"app.key_that_is_so_long_that_its_attribute_does_not_fit_into_one_hundred_and_twenty_seven_bytes_at_all_whatever_value_it_has",
    ),
    Key::new(&"app.d"),
    Key::new(&"app.e"),
    Key::new(&"test.route"),
    Key::new(&"test.request.size"),
    Key::new(&"session.id"),
    Key::new(&"obs.keep.reason"),
];
pub(crate) const DYNAMIC_KEYS: &[&str] =
    &["app.d", "app.e", "test.route", "dyn.f", "dyn.g", "user.id"];
pub(crate) const STAMPS: &[Event] = &[
    Event::WRITE_START,
    Event::WRITE_FINISH,
    Event::WAIT_READ_START,
    Event::WAIT_READ_FINISH,
    Event::READ_START,
    Event::READ_FINISH,
    Event::ENCODE_START,
];

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Set(usize, Value),
    Address(usize, IpAddr),
    Dynamic(usize, Value),
    Stamp(usize),
    Event(String, Vec<Value>),
    Exception(String, Option<String>),
    Link(SpanContext, Vec<Value>),
    Label(usize, u16),
    Route(String),
    Measure(usize, u64),
    Session(String, Option<String>),
    Name(String),
    Status(Status),
    Wait(u32),
}

#[derive(Clone, Debug)]
pub(crate) enum From {
    Root,
    Remote(TraceParent, String),
    Stranger(TraceParent),
    Context(SpanContext),
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) internal: bool,
    pub(crate) detailed: bool,
    pub(crate) forced: bool,
    pub(crate) from: From,
    pub(crate) acts: Vec<Act>,
    pub(crate) outcome: Outcome,
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z/ _\"\\\\\n]{0,12}",
        4 => "\\PC{0,40}",
        1 => (100..400_usize).prop_map(|len| "é".repeat(len)),
    ]
}

pub(crate) fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-200..200_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    use proptest::collection::vec;
    prop_oneof![
        4 => scalar(),
        1 => vec(any::<bool>(), 0..4).prop_map(|list| Value::Array(Array::Bool(list))),
        1 => vec(any::<i64>(), 0..40).prop_map(|list| Value::Array(Array::I64(list))),
        1 => vec(any::<f64>(), 0..4).prop_map(|list| Value::Array(Array::F64(list))),
        1 => vec(text().prop_map(StringValue::from), 0..4)
            .prop_map(|list| Value::Array(Array::String(list))),
    ]
}

pub(crate) fn span_context() -> impl Strategy<Value = SpanContext> {
    let state = prop_oneof![Just(""), Just("vendor=value"), Just("a=1,b@c=2")];
    (1..u128::MAX, 1..u64::MAX, 0..4_u8, any::<bool>(), state).prop_map(
        |(trace, span, flags, remote, state)| {
            let state: TraceState = state.parse().expect("valid");
            let flags = TraceFlags::new(flags);
            SpanContext::new(
                TraceId::from(trace),
                SpanId::from(span),
                flags,
                remote,
                state,
            )
        },
    )
}

pub(crate) fn parent() -> impl Strategy<Value = TraceParent> {
    span_context().prop_map(|context| TraceParent::from_span_context(&context).expect("valid"))
}

pub(crate) fn from() -> impl Strategy<Value = From> {
    let state = prop_oneof![Just(String::new()), Just("vendor=value,b=2".to_owned())];
    prop_oneof![
        Just(From::Root),
        (parent(), state).prop_map(|(parent, state)| From::Remote(parent, state)),
        parent().prop_map(From::Stranger),
        span_context().prop_map(From::Context),
    ]
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    use proptest::collection::vec;
    let status = prop_oneof![
        Just(Status::Ok),
        Just(Status::Unset),
        text().prop_map(Status::error),
    ];
    prop_oneof![
        8 => (0..KEYS.len(), scalar()).prop_map(|(key, value)| Act::Set(key, value)),
        1 => (0..KEYS.len(), any::<IpAddr>()).prop_map(|(key, ip)| Act::Address(key, ip)),
        3 => (0..DYNAMIC_KEYS.len(), value()).prop_map(|(key, value)| Act::Dynamic(key, value)),
        3 => (0..STAMPS.len()).prop_map(Act::Stamp),
        1 => (text(), vec(value(), 0..4)).prop_map(|(name, values)| Act::Event(name, values)),
        1 => (text(), proptest::option::of(text())).prop_map(|(message, trace)| Act::Exception(message, trace)),
        1 => (span_context(), vec(value(), 0..3)).prop_map(|(to, values)| Act::Link(to, values)),
        2 => (prop_oneof![Just(0_usize), Just(2)], 0..3_u16).prop_map(|(label, value)| Act::Label(label, value)),
        1 => (200..1_500_u16).prop_map(|value| Act::Label(2, value)),
        1 => "/[a-c]{1,2}".prop_map(Act::Route),
        2 => (0..2_usize, any::<u64>()).prop_map(|(measure, value)| Act::Measure(measure, value)),
        1 => ("[a-z]{1,8}", proptest::option::of("[a-z]{1,8}"))
            .prop_map(|(session, user)| Act::Session(session, user)),
        1 => text().prop_map(Act::Name),
        1 => status.prop_map(Act::Status),
        2 => (0..2_000_000_000_u32).prop_map(Act::Wait),
    ]
}

pub(crate) fn script() -> impl Strategy<Value = Script> {
    let outcome = prop_oneof![
        4 => Just(Outcome::ANSWERED),
        1 => Just(Outcome::PANICKED),
        1 => Just(Outcome::cancelled_on_purpose()),
        1 => (0..3_u16).prop_map(|own| Outcome::failed(ErrorType::own(own))),
        1 => (90..1100_u16).prop_map(|code| Outcome::failed(ErrorType::code(code))),
    ];
    (
        any::<bool>(),
        any::<bool>(),
        from(),
        proptest::collection::vec(act(), 0..40),
        outcome,
    )
        .prop_map(|(internal, detailed, from, acts, outcome)| Script {
            internal,
            detailed,
            forced: false,
            from,
            acts,
            outcome,
        })
}

/// Attributes in order.
type Pairs = Vec<(String, AnyValue)>;

/// What an operation must look like after its script: the model, from the script alone.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What was set, by whichever setter: the last value counts.
    pub(crate) set: BTreeMap<String, AnyValue>,
    pub(crate) labels: BTreeMap<String, AnyValue>,
    pub(crate) measures: BTreeMap<String, AnyValue>,
    pub(crate) session: BTreeMap<String, AnyValue>,
    pub(crate) stamps: Vec<(&'static str, u64)>,
    pub(crate) events: Vec<(String, u64, Pairs)>,
    pub(crate) links: Vec<(SpanContext, Pairs)>,
    pub(crate) name: Option<String>,
    pub(crate) status: Status,
    /// In nanoseconds: when it started, how long it took.
    pub(crate) start: u64,
    pub(crate) elapsed: u64,
}

impl Model {
    /// All attributes but ours: the nearer to the user, the stronger.
    pub(crate) fn attributes(&self) -> BTreeMap<String, AnyValue> {
        let mut all = self.session.clone();
        for stronger in [&self.labels, &self.measures, &self.set] {
            all.extend(stronger.clone());
        }
        all
    }

    pub(crate) fn name(&self, script: &Script) -> String {
        let label = |key: &str| match self.labels.get(key).and_then(|value| value.value.clone()) {
            Some(any_value::Value::StringValue(text)) => text,
            _ => String::new(),
        };
        match &self.name {
            Some(name) => name.clone(),
            None if script.internal => "internal".into(),
            None => format!("{} {}", label("test.method"), label("test.route")),
        }
    }
}

pub(crate) fn keyed(prefix: &str, values: &[Value]) -> Vec<KeyValue> {
    let pair =
        |(index, value): (usize, &Value)| KeyValue::new(format!("{prefix}.{index}"), value.clone());
    values.iter().enumerate().map(pair).collect()
}

pub(crate) fn perform(bench: &Bench<Said>, script: &Script) -> Model {
    let kind = bench
        .telemetry
        .kind(if script.internal { &INTERNAL } else { &SERVER });
    kind.set_level(if script.detailed {
        StatsLevel::Detailed
    } else {
        StatsLevel::Base
    });
    let parent = match &script.from {
        From::Root => Parent::Root,
        From::Remote(parent, tracestate) => Parent::Remote {
            parent: *parent,
            tracestate,
            trust: Trust::Trusted,
        },
        From::Stranger(parent) => Parent::Remote {
            parent: *parent,
            tracestate: "dropped=1",
            trust: Trust::LinkOnly,
        },
        From::Context(context) => Parent::Of(context),
    };
    let mut model = Model::default();
    if let From::Stranger(parent) = &script.from {
        let link = parent.to_span_context(TraceState::NONE);
        model.links.push((link, Vec::new()));
    }
    model.start = bench.unix_nanos();
    let mut operation = kind.start(Labels::NONE, parent);
    if script.forced {
        operation.active().expect("recording").force_keep();
    }
    for act in &script.acts {
        let mut active = operation.active().expect("recording");
        match act {
            Act::Set(key, value) => {
                let key = KEYS[*key];
                match value {
                    Value::Bool(value) => active.set(key, *value),
                    Value::I64(value) => active.set(key, *value),
                    Value::F64(value) => active.set(key, *value),
                    Value::String(text) => active.set(key, text.as_str()),
                    other => panic!("not a scalar: {other:?}"),
                }
                model.set.insert(key.as_str().into(), wire(value));
            }
            Act::Address(key, address) => {
                active.set(KEYS[*key], *address);
                let text = wire(&Value::from(address.to_string()));
                model.set.insert(KEYS[*key].as_str().into(), text);
            }
            Act::Dynamic(key, value) => {
                let key = DYNAMIC_KEYS[*key];
                active.set_dynamic(KeyValue::new(key, value.clone()));
                model.set.insert(key.into(), wire(value));
            }
            Act::Stamp(event) => {
                let event = STAMPS[*event];
                active.stamp(event);
                let known = model.stamps.iter().any(|(name, _)| *name == event.name());
                if script.detailed && !known {
                    model.stamps.push((event.name(), model.elapsed));
                }
            }
            Act::Event(name, values) => {
                let attributes = keyed("e", values);
                model
                    .events
                    .push((name.clone(), model.elapsed, wire_pairs(&attributes)));
                active.add_event(name.clone(), attributes);
            }
            Act::Exception(message, trace) => {
                active.record_exception("Broken", message, trace.as_deref());
                let mut expected = vec![
                    ("exception.type".into(), wire(&"Broken".into())),
                    ("exception.message".into(), wire(&message.clone().into())),
                ];
                if let Some(trace) = trace {
                    expected.push(("exception.stacktrace".into(), wire(&trace.clone().into())));
                }
                model
                    .events
                    .push(("exception".into(), model.elapsed, expected));
            }
            Act::Link(to, values) => {
                let attributes = keyed("l", values);
                model.links.push((to.clone(), wire_pairs(&attributes)));
                active.add_link(to.clone(), attributes);
            }
            Act::Label(_, _) | Act::Route(_) | Act::Measure(..) if script.internal => {}
            Act::Label(label, value) => {
                let id = LabelId::number(*value);
                let (key, value) = if *label == 0 {
                    let text = value
                        .checked_sub(1)
                        .map(|index| METHODS[usize::from(index)]);
                    ("test.method", text.map(Value::from))
                } else {
                    let number = (*value > 0).then(|| Value::from(i64::from(*value)));
                    ("test.status_code", number)
                };
                active.set_label(*label, id);
                match value {
                    Some(value) => model.labels.insert(key.into(), wire(&value)),
                    None => model.labels.remove(key),
                };
            }
            Act::Route(route) => {
                active.set_label_text(1, route);
                // The label takes eight, and metrics call those beyond them `_OTHER`; spans do not.
                model
                    .labels
                    .insert("test.route".into(), wire(&route.clone().into()));
            }
            Act::Measure(index, value) => {
                active.set_measure(*index, *value);
                let key = SERVER.measures[*index].key.as_str();
                let value = i64::try_from(*value).unwrap_or(i64::MAX);
                model.measures.insert(key.into(), wire(&value.into()));
            }
            Act::Session(session, user) => {
                let mut of = Session::new(session);
                model.session =
                    BTreeMap::from([("session.id".into(), wire(&session.clone().into()))]);
                if let Some(user) = user {
                    of = of.with_user(user);
                    model
                        .session
                        .insert("user.id".into(), wire(&user.clone().into()));
                }
                active.set_session(of);
            }
            Act::Name(name) => {
                active.set_name(name.clone());
                model.name = Some(name.clone());
            }
            Act::Status(status) => {
                operation.scope(|| Context::current().span().set_status(status.clone()));
                if *status > model.status {
                    model.status = status.clone();
                }
            }
            Act::Wait(nanos) => {
                bench.advance(u64::from(*nanos));
                model.elapsed += u64::from(*nanos);
            }
        }
    }
    if script.outcome.is_error() {
        if !script.internal {
            let text = error_text(script.outcome.error());
            model.labels.insert("error.type".into(), wire(&text.into()));
        }
        if model.status == Status::Unset {
            model.status = Status::error("");
        }
    }
    operation.end(script.outcome);
    model
}

/// The closed set, from the documentation of [`ErrorType`].
fn error_text(error: ErrorType) -> String {
    let code = |code: &u16| ErrorType::code(*code) == error;
    let own = |own: &u16| ErrorType::own(*own) == error;
    if error == ErrorType::PANIC {
        "panic".into()
    } else if let Some(code) = (100..1000).find(code) {
        code.to_string()
    } else if let Some(own) = (0..2).find(own) {
        ERRORS[usize::from(own)].into()
    } else {
        "_OTHER".into()
    }
}
