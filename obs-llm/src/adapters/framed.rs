//! Frames that a library shows apart, as they stood in the answer.

use crate::wire::Framing;

/// Writes one: libraries show the data of an event without their field's name.
pub(super) fn push(framing: Framing, data: &[u8], to: &mut Vec<u8>) {
    match framing {
        Framing::EventStream => {
            for line in data.split(|byte| *byte == b'\n') {
                to.extend_from_slice(b"data: ");
                to.extend_from_slice(line);
                to.push(b'\n');
            }
            to.push(b'\n');
        }
        Framing::Lines => {
            to.extend_from_slice(data);
            to.push(b'\n');
        }
        _ => to.extend_from_slice(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(framing: Framing, frames: &[&str]) -> String {
        let mut written = Vec::new();
        for frame in frames {
            push(framing, frame.as_bytes(), &mut written);
        }
        String::from_utf8(written).expect("text")
    }

    #[test]
    fn frames_are_events_lines_and_documents_again() {
        let events = written(Framing::EventStream, &["{}", "{\n\"a\":1}", "[DONE]"]);
        let expect = "data: {}\n\ndata: {\ndata: \"a\":1}\n\ndata: [DONE]\n\n";
        assert_eq!(events, expect);
        assert_eq!(written(Framing::Lines, &["{}", "[]"]), "{}\n[]\n");
        assert_eq!(written(Framing::Json, &["{}"]), "{}");
    }
}
