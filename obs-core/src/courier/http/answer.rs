//! What a collector says back, read without a protobuf library: messages of two fields each.
//!
//! These are a stranger's bytes. Whatever cannot be read counts as not said; of a long answer the beginning is here, and a
//! field that is longer is read as far as it goes: how much was rejected stands before why.

use std::time::Duration;

use ureq::http::header::{self, HeaderMap};

/// `partial_success` of the three `Export*ServiceResponse` messages, which have the same fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::courier) struct PartialSuccess {
    pub(in crate::courier) rejected: u64,
    pub(in crate::courier) message: Option<String>,
}

/// Reads `Export*ServiceResponse { 1: { 1: int64 rejected, 2: string message } }`.
pub(in crate::courier) fn partial_success(response: &[u8]) -> PartialSuccess {
    let mut partial = PartialSuccess::default();
    for field in Fields(response) {
        let Field {
            number: 1,
            value: Value::Bytes(inner),
        } = field
        else {
            continue;
        };
        // A message field that occurs twice is merged, field by field.
        for field in Fields(inner) {
            match field {
                Field {
                    number: 1,
                    value: Value::Varint(rejected),
                } => {
                    partial.rejected = u64::try_from(rejected.cast_signed()).unwrap_or(0);
                }
                Field {
                    number: 2,
                    value: Value::Bytes(text),
                } => partial.message = text_of(text),
                _ => {}
            }
        }
    }
    partial
}

/// Reads `google.rpc.Status { 1: int32 code, 2: string message }`, the body of a failure.
pub(in crate::courier) fn status_message(status: &[u8]) -> Option<String> {
    let mut message = None;
    for field in Fields(status) {
        if let Field {
            number: 2,
            value: Value::Bytes(text),
        } = field
        {
            message = text_of(text);
        }
    }
    message
}

/// A `google.rpc.RetryInfo { 1: Duration retry_delay }` among the details of a
/// `google.rpc.Status { 3: repeated Any { 1: string type_url, 2: bytes value } }`: that there is one says that it may pass.
#[cfg(feature = "grpc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::courier) struct RetryInfo {
    /// None of no length: how long to wait is then the client's to say.
    pub(in crate::courier) delay: Option<Duration>,
}

#[cfg(feature = "grpc")]
pub(in crate::courier) fn retry_info(status: &[u8]) -> Option<RetryInfo> {
    let mut details = Fields(status).filter_map(|field| field.bytes(3));
    let info = details.find_map(|any| {
        let kind = Fields(any).find_map(|field| field.bytes(1))?;
        kind.ends_with(b"/google.rpc.RetryInfo").then(|| {
            Fields(any)
                .find_map(|field| field.bytes(2))
                .unwrap_or_default()
        })
    })?;
    let delay = Fields(info).find_map(|field| field.bytes(1)).map(duration);
    Some(RetryInfo {
        delay: delay.filter(|delay| !delay.is_zero()),
    })
}

/// `google.protobuf.Duration { 1: int64 seconds, 2: int32 nanos }`; one that is negative is none.
#[cfg(feature = "grpc")]
fn duration(message: &[u8]) -> Duration {
    let of = |number| {
        let varint = Fields(message)
            .filter_map(|field| field.varint(number))
            .last();
        u64::try_from(varint.unwrap_or(0).cast_signed()).ok()
    };
    let (Some(seconds), Some(nanos)) = (of(1), of(2)) else {
        return Duration::ZERO;
    };
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.min(999_999_999)))
}

fn text_of(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    (!text.is_empty()).then(|| text.into_owned())
}

/// The fields of a message, up to the first that cannot be read.
struct Fields<'a>(&'a [u8]);

struct Field<'a> {
    number: u64,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

