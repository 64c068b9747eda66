//! What becomes of the ids of users.

use super::{Redaction, Redactor, Text};
use crate::error::Error;
use crate::semconv;
#[cfg(feature = "user-ids")]
use crate::session::bounded;
#[cfg(feature = "user-ids")]
use hmac::{Hmac, KeyInit, Mac};

/// What becomes of the ids of users: they stay, are told by a hash, or go.
///
/// It holds wherever an id is one, by its place in a [`Session`](crate::Session) or by the key `user.id`: on spans and their
/// events, in logs, in what a [witness](crate::SessionWitness) is shown, and in the baggage that a session hands on. What a
/// service writes into other attributes, into OpenTelemetry's own baggage or into texts is its own to mind.
///
#[cfg_attr(feature = "user-ids", doc = "```")]
#[cfg_attr(not(feature = "user-ids"), doc = "```ignore")]
/// use obs_core::Telemetry;
/// use obs_core::redact::UserIds;
///
/// # let key_of_the_services = [7; 32];
/// let telemetry = Telemetry::builder()
///     .with_user_ids(UserIds::hashed(key_of_the_services))
///     .manual()
///     .build()?;
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// Besides what a session carries it is a redactor that comes before all others, and costs what one costs.
#[derive(Clone, Debug, Default)]
pub struct UserIds(Which);

#[derive(Clone, Default)]
enum Which {
    #[default]
    Kept,
    #[cfg(feature = "user-ids")]
    Hashed {
        by: Hmac<sha2::Sha256>,
        key_bytes: usize,
    },
    Dropped,
}

/// Without the key.
impl std::fmt::Debug for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            #[cfg(feature = "user-ids")]
            Self::Hashed { .. } => "hashed",
            Self::Dropped => "dropped",
        })
    }
}

/// What a hash begins with, so that the next service does not hash it again.
#[cfg(feature = "user-ids")]
const MARK: &str = "hmac-sha256:";
/// Half of the sum: RFC 2104, §5.
#[cfg(feature = "user-ids")]
const BYTES: usize = 16;

impl UserIds {
    /// They stay.
    pub fn kept() -> Self {
        Self(Which::Kept)
    }

    /// In the place of each stands `hmac-sha256:` and 32 hexadecimal digits: the first half of its HMAC-SHA-256 (RFC 2104) by
    /// this key. Whoever has the key can find out by trying whose an id is; who has not cannot. All services that are to tell
    /// the same user by the same hash need the same key, so it is given and not made; what arrives hashed stays as it is.
    ///
    /// [`Builder::build`](crate::Builder::build) refuses a key of less than 16 bytes.
    #[cfg(feature = "user-ids")]
    #[cfg_attr(docsrs, doc(cfg(feature = "user-ids")))]
    pub fn hashed(key: impl AsRef<[u8]>) -> Self {
        match Hmac::new_from_slice(key.as_ref()) {
            Ok(by) => Self(Which::Hashed {
                by,
                key_bytes: key.as_ref().len(),
            }),
            // Keys of any length are taken; what cannot be hashed must not stay.
            Err(_) => Self::dropped(),
        }
    }

    /// They go.
    pub fn dropped() -> Self {
        Self(Which::Dropped)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.0 {
            #[cfg(feature = "user-ids")]
            Which::Hashed { key_bytes, .. } if key_bytes < 16 => Err(Error::configuration(
                "the key of `UserIds::hashed` has less than 16 bytes",
            )),
            _ => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn are_kept(&self) -> bool {
        matches!(self.0, Which::Kept)
    }

    /// What is left of one. Of one that is too long its cut is hashed, wherever it stands whole: that is one user everywhere.
    pub(crate) fn left(&self, id: &str) -> Option<Box<str>> {
        match &self.0 {
            Which::Kept => Some(id.into()),
            #[cfg(feature = "user-ids")]
            Which::Hashed { .. } if is_hash(id) => Some(id.into()),
            #[cfg(feature = "user-ids")]
            Which::Hashed { by, .. } => Some(hash(by.clone(), &bounded(id))),
            Which::Dropped => None,
        }
    }
}

#[cfg(feature = "user-ids")]
fn hash(mut by: Hmac<sha2::Sha256>, id: &str) -> Box<str> {
    by.update(id.as_bytes());
    let sum = by.finalize().into_bytes();
    let mut text = String::with_capacity(MARK.len() + 2 * BYTES);
    text.push_str(MARK);
    for byte in sum.iter().take(BYTES) {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text.into()
}

#[cfg(feature = "user-ids")]
fn is_hash(id: &str) -> bool {
    let digits = id.strip_prefix(MARK).unwrap_or_default();
    digits.len() == 2 * BYTES && { digits.bytes() }
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl Redactor for UserIds {
    fn redact(&self, text: Text<'_>) -> Redaction {
        if text.key != semconv::user::ID.as_str() {
            return Redaction::Keep;
        }
        match self.left(text.value) {
            Some(left) if *left == *text.value => Redaction::Keep,
            Some(left) => Redaction::replace(String::from(left)),
            None => Redaction::Remove,
        }
    }
}

#[cfg(all(test, feature = "user-ids"))]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_same_everywhere_and_is_not_hashed_again() {
        // RFC 4231, test case 2, of which half is taken; a key as short as its is refused elsewhere.
        let users = UserIds::hashed("Jefe");
        let hash = users.left("what do ya want for nothing?").unwrap();
        assert_eq!(&*hash, "hmac-sha256:5bdcc146bf60754e6a042426089575c7");
        assert_eq!(users.left(&hash), Some(hash.clone()));
        let other = UserIds::hashed("Jefa").left("what do ya want for nothing?");
        assert_ne!(other, Some(hash));
    }

    #[test]
    fn what_only_looks_like_one_is_hashed() {
        let users = UserIds::hashed([1; 16]);
        for id in [
            "",
            "hmac-sha256:",
            "hmac-sha256:5bdcc146",
            "hmac-sha256:5BDCC146BF60754E6A042426089575C7",
            "hmac-sha256:5bdcc146bf60754e6a042426089575c7 ann",
        ] {
            let left = users.left(id).unwrap();
            assert_ne!(*left, *id);
            assert!(is_hash(&left), "{left}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let users = UserIds::hashed("a key that nobody may see");
        assert_eq!(format!("{users:?}"), "UserIds(hashed)");
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(UserIds::hashed([1; 15]).check().is_err());
        assert!(UserIds::hashed([1; 16]).check().is_ok());
        assert!(UserIds::dropped().check().is_ok() && UserIds::kept().check().is_ok());
    }
}
