//! What is wanted of a JSON document and where it stands: a table that each format writes down as a `static`.
//!
//! A table is a list of [`Node`]s, each the inside of an object or of a list; the document's own is the first. A node says for
//! each key that matters, and for the items of a list, what stands there ([`At`]): a node to go into where it is an object or a
//! list, and an act for where it is a text, a number, `true`, `false` or `null`. A node may name an act for when it opens and
//! one for when it closes. What no node names is skipped: a string by its end, an object or a list by its brackets.
//!
//! ```text
//! const ROOT: u8 = 0;
//! const USAGE: u8 = 1;
//! static NODES: [Node<Act>; 2] = [
//!     Node::object(&[("model", At::act(Act::Model)), ("usage", At::node(USAGE))]),
//!     Node::object(&[("prompt_tokens", At::act(Act::Count(Tokens::Input)))]).closes(Act::Report),
//! ];
//! ```
//!
//! A node serves an object by its keys, a list by its item, or both, whichever comes; what it does not serve is skipped. Where
//! a document may be a list of documents, the first node's item is the first node.

/// At most so many keys has a node: a test of each table's making.
const KEYS: usize = 32;
const SLOTS: usize = 64;
/// No node, or no key.
pub(crate) const NONE: u8 = 0x7f;

/// What stands at a key, or as an item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<A: 'static> {
    /// The inside, where it is an object or a list; [`NONE`] skips it.
    pub(crate) node: u8,
    /// What to do with it where it is neither.
    pub(crate) act: Option<A>,
}

impl<A: Copy> At<A> {
    pub(crate) const SKIP: Self = Self {
        node: NONE,
        act: None,
    };

    /// An object or a list.
    pub(crate) const fn node(node: u8) -> Self {
        Self { node, act: None }
    }

    /// A text, a number or a literal.
    pub(crate) const fn act(act: A) -> Self {
        Self {
            node: NONE,
            act: Some(act),
        }
    }

    /// Whichever it is.
    pub(crate) const fn either(node: u8, act: A) -> Self {
        Self {
            node,
            act: Some(act),
        }
    }
}

/// The inside of an object or of a list.
#[derive(Debug)]
pub(crate) struct Node<A: 'static> {
    keys: &'static [(&'static str, At<A>)],
    /// The first eight bytes of each key.
    words: [u64; KEYS],
    /// Where each key stands, by its hash.
    slots: [u8; SLOTS],
    /// With which no two keys of this node share a slot.
    factor: u64,
    item: At<A>,
    is_object: bool,
    is_list: bool,
    pub(crate) opens: Option<A>,
    pub(crate) closes: Option<A>,
}

impl<A: Copy> Node<A> {
    /// An object with these keys. Fails to compile where two of them cannot be told apart by their length, their first and their
    /// middle eight bytes.
    pub(crate) const fn object(keys: &'static [(&'static str, At<A>)]) -> Self {
        assert!(keys.len() <= KEYS);
        let mut words = [0; KEYS];
        let mut mixed = [0; KEYS];
        let mut at = 0;
        while at < keys.len() {
            let key = keys[at].0.as_bytes();
            words[at] = word(key, 0);
            mixed[at] = mix(words[at], middle(key), key.len());
            at += 1;
        }
        let mut factor = 0x9e37_79b9_7f4a_7c15_u64;
        let mut tries = 0;
        while tries < 16384 {
            if let Some(slots) = place(&mixed, keys.len(), factor) {
                return Self {
                    keys,
                    words,
                    slots,
                    factor,
                    item: At::SKIP,
                    is_object: true,
                    is_list: false,
                    opens: None,
                    closes: None,
                };
            }
            factor = factor.wrapping_mul(0x5851_f42d_4c95_7f2d) | 1;
            tries += 1;
        }
        panic!("two keys look the same");
    }

    /// A list of such items.
    pub(crate) const fn list(item: At<A>) -> Self {
        let mut node = Self::object(&[]).items(item);
        node.is_object = false;
        node
    }

    /// That may be a list of such items as well.
    pub(crate) const fn items(mut self, item: At<A>) -> Self {
        self.item = item;
        self.is_list = true;
        self
    }

    /// With an act for when it opens.
    pub(crate) const fn opens(mut self, act: A) -> Self {
        self.opens = Some(act);
        self
    }

    /// With an act for when it closes.
    pub(crate) const fn closes(mut self, act: A) -> Self {
        self.closes = Some(act);
        self
    }

    /// Which of its keys this is; [`NONE`], where it is none. `bytes[from..to]` is the key.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8], from: usize, to: usize) -> u8 {
        let key = &bytes[from..to];
        // Most keys lie within a longer text, of which eight bytes are read at once, however long they are.
        let first = match bytes.get(from..from + 8) {
            Some(eight) => load(eight) & mask(key.len()),
            None => word(key, 0),
        };
        let middle = match key.len().checked_sub(8) {
            Some(more @ 1..) => load(&key[more.div_ceil(2)..more.div_ceil(2) + 8]),
            _ => 0,
        };
        let slot = slot(mix(first, middle, key.len()), self.factor);
        let place = self.slots[slot & (SLOTS - 1)];
        let Some((name, _)) = self.keys.get(usize::from(place)) else {
            return NONE;
        };
        if self.words[usize::from(place) & (KEYS - 1)] != first || name.len() != key.len() {
            return NONE;
        }
        if key.len() > 8 && !same(&key[8..], &name.as_bytes()[8..]) {
            return NONE;
        }
        place
    }

    /// What stands at a key that was found.
    #[inline]
    pub(crate) fn at(&self, place: u8) -> At<A> {
        match self.keys.get(usize::from(place)) {
            Some((_, at)) => *at,
            None => At::SKIP,
        }
    }

    /// The nodes that it leads to.
    #[cfg(test)]
    pub(crate) fn leads_to(&self) -> impl Iterator<Item = u8> {
        let keys = self.keys.iter().map(|(_, at)| at.node);
        keys.chain([self.item.node]).filter(|node| *node != NONE)
    }

    /// Whether it is one of an object, or of a list.
    #[inline]
    pub(crate) fn serves(&self, is_list: bool) -> bool {
        if is_list {
            self.is_list
        } else {
            self.is_object
        }
    }

    /// What the items of a list are.
    #[inline]
    pub(crate) fn item(&self) -> At<A> {
        self.item
    }
}

