//! How large an event may become.

/// Bounds of one event, in lines and in log records alike. What does not fit is cut, and what was cut is said: in the place
/// of the text `…[+n bytes]`, for whole fields `obs.log.cut_fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of text in one value, and in the message: 8 KiB.
    pub value: usize,
    /// Fields of one event: 128.
    pub fields: usize,
    /// Bytes of one line: 64 KiB, and never under 4 KiB.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            value: 8 << 10,
            fields: 128,
            line: 64 << 10,
        }
    }
}

impl Limits {
    /// With another bound on the bytes of a value.
    pub fn with_value(mut self, bytes: usize) -> Self {
        self.value = bytes;
        self
    }

    /// With another number of fields.
    pub fn with_fields(mut self, count: usize) -> Self {
        self.fields = count;
        self
    }

    /// With another bound on the bytes of a line, which has to hold ids, names and marks: 4 KiB at least.
    pub fn with_line(mut self, bytes: usize) -> Self {
        self.line = bytes.max(4 << 10);
        self
    }
}
