//! What somebody wants to find again in whatever begins within an operation.

use std::any::Any;
use std::sync::{Arc, Weak};

/// A note of somebody's, who alone knows what it is.
pub(crate) type Note = Arc<dyn Any + Send + Sync>;

/// In the order in which they were put there. A note is gone with whoever put it there: it is held weakly, so that one who puts many, one
/// after another, does not make sessions grow.
#[derive(Clone, Default)]
pub(crate) struct Notes(Option<Arc<[Weak<dyn Any + Send + Sync>]>>);

impl Notes {
    pub(crate) fn with(&self, note: &Note) -> Self {
        Self::from_all(self.all().chain([Arc::downgrade(note)]))
    }

    /// These, and those that were there before.
    pub(crate) fn beside(self, before: &Self) -> Self {
        if self.0.is_none() || self == *before {
            return before.clone();
        }
        let is_new = |note: &Weak<_>| !before.all().any(|known| known.ptr_eq(note));
        Self::from_all(before.all().chain(self.all().filter(is_new)))
    }

    fn from_all(all: impl Iterator<Item = Weak<dyn Any + Send + Sync>>) -> Self {
        let there: Vec<_> = all.filter(|note| note.strong_count() > 0).collect();
        Self((!there.is_empty()).then(|| there.into()))
    }

    fn all(&self) -> impl Iterator<Item = Weak<dyn Any + Send + Sync>> {
        self.0.iter().flat_map(|all| all.iter().cloned())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Note> {
        let all = self.0.as_deref().unwrap_or_default();
        all.iter().filter_map(Weak::upgrade)
    }
}

/// The same list, and not only the same notes: enough to know that nothing is to be done.
impl PartialEq for Notes {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() == other.is_none(),
        }
    }
}

impl Eq for Notes {}

/// How many; nobody else knows what they are.
impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Notes").field(&self.iter().count()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_gone_take_no_place() {
        let mut notes = Notes::default();
        let kept: Note = Arc::new(0_u32);
        notes = notes.with(&kept);
        for number in 0..1_000_u32 {
            let note: Note = Arc::new(number);
            notes = Notes::default().with(&note).beside(&notes);
            assert_eq!(notes.all().count(), 2, "of which one is kept");
        }
        assert_eq!(notes.iter().count(), 1);
        let same = notes.clone().beside(&notes);
        assert_eq!(same, notes);
        // In another list, too, they are the same.
        let again = Notes::default().with(&kept).beside(&notes);
        assert_eq!(again.all().count(), 1);
        drop(kept);
        let own: Note = Arc::new(1_u32);
        assert_eq!(notes.with(&own).all().count(), 1);
    }
}
