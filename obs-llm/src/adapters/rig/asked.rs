//! What a request asks for, and the call that it begins.

use super::provider;
use super::settings::Settings;
use super::wire::ObservedPayload;
use crate::call::LlmCall;
use crate::descriptor::LlmOperation;
use crate::provider::Provider;
use crate::wire::{Framing, RequestScanner, RequestSink, Wire, of_path};
use rig_core::completion::CompletionRequest;
use rig_core::http_client::framing::Framing as Framed;
use rig_core::operation::{Completion, Embedding, ImageEmbedding};
use rig_core::wire::{Body, Descriptor, Encoded, Mode, Operation};
use std::any::{Any, TypeId};

/// What is asked of a model by an operation of rig's: of what is none of ours, nothing.
fn operation<Op: Operation>() -> Option<LlmOperation> {
    let op = TypeId::of::<Op>();
    if op == TypeId::of::<Completion>() {
        Some(LlmOperation::Chat)
    } else if op == TypeId::of::<Embedding>() || op == TypeId::of::<ImageEmbedding>() {
        Some(LlmOperation::Embeddings)
    } else {
        None
    }
}

/// A call that was begun, and how its answer is to be read.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) call: LlmCall,
    pub(super) wire: Option<(Wire, Framing)>,
}

/// The parameters of a request that is not encoded in a format that is read here.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    temperature: Option<f64>,
    max_tokens: Option<u64>,
    top_p: Option<f64>,
    seed: Option<u64>,
    stop: Vec<String>,
}

impl Parameters {
    pub(super) fn of(request: &dyn Any) -> Self {
        match request.downcast_ref::<CompletionRequest>() {
            Some(request) => Self {
                temperature: request.temperature,
                max_tokens: request.max_tokens,
                top_p: request.options.top_p,
                seed: request.options.seed,
                stop: request.options.stop.clone(),
            },
            None => Self::default(),
        }
    }

    fn tell(&self, call: &mut LlmCall) {
        if let Some(tokens) = self.max_tokens {
            call.max_tokens(tokens);
        }
        if let Some(value) = self.temperature {
            call.temperature(value);
        }
        if let Some(value) = self.top_p {
            call.top_p(value);
        }
        if let Some(seed) = self.seed {
            call.seed(i64::try_from(seed).unwrap_or(i64::MAX));
        }
        for stop in &self.stop {
            call.stop_sequence(stop);
        }
    }
}

/// The model that a request names in place of its wire's.
pub(super) fn model(request: &dyn Any) -> Option<String> {
    request.downcast_ref::<CompletionRequest>()?.model.clone()
}

/// A call, if it asks a model for something and nobody observes it yet.
pub(super) fn begin<Op: Operation>(
    settings: &Settings,
    wire: &Descriptor<'_>,
    (model, parameters): (Option<&str>, &Parameters),
    payload: &dyn Any,
    mode: Mode,
) -> Option<Begun> {
    let mut operation = operation::<Op>()?;
    let encoded = payload.downcast_ref::<Encoded>().or_else(|| {
        // Of a model that is observed twice.
        let within = payload.downcast_ref::<ObservedPayload<Encoded>>();
        within.map(|within| &within.payload)
    });
    let uri = encoded.map(|encoded| encoded.request.uri());
    let by_path = uri.and_then(|uri| of_path(uri.path(), uri.query()));
    if let Some(by_path) = &by_path {
        operation = LlmOperation::named(by_path.operation).unwrap_or(operation);
    }
    if settings.llm.shared().passes(operation) {
        return None;
    }
    let host = uri.and_then(http::Uri::host);
    let host = host.map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let by_name;
    let provider: &Provider = match &settings.provider {
        Some(provider) => provider,
        None => {
            by_name = provider::of(wire.name, host);
            &by_name
        }
    };
    let mut call = settings.llm.call(operation, provider);
    if !call.is_recording() {
        return None;
    }
    if let Some(model) = model.or(wire.model) {
        call.model(model);
    }
    match (&settings.server, host) {
        (Some((address, port)), _) => call.set_server(address, *port),
        (None, Some(host)) => {
            let usual = match uri.and_then(http::Uri::scheme_str) {
                Some("http") => Some(80),
                Some("https") => Some(443),
                _ => None,
            };
            let port = uri.and_then(http::Uri::port_u16).or(usual);
            call.set_server(host, port);
        }
        (None, None) => {}
    }
    if let (Some(deadline), Some(mut active)) = (settings.deadline, call.active()) {
        active.set_deadline(deadline);
    }
    let mut reading = None;
    match (encoded, by_path) {
        (Some(encoded), Some(by_path)) => {
            call.set_wire(by_path.wire);
            if let Some(model) = &by_path.model {
                call.model(model);
            }
            if let Body::Bytes(body) = encoded.request.body() {
                let keeping = call.gathered();
                let keeping = keeping.map(|content| content.keep_request(by_path.wire));
                if let Some(keeping) = keeping {
                    keeping.push(body, 0);
                }
                RequestScanner::new(by_path.wire).feed(body, &mut call);
            }
            let framing = match encoded.framing {
                Framed::Sse => Framing::EventStream,
                Framed::Ndjson => Framing::Lines,
                Framed::Whole => Framing::Json,
            };
            reading = Some((by_path.wire, framing));
        }
        _ => parameters.tell(&mut call),
    }
    if mode == Mode::Streaming {
        call.stream(true);
    }
    Some(Begun {
        call,
        wire: reading,
    })
}
