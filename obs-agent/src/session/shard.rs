//! A part of a ledger, behind one lock: its sessions by their ids, and in the order in which they were seen last.

use super::entry::Entry;
use super::seen::Seen;
use super::tally::Tally;
use obs_core::Moment;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Shard {
    places: HashMap<Arc<str>, u32>,
    slots: Vec<Slot>,
    /// Heads of the list of those that are used, and of those that are free.
    newest: u32,
    oldest: u32,
    free: u32,
    /// What budgets read.
    pub(super) tallies: HashMap<Arc<str>, Arc<Tally>>,
    /// Nothing is taken any more.
    pub(super) closed: bool,
    /// What its sessions take, and what holds them.
    pub(super) bytes: usize,
    holds: usize,
}

#[derive(Debug)]
struct Slot {
    entry: Option<Box<Entry>>,
    newer: u32,
    /// The next free one, where it is free.
    older: u32,
}

const NONE: u32 = u32::MAX;

impl Default for Shard {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            newest: NONE,
            oldest: NONE,
            free: NONE,
            tallies: HashMap::new(),
            closed: false,
            bytes: 0,
            holds: 0,
        }
    }
}

impl Shard {
    /// Adds one that ended to its session. Says whether that is a new one.
    pub(super) fn add(&mut self, id: &str, seen: &Seen<'_>, most_tools: usize) -> bool {
        if !self.tallies.is_empty()
            && let Some(tally) = self.tallies.get(id)
        {
            tally.add(seen);
        }
        let (place, is_new) = match self.places.get(id) {
            Some(place) => (*place, false),
            None => (self.make(Entry::new(id, seen)), true),
        };
        self.renew(place);
        if let Some(entry) = self.entry_mut(place) {
            entry.add(seen, most_tools);
            let (bytes, before) = (entry.measure(), entry.bytes);
            entry.bytes = bytes;
            self.bytes = self.bytes + bytes - before;
        }
        is_new
    }

    fn make(&mut self, entry: Box<Entry>) -> u32 {
        let id = entry.id.clone();
        let slot = Slot {
            entry: Some(entry),
            newer: NONE,
            older: NONE,
        };
        let place = match self.slots.get_mut(self.free as usize) {
            Some(free) => {
                let place = self.free;
                self.free = free.older;
                *free = slot;
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.places.insert(id, place);
        self.link(place);
        let holds = self.measure();
        self.bytes = self.bytes + holds - self.holds;
        self.holds = holds;
        place
    }

    /// What the map and the slots take: while they grow, half as much again.
    fn measure(&self) -> usize {
        // A map is at most seven eighths full, and has a byte for each place.
        let places = (self.places.capacity() * 8 / 7).next_power_of_two();
        let map = places * (size_of::<(Arc<str>, u32)>() + 1);
        (map + self.slots.capacity() * size_of::<Slot>()) * 3 / 2
    }

    fn entry_mut(&mut self, place: u32) -> Option<&mut Entry> {
        self.slots.get_mut(place as usize)?.entry.as_deref_mut()
    }

    fn entry(&self, place: u32) -> Option<&Entry> {
        self.slots.get(place as usize)?.entry.as_deref()
    }

    fn renew(&mut self, place: u32) {
        if self.newest != place {
            self.unlink(place);
            self.link(place);
        }
    }

    fn link(&mut self, place: u32) {
        let second = std::mem::replace(&mut self.newest, place);
        if let Some(slot) = self.slots.get_mut(place as usize) {
            (slot.newer, slot.older) = (NONE, second);
        }
        match self.slots.get_mut(second as usize) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
    }

    fn unlink(&mut self, place: u32) {
        let Some(slot) = self.slots.get(place as usize) else {
            return;
        };
        let (newer, older) = (slot.newer, slot.older);
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// When the one was seen that was not seen for longest.
    pub(super) fn oldest_seen(&self) -> Option<Moment> {
        self.entry(self.oldest).map(|entry| entry.ended)
    }

    pub(super) fn take_oldest(&mut self) -> Option<Box<Entry>> {
        self.take(self.oldest)
    }

    pub(super) fn take_named(&mut self, id: &str) -> Option<Box<Entry>> {
        let place = *self.places.get(id)?;
        self.take(place)
    }

    fn take(&mut self, place: u32) -> Option<Box<Entry>> {
        let entry = self.slots.get_mut(place as usize)?.entry.take()?;
        self.unlink(place);
        if let Some(slot) = self.slots.get_mut(place as usize) {
            slot.older = std::mem::replace(&mut self.free, place);
        }
        self.places.remove(&entry.id);
        self.bytes -= entry.bytes;
        Some(entry)
    }

    pub(super) fn named(&self, id: &str) -> Option<&Entry> {
        self.entry(*self.places.get(id)?)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().filter_map(|slot| slot.entry.as_deref())
    }
}
