//! Which headers go on, and which are of one connection or of the gateway's own affairs.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Of the connection that they came on (RFC 9110, 7.6.1), whether or not `connection` names them.
const OF_A_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What a client says to the gateway and to nobody behind it: keys, wherever its library puts them. The host and the length are
/// said anew; the organization and the project are of whose key it is.
const TO_THE_GATEWAY: [HeaderName; 10] = [
    header::AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    header::COOKIE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

/// What an upstream is told, with `key` in the place of the client's. Whatever else there is goes on as it came:
/// `accept-encoding` too, so that an answer is coded for its reader.
pub(crate) fn to_upstream(from: &HeaderMap, key: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = end_to_end(from);
    for name in TO_THE_GATEWAY {
        headers.remove(name);
    }
    if let Some(key) = key {
        headers.insert(header::AUTHORIZATION, key.clone());
    }
    headers
}

/// What is of no connection: all of an answer that goes on. Cookies are between the upstream and the gateway.
pub(crate) fn to_client(from: &HeaderMap) -> HeaderMap {
    let mut headers = end_to_end(from);
    headers.remove(header::SET_COOKIE);
    headers
}

fn end_to_end(from: &HeaderMap) -> HeaderMap {
    let mut headers = from.clone();
    for named in from.get_all(header::CONNECTION) {
        for name in named.to_str().unwrap_or_default().split(',') {
            // A name that is none, or that is not there, is passed over. The length of a body is not a connection's to name.
            if let Ok(name) = name.trim().parse::<HeaderName>()
                && name != header::CONTENT_LENGTH
            {
                headers.remove(name);
            }
        }
    }
    for name in OF_A_CONNECTION {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn a_client_is_told_of_to_nobody_and_its_reader_is() {
        let from = headers(&[
            ("authorization", "Bearer of-a-client"),
            ("api-key", "of-a-client"),
            ("x-api-key", "of-a-client"),
            ("x-goog-api-key", "of-a-client"),
            ("accept-encoding", "gzip, br"),
            ("connection", "keep-alive, X-Hop ,, no name"),
            ("x-hop", "1"),
            ("x-stays", "2"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "gateway"),
            ("cookie", "a=b"),
            ("content-type", "application/json"),
        ]);
        let key = HeaderValue::from_static("Bearer of-the-gateway");
        let expect = headers(&[
            ("authorization", "Bearer of-the-gateway"),
            ("accept-encoding", "gzip, br"),
            ("x-stays", "2"),
            ("content-type", "application/json"),
        ]);
        assert_eq!(to_upstream(&from, Some(&key)), expect);
        assert!(!to_upstream(&from, None).contains_key("authorization"));
    }

    #[test]
    fn an_answer_goes_on_without_its_connection() {
        let from = headers(&[
            ("content-length", "7"),
            ("connection", "close, content-length"),
            ("set-cookie", "a=b"),
            ("content-encoding", "gzip"),
            ("retry-after", "3"),
        ]);
        let expect = headers(&[
            ("content-length", "7"),
            ("content-encoding", "gzip"),
            ("retry-after", "3"),
        ]);
        assert_eq!(to_client(&from), expect);
    }
}
