//! An exchange as the conventions have it, within its caps: the newest is told first, and what is older as far as there is
//! room.

use super::json;
use super::message::{Exchange, Media, MediaPlace, Message, Part};
use obs_core::Body;
use std::borrow::Cow;

/// What is told at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) text: usize,
    pub(crate) message: usize,
    pub(crate) call: usize,
}

/// What is told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) system: Vec<Body>,
    pub(crate) input: Vec<Body>,
    pub(crate) output: Vec<Body>,
    pub(crate) tools: Vec<Body>,
    /// Bytes of texts that are not.
    pub(crate) cut: usize,
}

/// What the shape of a part costs beside its texts.
const SHAPE: usize = 48;

pub(crate) fn tell(exchange: Exchange, caps: Caps) -> Told {
    let mut room = Room {
        caps,
        call: caps.call,
        cut: 0,
    };
    let output = exchange.output.into_iter().map(message).collect();
    let output = room.list(output);
    let system = room.list(exchange.system.into_iter().map(part).collect());
    let input = room.list(exchange.input.into_iter().map(message).collect());
    let tools = room.list(exchange.tools);
    Told {
        system,
        input,
        output,
        tools,
        cut: room.cut,
    }
}

fn message(message: Message) -> Body {
    let parts = message.parts.into_iter().map(part).collect();
    let mut map = vec![
        ("role".to_owned(), Body::Text(message.role)),
        ("parts".to_owned(), Body::List(parts)),
    ];
    if let Some(reason) = message.finish_reason {
        map.push(("finish_reason".to_owned(), Body::Text(reason)));
    }
    Body::Map(map)
}

/// A part in the conventions' shape.
pub(super) fn part(part: Part) -> Body {
    let pairs: Vec<(&str, Body)> = match part {
        Part::Text(text) => typed("text", [("content", Body::Text(text))]),
        Part::Reasoning(text) => typed("reasoning", [("content", Body::Text(text))]),
        Part::ToolCall {
            id,
            name,
            arguments,
        } => typed(
            "tool_call",
            [
                ("id", optional(id)),
                ("name", Body::Text(name)),
                ("arguments", arguments),
            ],
        ),
        Part::ToolCallResponse { id, response } => typed(
            "tool_call_response",
            [("id", optional(id)), ("response", response)],
        ),
        Part::Media(media) => of_media(media),
        Part::Other(kind) => vec![("type", Body::Text(kind))],
    };
    let told = pairs.into_iter().filter(|(_, value)| *value != Body::Empty);
    Body::Map(told.map(|(key, value)| (key.to_owned(), value)).collect())
}

