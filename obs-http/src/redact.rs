//! Query strings without their secrets.

use obs_core::redact::names::{ENDS, SHORT, WHOLE, WORDS, is_part, is_secret};
use obs_core::redact::nested::{decode, nested_at};
use std::borrow::Cow;

/// The query with the values of secret keys replaced by `REDACTED`, as the conventions ask (v1.44.0); keys stay. A pair
/// begins after `&` or `;`, a secret value ends at `&`. Borrowed where nothing is secret.
pub fn redact_query(query: &str) -> Cow<'_, str> {
    if may_hold_secret(query.as_bytes()) {
        redact(query)
    } else {
        Cow::Borrowed(query)
    }
}

/// Whether there may be a `;`, behind which paths have parameters: eight bytes a step, the last ones twice. Any byte above ASCII
/// may pass for one, none is missed.
#[inline(always)]
pub(crate) fn may_have_parameters(path: &str) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let path = path.as_bytes();
    let Some(last) = path.last_chunk::<8>() else {
        return path.contains(&b';');
    };
    // The top bit of a byte is set where it is `;`; what it lends from the one above it then is no matter.
    let found =
        |step: &[u8; 8]| (u64::from_le_bytes(*step) ^ (ONES * b';' as u64)).wrapping_sub(ONES);
    let (steps, _) = path.as_chunks::<8>();
    let seen = steps
        .iter()
        .fold(found(last), |seen, step| seen | found(step));
    seen & (ONES << 7) != 0
}

/// The path with the values of secret parameters replaced by `REDACTED`: `/shop;jsessionid=…/cart`, where servlets and their
/// proxies put the session. A value ends at `/`, `;` or the path's end.
#[cold]
#[inline(never)]
pub(crate) fn redact_path(path: &str) -> Cow<'_, str> {
    let parameters = |segment: &str| {
        segment
            .split(';')
            .skip(1)
            .any(|pair| secret_key(pair).is_some())
    };
    if !path.split('/').any(parameters) {
        return Cow::Borrowed(path);
    }
    let mut redacted = String::with_capacity(path.len() + 16);
    for (index, segment) in path.split('/').enumerate() {
        redacted.push_str(if index > 0 { "/" } else { "" });
        for (index, pair) in segment.split(';').enumerate() {
            redacted.push_str(if index > 0 { ";" } else { "" });
            match secret_key(pair).filter(|_| index > 0) {
                Some(key) => redacted.extend([key, "=REDACTED"]),
                None => redacted.push_str(pair),
            }
        }
    }
    Cow::Owned(redacted)
}

/// The key of a pair that holds a secret.
fn secret_key(pair: &str) -> Option<&str> {
    let (key, value) = pair.split_once('=')?;
    (!value.is_empty() && is_secret(&decode(key.as_bytes()))).then_some(key)
}

#[cold]
#[inline(never)]
fn redact(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(|pair| secret_at(pair).is_some()) {
        return Cow::Borrowed(query);
    }
    let mut redacted = String::with_capacity(query.len() + 16);
    for (index, pair) in query.split('&').enumerate() {
        if index > 0 {
            redacted.push('&');
        }
        match secret_at(pair) {
            Some(value) => {
                redacted.push_str(&pair[..value]);
                redacted.push_str("REDACTED");
            }
            None => redacted.push_str(pair),
        }
    }
    Cow::Owned(redacted)
}

/// Where the first secret value begins between two `&`. It ends with them: who reads `;` as its end and who reads it as a
/// part of it are both kept from the secret.
fn secret_at(pair: &str) -> Option<usize> {
    let mut start = 0;
    for inner in pair.split(';') {
        if let Some((key, value)) = inner.split_once('=') {
            let value_at = start + key.len() + 1;
            if is_secret(&decode(key.as_bytes())) {
                return Some(value_at);
            }
            if let Some(at) = nested_at(value.as_bytes()) {
                return Some(value_at + at);
            }
        }
        start += inner.len() + 1;
    }
    None
}

/// One pass that never misses a secret key, and takes few others for one: most queries end here. An automaton made of
/// the rule's words, a step per byte of a key; values are passed over.
#[inline(never)]
fn may_hold_secret(query: &[u8]) -> bool {
    let mut at = 0;
    loop {
        let (mut state, mut word, mut part) = (ROOT, at, at);
        loop {
            let Some(&byte) = query.get(at) else {
                // Nothing stands behind a key without `=`.
                return false;
            };
            let class = CLASSES[usize::from(byte)];
            if class < OTHER {
                state = NEXT[usize::from(state)][usize::from(class)];
            } else if class == OTHER {
                word = at + 1;
            } else if class == PERCENT {
                return true;
            } else if class == PAIR {
                break;
            } else {
                if may_be_secret(query, state, part, word, at) {
                    return true;
                }
                if class == EQUALS {
                    let (end, marked) = end_of_value(query, at + 1);
                    if marked && nested_at(query.get(at + 1..end).unwrap_or_default()).is_some() {
                        return true;
                    }
                    at = end;
                    break;
                }
                (state, word, part) = (ROOT, at + 1, at + 1);
            }
            at += 1;
        }
        at += 1;
    }
}

