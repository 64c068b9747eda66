//! gRPC's statuses: what each means to the side that sees it.

use crate::descriptor::STATUSES;
use obs_core::{ErrorType, LabelId, Outcome};

/// A status code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(u8);

impl Code {
    /// It did what it was asked.
    pub const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// Its number, from 0 to 16.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its name in gRPC's specification: `DEADLINE_EXCEEDED`.
    pub fn name(self) -> &'static str {
        STATUSES[usize::from(self.0)]
    }

    /// That of a number. Unknown ones are UNKNOWN, as gRPC says.
    pub(crate) const fn of(number: i64) -> Self {
        match number {
            0..=16 => Self(number as u8),
            _ => Self::UNKNOWN,
        }
    }

    /// What the value of `grpc-status` says.
    pub(crate) fn parse(value: &[u8]) -> Self {
        match value {
            [one @ b'0'..=b'9'] => Self(one - b'0'),
            [b'1', one @ b'0'..=b'6'] => Self(10 + one - b'0'),
            _ => Self::UNKNOWN,
        }
    }

    pub(crate) const fn label(self) -> LabelId {
        LabelId::closed(self.0 as u16)
    }

    /// Its name as `error.type`.
    pub(crate) const fn error(self) -> ErrorType {
        ErrorType::own(self.0 as u16)
    }
}

/// Decides which statuses are errors. Implemented by the service's author where the conventions' rule is not meant; where
/// it panics, that rule stands.
pub trait Classify: Send + Sync + 'static {
    /// Whether a call that ended with this status is an error to this side.
    fn is_error(&self, code: Code) -> bool;
}

impl<F: Fn(Code) -> bool + Send + Sync + 'static> Classify for F {
    fn is_error(&self, code: Code) -> bool {
        self(code)
    }
}

/// The conventions' rule for those who ask: everything but OK.
pub(crate) const fn is_error_to_client(code: Code) -> bool {
    code.0 != 0
}

/// The conventions' rule for those who answer: what is the service's fault.
pub(crate) const fn is_error_to_server(code: Code) -> bool {
    // UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
    const ERRORS: u32 = 1 << 2 | 1 << 4 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15;
    ERRORS & 1 << code.0 != 0
}

pub(crate) const fn outcome(code: Code, is_error: bool) -> Outcome {
    if is_error {
        Outcome::failed(code.error())
    } else {
        Outcome::ANSWERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_tonic_reads_it() {
        for number in 0..=16 {
            let text = number.to_string();
            assert_eq!(Code::parse(text.as_bytes()), Code::of(number));
        }
        for text in ["", "17", "-1", "00", "1 ", "x", "100"] {
            assert_eq!(Code::parse(text.as_bytes()), Code::UNKNOWN, "{text:?}");
        }
    }

    #[test]
    fn names_are_those_of_grpc() {
        assert_eq!(Code::DEADLINE_EXCEEDED.name(), "DEADLINE_EXCEEDED");
        assert_eq!(Code::UNAUTHENTICATED.name(), "UNAUTHENTICATED");
        assert_eq!(Code::UNAUTHENTICATED.number(), 16);
    }

    #[test]
    fn servers_answer_for_six_statuses_and_clients_see_sixteen() {
        let all = (0..=16).map(Code::of);
        let servers: Vec<_> = all
            .clone()
            .filter(|code| is_error_to_server(*code))
            .collect();
        let names: Vec<_> = servers.iter().map(|code| code.name()).collect();
        assert_eq!(
            names,
            [
                "UNKNOWN",
                "DEADLINE_EXCEEDED",
                "UNIMPLEMENTED",
                "INTERNAL",
                "UNAVAILABLE",
                "DATA_LOSS"
            ]
        );
        assert_eq!(all.filter(|code| is_error_to_client(*code)).count(), 16);
    }
}
