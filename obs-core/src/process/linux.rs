//! What Linux says in `/proc/self` (`proc_pid_status(5)`, `proc_pid_io(5)`, `proc_pid_fd(5)`, `proc_pid_stat(5)`).

use super::Reading;
use std::fs;
use std::io::Read;
use std::time::Instant;

/// Keeps its buffer: each collection reads the same few files.
#[derive(Debug)]
pub(super) struct Proc {
    buffer: String,
    /// How long the process had been running, and when that was.
    uptime: Option<(f64, Instant)>,
}

impl Proc {
    pub(super) fn new() -> Self {
        let mut this = Self {
            buffer: String::with_capacity(4096),
            uptime: None,
        };
        // Once: the kernel tells both in hundredths of a second, and our clock goes finer from there.
        this.uptime = this.find_uptime();
        this
    }

    pub(super) fn read(&mut self) -> Reading {
        let mut reading = Reading {
            descriptors: descriptors(),
            uptime: self
                .uptime
                .map(|(before, at)| before + (crate::clock::now() - at).as_secs_f64()),
            ..Reading::default()
        };
        if let Some(io) = self.file("/proc/self/io") {
            reading.disk = disk(io);
        }
        if let Some(status) = self.file("/proc/self/status") {
            read_status(status, &mut reading);
        }
        reading
    }

    fn file(&mut self, path: &str) -> Option<&str> {
        self.buffer.clear();
        let read = fs::File::open(path).and_then(|mut file| file.read_to_string(&mut self.buffer));
        read.is_ok().then_some(&*self.buffer)
    }

    fn find_uptime(&mut self) -> Option<(f64, Instant)> {
        use nix::unistd::{SysconfVar, sysconf};
        let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
        let started = started(self.file("/proc/self/stat")?)? as f64 / per_second as f64;
        let since_boot = self.file("/proc/uptime")?.split(' ').next()?;
        let uptime = since_boot.parse::<f64>().ok()? - started;
        // A container may have an uptime of its own beside start times of its host's.
        (uptime >= 0.0).then(|| (uptime, crate::clock::now()))
    }
}

/// In ticks since the system's start: the 22nd field. The second is the program's name, in parentheses, whatever is in it.
fn started(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn read_status(status: &str, reading: &mut Reading) {
    let bytes = |value: &str| number(value)?.checked_mul(1024);
    for line in status.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        match key {
            "VmSize" => reading.virtual_memory = bytes(value),
            "VmRSS" => reading.memory = bytes(value),
            "Threads" => {
                reading.threads = number(value);
                // Long lists of signals and processors follow.
                return;
            }
            _ => {}
        }
    }
}

fn number(value: &str) -> Option<i64> {
    value.split_ascii_whitespace().next()?.parse().ok()
}

fn disk(io: &str) -> Option<[u64; 2]> {
    let field = |name: &str| {
        let mut lines = io.lines().filter_map(|line| line.strip_prefix(name));
        lines.next()?.trim().parse().ok()
    };
    Some([field("read_bytes:")?, field("write_bytes:")?])
}

/// Since Linux 6.2 the folder's size is their number. Before, they are counted, without the one that counting opens.
fn descriptors() -> Option<i64> {
    const FOLDER: &str = "/proc/self/fd";
    match fs::metadata(FOLDER).ok()?.len() {
        0 => Some(fs::read_dir(FOLDER).ok()?.count() as i64 - 1),
        open => i64::try_from(open).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_or_makes_no_sense_is_absent() {
        let check = |status: &str, expect: [Option<i64>; 3]| {
            let mut reading = Reading::default();
            read_status(status, &mut reading);
            let read = [reading.virtual_memory, reading.memory, reading.threads];
            assert_eq!(read, expect, "{status:?}");
        };
        check("", [None; 3]);
        // A kernel thread has no memory of its own.
        check("Name:\tkthread\nThreads:\t1\n", [None, None, Some(1)]);
        check(
            "Name:\tVmRSS: 7\nVmSize:\t  2 kB\nVmRSS:\t x kB\nThreads:\n",
            [Some(2048), None, None],
        );
        check("VmSize:\t9223372036854775807 kB\n", [None; 3]);
        assert_eq!(disk("rchar: 1\nread_bytes: 2\n"), None);
        assert_eq!(
            disk("rchar: 1\nread_bytes: 2\nwrite_bytes: 3\ncancelled_write_bytes: 4\n"),
            Some([2, 3])
        );
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let rest = "S 1 1 1 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 4 0 4711 1 2 3";
        for name in ["(cat)", "(a b)", "(1) 2 (3)", "())"] {
            assert_eq!(started(&format!("1 {name} {rest}")), Some(4711), "{name}");
        }
        assert_eq!(started("1 (cat) S 1"), None);
        assert_eq!(started(""), None);
    }

    #[test]
    fn descriptors_are_counted_alike_by_old_and_new_kernels() {
        // Other tests open files meanwhile: near enough is all that can be said of one moment.
        let listed = fs::read_dir("/proc/self/fd").unwrap().count() as i64 - 1;
        assert!((descriptors().unwrap() - listed).abs() < 64);
    }
}