/// Where the next pair's separator is, eight bytes a step as long as there are as many; and whether an `=` stands before it, or
/// what may be one.
#[inline(always)]
fn end_of_value(query: &[u8], mut at: usize) -> (usize, bool) {
    const ONES: u64 = u64::MAX / 255;
    // The lowest bit that is set is a zero byte's; those above it may be wrong.
    let zeros = |step: u64| step.wrapping_sub(ONES) & !step & (ONES << 7);
    let mut marked = 0;
    while let Some(step) = query.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let step = u64::from_le_bytes(*step);
        let of = |byte: u8| zeros(step ^ (ONES * u64::from(byte)));
        let ends = of(b'&') | of(b';');
        // Of the step that ends it, those before the end.
        marked |= (of(b'=') | of(b'%')) & (ends & ends.wrapping_neg()).wrapping_sub(1);
        if ends != 0 {
            return (at + (ends.trailing_zeros() / 8) as usize, marked != 0);
        }
        at += 8;
    }
    while !matches!(query.get(at), None | Some(b'&' | b';')) {
        marked |= u64::from(matches!(query[at], b'=' | b'%'));
        at += 1;
    }
    (at, marked != 0)
}

/// Whether a part of a name that ends at `at`, with its last word from `word`, may be a secret's.
#[inline(always)]
fn may_be_secret(query: &[u8], state: u8, part: usize, word: usize, at: usize) -> bool {
    if ENDING[usize::from(state)] {
        return true;
    }
    if word == at {
        // What stands before the last separator is the last word.
        return part != at;
    }
    let lasts = LASTS[usize::from(query[word] & 31)];
    at - word <= LONGEST && lasts & (1 << (query[at - 1] & 31)) != 0
}

const ROOT: u8 = 0;
/// A word was seen: nothing leads out of it.
const FOUND: u8 = u8::MAX;

/// Classes of bytes: 1 to 26 are letters, 0 are digits, which stand between letters and break a word.
const OTHER: u8 = 27;
const PART: u8 = 28;
const EQUALS: u8 = 29;
const PAIR: u8 = 30;
const PERCENT: u8 = 31;

static CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        classes[byte] = match it {
            b'a'..=b'z' | b'A'..=b'Z' => it & 31,
            b'0'..=b'9' => 0,
            b'=' => EQUALS,
            b'&' | b';' => PAIR,
            b'%' => PERCENT,
            _ if is_part(it) => PART,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

static NEXT: [[u8; 32]; 256] = AUTOMATON.next;
static ENDING: [bool; 256] = AUTOMATON.ending;

/// At most one per letter of the words, and the first; they and [`FOUND`] fit a byte.
const STATES: usize = {
    let (mut states, mut at) = (1, 0);
    while at < WORDS.len() {
        states += WORDS[at].len();
        at += 1;
    }
    at = 0;
    while at < ENDS.len() {
        states += ENDS[at].len();
        at += 1;
    }
    assert!(states <= FOUND as usize);
    states
};

/// As many rows as a byte has values: no step needs a check.
struct Automaton {
    next: [[u8; 32]; 256],
    /// Whether a name that ends here may be a secret's.
    ending: [bool; 256],
}

/// After Aho and Corasick: a trie of the words, and for what it has no branch for, the branch of the longest end of what was
/// read that begins a word.
const AUTOMATON: Automaton = {
    let mut made = Automaton {
        next: [[ROOT; 32]; 256],
        ending: [false; 256],
    };
    made.next[FOUND as usize] = [FOUND; 32];
    made.ending[FOUND as usize] = true;
    let (mut states, mut index) = (1, 0);
    while index < WORDS.len() + ENDS.len() {
        let is_word = index < WORDS.len();
        let word = match is_word {
            true => WORDS[index].as_bytes(),
            false => ENDS[index - WORDS.len()].as_bytes(),
        };
        let (mut state, mut at) = (ROOT as usize, 0);
        while at < word.len() {
            let class = (word[at] & 31) as usize;
            at += 1;
            if is_word && at == word.len() {
                made.next[state][class] = FOUND;
                break;
            }
            match made.next[state][class] {
                FOUND => break,
                ROOT => {
                    made.next[state][class] = states as u8;
                    state = states;
                    states += 1;
                }
                next => state = next as usize,
            }
            if !is_word && at == word.len() {
                made.ending[state] = true;
            }
        }
        index += 1;
    }

    // By depth, so that what a state falls back to is complete.
    let (mut back, mut queue) = ([ROOT as usize; STATES], [ROOT as usize; STATES]);
    let (mut taken, mut put) = (0, 1);
    while taken < put {
        let state = queue[taken];
        taken += 1;
        let mut class = 1;
        while class < OTHER as usize {
            let next = made.next[state][class];
            let other = match state == ROOT as usize {
                true => ROOT,
                false => made.next[back[state]][class],
            };
            if next == ROOT || other == FOUND {
                made.next[state][class] = other;
            } else if next != FOUND {
                back[next as usize] = other as usize;
                made.ending[next as usize] |= made.ending[other as usize];
                queue[put] = next as usize;
                put += 1;
            }
            class += 1;
        }
    }
    made
};

/// For each first letter, in any case, one bit per last letter of a last word that makes a secret.
static LASTS: [u32; 32] = {
    let (mut lasts, mut index) = ([0; 32], 0);
    while index < SHORT.len() + WHOLE.len() {
        let word = match index < SHORT.len() {
            true => SHORT[index].as_bytes(),
            false => WHOLE[index - SHORT.len()].as_bytes(),
        };
        assert!(word.len() <= LONGEST);
        lasts[(word[0] & 31) as usize] |= 1 << (word[word.len() - 1] & 31);
        index += 1;
    }
    lasts
};

/// The most letters of such a word.
const LONGEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(query: &str, expect: &str) {
        assert_eq!(redact_query(query), expect);
    }

    #[test]
    fn secrets_go_and_keys_stay() {
        check("a=1&b=2", "a=1&b=2");
        check("X-Amz-Signature=abc&x=1", "X-Amz-Signature=REDACTED&x=1");
        check(
            "q=rust&Access_Token=abc==&page=2",
            "q=rust&Access_Token=REDACTED&page=2",
        );
        check("sig=", "sig=REDACTED");
        check("token", "token");
        check("%74oken=abc", "%74oken=REDACTED");
        check("a=1&&token=x&", "a=1&&token=REDACTED&");
    }

    #[test]
    fn secrets_do_not_slip_through_by_how_their_keys_are_written() {
        check("a=1;token=b", "a=1;token=REDACTED");
        check("token=a;b=2&c=3", "token=REDACTED&c=3");
        check("sig=a;b;&c", "sig=REDACTED&c");
        check(
            "user[password]=x&token[]=1",
            "user[password]=REDACTED&token[]=REDACTED",
        );
        check("user%5Bpassword%5D=x", "user%5Bpassword%5D=REDACTED");
        check(
            "api-key=a&auth_token=b&pwd=c",
            "api-key=REDACTED&auth_token=REDACTED&pwd=REDACTED",
        );
        check(
            "+token=a&session_id=b",
            "+token=REDACTED&session_id=REDACTED",
        );
        check("x-amz-signature=a", "x-amz-signature=REDACTED");
        check(
            "access%5ftoken=a&%ff%74oken=b",
            "access%5ftoken=REDACTED&%ff%74oken=REDACTED",
        );
        check(
            "recovery_code=1&zip_code=2&user[reset-code]=3",
            "recovery_code=REDACTED&zip_code=2&user[reset-code]=REDACTED",
        );
        check("otp_=1&[sid]=2", "otp_=REDACTED&[sid]=REDACTED");
    }

    #[test]
    fn an_address_in_a_value_keeps_no_secret_of_its_own() {
        check("next=/reset?token=a", "next=/reset?token=REDACTED");
        check("a=1&to=x#sig=a;b=c&d=1", "a=1&to=x#sig=REDACTED&d=1");
        check(
            "a=1&next=https%3A%2F%2Fx%2Fcb%3Fpage%3D1%26access_token%3Da%26b%3Dc&d=1",
            "a=1&next=https%3A%2F%2Fx%2Fcb%3Fpage%3D1%26access_token%3DREDACTED&d=1",
        );
        check(
            "next=%252Fcb%253Fcode%253da",
            "next=%252Fcb%253Fcode%253dREDACTED",
        );
        check(
            "next=12345678%3f%74oken=abc",
            "next=12345678%3f%74oken=REDACTED",
        );
        for same in [
            "next=%2Fcb%3Fpage%3D1",
            "q=100%&r=%",
            "q=a=token=b",
            "n=%3Ftoken%3D",
            "n=?token=",
            "q=%25%25%253",
        ] {
            check(same, same);
        }
    }

    #[test]
    fn every_secret_key_is_seen_wherever_it_stands() {
        let lists = [WORDS, ENDS, SHORT, WHOLE].concat();
        for key in lists
            .iter()
            .flat_map(|key| [key.to_string(), key.to_uppercase()])
        {
            check(&format!("{key}=a"), &format!("{key}=REDACTED"));
            check(&format!("x=1&{key}=a&y"), &format!("x=1&{key}=REDACTED&y"));
            check(&format!("x;{key}=a;b=c"), &format!("x;{key}=REDACTED"));
        }
        check("=a&=token&a=token=1", "=a&=token&a=token=1");
    }

    #[track_caller]
    fn path(path: &str, expect: &str) {
        assert_eq!(redact_path(path), expect);
        assert!(path == expect || may_have_parameters(path), "{path}");
    }

    #[test]
    fn sessions_in_paths_go() {
        path(
            "/shop;jsessionid=Zq8/cart",
            "/shop;jsessionid=REDACTED/cart",
        );
        path(
            "/a;v=1;JSESSIONID=Zq8;w=2",
            "/a;v=1;JSESSIONID=REDACTED;w=2",
        );
        path("/;%73id=Zq8", "/;%73id=REDACTED");
        path("/;sid=a=b", "/;sid=REDACTED");
        for same in ["/", "", "/a;b=c/d", "/token=x", "/;sid=", "/;sid", ";=;/"] {
            path(same, same);
            assert!(matches!(redact_path(same), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_semicolon_is_seen_wherever_it_stands() {
        for length in 0..40 {
            let plain: String = "/<:=\u{7f}a9~".chars().cycle().take(length).collect();
            assert!(!may_have_parameters(&plain), "{plain}");
            for at in (0..=plain.len()).filter(|at| plain.is_char_boundary(*at)) {
                let mut with = plain.clone();
                with.insert(at, ';');
                assert!(may_have_parameters(&with), "{with}");
            }
        }
    }

    #[test]
    fn nothing_secret_is_not_copied() {
        for query in [
            "a=1&b=%zz",
            "author=a;zip_code=1",
            "max_tokens=5",
            "",
            "&&;=",
            "a[b]=c",
        ] {
            assert!(
                matches!(redact_query(query), Cow::Borrowed(same) if same == query),
                "{query}"
            );
        }
    }

    #[test]
    fn what_holds_no_secret_is_passed_without_a_second_look() {
        for query in [
            "page=2&sort=name&order=asc",
            "filter[name]=x&include=items.parts",
            "q=token&utm_source=key&lang=de",
            "q=hello%20world&next=%2Fcb%3Fpage%3D2&id=YWJj==",
            "limit=100&offset=300&created_after=2026-01-01T00:00:00Z",
        ] {
            assert!(!may_hold_secret(query.as_bytes()), "{query}");
        }
    }

    /// Names made of words that mean something to the rule, and of what may stand between and around them.
    fn name() -> impl Strategy<Value = String> {
        let words = [WORDS, ENDS, SHORT, WHOLE].concat();
        let pieces = prop_oneof![
            3 => prop::sample::select(words).prop_map(str::to_owned),
            2 => prop::sample::select(&["_", "-", "[", "]", ".", "+", " ", "1", "%", "%5f", "or", "s", "\u{fc}"][..])
                .prop_map(str::to_owned),
            2 => "[a-zA-Z]{1,3}",
        ];
        prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_pass_never_misses_what_the_rule_names(before in name(), key in name(), value in name()) {
            let query = format!("{before}=1&{key}={value}");
            let key_is_secret = is_secret(&decode(key.as_bytes()));
            let any = key_is_secret || is_secret(&decode(before.as_bytes()));
            prop_assert!(!any || may_hold_secret(query.as_bytes()), "{query}");
            let redacted = redact_query(&query);
            let first = if is_secret(&decode(before.as_bytes())) { "REDACTED" } else { "1" };
            let second = if key_is_secret { "REDACTED" } else { &value };
            prop_assert_eq!(redacted, format!("{before}={first}&{key}={second}"));
        }

        #[test]
        fn any_text_is_read_without_a_panic(query in ".*") {
            let redacted = redact_query(&query);
            let count = |text: &str| text.split('&').count();
            prop_assert_eq!(count(&query), count(&redacted));
        }
    }
}
