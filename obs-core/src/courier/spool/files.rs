//! The seam between the spool and the file system: few calls, so that a test can stand in for a disk that fails.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;

/// One directory.
pub(in crate::courier) trait Files: Send + 'static {
    /// Makes the directory where it is missing, and takes it for this spool alone. `false`: somebody else has it.
    fn claim(&mut self) -> io::Result<bool>;
    /// Every file in it: name and length.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;
    /// A new file, to append to. One that is there already is an error.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn OpenFile>>;
    /// A file that is there, to read; to write too, made where it is missing, if `write`.
    fn open(&mut self, name: &str, write: bool) -> io::Result<Box<dyn OpenFile>>;
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes creations and removals last.
    fn sync_names(&mut self) -> io::Result<()>;
}

pub(in crate::courier) trait OpenFile: Send {
    /// Both parts by one call at the end of the file: how much of them was written.
    fn append(&mut self, front: &[u8], back: &[u8]) -> io::Result<usize>;
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// As much as there is, up to all of `buffer`.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    fn len(&mut self) -> io::Result<u64>;
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    /// Whether it still has a name: what is written to one that has none is lost with the process.
    fn is_linked(&mut self) -> io::Result<bool>;
}

/// A directory of the file system.
#[derive(Debug)]
pub(in crate::courier) struct Directory {
    path: PathBuf,
    lock: Option<Lock>,
}

/// Held until it is dropped.
#[derive(Debug)]
struct Lock {
    file: File,
    /// Whose it is.
    process: u32,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough where a forked child has it too; and that child is not to give it away.
        if self.process == process::id() {
            self.file.unlock().ok();
        }
    }
}

impl Directory {
    pub(in crate::courier) fn at(path: PathBuf) -> Self {
        Self { path, lock: None }
    }
}

impl Files for Directory {
    fn claim(&mut self) -> io::Result<bool> {
        self.lock = None;
        create_private_directory(&self.path)?;
        let mut options = private();
        options.read(true).write(true).create(true);
        let lock = options.open(self.path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        self.lock = Some(Lock {
            file: lock,
            process: process::id(),
        });
        Ok(true)
    }

    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let file = entry.metadata()?;
            if let Some(name) = entry.file_name().to_str().filter(|_| file.is_file()) {
                found.push((name.to_owned(), file.len()));
            }
        }
        Ok(found)
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn OpenFile>> {
        let mut options = private();
        options.append(true).create_new(true);
        Ok(Box::new(options.open(self.path.join(name))?))
    }

    fn open(&mut self, name: &str, write: bool) -> io::Result<Box<dyn OpenFile>> {
        let mut options = private();
        options.read(true).write(write).create(write);
        Ok(Box::new(options.open(self.path.join(name))?))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        sync_directory(&self.path)
    }
}

impl OpenFile for File {
    fn append(&mut self, front: &[u8], back: &[u8]) -> io::Result<usize> {
        loop {
            match self.write_vectored(&[IoSlice::new(front), IoSlice::new(back)]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn is_linked(&mut self) -> io::Result<bool> {
        has_name(self)
    }
}

const LOCK: &str = "lock";

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

/// Its parents too, as the system makes directories by default; it alone is for nobody else to read.
fn create_private_directory(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            builder.create(path)
        }
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere names last by themselves, or nothing can be done about it.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn has_name(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 0)
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn has_name(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests;
