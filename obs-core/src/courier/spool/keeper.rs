//! Does the jobs at the disk, and minds what comes due by itself: syncs, and batches that grow too old.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::files::{Directory, Files};
use super::store::{Load, Store};
use super::{Fsync, SpoolSettings};
use crate::clock::{unix_nanos_of, wall_now};
use crate::contain::contain;
use crate::courier::ledger::{Failure, Fate, Filed, Job, Report};
use crate::courier::time::{after, now};
use crate::courier::{DropReason, Settings};

/// There is one per courier, so nobody else is at the files.
pub(in crate::courier) struct Keeper {
    /// Gone once everything is finished, and the directory's lock with it.
    store: Option<Store>,
    fsync: Fsync,
    /// The wall clock at some moment: times of batches are counted from here, and do not step.
    anchor: (Instant, u64),
    /// Since when there is something to sync.
    dirty_since: Option<Instant>,
    expiry_at: Instant,
    /// The directory was gone.
    is_lost: bool,
    /// Of its files, when it was last looked.
    bytes: u64,
}

impl Keeper {
    pub(in crate::courier) fn new(settings: &Settings) -> Option<Self> {
        let settings = settings.spool.as_ref()?;
        let files = Box::new(Directory::at(settings.directory.clone()));
        Some(Self::with_files(files, settings))
    }

    pub(in crate::courier) fn with_files(files: Box<dyn Files>, settings: &SpoolSettings) -> Self {
        Self {
            store: Some(Store::new(files, settings)),
            fsync: settings.fsync,
            anchor: (now(), unix_nanos_of(wall_now())),
            dirty_since: None,
            expiry_at: after(now(), EXPIRY),
            is_lost: false,
            bytes: 0,
        }
    }

    /// When it wants to be called although there is no job.
    pub(in crate::courier) fn due(&self) -> Instant {
        let sync = match self.fsync {
            Fsync::Every(interval) => self.dirty_since.map(|since| after(since, interval)),
            Fsync::Never | Fsync::EachBatch => None,
        };
        sync.map_or(self.expiry_at, |at| at.min(self.expiry_at))
    }

    /// What is due by itself.
    pub(in crate::courier) fn tend(&mut self, at: Instant) -> Filed {
        let report = contain(|| {
            if self.dirty_since.is_some() {
                self.dirty_since = None;
                if let Some(store) = &mut self.store {
                    store.sync();
                }
            }
            if self.expiry_at <= at {
                self.expiry_at = after(at, EXPIRY);
                let unix = self.unix(at);
                if let Some(store) = &mut self.store {
                    store.expire(unix);
                }
            }
        });
        self.filed(report.map_or(Report::Broken, |()| Report::Nothing))
    }

    pub(in crate::courier) fn work(&mut self, job: Job, at: Instant) -> Filed {
        let report = contain(|| self.report(job, at)).unwrap_or(Report::Broken);
        if self.dirty_since.is_none() && self.store.as_ref().is_some_and(Store::is_dirty) {
            self.dirty_since = Some(at);
        }
        self.filed(report)
    }

    /// What the books say about a record that was just written or loaded.
    pub(in crate::courier) fn settle(&mut self, fate: Fate) -> Option<Filed> {
        if let Fate::Over = fate {
            let let_go = contain(|| self.store = None);
            return Some(self.filed(let_go.map_or(Report::Broken, |()| Report::LetGo)));
        }
        let store = self.store.as_mut()?;
        let marked = match fate {
            Fate::Kept | Fate::Over => return None,
            Fate::Held(place, batch) => contain(|| store.hold(batch.signal, place, &batch)).map(Ok),
            Fate::NoRoom(place, batch) => contain(|| store.unload(place, &batch)).map(Ok),
            Fate::Gone(place, batch) => contain(|| store.take_back(place, &batch)),
        };
        let report = if marked.is_some() {
            Report::Nothing
        } else {
            Report::Broken
        };
        let mut filed = self.filed(report);
        if let Some(Err(error)) = marked {
            let what = "what was sent could not be marked";
            filed.failures.push(Failure { what, error });
        }
        Some(filed)
    }

    fn report(&mut self, job: Job, at: Instant) -> Report {
        let unix = self.unix(at);
        let Some(store) = &mut self.store else {
            return Report::Finished;
        };
        match job {
            Job::Open => Report::Opened(store.open(unix)),
            Job::Mark(signal, place) => Report::Marked(store.done(signal, place)),
            Job::Write { ticket, batch } => {
                let is_ours = if self.is_lost {
                    store.claim()
                } else {
                    Ok(true)
                };
                let place = match is_ours {
                    Ok(true) => {
                        self.is_lost = false;
                        store.append(&batch, ticket, unix)
                    }
                    Ok(false) => Err(ErrorKind::ResourceBusy.into()),
                    Err(error) => Err(error),
                };
                let is_gone = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
                self.is_lost |= place.as_ref().is_err_and(is_gone);
                Report::Written {
                    ticket,
                    batch,
                    place,
                }
            }
            Job::Load { signal, room, most } => loop {
                match store.load(signal, room, unix) {
                    // Memory has been made smaller since it was written.
                    Ok(Load::NoRoom { bytes }) if bytes > most => {
                        store.skip(signal, DropReason::QueueFull);
                    }
                    loaded => break Report::Loaded(signal, loaded),
                }
            },
            Job::Finish => {
                store.expire(unix);
                store.miss();
                store.sync();
                Report::Finished
            }
        }
    }

    fn filed(&mut self, report: Report) -> Filed {
        let Some(store) = &mut self.store else {
            return Filed {
                report,
                losses: Vec::new(),
                failures: Vec::new(),
                bytes: self.bytes,
            };
        };
        self.bytes = store.bytes();
        let filed = Filed {
            report,
            losses: store.take_losses(),
            failures: store.take_troubles(),
            bytes: self.bytes,
        };
        if matches!(filed.report, Report::Broken) {
            self.store = None;
        }
        filed
    }

    fn unix(&self, at: Instant) -> u64 {
        let (instant, unix) = self.anchor;
        let since = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        match at.checked_duration_since(instant) {
            Some(later) => unix.saturating_add(since(later)),
            None => unix.saturating_sub(since(instant.saturating_duration_since(at))),
        }
    }
}

/// Between looks for what has grown too old.
const EXPIRY: Duration = Duration::from_secs(60);
