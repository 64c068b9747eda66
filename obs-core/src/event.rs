//! Event points: the moments of an operation's life that have a name.
//!
//! The predefined ones carry Kitex's names (`pkg/stats/event.go`), with the level each is recorded from; what each
//! means per transport stands in the domain crates. A service adds its own with [`Event::define`].

use crate::fork::Kept;
use crate::level::StatsLevel;
use std::sync::OnceLock;

/// A named moment in an operation. `Copy`, two bytes: its index and the level it is recorded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    index: u8,
    level: StatsLevel,
}

macro_rules! predefined {
    ($($(#[$doc:meta])* $konst:ident = $index:literal, $name:literal, $level:ident;)*) => {
        impl Event {
            $($(#[$doc])* pub const $konst: Event = Event { index: $index, level: StatsLevel::$level };)*
        }
        const PREDEFINED: &[(&str, StatsLevel)] = &[$(($name, StatsLevel::$level)),*];
    };
}

predefined! {
    /// The operation began.
    RPC_START = 0, "rpc_start", Base;
    /// The operation ended.
    RPC_FINISH = 1, "rpc_finish", Base;
    /// The handler is called.
    SERVER_HANDLE_START = 2, "server_handle_start", Detailed;
    /// The handler answered, failed or unwound.
    SERVER_HANDLE_FINISH = 3, "server_handle_finish", Detailed;
    /// A connection is asked for: pooled or dialled.
    CLIENT_CONN_START = 4, "client_conn_start", Detailed;
    /// A connection is there, or could not be had.
    CLIENT_CONN_FINISH = 5, "client_conn_finish", Detailed;
    /// Sending begins.
    WRITE_START = 6, "write_start", Detailed;
    /// The last byte was handed to the transport.
    WRITE_FINISH = 7, "write_finish", Detailed;
    /// Everything is sent; waiting for the first byte of the answer.
    WAIT_READ_START = 8, "wait_read_start", Detailed;
    /// The first byte of the answer is there.
    WAIT_READ_FINISH = 9, "wait_read_finish", Detailed;
    /// Receiving begins.
    READ_START = 10, "read_start", Detailed;
    /// The last byte was received.
    READ_FINISH = 11, "read_finish", Detailed;
    /// Serialising begins.
    ENCODE_START = 12, "encode_start", Detailed;
    /// Serialising is done.
    ENCODE_FINISH = 13, "encode_finish", Detailed;
    /// Parsing begins.
    DECODE_START = 14, "decode_start", Detailed;
    /// Parsing is done.
    DECODE_FINISH = 15, "decode_finish", Detailed;
    /// A stream is open.
    STREAM_START = 16, "stream_start", Detailed;
    /// The peer's header of a stream is there.
    STREAM_RECV_HEADER = 17, "stream_recv_header", Detailed;
    /// The first message of a stream was sent.
    STREAM_SEND = 18, "stream_send", Detailed;
    /// The first message of a stream was received.
    STREAM_RECV = 19, "stream_recv", Detailed;
    /// A stream is over.
    STREAM_FINISH = 20, "stream_finish", Detailed;
    /// The head of the answer is there.
    RESPONSE_HEAD = 21, "response_head", Base;
    /// A name is looked up.
    DNS_START = 22, "dns_start", Detailed;
    /// Its addresses are there, or could not be had.
    DNS_FINISH = 23, "dns_finish", Detailed;
    /// An address is dialled.
    TCP_START = 24, "tcp_start", Detailed;
    /// A connection is there, or could not be had.
    TCP_FINISH = 25, "tcp_finish", Detailed;
    /// The TLS handshake begins.
    TLS_START = 26, "tls_start", Detailed;
    /// It is done, or failed.
    TLS_FINISH = 27, "tls_finish", Detailed;
    /// The first piece of what was asked for is there: of a model, the first chunk with content, or the first token.
    FIRST_OUTPUT = 28, "first_output", Base;
    /// A further piece is there. There are many, so nobody stamps it: it is where stages [by hand](crate::Stage::by_hand) end.
    OUTPUT = 29, "output", Base;
    /// What waited for its turn is worked on.
    SCHEDULED = 30, "scheduled", Base;
}

/// User-defined events begin here; below is room for predefined ones to come.
pub(crate) const FIRST_USER_EVENT: u8 = 32;
/// One bit per event in an operation's mask.
const EVENTS: u8 = 64;

fn user_events() -> &'static Kept<Vec<(&'static str, StatsLevel)>> {
    static EVENTS: OnceLock<Kept<Vec<(&'static str, StatsLevel)>>> = OnceLock::new();
    EVENTS.get_or_init(Default::default)
}

impl Event {
    /// Defines an event of the service's own. The same name again gives the same event, at its first level.
    ///
    /// It is an event of the span wherever it was stamped: at its level and above. The predefined ones are events of the span
    /// at Detailed only; those of Base are there for the stages.
    ///
    /// # Errors
    /// When the process has defined 32 events already: each is one bit in every record.
    pub fn define(name: &'static str, level: StatsLevel) -> Result<Self, crate::Error> {
        if let Some(index) = PREDEFINED.iter().position(|(known, _)| *known == name) {
            return Ok(Self::from_index(index as u8));
        }
        let mut events = user_events().write();
        if let Some(index) = events.iter().position(|(known, _)| *known == name) {
            return Ok(Self {
                index: FIRST_USER_EVENT + index as u8,
                level: events[index].1,
            });
        }
        if events.len() >= usize::from(EVENTS - FIRST_USER_EVENT) {
            return Err(crate::Error::configuration(format!(
                "event `{name}` is one too many: 32 can be defined"
            )));
        }
        events.push((name, level));
        Ok(Self {
            index: FIRST_USER_EVENT + (events.len() - 1) as u8,
            level,
        })
    }

    /// The name it is exported under.
    pub fn name(self) -> &'static str {
        Self::definition(self.index).0
    }

    /// The level from which it is recorded.
    #[inline(always)]
    pub const fn level(self) -> StatsLevel {
        self.level
    }

    fn definition(index: u8) -> (&'static str, StatsLevel) {
        if let Some(predefined) = PREDEFINED.get(usize::from(index)) {
            return *predefined;
        }
        let events = user_events().read();
        let user = usize::from(index.saturating_sub(FIRST_USER_EVENT));
        events
            .get(user)
            .copied()
            .unwrap_or(("unknown", StatsLevel::Detailed))
    }

    #[inline(always)]
    pub(crate) fn bit(self) -> u64 {
        1 << (self.index & (EVENTS - 1))
    }

    #[inline(always)]
    pub(crate) fn index(self) -> u8 {
        self.index
    }

    pub(crate) fn from_index(index: u8) -> Self {
        Self {
            index,
            level: Self::definition(index).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_event_keeps_its_name_and_level() {
        let event = Event::define("cache_looked_up", StatsLevel::Base).unwrap();
        assert_eq!(
            (event.name(), event.level()),
            ("cache_looked_up", StatsLevel::Base)
        );
        assert_eq!(
            Event::define("cache_looked_up", StatsLevel::Detailed).unwrap(),
            event
        );
        assert_eq!(event.level(), StatsLevel::Base);
    }

    #[test]
    fn a_predefined_name_is_the_predefined_event() {
        assert_eq!(
            Event::define("write_start", StatsLevel::Base).unwrap(),
            Event::WRITE_START
        );
        assert_eq!(Event::WRITE_START.level(), StatsLevel::Detailed);
    }
}