#[cfg(feature = "grpc")]
impl<'a> Field<'a> {
    fn bytes(&self, number: u64) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) if self.number == number => Some(bytes),
            _ => None,
        }
    }

    fn varint(&self, number: u64) -> Option<u64> {
        match self.value {
            Value::Varint(varint) if self.number == number => Some(varint),
            _ => None,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length.min(self.0.len()))?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some(Field {
            number: tag >> 3,
            value,
        })
    }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.take(1)? else {
                return None;
            };
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// `Retry-After`, in seconds or as a date. A date is compared with the answer's own `Date`, so clocks need not agree.
/// One of no length is none: a server that is busy and says `0` would be asked as fast as it can answer.
pub(in crate::courier) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let asked = text(header::RETRY_AFTER)?;
    let seconds = match asked.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => unix_seconds(asked)?.saturating_sub(unix_seconds(text(header::DATE)?)?),
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of an HTTP date that may be generated (RFC 9110 §5.6.7).
fn unix_seconds(date: &str) -> Option<u64> {
    let mut parts = date.split_once(", ")?.1.split(' ');
    let day: u64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|day| (1..=31).contains(day))?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|&month| month == name)? as u64 + 1;
    let year: u64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|year| (1970..=9999).contains(year))?;
    let mut time = parts
        .next()?
        .splitn(3, ':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if hour > 23 || minute > 59 || second > 60 || parts.next() != Some("GMT") {
        return None;
    }
    // Days since 1970-01-01, counting years from March so that the leap day comes last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(DAYS_TO_1970)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// From the first of March of the year 0, in the Gregorian calendar.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };
    use proptest::prelude::*;
    use prost::Message;
    use ureq::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check_retry_after(asked: &str, date: Option<&str>, expect: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from_str(asked).expect("a header"),
        );
        if let Some(date) = date {
            headers.insert(header::DATE, HeaderValue::from_str(date).expect("a header"));
        }
        assert_eq!(
            retry_after(&headers),
            expect.map(Duration::from_secs),
            "{asked:?}"
        );
    }

    #[test]
    fn retry_after_in_both_forms_and_none_of_no_length() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        check_retry_after("7", None, Some(7));
        check_retry_after(" 0 ", None, None);
        check_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", Some(date), Some(30));
        check_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", Some(date), None);
        check_retry_after(date, None, None);
        check_retry_after("-3", None, None);
        check_retry_after("soon", Some(date), None);
        check_retry_after("Sun, 06 Nov 1994 25:49:37 GMT", Some(date), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn dates_count_from_1970() {
        // `date -u -d ... +%s`
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(
            unix_seconds("Thu, 29 Feb 2024 23:59:59 GMT"),
            Some(1_709_251_199)
        );
        assert_eq!(
            unix_seconds("Fri, 01 Mar 2024 00:00:00 GMT"),
            Some(1_709_251_200)
        );
    }

    #[test]
    fn a_negative_count_rejects_nothing() {
        let partial = ExportTracePartialSuccess {
            rejected_spans: -5,
            error_message: String::new(),
        };
        let bytes = ExportTraceServiceResponse {
            partial_success: Some(partial),
        }
        .encode_to_vec();
        assert_eq!(partial_success(&bytes), PartialSuccess::default());
    }

    #[test]
    fn a_length_beyond_the_end_is_not_believed() {
        assert_eq!(
            partial_success(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x08]),
            PartialSuccess::default()
        );
        assert_eq!(partial_success(&[0x0a; 3]), PartialSuccess::default());
    }

    /// A status with one detail, by the official encoder.
    #[cfg(feature = "grpc")]
    fn status_with(kind: &str, info: &[u8]) -> Vec<u8> {
        let (mut any, mut status) = (Vec::new(), Vec::new());
        prost::encoding::string::encode(1, &kind.to_owned(), &mut any);
        prost::encoding::bytes::encode(2, &info.to_vec(), &mut any);
        prost::encoding::int32::encode(1, &8, &mut status);
        prost::encoding::bytes::encode(3, &any, &mut status);
        status
    }

    #[cfg(feature = "grpc")]
    fn info(seconds: i64, nanos: i32) -> Vec<u8> {
        let (mut duration, mut info) = (Vec::new(), Vec::new());
        prost::encoding::int64::encode(1, &seconds, &mut duration);
        prost::encoding::int32::encode(2, &nanos, &mut duration);
        prost::encoding::bytes::encode(1, &duration, &mut info);
        info
    }

    #[test]
    #[cfg(feature = "grpc")]
    fn retry_info_without_a_delay_is_still_one() {
        const KIND: &str = "type.googleapis.com/google.rpc.RetryInfo";
        let delay = |info: &[u8]| retry_info(&status_with(KIND, info)).map(|info| info.delay);
        assert_eq!(delay(&info(7, 5)), Some(Some(Duration::new(7, 5))));
        assert_eq!(delay(&[]), Some(None));
        for (seconds, nanos) in [(0, 0), (-1, 0), (1, -1)] {
            assert_eq!(delay(&info(seconds, nanos)), Some(None));
        }
        let other = status_with("type.googleapis.com/google.rpc.DebugInfo", &info(7, 0));
        assert_eq!(retry_info(&other), None);
        assert_eq!(retry_info(b""), None);
    }

    proptest! {
        #[test]
        #[cfg(feature = "grpc")]
        fn any_details_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            retry_info(&bytes);
            let status = status_with("type.googleapis.com/google.rpc.RetryInfo", &bytes);
            prop_assert!(retry_info(&status).is_some());
        }

        #[test]
        fn partial_success_agrees_with_prost(rejected in 0i64.., message in ".{0,40}", unknown in any::<u64>()) {
            let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: message.clone() };
            let mut bytes = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
            // Fields of a later version of the protocol are passed over.
            prost::encoding::uint64::encode(9, &unknown, &mut bytes);
            let expect = PartialSuccess {
                rejected: rejected.unsigned_abs(),
                message: (!message.is_empty()).then_some(message),
            };
            prop_assert_eq!(partial_success(&bytes), expect);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            partial_success(&bytes);
            status_message(&bytes);
        }

        #[test]
        fn any_date_is_survived(text in "\\PC{0,40}", close in "[A-Z][a-z]{2}, [0-9]{1,20} (Jan|Feb|Dec) [0-9]{1,20} [0-9]{1,20}:[0-9]{2}:[0-9]{2} GMT") {
            unix_seconds(&text);
            unix_seconds(&close);
        }
    }
}
