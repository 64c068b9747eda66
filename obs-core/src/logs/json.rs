//! One event as one line of JSON.

use super::escape::Escaped;
use super::fields::{Fields, MESSAGE, Name, Value, sources};
use super::limits::Limits;
use super::time::push_rfc3339;
use crate::ambient::Ambient;
use crate::log_event::Severity;
use crate::semconv::obs;
use std::fmt::Write;

/// Room that is kept at the end of a line for what closes it: marks of what was cut, brackets.
const CLOSING: usize = 384;

/// A line being written.
#[derive(Debug)]
pub(super) struct Line<'a> {
    out: &'a mut String,
    limits: &'a Limits,
    /// Whether a comma is due.
    comma: bool,
    /// How many fields there are, and how many had no room.
    fields: usize,
    cut: u64,
    pub(super) panics: u64,
}

impl<'a> Line<'a> {
    pub(super) fn begin(out: &'a mut String, limits: &'a Limits) -> Self {
        out.clear();
        out.push('{');
        Self {
            out,
            limits,
            comma: false,
            fields: 0,
            cut: 0,
            panics: 0,
        }
    }

    pub(super) fn head(&mut self, unix_nanos: u64, severity: Severity, target: &str) {
        self.out.push_str("\"timestamp\":\"");
        push_rfc3339(self.out, unix_nanos);
        self.out.push_str("\",\"level\":\"");
        self.out.push_str(severity.text());
        self.out.push('"');
        self.comma = true;
        self.text("target", target, ID);
    }

    pub(super) fn ids(&mut self, ambient: &Ambient) {
        let ids = &ambient.ids;
        self.out.push_str(",\"trace_id\":\"");
        push_hex(self.out, &ids.trace_id.to_bytes());
        self.out.push_str("\",\"span_id\":\"");
        push_hex(self.out, &ids.span_id.to_bytes());
        self.out.push_str("\",\"trace_flags\":\"");
        push_hex(self.out, &[ids.flags.to_u8()]);
        self.out.push('"');
        let Some(of) = &ambient.session else { return };
        for (key, id) in of.ids() {
            if let Some(id) = id {
                self.text(key.as_str(), id, ID);
            }
        }
    }

