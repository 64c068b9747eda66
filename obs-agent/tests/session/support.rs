//! Calls of models, tools and agents in sessions.
#![allow(dead_code, reason = "each test uses its part")]

use obs_agent::session::{Ledger, LedgerBuilder, LedgerCounts};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, http, obs};
use obs_core::{
    Descriptor, Kind, Label, LabelId, Labels, LogEvent, Operation, Parent, Scope, Session,
    Telemetry, Values,
};
use obs_llm::wire::{RequestSink, ResponseSink};
use obs_llm::{Bill, Llm, LlmCall, LlmOperation, Price, Provider, Tokens, Usage};
use obs_testing::{Capture, CaptureBuilder};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SUMMARY: &str = "obs.agent.session.summary";

static SCOPE: Scope = Scope {
    name: "test-framework",
    version: "1.0.0",
    schema_url: "",
};

const ERROR: Label = Label {
    key: http::ERROR_TYPE,
    values: Values::Error,
};

/// As a framework's adapter records a tool.
pub(crate) static TOOL: Descriptor = Descriptor {
    name: "test.tool",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[
        Label {
            key: gen_ai::OPERATION_NAME,
            values: Values::Closed(&["execute_tool"]),
        },
        Label {
            key: gen_ai::TOOL_NAME,
            values: Values::Open { cap: 64 },
        },
        ERROR,
    ],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("execute_tool"),
};

/// And an agent.
pub(crate) static AGENT: Descriptor = Descriptor {
    name: "test.agent",
    span_kind: SpanKind::Internal,
    labels: &[
        Label {
            key: gen_ai::OPERATION_NAME,
            values: Values::Closed(&["invoke_agent"]),
        },
        ERROR,
    ],
    span_name: |_, name| name.push_str("invoke_agent"),
    ..TOOL
};

/// A million tokens of input cost a dollar, and so do a hundred thousand of output; of one model the price is not known.
#[derive(Debug)]
pub(crate) struct Prices;

pub(crate) const UNPRICED: &str = "house-model";

impl Price for Prices {
    fn price(&self, bill: &Bill<'_>) -> Option<f64> {
        let tokens = |of| bill.usage.get(of).unwrap_or_default() as f64;
        let usd = tokens(Tokens::Input) * 1e-6 + tokens(Tokens::Output) * 1e-5;
        (bill.request_model != Some(UNPRICED)).then_some(usd)
    }
}

pub(crate) struct Rig {
    pub(crate) capture: Capture,
    pub(crate) ledger: Ledger,
    pub(crate) llm: Llm,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Capture::builder(), Ledger::builder())
    }

    pub(crate) fn with(capture: CaptureBuilder, ledger: LedgerBuilder) -> Self {
        let capture = capture.build();
        let ledger = ledger.build(capture.telemetry());
        let llm = Llm::new(capture.telemetry()).with_prices(Arc::new(Prices));
        Self {
            capture,
            ledger,
            llm,
        }
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        self.capture.telemetry()
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.capture.clock().advance(time);
    }

    /// A call that was asked for in this session.
    pub(crate) fn call(&self, operation: LlmOperation, session: Session) -> LlmCall {
        let mut call = self.llm.call(operation, &Provider::OPENAI);
        call.set_session(session);
        call.model("gpt-x");
        call
    }

    pub(crate) fn chat(&self, session: &str, usage: &Usage) {
        let mut call = self.call(LlmOperation::Chat, Session::new(session));
        call.usage(usage);
        call.end();
    }

    pub(crate) fn start_tool(&self, session: &str, name: &str) -> Operation {
        start_tool(self.telemetry(), session, name)
    }

    pub(crate) fn start_agent(&self, session: &str) -> Operation {
        let kind = self.telemetry().kind(&AGENT);
        in_session(kind.start(operation(kind), Parent::Current), session)
    }

    /// What was emitted of sessions: their ids, and why they are over.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        let events = self.summaries();
        let told = events.iter().map(|event| {
            let session = event.session.as_ref().expect("it is of one");
            let id = session.session_id.as_ref();
            let id = id.or(session.conversation_id.as_ref()).expect("it has one");
            let reason = attribute(event, "obs.agent.session.end_reason");
            (id.to_string(), reason.expect("it has one"))
        });
        told.collect()
    }

    pub(crate) fn summaries(&self) -> Vec<LogEvent> {
        let mut events = self.capture.log_events();
        events.retain(|event| event.name == SUMMARY);
        events
    }

    /// What was created is held, or was told of.
    #[track_caller]
    pub(crate) fn assert_balanced(&self) -> LedgerCounts {
        let counts = self.ledger.counts();
        let ended = counts.idle + counts.evicted + counts.closed + counts.shutdown;
        assert_eq!(counts.created, counts.live + ended, "{counts:?}");
        assert_eq!(self.summaries().len() as u64, ended, "{counts:?}");
        assert_eq!(self.ledger.sessions().len() as u64, counts.live);
        counts
    }
}

pub(crate) fn start_tool(telemetry: &Telemetry, session: &str, name: &str) -> Operation {
    let kind = telemetry.kind(&TOOL);
    let labels = operation(kind).with(1, kind.label(1, name));
    in_session(kind.start(labels, Parent::Current), session)
}

fn operation(_: &Kind) -> Labels {
    Labels::NONE.with(0, LabelId::closed(0))
}

pub(crate) fn in_session(mut operation: Operation, session: &str) -> Operation {
    if let Some(mut active) = operation.active() {
        active.set_session(Session::new(session));
    }
    operation
}

pub(crate) fn attribute(event: &LogEvent, key: &str) -> Option<String> {
    let mut found = event.attributes.iter();
    let pair = found.find(|pair| pair.key.as_str() == key)?;
    Some(pair.value.as_str().into_owned())
}

pub(crate) fn number(event: &LogEvent, key: &str) -> Option<f64> {
    attribute(event, key).map(|text| text.parse().expect("a number"))
}

pub(crate) fn usage(input: u64, output: u64) -> Usage {
    Usage::new()
        .with(Tokens::Input, input)
        .with(Tokens::Output, output)
}

/// How many runs are around it, as an adapter says it.
pub(crate) fn set_depth(agent: &mut Operation, depth: i64) {
    agent.set(obs::agent::DEPTH, depth);
}
