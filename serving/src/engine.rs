//! The thread that runs the model: whoever has a slot is advanced by a token in each step, and whoever is done makes room for the
//! next at once (continuous batching).

use crate::journal::{Between, Journal, Life, Step};
use crate::model::{Sequence, TinyLlama};
use obs_core::{Outcome, Parent};
use obs_llm::server::{MODEL_ERROR, ModelServer};
use obs_llm::wire::{RequestSink, ResponseSink};
use obs_llm::{InferenceRequest, LlmOperation};
use std::collections::VecDeque;
use std::sync::{Arc, Weak, mpsc};
use std::thread;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id, by which it is found again.
    pub id: String,
    /// The text to go on with.
    pub prompt: Vec<u32>,
    /// How many tokens the answer is to have.
    pub tokens: usize,
}

/// The answer, token by token. Whoever drops it wants no more of it.
#[derive(Debug)]
pub struct Answer {
    tokens: mpsc::Receiver<u32>,
    _wanted: Arc<()>,
}

impl Answer {
    /// The next token; `None` after the last.
    pub fn next(&self) -> Option<u32> {
        self.tokens.recv().ok()
    }

    /// All that is left.
    pub fn rest(self) -> Vec<u32> {
        self.tokens.iter().collect()
    }
}

/// A request on its way to the engine.
struct Waiting {
    request: InferenceRequest,
    asked: Asked,
    at: Between,
    reply: mpsc::Sender<u32>,
    wanted: Weak<()>,
}

/// Where requests are put in, from any thread.
#[derive(Clone, Debug)]
pub struct Inbox {
    server: ModelServer,
    send: mpsc::Sender<Waiting>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Waiting").field(&self.asked.id).finish()
    }
}

impl Inbox {
    /// Asks; the request is the child of `parent`. An engine that is gone cancels it.
    pub fn ask(&self, asked: Asked, parent: Parent<'_>) -> Answer {
        let (mut request, at) =
            Between::of(|| self.server.request(LlmOperation::TextCompletion, parent));
        request.max_tokens(asked.tokens as u64);
        request.stream(true);
        request.response_id(&asked.id);
        let (reply, tokens) = mpsc::channel();
        let wanted = Arc::new(());
        // Where nobody receives, what comes back is dropped.
        let _ = self.send.send(Waiting {
            request,
            asked,
            at,
            reply,
            wanted: Arc::downgrade(&wanted),
        });
        Answer {
            tokens,
            _wanted: wanted,
        }
    }
}

/// A request that has a slot.
struct Running {
    request: InferenceRequest,
    sequence: Sequence,
    left: usize,
    reply: mpsc::Sender<u32>,
    wanted: Weak<()>,
    life: Life,
}

/// How a request goes on after a step.
enum Next {
    On,
    Complete,
    Unwanted,
    Failed,
}

/// The engine.
pub struct Engine<W> {
    model: TinyLlama,
    server: ModelServer,
    slots: usize,
    inbox: mpsc::Receiver<Waiting>,
    queue: VecDeque<Waiting>,
    running: Vec<Running>,
    journal: Journal,
    watch: W,
}

impl<W> std::fmt::Debug for Engine<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl<W: FnMut(Step) + Send + 'static> Engine<W> {
    /// An engine that has not begun: what is put in waits. `watch` is called after each step, in the engine's thread.
    pub fn new(model: TinyLlama, server: &ModelServer, slots: usize, watch: W) -> (Self, Inbox) {
        let (send, inbox) = mpsc::channel();
        let server = server.clone();
        let engine = Self {
            model,
            server: server.clone(),
            slots,
            inbox,
            queue: VecDeque::new(),
            running: Vec::new(),
            journal: Journal::default(),
            watch,
        };
        (engine, Inbox { server, send })
    }

    /// Runs in a thread of its own until there is no inbox left and nothing to do, and says what it did.
    pub fn start(self) -> thread::JoinHandle<Journal> {
        thread::spawn(move || self.run())
    }

    fn run(mut self) -> Journal {
        loop {
            if self.running.is_empty() && self.queue.is_empty() {
                match self.inbox.recv() {
                    Ok(first) => self.queue.push_back(first),
                    Err(_) => return self.journal,
                }
            }
            self.queue.extend(self.inbox.try_iter());
            self.let_go();
            self.schedule();
            self.step();
        }
    }

    /// Of those that wait, the ones that nobody waits for.
    fn let_go(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        for waiting in queue {
            if waiting.wanted.strong_count() > 0 {
                self.queue.push_back(waiting);
            } else {
                self.journal.lives.push(waiting.life(None));
            }
        }
    }

    fn schedule(&mut self) {
        let (now, at) = Between::of(|| self.server.now());
        while self.running.len() < self.slots
            && let Some(mut waiting) = self.queue.pop_front()
        {
            waiting.request.scheduled_at(now);
            let life = waiting.life(Some(at));
            match self.model.begin(&waiting.asked.prompt) {
                Ok(sequence) => self.running.push(Running {
                    request: waiting.request,
                    sequence,
                    left: waiting.asked.tokens,
                    reply: waiting.reply,
                    wanted: waiting.wanted,
                    life,
                }),
                Err(_) => {
                    waiting.request.end(Outcome::failed(MODEL_ERROR));
                    self.journal.lives.push(life);
                }
            }
        }
    }

    /// One token more for each.
    fn step(&mut self) {
        let batch = self.running.len();
        let model = &self.model;
        let computed: Vec<_> = { self.running.iter_mut() }
            .map(|running| running.sequence.advance(model).ok())
            .collect();
        let (done, at) = Between::of(|| self.server.step(batch));
        let running = std::mem::take(&mut self.running);
        for (mut running, token) in running.into_iter().zip(computed) {
            let next = match token {
                Some(token) => {
                    if running.life.first.is_none() {
                        running.request.prefilled(running.life.prompt as u64);
                    }
                    running.request.token_at(done);
                    running.say(token, at)
                }
                None => Next::Failed,
            };
            match next {
                Next::On => {
                    self.running.push(running);
                    continue;
                }
                Next::Complete => {
                    running.life.complete = true;
                    running.request.finish_reason(0, "length");
                    running.request.end(Outcome::ANSWERED);
                }
                Next::Failed => running.request.end(Outcome::failed(MODEL_ERROR)),
                // Dropped: that is a request which nobody waits for.
                Next::Unwanted => drop(running.request),
            }
            self.journal.lives.push(running.life);
        }
        let held = { self.running.iter() }.map(|running| running.sequence.held());
        let step = Step {
            batch,
            active: self.running.len() + self.queue.len(),
            waiting: self.queue.len(),
            held: held.sum(),
            room: self.slots * self.model.longest(),
        };
        self.server
            .kv_cache_usage(step.held as f64 / step.room as f64);
        if batch > 0 {
            self.journal.steps.push(step);
            (self.watch)(step);
        }
    }
}

impl Waiting {
    fn life(&self, scheduled: Option<Between>) -> Life {
        Life {
            id: self.asked.id.clone(),
            asked: self.at,
            scheduled,
            first: None,
            last: None,
            tokens: Vec::new(),
            prompt: self.asked.prompt.len(),
            complete: false,
        }
    }
}

impl Running {
    fn say(&mut self, token: u32, at: Between) -> Next {
        self.life.first.get_or_insert(at);
        self.life.last = Some(at);
        self.life.tokens.push(token);
        self.left = self.left.saturating_sub(1);
        if self.wanted.strong_count() == 0 || self.reply.send(token).is_err() {
            Next::Unwanted
        } else if self.left == 0 {
            Next::Complete
        } else {
            Next::On
        }
    }
}
