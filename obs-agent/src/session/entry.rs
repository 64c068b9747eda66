//! One session, as the ledger holds it.

use super::seen::{Seen, What, Who};
use super::sketch::{Coarse, Fine};
use super::totals::Totals;
use obs_core::{Moment, OTHER};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: Arc<str>,
    /// Whether that is the session's and not the conversation's.
    pub(super) is_session: bool,
    /// The last that was told, whose room is used again.
    pub(super) conversation: String,
    pub(super) user: String,
    pub(super) started: Moment,
    pub(super) ended: Moment,
    pub(super) totals: Totals,
    pub(super) first_chunks: Fine,
    pub(super) first_chunk_count: u64,
    pub(super) first_chunk_span: Span,
    pub(super) tools: Vec<Tool>,
    /// What it takes, as it was counted last.
    pub(super) bytes: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: Box<str>,
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) seconds: f64,
    pub(super) span: Span,
    pub(super) latency: Coarse,
}

/// The shortest and the longest of several times: no quantile lies beyond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    min: f64,
    pub(super) max: f64,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            min: f64::INFINITY,
            max: 0.0,
        }
    }
}

impl Span {
    fn add(&mut self, seconds: f64) {
        self.min = self.min.min(seconds);
        self.max = self.max.max(seconds);
    }

    pub(super) fn within(self, seconds: f64) -> f64 {
        seconds.max(self.min).min(self.max)
    }
}

/// What an allocator puts around each block, at most.
const AROUND: usize = 16;

impl Entry {
    pub(super) fn new(id: &str, seen: &Seen<'_>) -> Box<Self> {
        Box::new(Self {
            id: id.into(),
            is_session: seen.who.session.is_some(),
            conversation: String::new(),
            user: String::new(),
            started: seen.started,
            ended: seen.ended,
            totals: Totals::default(),
            first_chunks: Fine::default(),
            first_chunk_count: 0,
            first_chunk_span: Span::default(),
            tools: Vec::new(),
            bytes: 0,
        })
    }

    /// Adds one that ended. Asks for the heap only for what was not there before: a tool, a longer id.
    pub(super) fn add(&mut self, seen: &Seen<'_>, most_tools: usize) {
        self.started = self.started.min(seen.started);
        self.ended = self.ended.max(seen.ended);
        self.totals.add(seen);
        self.name(&seen.who);
        if seen.what == What::Inference
            && let Some(seconds) = seen.first_chunk
        {
            self.first_chunks.add(seconds);
            self.first_chunk_count = self.first_chunk_count.saturating_add(1);
            self.first_chunk_span.add(seconds);
        }
        if seen.what == What::Tool {
            let name = seen.tool.as_ref().map_or(OTHER, |name| name.as_str());
            self.tool(name, most_tools).add(seen);
        }
    }

    fn name(&mut self, who: &Who<'_>) {
        for (own, told) in [
            (&mut self.conversation, who.conversation.as_deref()),
            (&mut self.user, who.user),
        ] {
            if let Some(told) = told
                && own != told
            {
                own.clear();
                own.reserve_exact(told.len());
                own.push_str(told);
            }
        }
    }

    /// The tool of that name, or what stands for those that have no room.
    fn tool(&mut self, name: &str, most: usize) -> &mut Tool {
        let place = self.place_of(name).unwrap_or_else(|| {
            // Of `most` places one is for all the others.
            let is_last = name != OTHER && self.named() + 1 >= most;
            let name = if is_last { OTHER } else { name };
            self.place_of(name).unwrap_or_else(|| {
                // A little at a time: most sessions have few, and doubling them would be most of what they take.
                if self.tools.len() == self.tools.capacity() {
                    self.tools.reserve_exact(2);
                }
                self.tools.push(Tool::new(name));
                self.tools.len() - 1
            })
        });
        &mut self.tools[place]
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.tools.iter().position(|tool| *tool.name == *name)
    }

    /// Those that are told by their names.
    fn named(&self) -> usize {
        self.tools.len() - usize::from(self.place_of(OTHER).is_some())
    }

    /// What it takes of the heap now, with its box and its id.
    pub(super) fn measure(&self) -> usize {
        let names: usize = { self.tools.iter() }
            .map(|tool| tool.name.len() + AROUND)
            .sum();
        let texts = [&self.conversation, &self.user].map(|text| match text.capacity() {
            0 => 0,
            bytes => bytes + AROUND,
        });
        let tools = match self.tools.capacity() {
            0 => 0,
            places => places * size_of::<Tool>() + AROUND,
        };
        let counts = 2 * size_of::<usize>();
        let id = self.id.len() + counts + AROUND;
        size_of::<Self>() + AROUND + id + names + texts[0] + texts[1] + tools
    }
}

impl Tool {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            calls: 0,
            failed: 0,
            seconds: 0.0,
            span: Span::default(),
            latency: Coarse::default(),
        }
    }

    fn add(&mut self, seen: &Seen<'_>) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u64::from(seen.failed));
        self.seconds += seen.seconds;
        self.span.add(seen.seconds);
        self.latency.add(seen.seconds);
    }
}