    /// A member of the line itself.
    pub(super) fn text(&mut self, key: &str, text: &str, most: usize) {
        self.key(key);
        self.out.push('"');
        let end = self.end();
        let mut value = Escaped::new(self.out, most, end);
        let _ = value.write_str(text);
        value.finish();
        self.out.push('"');
    }

    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        let _ = write!(self.out, "{number}");
    }

    /// An object in the line, of the fields that `fill` writes; nothing where there are none.
    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        let comma = self.comma;
        self.key(key);
        self.out.push('{');
        self.comma = false;
        fill(self);
        if self.comma {
            self.out.push('}');
        } else {
            self.out.truncate(start);
        }
        self.comma |= comma;
    }

    /// The spans around the event, each written by [`span`](Self::span); nothing where there are none.
    pub(super) fn spans(&mut self, fill: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        self.key("spans");
        self.out.push('[');
        self.comma = false;
        fill(self);
        if self.comma {
            self.out.push(']');
        } else {
            self.out.truncate(start);
        }
        self.comma = true;
    }

    pub(super) fn span(&mut self, name: &str, fields: &[Kept]) {
        if self.out.len() + name.len().min(ID) + 32 > self.end() {
            self.cut += fields.len().max(1) as u64;
            return;
        }
        if self.comma {
            self.out.push(',');
        }
        self.out.push('{');
        self.comma = false;
        self.text("name", name, ID);
        self.object("fields", |line| {
            for (key, value) in fields {
                line.field(Name::Static(key), value.borrowed());
            }
        });
        self.out.push('}');
        self.comma = true;
    }

    /// Ends it.
    pub(super) fn end_line(&mut self) {
        if self.cut > 0 {
            self.number(obs::LOG_CUT_FIELDS.as_str(), self.cut);
        }
        self.out.push_str("}\n");
    }

    fn key(&mut self, key: &str) {
        if self.comma {
            self.out.push(',');
        }
        self.comma = true;
        self.out.push('"');
        let mut escaped = Escaped::new(self.out, ID, usize::MAX);
        let _ = escaped.write_str(key);
        escaped.finish();
        self.out.push_str("\":");
    }

    /// Where fields end, at the latest.
    fn end(&self) -> usize {
        self.limits.line.saturating_sub(CLOSING)
    }

    fn formatted(&mut self, value: Value<'_>) {
        self.out.push('"');
        let end = self.end();
        let most = if value.is_cut() {
            usize::MAX
        } else {
            self.limits.value
        };
        let mut text = Escaped::new(self.out, most, end);
        let written = value.write_text(&mut text);
        text.finish();
        self.out.push_str(written.mark());
        self.panics += u64::from(written.is_panic());
        self.out.push('"');
    }

    fn value(&mut self, value: Value<'_>) {
        // Into a `String`, which takes everything.
        let _ = match value {
            Value::Bool(value) => write!(self.out, "{value}"),
            Value::I64(value) => write!(self.out, "{value}"),
            Value::U64(value) => write!(self.out, "{value}"),
            // As text with an exponent where it is long; JSON has no other numbers.
            Value::F64(value) if value.is_finite() => write!(self.out, "{value:?}"),
            _ => {
                self.formatted(value);
                Ok(())
            }
        };
    }

    fn sources(&mut self, name: Name<'_>, error: &(dyn std::error::Error + 'static)) {
        let mut any = false;
        for source in sources(error) {
            if self.out.len() + ID + CLOSING > self.limits.line {
                self.cut += 1;
                continue;
            }
            if any {
                self.out.push(',');
            } else {
                self.out.push_str(",\"");
                let mut key = Escaped::new(self.out, ID, usize::MAX);
                let _ = key.write_str(name.as_str());
                key.finish();
                self.out.push_str(".sources\":[");
                any = true;
            }
            self.formatted(Value::Error(source));
        }
        if any {
            self.out.push(']');
        }
    }
}

/// Names, targets and ids: bytes of each, at most.
const ID: usize = 256;

impl Fields for Line<'_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        let room = name.as_str().len().min(ID) + 32;
        if self.fields >= self.limits.fields || self.out.len() + room > self.end() {
            self.cut += 1;
            return;
        }
        self.fields += 1;
        self.key(name.as_str());
        self.value(value);
        if let Value::Error(error) = value {
            self.sources(name, error);
        }
    }
}

/// Takes the message, and only that.
#[derive(Debug)]
pub(super) struct Message<'l, 'a> {
    pub(super) line: &'l mut Line<'a>,
    pub(super) found: bool,
}

impl Fields for Message<'_, '_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        if name.as_str() == MESSAGE && !self.found {
            self.found = true;
            self.line.key(MESSAGE);
            self.line.formatted(value);
        }
    }
}

/// Takes everything but the message.
#[derive(Debug)]
pub(super) struct Rest<'l, 'a> {
    pub(super) line: &'l mut Line<'a>,
    /// Whether the message went by: a pair that `log` was given may have its name, too.
    pub(super) found: bool,
}

impl Fields for Rest<'_, '_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        if name.as_str() == MESSAGE && !self.found {
            self.found = true;
        } else {
            self.line.field(name, value);
        }
    }
}

/// A field of a span, kept until it closes.
pub(super) type Kept = (&'static str, KeptValue);

#[derive(Clone, Debug)]
pub(super) enum KeptValue {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(Box<str>),
}

impl KeptValue {
    pub(super) fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::I64(value) => Value::I64(*value),
            Self::U64(value) => Value::U64(*value),
            Self::F64(value) => Value::F64(*value),
            Self::Text(text) => Value::Kept(text),
        }
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
}