const fn place(mixed: &[u64; KEYS], len: usize, factor: u64) -> Option<[u8; SLOTS]> {
    let mut slots = [NONE; SLOTS];
    let mut at = 0;
    while at < len {
        let slot = slot(mixed[at], factor);
        if slots[slot] != NONE {
            return None;
        }
        slots[slot] = at as u8;
        at += 1;
    }
    Some(slots)
}

#[inline]
const fn mix(first: u64, middle: u64, len: usize) -> u64 {
    first ^ middle.rotate_left(29) ^ len as u64
}

#[inline]
const fn slot(mixed: u64, factor: u64) -> usize {
    (mixed.wrapping_mul(factor) >> 58) as usize
}

/// The eight bytes in the middle of a key that is longer than eight.
#[inline]
const fn middle(key: &[u8]) -> u64 {
    if key.len() > 8 {
        word(key, (key.len() - 7) / 2)
    } else {
        0
    }
}

/// Up to eight bytes from there, the first the lowest.
const fn word(key: &[u8], from: usize) -> u64 {
    let (mut word, mut at) = (0, 0);
    while at < 8 && from + at < key.len() {
        word |= (key[from + at] as u64) << (8 * at);
        at += 1;
    }
    word
}

#[inline]
fn load(eight: &[u8]) -> u64 {
    eight.try_into().map_or(0, u64::from_le_bytes)
}

#[inline]
fn mask(len: usize) -> u64 {
    if len >= 8 {
        u64::MAX
    } else {
        (1 << (8 * len)) - 1
    }
}

/// Equal, by words: the call of a library's compare would cost more than most keys are long.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    let (ones, one) = one.as_chunks::<8>();
    let (others, other) = other.as_chunks::<8>();
    ones.iter()
        .zip(others)
        .all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
        && one.iter().zip(other).all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Act(u8);

    static NODE: Node<Act> = Node::object(&[
        ("id", At::act(Act(0))),
        ("ephemeral_5m_input_tokens", At::act(Act(1))),
        ("ephemeral_1h_input_tokens", At::act(Act(2))),
        ("prompt_tokens", At::act(Act(3))),
        ("prompt_tokens_details", At::either(1, Act(4))),
        ("eightlet", At::act(Act(5))),
        ("eightlets", At::act(Act(6))),
        ("", At::act(Act(7))),
    ]);

    #[track_caller]
    fn check(text: &str, from: usize, to: usize, expect: Option<u8>) {
        let at = NODE.at(NODE.find(text.as_bytes(), from, to));
        assert_eq!(at.act.map(|act| act.0), expect, "{text}");
    }

    #[test]
    fn each_key_is_found_wherever_it_lies() {
        for (index, (name, _)) in NODE.keys.iter().enumerate() {
            check(name, 0, name.len(), Some(index as u8));
            let within = format!("{{\"{name}\":17, and more of it");
            check(&within, 2, 2 + name.len(), Some(index as u8));
        }
    }

    #[test]
    fn no_other_key_is_found() {
        for other in [
            "i",
            "ids",
            "ID",
            "prompt_tokenz",
            "prompt_tokens_detailz",
            "ephemeral_2h_input_tokens",
            "ephemeral_1h_input_tokenz",
            "eightle",
            "\0",
            "id\0\0\0\0\0\0",
        ] {
            check(other, 0, other.len(), None);
            check(&format!("{other}\":17, and more"), 0, other.len(), None);
        }
    }
}
