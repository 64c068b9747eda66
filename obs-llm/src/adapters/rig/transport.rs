//! The transport: the call lasts from its opening to the end of its frames.

use super::asked::Begun;
use super::failure;
use super::fate::{self, Fate, Read};
use super::wire::{ObservedPayload, ObservedWire};
use crate::adapters::framed;
use crate::adapters::within::{Watch, Within, WithinStream};
use crate::call::LlmCall;
use crate::descriptor::INCOMPLETE;
use crate::wire::{Framing, ResponseScanner, ResponseSink, Wire as Format};
use obs_core::ErrorType;
use rig_core::driver::{Exchange, Opening, Transport};
use rig_core::error::ProviderError;
use rig_core::wire::{Wire, WireFrame};
use std::any::Any;
use std::sync::Arc;

/// A transport whose exchanges are observed. It sends what the one inside sends, and gives its frames as they come.
#[derive(Clone, Debug)]
pub struct ObservedTransport<T> {
    pub(super) inner: T,
}

impl<T> ObservedTransport<T> {
    /// The transport inside.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The transport inside.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<W: Wire, T: Transport<W>> Transport<ObservedWire<W>> for ObservedTransport<T> {
    fn send(&self, payload: ObservedPayload<W::Payload>, exchange: Exchange) -> Opening<W::Frame> {
        let ObservedPayload { payload, begun } = payload;
        let Some(Begun { mut call, wire }) = begun else {
            return self.inner.send(payload, exchange);
        };
        let opening = call.scope(|| self.inner.send(payload, exchange));
        Opening::new(async move {
            let (opened, mut call) = Within::new(opening, call).await;
            match opened {
                Ok(opened) => {
                    let reader = Reader::new(&call, wire, fate::open());
                    let watched = Some((call, reader));
                    Ok(opened.map_frames(|frames| WithinStream::new(frames, watched)))
                }
                Err(error) => {
                    failure::end(&mut call, &error, wire.map(|(wire, _)| wire), false);
                    Err(error)
                }
            }
        })
    }
}

/// Reads the frames of an answer.
#[derive(Debug)]
struct Reader {
    wire: Option<Format>,
    scanner: Option<(Framing, ResponseScanner)>,
    /// A frame as it stood in the answer; its room is kept.
    frame: Vec<u8>,
    fate: Arc<Fate>,
    began: bool,
    over: bool,
}

impl Reader {
    fn new(call: &LlmCall, wire: Option<(Format, Framing)>, fate: Arc<Fate>) -> Self {
        Self {
            wire: wire.map(|(wire, _)| wire),
            scanner: wire.map(|(wire, framing)| (framing, call.scanner(wire, framing))),
            frame: Vec::new(),
            fate,
            began: false,
            over: false,
        }
    }

    fn read(&mut self, frame: &WireFrame, call: &mut LlmCall) {
        let Some((framing, scanner)) = &mut self.scanner else {
            return;
        };
        let data = match frame {
            WireFrame::Text(text) => text.as_bytes(),
            WireFrame::Bytes(bytes) => bytes,
        };
        if *framing == Framing::Json {
            call.read(scanner, data);
            return scanner.end(call);
        }
        self.frame.clear();
        framed::push(*framing, data, &mut self.frame);
        call.read(scanner, &self.frame);
    }

    fn end(call: &mut LlmCall) {
        let outcome = call.outcome();
        call.end_in_place(outcome);
    }
}

impl<F: 'static> Watch<Result<F, ProviderError>> for Reader {
    fn item(&mut self, item: &Result<F, ProviderError>, call: &mut LlmCall) {
        fate::forget(&self.fate);
        let frame: &dyn Any = match item {
            Ok(frame) => frame,
            Err(error) => return failure::end(call, error, self.wire, self.began),
        };
        self.began = true;
        if let Some(frame) = frame.downcast_ref() {
            self.read(frame, call);
        }
        // Nobody reads a frame behind the last.
        if call.is_complete() {
            Self::end(call);
        }
    }

    fn over(&mut self, call: &mut LlmCall) {
        self.over = true;
        if let Some((_, scanner)) = &mut self.scanner {
            scanner.end(call);
            if !call.is_all_there() {
                call.set_error(INCOMPLETE);
            }
            Self::end(call);
        }
    }

    /// rig drops the frames when it has decoded the last one.
    fn meanwhile(&mut self, call: &mut LlmCall) {
        fate::forget(&self.fate);
        match self.fate.get() {
            Read::Ended => call.complete(),
            Read::Broken => call.set_error(INCOMPLETE),
            Read::Refused => call.set_error(ErrorType::OTHER),
            // No decoder says otherwise.
            Read::Nobody if self.over => call.complete(),
            Read::Nobody | Read::Further => return,
        }
        Self::end(call);
    }
}
