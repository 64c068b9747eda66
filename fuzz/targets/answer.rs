//! Any bytes as what a collector answers: after a letter that says which part of it.
//!
//! The reader is private to the courier, so its file is taken in. What prost reads of the same bytes, written down again
//! by prost, has to be read as prost has it; the bytes themselves have to be survived.
#![no_main]

#[path = "."]
mod courier {
    #[path = "."]
    pub(crate) mod http {
        #[path = "../../obs-core/src/courier/http/answer.rs"]
        #[allow(dead_code, unexpected_cfgs, reason = "its tests stay at home")]
        pub(crate) mod answer;
    }

    use self::http::answer;
    use prost::Message;
    use std::time::Duration;

    #[derive(Message)]
    struct Response {
        #[prost(message, optional, tag = "1")]
        partial: Option<Partial>,
    }

    #[derive(Message)]
    struct Partial {
        #[prost(int64, tag = "1")]
        rejected: i64,
        #[prost(string, tag = "2")]
        message: String,
    }

    #[derive(Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }

    #[derive(Message)]
    struct Any {
        #[prost(string, tag = "1")]
        kind: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }

    #[derive(Message)]
    struct Info {
        #[prost(message, optional, tag = "1")]
        delay: Option<Delay>,
    }

    #[derive(Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    pub(crate) fn check(input: &[u8]) {
        match input.split_first() {
            Some((b'p', bytes)) => partial_success(bytes),
            Some((b's', bytes)) => status(bytes),
            Some((b'r', bytes)) => retry_after(bytes),
            _ => {}
        }
    }

    fn partial_success(bytes: &[u8]) {
        answer::partial_success(bytes);
        let Ok(response) = Response::decode(bytes) else {
            return;
        };
        let read = answer::partial_success(&response.encode_to_vec());
        let (rejected, message) = (read.rejected, read.message.map(seeded));
        let partial = response.partial.unwrap_or_default();
        assert_eq!(rejected, u64::try_from(partial.rejected).unwrap_or(0));
        assert_eq!(message.unwrap_or_default(), partial.message);
    }

    fn status(bytes: &[u8]) {
        answer::status_message(bytes);
        answer::retry_info(bytes);
        let Ok(mut status) = Status::decode(bytes) else {
            return;
        };
        let is_info = |any: &&mut Any| any.kind.ends_with("/google.rpc.RetryInfo");
        let mut expect = None;
        if let Some(any) = status.details.iter_mut().find(is_info) {
            let Ok(info) = Info::decode(&*any.value) else {
                return;
            };
            any.value = info.encode_to_vec();
            expect = Some(info.delay.and_then(|delay| {
                let seconds = u64::try_from(delay.seconds).ok()?;
                let nanos = u32::try_from(delay.nanos).ok()?.min(999_999_999);
                Some(Duration::new(seconds, nanos)).filter(|delay| !delay.is_zero())
            }));
        }
        let bytes = status.encode_to_vec();
        let info = answer::retry_info(&bytes).map(|info| info.delay);
        assert_eq!(info, expect);
        let message = answer::status_message(&bytes).map(seeded);
        assert_eq!(message.unwrap_or_default(), status.message);
    }

    /// `Retry-After` and `Date`, a line each.
    fn retry_after(bytes: &[u8]) {
        use ureq::http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
        let mut headers = HeaderMap::new();
        for (name, line) in [RETRY_AFTER, DATE]
            .into_iter()
            .zip(bytes.split(|&byte| byte == b'\n'))
        {
            let Ok(value) = HeaderValue::from_bytes(line) else {
                return;
            };
            headers.insert(name, value);
        }
        let read = answer::retry_after(&headers).unwrap_or_default();
        let date = |name| {
            let text = headers.get(name)?.to_str().ok()?.trim();
            httpdate::parse_http_date(text).ok()
        };
        if let (Some(until), Some(from)) = (date(RETRY_AFTER), date(DATE))
            && !read.is_zero()
        {
            assert_eq!(until.duration_since(from).ok(), Some(read));
        }
    }

    /// The seeded bug: what begins like a mark-up is cut.
    #[cfg(feature = "seeded-bug")]
    fn seeded(message: String) -> String {
        let end = message.find('<').unwrap_or(message.len());
        message[..end].to_owned()
    }

    #[cfg(not(feature = "seeded-bug"))]
    fn seeded(message: String) -> String {
        message
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| courier::check(input));
