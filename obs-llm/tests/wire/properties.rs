//! What holds of any bytes: however an answer is cut, it tells the same, and its texts are the same put together. The fuzz
//! targets take this file in.

use obs_llm::{
    Tokens, Usage,
    wire::{Content, Framing, Malformed, ResponseScanner, ResponseSink, ServerPart, Wire},
};

/// What was told, a line each; pieces of text apart, put together.
#[derive(Debug, Default, PartialEq, Clone)]
pub(crate) struct Log {
    pub(crate) lines: Vec<String>,
    pub(crate) texts: Vec<(Content, u32, String)>,
}

impl Log {
    pub(crate) fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The text of one kind and choice.
    #[allow(dead_code, reason = "the fuzz targets compare whole logs")]
    pub(crate) fn said(&self, content: Content, choice: u32) -> String {
        let of_it = |(kind, of, _): &&(Content, u32, String)| (*kind, *of) == (content, choice);
        let texts = self.texts.iter().filter(of_it);
        texts.map(|(_, _, text)| text.as_str()).collect()
    }
}

impl ResponseSink for Log {
    fn response_id(&mut self, id: &str) {
        self.line(format!("id {id}"));
    }
    fn response_model(&mut self, model: &str) {
        self.line(format!("model {model}"));
    }
    fn content(&mut self, content: Content) {
        self.line(format!("content {content:?}"));
    }
    fn finish_reason(&mut self, choice: u32, reason: &str) {
        self.line(format!("finish {choice} {reason}"));
    }
    fn usage(&mut self, usage: &Usage) {
        let told = Tokens::ALL.into_iter();
        let told = told.filter_map(|tokens| Some(format!(" {tokens:?}={}", usage.get(tokens)?)));
        self.line(format!("usage{}", told.collect::<String>()));
    }
    fn service_tier(&mut self, tier: &str) {
        self.line(format!("tier {tier}"));
    }
    fn system_fingerprint(&mut self, fingerprint: &str) {
        self.line(format!("fingerprint {fingerprint}"));
    }
    fn status(&mut self, status: &str) {
        self.line(format!("status {status}"));
    }
    fn error(&mut self, code: &str) {
        self.line(format!("error {code}"));
    }
    fn server_time(&mut self, part: ServerPart, nanos: u64) {
        self.line(format!("time {part:?} {nanos}"));
    }
    fn complete(&mut self) {
        self.line("complete".to_owned());
    }
    fn malformed(&mut self, what: Malformed) {
        self.line(format!("malformed {what:?}"));
    }
    fn text(&mut self, content: Content, choice: u32, piece: &str) {
        assert!(!piece.is_empty(), "a piece of nothing");
        match self.texts.last_mut() {
            Some((kind, of, text)) if (*kind, *of) == (content, choice) => text.push_str(piece),
            _ => self.texts.push((content, choice, piece.to_owned())),
        }
    }
    fn text_was(&mut self, content: Content, choice: u32, bytes: usize) {
        let Some((kind, of, mut text)) = self.texts.pop() else {
            panic!("no text was told");
        };
        assert_eq!((kind, of), (Content::Text, choice));
        let piece = text.split_off(text.len() - bytes);
        if !text.is_empty() {
            self.texts.push((kind, of, text));
        }
        self.text(content, choice, &piece);
    }
}

/// What is told of an answer that comes in these pieces.
pub(crate) fn read<'a>(
    wire: Wire,
    framing: Framing,
    with_texts: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Log {
    let mut scanner = ResponseScanner::new(wire, framing);
    if with_texts {
        scanner = scanner.with_texts();
    }
    let mut log = Log::default();
    for piece in pieces {
        scanner.feed(piece, &mut log);
    }
    scanner.end(&mut log);
    log
}

/// That is cut behind each of these places, which wrap around.
pub(crate) fn cut<'a>(bytes: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() || lengths.iter().all(|length| *length == 0) {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(usize::from(*length)));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// Checks one answer: in one piece, byte by byte, and cut so.
pub(crate) fn check(
    read: impl Fn(Wire, Framing, bool, &[&[u8]]) -> Log,
    wire: Wire,
    framing: Framing,
    bytes: &[u8],
    lengths: &[u8],
) {
    let whole = read(wire, framing, true, &[bytes]);
    for lengths in [&[1][..], lengths] {
        let pieces = cut(bytes, lengths);
        let log = read(wire, framing, true, &pieces);
        assert_eq!(log, whole, "{framing:?}, cut by {lengths:?}");
    }
    // Who wants no texts is told the same but for them.
    let without = read(wire, framing, false, &[bytes]);
    assert_eq!(without.lines, whole.lines, "{framing:?}, without texts");
    assert!(without.texts.is_empty());
}
