//! A simulated disk: a directory in memory that fails as it is told. It stands in for the file system in tests of what no
//! real one does on demand; `tests/spool` has the real ones.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::files::{Files, OpenFile};

/// The disk; clones are the same. What has been opened on it keeps working until the disk is told otherwise.
#[derive(Clone, Default)]
pub(in crate::courier) struct SimulatedDisk(Arc<(Mutex<Platter>, Condvar)>);

#[derive(Default)]
struct Platter {
    /// Every file that was ever made, by number.
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    /// As they were when they were last synced.
    lasting_names: BTreeMap<String, usize>,
    /// Who has it claimed.
    owner: Option<u64>,
    claims: u64,
    faults: Faults,
}

#[derive(Clone, Default)]
struct Inode {
    data: Vec<u8>,
    lasting: Vec<u8>,
}

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::courier) struct Faults {
    /// Bytes that can still be written; a write that does not fit is a short one.
    pub(in crate::courier) room: Option<u64>,
    pub(in crate::courier) failing_reads: bool,
    pub(in crate::courier) failing_writes: bool,
    pub(in crate::courier) failing_syncs: bool,
    pub(in crate::courier) read_only: bool,
    /// Calls do not return while it is set.
    pub(in crate::courier) hanging: bool,
}

impl SimulatedDisk {
    pub(in crate::courier) fn files(&self) -> Box<dyn Files> {
        Box::new(SimulatedFiles {
            disk: self.clone(),
            claim: None,
        })
    }

    pub(in crate::courier) fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
        self.0.1.notify_all();
    }

    /// Loses what was not synced, but for the first `kept` bytes beyond that of each file. Everybody lets go of it.
    pub(in crate::courier) fn lose_power(&self, kept: usize) {
        let mut platter = self.lock();
        platter.names = platter.lasting_names.clone();
        for inode in &mut platter.inodes {
            let torn = kept.saturating_add(inode.lasting.len());
            if inode.data.starts_with(&inode.lasting) {
                inode.data.truncate(torn);
            } else {
                inode.data = inode.lasting.clone();
            }
        }
        platter.owner = None;
    }

    /// Somebody removes the directory.
    pub(in crate::courier) fn remove_all(&self) {
        let mut platter = self.lock();
        platter.names.clear();
        platter.lasting_names.clear();
        platter.owner = None;
    }

    pub(in crate::courier) fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Of all segments.
    pub(in crate::courier) fn segment_bytes(&self) -> u64 {
        let platter = self.lock();
        let segments = platter
            .names
            .iter()
            .filter(|(name, _)| name.ends_with(".seg"));
        segments
            .map(|(_, inode)| platter.inodes[*inode].data.len() as u64)
            .sum()
    }

    pub(in crate::courier) fn len(&self, name: &str) -> usize {
        let platter = self.lock();
        platter.inodes[platter.names[name]].data.len()
    }

    pub(in crate::courier) fn flip(&self, name: &str, byte: usize) {
        let mut platter = self.lock();
        let inode = platter.names[name];
        platter.inodes[inode].data[byte] ^= 1;
    }

    pub(in crate::courier) fn tear(&self, name: &str, len: usize) {
        let mut platter = self.lock();
        let inode = platter.names[name];
        platter.inodes[inode].data.truncate(len);
    }

    pub(in crate::courier) fn put(&self, name: &str, bytes: &[u8]) {
        let mut platter = self.lock();
        let inode = platter.make(name);
        platter.inodes[inode].data = bytes.to_vec();
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of somebody's, once the disk does not hang.
    fn call(&self) -> MutexGuard<'_, Platter> {
        let mut platter = self.lock();
        while platter.faults.hanging {
            platter = self
                .0
                .1
                .wait(platter)
                .unwrap_or_else(PoisonError::into_inner);
        }
        platter
    }
}

impl Platter {
    fn make(&mut self, name: &str) -> usize {
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.insert(name.to_owned(), inode);
        inode
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.faults.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        if self.faults.failing_writes {
            return Err(io::Error::other("EIO"));
        }
        Ok(())
    }

