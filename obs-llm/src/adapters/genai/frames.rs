//! What genai's frame sink sees of a stream, until the stream's own poll comes back.

use crate::adapters::framed;
use crate::wire::Framing;
use genai::chat::{ChatFrameSink, FrameCtx, RawFrameRef, StreamEnd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the frames of one stream wait. The sink is called within a poll of that stream, which reads them when it is over: nobody
/// else has the lock, and its room is kept, so that a chunk allocates nothing.
#[derive(Debug)]
pub(super) struct Frames(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    framing: Framing,
    lost: bool,
}

/// More than this in one poll is not looked into.
const MOST: usize = 1 << 20;

impl Frames {
    pub(super) fn new(framing: Framing) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Waiting {
            bytes: Vec::new(),
            framing,
            lost: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How they are divided: known when genai has resolved the model, before the first is there.
    pub(super) fn divide(&self, framing: Framing) {
        self.lock().framing = framing;
    }

    /// Reads what has come since, and forgets it. Whether nothing of it was lost.
    pub(super) fn read(&self, read: impl FnOnce(&[u8])) -> bool {
        let mut waiting = self.lock();
        if !waiting.bytes.is_empty() {
            read(&waiting.bytes);
            waiting.bytes.clear();
        }
        !waiting.lost
    }
}

impl Waiting {
    /// Comments of an event stream have no data.
    fn push(&mut self, data: &str) {
        if data.is_empty() || self.lost {
            return;
        }
        if self.bytes.len() + data.len() > MOST {
            self.lost = true;
            self.bytes = Vec::new();
            return;
        }
        framed::push(self.framing, data.as_bytes(), &mut self.bytes);
    }
}

/// The sink of one call, with the user's own behind it.
pub(super) struct Tap {
    pub(super) frames: Arc<Frames>,
    pub(super) users: Option<Arc<dyn ChatFrameSink>>,
}

impl ChatFrameSink for Tap {
    fn on_frame(&self, of: &FrameCtx, frame: RawFrameRef<'_>) {
        self.frames.lock().push(frame.data);
        if let Some(users) = &self.users {
            users.on_frame(of, frame);
        }
    }

    fn on_end(&self, of: &FrameCtx, end: &StreamEnd) {
        if let Some(users) = &self.users {
            users.on_end(of, end);
        }
    }

    fn on_error(&self, of: &FrameCtx, error: &genai::Error) {
        if let Some(users) = &self.users {
            users.on_error(of, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: Framing, frames: &[&str]) -> (String, bool) {
        let waiting = Frames::new(framing);
        for frame in frames {
            waiting.lock().push(frame);
        }
        let mut seen = String::new();
        let whole = waiting.read(|bytes| seen = String::from_utf8_lossy(bytes).into_owned());
        (seen, whole)
    }

    #[test]
    fn what_has_no_data_is_nothing() {
        let (seen, whole) = read(Framing::EventStream, &["{}", "", "[DONE]"]);
        assert_eq!(seen, "data: {}\n\ndata: [DONE]\n\n");
        assert!(whole);
    }

    #[test]
    fn more_than_there_is_room_for_is_lost_and_said_to_be() {
        let large = "x".repeat(MOST);
        let (seen, whole) = read(Framing::EventStream, &["{}", &large, "{}"]);
        assert_eq!((seen.as_str(), whole), ("", false));
    }
}
