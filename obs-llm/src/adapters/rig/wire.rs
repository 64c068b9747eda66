//! The wire: begins a call where a request is encoded, and tells how its answer was decoded.

use super::asked::{self, Begun, Parameters};
use super::fate::{self, Fate, Read};
use super::settings::Settings;
use rig_core::error::{EncodeError, ProviderError};
use rig_core::wire::{Decoder, Descriptor, Flow, Mode, Out, Request, Wire, WireEvent};
use std::cell::Cell;
use std::sync::Arc;

/// A wire whose requests are observed: it encodes and decodes as the one inside, and says of itself what that says.
#[derive(Clone, Debug)]
pub struct ObservedWire<W> {
    pub(super) inner: W,
    pub(super) settings: Arc<Settings>,
}

impl<W> ObservedWire<W> {
    /// The wire inside.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The wire inside.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

/// A request of the wire inside, with the call that it belongs to.
#[derive(Debug)]
pub struct ObservedPayload<P> {
    pub(super) payload: P,
    pub(super) begun: Option<Begun>,
}

impl<W: Wire> Wire for ObservedWire<W> {
    type Op = W::Op;
    type Payload = ObservedPayload<W::Payload>;
    type Frame = W::Frame;
    type Decoder<'id> = ObservedDecoder<W::Decoder<'id>>;
    type Reassembler = W::Reassembler;

    fn describe(&self) -> Descriptor<'_> {
        self.inner.describe()
    }

    fn encode(&self, request: Request<Self>, mode: Mode) -> Result<Self::Payload, EncodeError> {
        // What is encoded in a format that is read here says it itself.
        let model = asked::model(&request);
        let parameters = Parameters::of(&request);
        let encoding = Encoding::begin();
        let is_outermost = !encoding.before;
        let payload = self.inner.encode(request, mode)?;
        drop(encoding);
        let asked = (model.as_deref(), &parameters);
        let wire = self.inner.describe();
        let begun = is_outermost
            .then(|| asked::begin::<W::Op>(&self.settings, &wire, asked, &payload, mode));
        let begun = begun.flatten();
        Ok(ObservedPayload { payload, begun })
    }

    fn decoder<'id>(&self) -> Self::Decoder<'id> {
        ObservedDecoder {
            inner: self.inner.decoder(),
            fate: fate::take(),
        }
    }

    fn reassembler(&self) -> Self::Reassembler {
        self.inner.reassembler()
    }
}

thread_local! {
    static ENCODING: Cell<bool> = const { Cell::new(false) };
}

/// A wire is encoding on this thread: an observed one within it is not to begin a call, which the one around it does.
struct Encoding {
    before: bool,
}

impl Encoding {
    fn begin() -> Self {
        Self {
            before: ENCODING.replace(true),
        }
    }
}

impl Drop for Encoding {
    fn drop(&mut self) {
        ENCODING.set(self.before);
    }
}

/// A decoder that tells how far it came.
#[derive(Debug)]
pub struct ObservedDecoder<D> {
    inner: D,
    fate: Option<Arc<Fate>>,
}

impl<D> ObservedDecoder<D> {
    fn tell(&self, flow: &Result<Flow, ProviderError>) {
        let read = match flow {
            Ok(Flow::More) => return,
            Ok(Flow::Ended(_)) => Read::Ended,
            Err(ProviderError::Provider(_) | ProviderError::ProviderResponse(_)) => Read::Refused,
            Err(_) => Read::Broken,
        };
        if let Some(fate) = &self.fate {
            fate.set(read);
        }
    }
}

impl<'id, W, F, D> Decoder<'id, W, F> for ObservedDecoder<D>
where
    W: rig_core::wire::Operation,
    D: Decoder<'id, W, F>,
{
    type Event = D::Event;

    fn classify(&self, frame: F) -> WireEvent<Self::Event> {
        let event = self.inner.classify(frame);
        if let (WireEvent::Corrupt(_), Some(fate)) = (&event, &self.fate) {
            fate.set(Read::Broken);
        }
        event
    }

    fn decode(&mut self, event: Self::Event, out: Out<'id, W>) -> Result<Flow, ProviderError> {
        let flow = self.inner.decode(event, out);
        self.tell(&flow);
        flow
    }

    fn eof(&mut self, out: Out<'id, W>) -> Result<Flow, ProviderError> {
        let flow = self.inner.eof(out);
        match &flow {
            Ok(Flow::More) => {
                if let Some(fate) = &self.fate {
                    fate.set(Read::Broken);
                }
            }
            flow => self.tell(flow),
        }
        flow
    }
}