    /// How many of so many bytes can be written.
    fn take_room(&mut self, wanted: usize) -> io::Result<usize> {
        self.check_writable()?;
        let Some(room) = &mut self.faults.room else {
            return Ok(wanted);
        };
        let fits = wanted.min(usize::try_from(*room).unwrap());
        *room -= fits as u64;
        if fits == 0 && wanted > 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(fits)
    }
}

struct SimulatedFiles {
    disk: SimulatedDisk,
    claim: Option<u64>,
}

impl Drop for SimulatedFiles {
    fn drop(&mut self) {
        let mut platter = self.disk.lock();
        if platter.owner == self.claim {
            platter.owner = None;
        }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    inode: usize,
}

impl SimulatedFiles {
    fn file(&self, inode: usize) -> Box<dyn OpenFile> {
        Box::new(SimulatedFile {
            disk: self.disk.clone(),
            inode,
        })
    }
}

impl Files for SimulatedFiles {
    fn claim(&mut self) -> io::Result<bool> {
        let mut platter = self.disk.call();
        if platter.owner.is_some() && platter.owner != self.claim {
            return Ok(false);
        }
        platter.check_writable()?;
        platter.claims += 1;
        self.claim = Some(platter.claims);
        platter.owner = self.claim;
        Ok(true)
    }

    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let platter = self.disk.call();
        let len = |inode: usize| platter.inodes[inode].data.len() as u64;
        Ok(platter
            .names
            .iter()
            .map(|(name, inode)| (name.clone(), len(*inode)))
            .collect())
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn OpenFile>> {
        let mut platter = self.disk.call();
        platter.check_writable()?;
        if platter.owner != self.claim {
            return Err(ErrorKind::NotFound.into());
        }
        assert!(!platter.names.contains_key(name), "{name} is used twice");
        let inode = platter.make(name);
        drop(platter);
        Ok(self.file(inode))
    }

    fn open(&mut self, name: &str, write: bool) -> io::Result<Box<dyn OpenFile>> {
        let mut platter = self.disk.call();
        let inode = match platter.names.get(name) {
            Some(inode) => *inode,
            None if write => {
                platter.check_writable()?;
                platter.make(name)
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        drop(platter);
        Ok(self.file(inode))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut platter = self.disk.call();
        platter.check_writable()?;
        let gone = platter.names.remove(name);
        gone.map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let mut platter = self.disk.call();
        if platter.faults.failing_syncs {
            return Err(io::Error::other("EIO"));
        }
        platter.lasting_names = platter.names.clone();
        Ok(())
    }
}

impl OpenFile for SimulatedFile {
    fn append(&mut self, front: &[u8], back: &[u8]) -> io::Result<usize> {
        let mut platter = self.disk.call();
        let bytes = [front, back].concat();
        let fits = platter.take_room(bytes.len())?;
        platter.inodes[self.inode].data.extend(&bytes[..fits]);
        Ok(fits)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.disk.call();
        // A disk that is full still lets be overwritten what is there.
        platter.check_writable()?;
        let data = &mut platter.inodes[self.inode].data;
        let offset = usize::try_from(offset).unwrap();
        data.resize(data.len().max(offset + bytes.len()), 0);
        data[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let platter = self.disk.call();
        if platter.faults.failing_reads {
            return Err(io::Error::other("EIO"));
        }
        let data = &platter.inodes[self.inode].data;
        let from = data.len().min(usize::try_from(offset).unwrap());
        let len = buffer.len().min(data.len() - from);
        buffer[..len].copy_from_slice(&data[from..from + len]);
        Ok(len)
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.disk.call().inodes[self.inode].data.len() as u64)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut platter = self.disk.call();
        platter.check_writable()?;
        let data = &mut platter.inodes[self.inode].data;
        data.truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut platter = self.disk.call();
        if platter.faults.failing_syncs {
            return Err(io::Error::other("EIO"));
        }
        let inode = &mut platter.inodes[self.inode];
        inode.lasting = inode.data.clone();
        Ok(())
    }

    fn is_linked(&mut self) -> io::Result<bool> {
        Ok(self
            .disk
            .call()
            .names
            .values()
            .any(|inode| *inode == self.inode))
    }
}
