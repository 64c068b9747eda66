//! Media that stand in messages: told by their type, size and hash, and never themselves.

use super::message::{Media, MediaPlace};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What tells media that stand in a message in base64.
pub(crate) fn inline(modality: &'static str, mime_type: Option<&str>, base64: &str) -> Media {
    Media {
        modality,
        mime_type: mime_type.map(str::to_owned),
        place: hashed(base64),
    }
}

/// What tells media at a URL, which may be one that holds them.
pub(crate) fn at(modality: &'static str, mime_type: Option<&str>, url: &str) -> Media {
    // As whoever reads URLs reads them: without blanks around them, and the scheme in letters of either case.
    let url = url.trim();
    if let Some((scheme, data)) = url.split_once(':')
        && scheme.eq_ignore_ascii_case("data")
    {
        let (head, data) = data.split_once(',').unwrap_or((data, ""));
        let (kind, coding) = head.split_once(';').unwrap_or((head, ""));
        let kind = Some(kind.trim()).filter(|kind| !kind.is_empty());
        let coding = coding.rsplit(';').next().unwrap_or_default().trim();
        let place = match coding.eq_ignore_ascii_case("base64") {
            true => hashed(data),
            false => MediaPlace::Inline,
        };
        return Media {
            modality: modality_of(kind).unwrap_or(modality),
            mime_type: kind.or(mime_type).map(str::to_owned),
            place,
        };
    }
    Media {
        modality,
        mime_type: mime_type.map(str::to_owned),
        place: match url.contains("://") {
            true => MediaPlace::Uri(without_secrets(url)),
            // Of servers that take base64 as it is, this is it.
            false => hashed(url),
        },
    }
}

/// Of a URL whatever grants access: signed URLs of object stores are keys. The query goes as a whole, as do credentials.
fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (before, query) = url.split_at(end);
    let mut left = match before.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            match rest[..host].rfind('@') {
                Some(at) => format!("{scheme}://REDACTED{}", &rest[at..]),
                None => before.to_owned(),
            }
        }
        None => before.to_owned(),
    };
    if query.len() > 1 {
        left.push_str("?REDACTED");
    }
    left
}

/// `image`, `audio` and `video` are told by their types; all else is a document.
pub(crate) fn modality_of(mime_type: Option<&str>) -> Option<&'static str> {
    let (kind, _) = mime_type?.split_once('/')?;
    Some(match kind {
        "image" => "image",
        "audio" => "audio",
        "video" => "video",
        _ => "document",
    })
}

/// What tells them. What is no base64, or was cut, has no hash.
fn hashed(base64: &str) -> MediaPlace {
    let mut hash = Sha256::new();
    let Some(bytes) = decode(base64, |chunk| hash.update(chunk)) else {
        return MediaPlace::Inline;
    };
    let mut sha256 = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(sha256, "{byte:02x}");
    }
    MediaPlace::Hashed { bytes, sha256 }
}

/// The bytes of what is no media but stands in base64.
pub(super) fn decoded(base64: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    decode(base64, |chunk| all.extend_from_slice(chunk))?;
    Some(all)
}

/// Decodes in chunks, and says how many bytes there were, if there were any and all of them were.
fn decode(base64: &str, mut chunks: impl FnMut(&[u8])) -> Option<u64> {
    let (mut bits, mut count, mut bytes, mut chars) = (0_u32, 0, 0_u64, 0_u64);
    let mut chunk = [0_u8; 1024];
    let mut filled = 0;
    for byte in base64.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' | b'\n' | b'\r' | b' ' => continue,
            _ => return None,
        };
        chars += 1;
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            chunk[filled] = (bits >> count) as u8;
            filled += 1;
            bytes += 1;
            if filled == chunk.len() {
                chunks(&chunk);
                filled = 0;
            }
        }
    }
    chunks(&chunk[..filled]);
    (bytes > 0 && chars % 4 != 1).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2's example, whose text is `abc`, and the empty end of what is no multiple of three.
    #[test]
    fn a_hash_is_of_the_decoded_bytes() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected = MediaPlace::Hashed {
            bytes: 3,
            sha256: abc.to_owned(),
        };
        assert!(hashed("YWJj") == expected);
        assert!(at("image", None, "data:image/png;base64,YWJj").place == expected);
        assert!(hashed("YWJj!") == MediaPlace::Inline);
        assert!(hashed("YWJjY") == MediaPlace::Inline, "cut");
        let MediaPlace::Hashed { bytes, .. } = hashed("YWI=") else {
            panic!("no hash");
        };
        assert_eq!(bytes, 2);
    }

    /// What is no URL of somewhere is the media themselves, however they are written.
    #[test]
    fn media_are_never_told_as_their_url() {
        for written in [
            "DATA:image/png;base64,YWJj",
            " data:image/png;base64,YWJj\n",
            "data:image/png;name=a.png;BASE64,YWJj",
            "YWJj",
        ] {
            let place = at("image", None, written).place;
            assert!(
                matches!(place, MediaPlace::Hashed { bytes: 3, .. }),
                "{written}"
            );
        }
        assert!(at("image", None, "data:text/plain,abc").place == MediaPlace::Inline);
        assert!(at("image", None, "attachment:abc").place == MediaPlace::Inline);
        assert!(at("image", None, "").place == MediaPlace::Inline);
    }

    #[test]
    fn a_url_keeps_no_key() {
        let url = |url| match at("image", None, url).place {
            MediaPlace::Uri(url) => url,
            _ => String::new(),
        };
        let signed = "https://user:pw@b.s3.amazonaws.com/a.png?X-Amz-Signature=abc#x";
        assert_eq!(
            url(signed),
            "https://REDACTED@b.s3.amazonaws.com/a.png?REDACTED"
        );
        assert_eq!(
            url("https://a.example/b@c.png"),
            "https://a.example/b@c.png"
        );
    }
}