fn typed<const N: usize>(
    kind: &str,
    pairs: [(&'static str, Body); N],
) -> Vec<(&'static str, Body)> {
    let mut all = vec![("type", Body::Text(kind.to_owned()))];
    all.extend(pairs);
    all
}

fn optional(text: Option<String>) -> Body {
    text.map_or(Body::Empty, Body::Text)
}

/// The conventions' `blob` has its bytes in `content`: it is empty, and beside it stands what tells them.
fn of_media(media: Media) -> Vec<(&'static str, Body)> {
    let modality = Body::Text(media.modality.to_owned());
    let shared = [
        ("modality", modality),
        ("mime_type", optional(media.mime_type)),
    ];
    let (kind, rest) = match media.place {
        MediaPlace::Inline => ("blob", vec![("content", Body::Text(String::new()))]),
        MediaPlace::Hashed { bytes, sha256 } => {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            let rest = vec![
                ("content", Body::Text(String::new())),
                ("bytes", Body::I64(bytes)),
                ("sha256", Body::Text(sha256)),
            ];
            ("blob", rest)
        }
        MediaPlace::Uri(uri) => ("uri", vec![("uri", Body::Text(uri))]),
        MediaPlace::File(id) => ("file", vec![("file_id", Body::Text(id))]),
    };
    let mut all = typed(kind, shared);
    all.extend(rest);
    all
}

/// What is left of the caps.
struct Room {
    caps: Caps,
    call: usize,
    cut: usize,
}

impl Room {
    /// The last of them that there is room for, in their order.
    fn list(&mut self, items: Vec<Body>) -> Vec<Body> {
        let mut told = Vec::new();
        for mut item in items.into_iter().rev() {
            if self.call < SHAPE {
                self.cut += texts(&item);
                continue;
            }
            let mut message = self.caps.message;
            self.fit(&mut item, &mut message);
            told.push(item);
        }
        told.reverse();
        told
    }

    fn fit(&mut self, of: &mut Body, message: &mut usize) {
        match of {
            Body::Text(text) => self.fit_text(text, message),
            Body::List(list) => list.iter_mut().for_each(|item| self.fit(item, message)),
            Body::Map(map) => {
                self.call = self.call.saturating_sub(SHAPE);
                // Names in maps of the user's are theirs.
                for (key, item) in map {
                    self.fit_text(key, message);
                    self.fit(item, message);
                }
            }
            _ => self.call = self.call.saturating_sub(8),
        }
    }

    fn fit_text(&mut self, text: &mut String, message: &mut usize) {
        /// Words of the format are whole: what tells a part must not be cut.
        const WORD: usize = 24;
        let most = self.caps.text.min(*message).min(self.call).max(WORD);
        let missing = cut_to(text, most);
        self.cut += missing;
        *message = message.saturating_sub(text.len());
        self.call = self.call.saturating_sub(text.len());
    }
}

/// Cuts a text to so many bytes, beside the mark of how many are missing. Says how many more are now.
fn cut_to(text: &mut String, most: usize) -> usize {
    let (before, missing) = before_mark(text);
    if before.len() <= most {
        return 0;
    }
    let mut end = most;
    while !before.is_char_boundary(end) {
        end -= 1;
    }
    let more = before.len() - end;
    text.truncate(end);
    text.push_str(&mark(missing + more));
    more
}

/// The mark that texts of this suite bear that were cut.
pub(super) fn mark(missing: usize) -> String {
    format!("…[+{missing} bytes]")
}

fn before_mark(text: &str) -> (&str, usize) {
    let marked = { text.strip_suffix(" bytes]") }.and_then(|text| text.rsplit_once("…[+"));
    match marked.and_then(|(text, missing)| Some((text, missing.parse().ok()?))) {
        Some(marked) => marked,
        None => (text, 0),
    }
}

/// How many bytes of texts it has.
pub(super) fn texts(of: &Body) -> usize {
    match of {
        Body::Text(text) => before_mark(text).0.len(),
        Body::List(list) => list.iter().map(texts).sum(),
        Body::Map(map) => map.iter().map(|(_, item)| texts(item)).sum(),
        _ => 0,
    }
}

/// A value that is no message, within the caps of one. Says how many bytes of its texts are not in it.
pub(super) fn fit(of: &mut Body, caps: Caps) -> usize {
    let mut room = Room {
        caps,
        call: caps.call,
        cut: 0,
    };
    let mut message = caps.message;
    room.fit(of, &mut message);
    room.cut
}

/// A value as text of at most so many bytes: a text as it is, all else as JSON, valid whatever there was to cut. Of a list the last
/// items go first. `None` if there is no room for anything of it.
pub(super) fn value(of: &Body, limit: usize) -> Option<(String, usize)> {
    if let Body::Text(text) = of {
        let mut text = text.clone();
        // The mark is of the attribute, too.
        let most = limit.saturating_sub(MARK);
        let cut = match text.len() > limit {
            true => cut_to(&mut text, most),
            false => 0,
        };
        return (text.len() <= limit).then_some((text, cut));
    }
    let mut of = Cow::Borrowed(of);
    let (mut cut, mut most) = (0, limit);
    loop {
        let mut written = String::new();
        json::write(&of, &mut written);
        if written.len() <= limit {
            return Some((written, cut));
        }
        if let Body::List(items) = of.to_mut()
            && items.len() > 1
        {
            // As many of them as have room by what they take on the whole.
            let fair = items.len() * limit / written.len();
            let gone = items.split_off(fair.clamp(1, items.len() - 1));
            cut += gone.iter().map(texts).sum::<usize>();
            continue;
        }
        most /= 2;
        if most < 8 {
            return None;
        }
        cut += cut_all(of.to_mut(), most);
    }
}

/// As much as the mark of a text that was cut takes, for any length of one.
const MARK: usize = 32;

/// As JSON of at most so many bytes, valid whatever there was to cut: the last items that fit, of which the very last is cut
/// until it does. `None` if not even that does, or there is nothing.
pub(crate) fn json(items: &[Body], limit: usize) -> Option<(Cow<'static, str>, usize)> {
    let (last, older) = items.split_last()?;
    let mut last = Cow::Borrowed(last);
    let mut cut = 0;
    let mut most = limit;
    let mut written = loop {
        let mut written = String::new();
        json::write(&last, &mut written);
        if written.len() + 2 <= limit {
            break written;
        }
        most /= 2;
        if most < 8 {
            return None;
        }
        cut += cut_all(last.to_mut(), most);
    };
    let mut told = vec![std::mem::take(&mut written)];
    let mut left = limit - told[0].len() - 2;
    for (at, item) in older.iter().enumerate().rev() {
        json::write(item, &mut written);
        if written.len() + 1 > left {
            cut += older[..=at].iter().map(texts).sum::<usize>();
            break;
        }
        left -= written.len() + 1;
        told.push(std::mem::take(&mut written));
    }
    told.reverse();
    Some((format!("[{}]", told.join(",")).into(), cut))
}

fn cut_all(of: &mut Body, most: usize) -> usize {
    match of {
        Body::Text(text) => cut_to(text, most.max(24)),
        Body::List(list) => list.iter_mut().map(|item| cut_all(item, most)).sum(),
        Body::Map(map) => map.iter_mut().map(|(_, item)| cut_all(item, most)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_all_that_is_missing() {
        let mut text = "é".repeat(20);
        assert_eq!(cut_to(&mut text, 31), 10);
        assert_eq!(text, format!("{}…[+10 bytes]", "é".repeat(15)));
        assert_eq!(cut_to(&mut text, 30), 0, "the mark is not of the text");
        assert_eq!(cut_to(&mut text, 2), 28);
        assert_eq!(text, "é…[+38 bytes]");
    }

    #[test]
    fn a_value_fits_and_stays_what_it_is() {
        let item = |text: &str| Body::Map(vec![("id".to_owned(), Body::Text(text.to_owned()))]);
        let list = Body::List((0..50).map(|n| item(&"\"é".repeat(n + 1))).collect());
        let map = Body::Map(vec![
            ("a".to_owned(), list.clone()),
            ("b".to_owned(), item("x")),
        ]);
        for limit in (40..6000).step_by(61) {
            for of in [&list, &map] {
                let Some((json, cut)) = value(of, limit) else {
                    assert!(limit < 4000, "{limit}");
                    continue;
                };
                assert!(json.len() <= limit, "{limit}");
                let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
                assert_eq!(told.is_array(), matches!(of, Body::List(_)));
                let mut whole = String::new();
                json::write(of, &mut whole);
                assert_eq!(cut == 0, json == whole, "{limit}");
            }
        }
        let text = Body::Text("é".repeat(100));
        let (told, cut) = value(&text, 100).expect("room");
        assert!(
            told.len() <= 100 && told.ends_with(&format!("…[+{cut} bytes]")),
            "{told}"
        );
        assert_eq!(value(&text, 200), Some(("é".repeat(100), 0)));
        assert_eq!(value(&text, 10), None);
    }

    #[test]
    fn json_fits_and_is_json() {
        let item = |text: &str| part(Part::Text(text.to_owned()));
        let items = [item("old"), item(&"\"\n\u{1}é".repeat(200)), item("new")];
        for limit in 60..2500 {
            let Some((json, _)) = json(&items, limit) else {
                panic!("{limit}");
            };
            assert!(json.len() <= limit, "{limit}");
            let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            let told = told.as_array().expect("a list");
            assert_eq!(
                told.last().map(|last| &last["content"]),
                Some(&"new".into())
            );
        }
        assert!(json(&items, 8).is_none());
        assert!(json(&[], 100).is_none());
    }
}
