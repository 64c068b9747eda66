//! Event points as span events: all bytes of each are known before, but for the time.

use super::protobuf::{Buffer, Wire, message, tag};
use crate::event::Event;

/// Fields of `Span` and `Event`.
pub(crate) mod field {
    pub(crate) const EVENTS: u8 = 11;
    pub(crate) const TIME: u8 = 1;
    pub(crate) const NAME: u8 = 2;
}

/// A point's name that is longer is encoded each time.
const LONGEST: usize = ROOM - NAME_AT;
const ROOM: usize = 48;
/// Tag, length, tag; the time; tag, length; the name.
const TIME_AT: usize = 3;
const NAME_AT: usize = TIME_AT + 8 + 2;

/// The event points met so far, by their index.
#[derive(Debug, Default)]
pub(crate) struct Points(Vec<Point>);

#[derive(Clone, Copy, Debug)]
struct Point {
    bytes: [u8; ROOM],
    /// 0 if it was not met.
    len: usize,
}

impl Points {
    #[inline(always)]
    pub(crate) fn write(&mut self, span: &mut Buffer, index: u8, unix_nanos: u64) {
        match self.0.get(usize::from(index)) {
            Some(point) if point.len > 0 => {
                span.template(&point.bytes, point.len, TIME_AT, unix_nanos);
            }
            _ => self.first(span, index, unix_nanos),
        }
    }

    #[cold]
    #[inline(never)]
    fn first(&mut self, span: &mut Buffer, index: u8, unix_nanos: u64) {
        let name = Event::from_index(index).name();
        span.nested::<1>(field::EVENTS, |event| {
            event.fixed64(field::TIME, unix_nanos);
            event.text(field::NAME, name);
        });
        if (1..=LONGEST).contains(&name.len()) {
            self.remember(index, name);
        }
    }

    fn remember(&mut self, index: u8, name: &str) {
        let unknown = Point {
            bytes: [0; ROOM],
            len: 0,
        };
        let at = usize::from(index);
        if self.0.len() <= at {
            self.0.resize(at + 1, unknown);
        }
        let len = NAME_AT + name.len();
        let mut bytes = [0; ROOM];
        bytes[0] = message(field::EVENTS);
        bytes[1] = (len - 2) as u8;
        bytes[2] = tag(field::TIME, Wire::Fixed64);
        bytes[NAME_AT - 2] = message(field::NAME);
        bytes[NAME_AT - 1] = name.len() as u8;
        bytes[NAME_AT..len].copy_from_slice(name.as_bytes());
        self.0[at] = Point { bytes, len };
    }
}
