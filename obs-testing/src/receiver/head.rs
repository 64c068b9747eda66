//! The head of a request: read with a bound, parsed by `httparse`, judged for how its body is framed.

use std::io::{self, BufRead, Read};

/// Heads beyond this are refused with status 431.
const LARGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 128;

/// Why a request goes no further.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nothing can be answered: the connection is gone.
    Gone,
    /// Answer this status with these words, and close.
    Status(u16, String),
}

impl Refusal {
    pub(super) fn malformed(why: impl Into<String>) -> Self {
        Self::Status(400, why.into())
    }
}

/// A failing read on a connection cannot be answered; bytes that end too early can (the sender may have shut its side).
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::malformed("the request ends too early"),
            _ => Self::Gone,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
}

/// How the body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The next head; `None` if the connection ends before another begins.
pub(super) fn read(reader: &mut impl BufRead) -> Result<Option<Head>, Refusal> {
    let mut bytes = Vec::new();
    loop {
        let begin = bytes.len();
        let room = LARGEST_HEAD.saturating_sub(begin) as u64;
        reader.take(room).read_until(b'\n', &mut bytes)?;
        let line = &bytes[begin..];
        if !line.ends_with(b"\n") {
            return match (bytes.len(), room) {
                (0, _) => Ok(None),
                (LARGEST_HEAD.., _) => Err(Refusal::Status(431, "the head is too large".into())),
                _ => Err(Refusal::malformed("the request ends within its head")),
            };
        }
        if line == b"\r\n" || line == b"\n" {
            if begin > 0 {
                return parse(&bytes).map(Some);
            }
            // Empty lines before a request are to be ignored (RFC 9112, 2.2).
            bytes.clear();
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::malformed("the head is incomplete")),
        Err(error) => return Err(Refusal::malformed(error.to_string())),
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|field| (field.name.to_ascii_lowercase(), text(field.value)))
        .collect();
    let target = request.path.unwrap_or_default();
    let http_1_1 = request.version == Some(1);
    let closes = tokens(&headers, "connection").any(|token| token == "close");
    let keeps = tokens(&headers, "connection").any(|token| token == "keep-alive");
    let expects_continue = tokens(&headers, "expect").any(|token| token == "100-continue");
    let framing = framing(&headers)?;
    Ok(Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        framing,
        keep_alive: !closes && (http_1_1 || keeps),
        expects_continue,
        headers,
    })
}

/// Comma-separated members of all headers of that name, in lower case.
fn tokens<'a>(headers: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = String> + 'a {
    let values = headers
        .iter()
        .filter(move |(known, _)| known == name)
        .map(|(_, value)| value);
    values
        .flat_map(|value| value.split(','))
        .map(|token| token.trim().to_ascii_lowercase())
}

/// RFC 9112, 6.3: where two readers could disagree about the end of a body, there is no guessing.
fn framing(headers: &[(String, String)]) -> Result<Framing, Refusal> {
    let codings: Vec<_> = tokens(headers, "transfer-encoding").collect();
    let lengths: Vec<_> = tokens(headers, "content-length").collect();
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [length, others @ ..]) => {
            if others.iter().any(|other| other != length)
                || !length.bytes().all(|byte| byte.is_ascii_digit())
            {
                return Err(Refusal::malformed("content-length is no single number"));
            }
            length
                .parse()
                .map(Framing::Length)
                .map_err(|_| Refusal::malformed("content-length is no number"))
        }
        ([coding], []) if coding == "chunked" => Ok(Framing::Chunked),
        (_, []) => Err(Refusal::Status(
            501,
            "only the transfer coding chunked is known".into(),
        )),
        (_, _) => Err(Refusal::malformed(
            "both transfer-encoding and content-length",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, Refusal> {
        read(&mut text.as_bytes())
    }

    #[track_caller]
    fn check_framing(fields: &str, expected: Framing) {
        let head = head(&format!("POST /v1/traces HTTP/1.1\r\n{fields}\r\n"))
            .unwrap()
            .unwrap();
        assert_eq!(head.framing, expected);
    }

    #[track_caller]
    fn check_refused(text: &str, expected: u16) {
        match head(text) {
            Err(Refusal::Status(status, _)) => assert_eq!(status, expected),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn framing_is_never_guessed() {
        check_framing("", Framing::Length(0));
        check_framing("Content-Length: 12\r\n", Framing::Length(12));
        check_framing("content-length: 12, 12\r\n", Framing::Length(12));
        check_framing("Transfer-Encoding: Chunked\r\n", Framing::Chunked);
        for fields in [
            "content-length: 12\r\ncontent-length: 13\r\n",
            "content-length: +12\r\n",
            "content-length: -1\r\n",
            "content-length: \r\n",
            "content-length: 99999999999999999999\r\n",
            "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        ] {
            check_refused(&format!("POST / HTTP/1.1\r\n{fields}\r\n"), 400);
        }
        check_refused(
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            501,
        );
    }

    #[test]
    fn heads_have_a_largest_size() {
        check_refused(
            &format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(LARGEST_HEAD)),
            431,
        );
        check_refused(&"a".repeat(LARGEST_HEAD + 1), 431);
        check_refused(
            &format!(
                "POST / HTTP/1.1\r\n{}\r\n",
                "x: 1\r\n".repeat(MOST_HEADERS + 1)
            ),
            400,
        );
    }

    #[test]
    fn the_end_of_a_connection_is_told_from_the_end_of_a_head() {
        assert!(matches!(head(""), Ok(None)));
        assert!(matches!(head("\r\n\r\n"), Ok(None)));
        check_refused("POST / HT", 400);
        check_refused("POST / HTTP/1.1\r\nhost: a\r\n", 400);
        check_refused("nonsense\r\n\r\n", 400);
    }

    #[test]
    fn connections_are_kept_as_the_version_says() {
        #[track_caller]
        fn check(version: &str, fields: &str, kept: bool) {
            let head = head(&format!("\r\nPOST /a?b=c HTTP/{version}\r\n{fields}\r\n"))
                .unwrap()
                .unwrap();
            assert_eq!(head.keep_alive, kept);
            assert_eq!(head.path, "/a");
        }
        check("1.1", "", true);
        check("1.1", "Connection: Close\r\n", false);
        check("1.1", "connection: x\r\nconnection: a, close\r\n", false);
        check("1.0", "", false);
        check("1.0", "connection: keep-alive\r\n", true);
    }
}
