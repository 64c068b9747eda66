//! Whether a request of OpenAI's is to be streamed and says nothing of a report of tokens: then one can be asked for in its name.

use super::{
    json::{Json, Told, Value, Want},
    table::{At, Node},
};

#[derive(Clone, Copy, Debug)]
enum Act {
    Stream,
    Options,
}

static NODES: [Node<Act>; 2] = [
    Node::object(&[
        ("stream", At::act(Act::Stream)),
        ("stream_options", At::either(1, Act::Options)),
    ]),
    Node::object(&[]).items(At::SKIP).opens(Act::Options),
];

#[derive(Debug, Default)]
struct Seen {
    streams: bool,
    has_options: bool,
    malformed: bool,
}

impl Told<Act> for Seen {
    fn wants(&mut self, act: Act) -> Want {
        self.has_options |= matches!(act, Act::Options);
        Want::Nothing
    }

    fn value(&mut self, act: Act, value: Value<'_>) {
        match (act, value) {
            // The last of several counts.
            (Act::Stream, value) => self.streams = value == Value::Bool(true),
            (Act::Options, _) => self.has_options = true,
        }
    }

    fn begins(&mut self, _: Act) {}

    fn piece(&mut self, _: Act, _: &str) {}

    fn malformed(&mut self) {
        self.malformed = true;
    }
}

/// What asks for the report, behind what stands before the end of the object.
pub(crate) const INSERTED: &[u8] = br#","stream_options":{"include_usage":true}"#;

/// Where in this document [`INSERTED`] belongs: before its last bracket. `None` where it does not stream, says something of
/// `stream_options` itself, or is not one whole object.
pub(crate) fn place(document: &[u8]) -> Option<usize> {
    let mut seen = Seen::default();
    let mut json: Json = Json::new();
    json.feed(&NODES, document, &mut seen);
    if !seen.streams || seen.has_options || seen.malformed || !json.is_done() {
        return None;
    }
    let end = document
        .iter()
        .rposition(|byte| !byte.is_ascii_whitespace())?;
    // A stream that was asked for is a key of an object, and one key there is.
    (document[end] == b'}').then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expect: Option<&str>) {
        let inserted = place(document.as_bytes()).map(|at| {
            let (before, after) = document.split_at(at);
            format!("{before}{}{after}", String::from_utf8_lossy(INSERTED))
        });
        assert_eq!(inserted.as_deref(), expect, "{document}");
    }

    #[test]
    fn it_is_asked_for_where_a_stream_says_nothing_of_it() {
        check(
            r#"{"model":"a","stream":true}"#,
            Some(r#"{"model":"a","stream":true,"stream_options":{"include_usage":true}}"#),
        );
        check(
            " {\"stream\" : true , \"x\":{\"stream_options\":1} }\r\n",
            Some(
                " {\"stream\" : true , \"x\":{\"stream_options\":1} ,\"stream_options\":{\"include_usage\":true}}\r\n",
            ),
        );
    }

    #[test]
    fn nothing_else_is_touched() {
        for document in [
            "",
            "{}",
            "[]",
            r#"{"stream":false}"#,
            r#"{"stream":true,"stream":false}"#,
            r#"{"stream":"true"}"#,
            r#"{"stream":true"#,
            r#"{"stream":true}}"#,
            r#"{"stream":true} {}"#,
            r#"[{"stream":true}]"#,
            r#"{"x":{"stream":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"stream_options":{},"stream":true}"#,
            r#"{"stream_options":null,"stream":true}"#,
            r#"{"stream_options":"","stream":true}"#,
            r#"{"stream_options":[],"stream":true}"#,
            r#"{"stream_options":1,"stream":true}"#,
        ] {
            check(document, None);
        }
    }
}
