//! What cannot be done to one process without doing it to the whole machine: a wall clock that steps, a disk that fails. A
//! library between the process and its C library does it, built here and loaded into that process alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The library, and the files that tell it what to do.
#[derive(Debug)]
pub(super) struct Preload {
    scratch: Scratch,
}

impl Preload {
    /// None where there is no C compiler.
    pub(super) fn build() -> io::Result<Option<Self>> {
        let preload = Self {
            scratch: Scratch::new("preload")?,
        };
        let source = preload.folder().join("between.c");
        fs::write(&source, BETWEEN)?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(preload.library())
            .arg(&source)
            .arg("-ldl")
            .status();
        preload.step(0)?;
        preload.fail(None)?;
        Ok(built
            .is_ok_and(|status| status.success())
            .then_some(preload))
    }

    /// Files below this whose names hold `spool` are on the disk that fails.
    pub(super) fn folder(&self) -> &Path {
        &self.scratch.0
    }

    fn library(&self) -> PathBuf {
        self.folder().join("between.so")
    }

    /// For the process to be.
    pub(super) fn set(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", self.library())
            .env("OBS_CHAOS_BETWEEN", self.folder());
    }

    /// The wall clock is so many seconds off.
    pub(super) fn step(&self, seconds: i64) -> io::Result<()> {
        self.write("step", seconds)
    }

    /// Writes fail with that error, by its name.
    pub(super) fn fail(&self, error: Option<&str>) -> io::Result<()> {
        let number = match error {
            Some("EIO") => 5,
            Some("ENOSPC") => 28,
            Some("EROFS") => 30,
            _ => 0,
        };
        self.write("fail", number)
    }

    /// In one piece: the process may be reading it.
    fn write(&self, name: &str, number: i64) -> io::Result<()> {
        let (new, at) = (self.folder().join("new"), self.folder().join(name));
        fs::write(&new, number.to_string())?;
        fs::rename(new, at)
    }
}

const BETWEEN: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/types.h>
#include <sys/uio.h>

static long told(const char *name) {
    const char *folder = getenv("OBS_CHAOS_BETWEEN");
    char path[512], text[32] = {0};
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDONLY);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *to) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, to);
    if (result == 0 && id == CLOCK_REALTIME) to->tv_sec += told("step");
    return result;
}

/* Whether this file is on the disk that fails now; errno says how. */
static int fails(int file) {
    const char *folder = getenv("OBS_CHAOS_BETWEEN");
    char link[64], path[512];
    if (!folder || file < 3) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) || !strstr(path + strlen(folder), "spool")) return 0;
    long how = told("fail");
    if (how) errno = (int)how;
    return how != 0;
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int file, const void *from, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return fails(file) ? -1 : real(file, from, length);
}
ssize_t pwrite64(int file, const void *from, size_t length, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return fails(file) ? -1 : real(file, from, length, at);
}
ssize_t writev(int file, const struct iovec *from, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return fails(file) ? -1 : real(file, from, count);
}
int fsync(int file) {
    REAL(int, "fsync", int);
    return fails(file) ? -1 : real(file);
}
int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    return fails(file) ? -1 : real(file);
}
"#;

/// A folder that goes when the case is over.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir();
        // Several of one name may be there at a time, and one of before.
        for number in 0..1_000 {
            let path = folder.join(format!("obs-chaos-{name}-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no name left for a folder"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
