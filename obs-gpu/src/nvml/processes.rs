//! The processes that use a device. The driver's rows are not all true: shares above one, rows of processes that are gone, rows that
//! were told before. Those are left out.

use super::raw::{Busy, Handle, Library, List, Process};
use super::units::From;
use super::{Verdict, error};
use crate::calls::Calls;
use crate::reading::Reading;
use crate::source::{GpuProcess, ProcessKind, SourceError};
use nvml_wrapper_sys::bindings::nvmlReturn_enum_NVML_ERROR_NOT_FOUND;

const LISTS: [(List, ProcessKind, &str); 3] = [
    (
        List::Compute,
        ProcessKind::Compute,
        "nvmlDeviceGetComputeRunningProcesses_v3",
    ),
    (
        List::Graphics,
        ProcessKind::Graphics,
        "nvmlDeviceGetGraphicsRunningProcesses_v3",
    ),
    (
        List::Mps,
        ProcessKind::Mps,
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
    ),
];

/// What is known from one time to the next.
#[derive(Debug, Default)]
pub(super) struct Processes {
    lacks: [bool; LISTS.len()],
    /// What came of asking for shares last, and what they were.
    asked: Reading,
    shares: Vec<(u32, u32)>,
    /// The newest share that was told, in the driver's microseconds.
    seen: u64,
    rows: Vec<Process>,
    busy: Vec<Busy>,
}

impl Processes {
    pub(super) fn read(
        &mut self,
        library: Library,
        of: Handle,
        into: &mut Vec<GpuProcess>,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        for (at, (list, kind, name)) in LISTS.into_iter().enumerate() {
            if self.lacks[at] {
                continue;
            }
            self.rows.clear();
            let rows = &mut self.rows;
            match calls
                .time(name, || library.processes(of, list, rows))
                .map_err(error)
            {
                Ok(()) => add(kind, rows, into),
                Err(SourceError::Unsupported) => self.lacks[at] = true,
                Err(error) => return Err(error),
            }
        }
        for process in into {
            process.utilization = self.share(process.pid);
        }
        Ok(())
    }

    /// The share that a process had when shares were asked for last. One of which nothing new was told did nothing.
    fn share(&self, pid: u32) -> Reading {
        let Reading::Value(_) = self.asked else {
            return self.asked;
        };
        let mut known = self.shares.iter();
        let percent = known
            .find(|(of, _)| *of == pid)
            .map_or(0, |(_, percent)| *percent);
        Reading::Value(From::Percent.convert(percent.into()))
    }

    /// Asks for the shares of their time that processes had since this was asked last.
    pub(super) fn read_shares(
        &mut self,
        library: Library,
        of: Handle,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        if self.asked == Reading::Unsupported {
            return Ok(());
        }
        self.busy.clear();
        let (busy, since) = (&mut self.busy, self.seen);
        let answer = calls.time("nvmlDeviceGetProcessUtilization", || {
            library.busy(of, since, busy)
        });
        match answer {
            // Or nothing did anything.
            Ok(()) | Err(nvmlReturn_enum_NVML_ERROR_NOT_FOUND) => {
                self.asked = Reading::Value(0);
                self.seen = newest(self.seen, busy, &mut self.shares);
            }
            Err(code) => {
                let said = super::verdict::<i64>(Err(code));
                if let Verdict::Lost(error) = said {
                    return Err(error);
                }
                self.asked = said.reading();
            }
        }
        Ok(())
    }
}

fn add(kind: ProcessKind, rows: &[Process], into: &mut Vec<GpuProcess>) {
    for row in rows {
        let part = |instance: u32| Some(instance).filter(|instance| *instance != u32::MAX);
        let mut process = GpuProcess::new(row.pid, kind);
        process.gpu_instance = part(row.gpu_instance);
        process.compute_instance = part(row.compute_instance);
        // All bits set is what the driver says where it does not know.
        process.memory = i64::try_from(row.memory).map_or(Reading::Unsupported, Reading::Value);
        let same = |known: &&GpuProcess| {
            (
                known.pid,
                known.kind,
                known.gpu_instance,
                known.compute_instance,
            ) == (
                process.pid,
                process.kind,
                process.gpu_instance,
                process.compute_instance,
            )
        };
        if !into.iter().any(|known| same(&known)) {
            into.push(process);
        }
    }
}

/// Puts down the newest share of each process of which something new was told. Says what the newest of all is.
fn newest(seen: u64, busy: &[Busy], into: &mut Vec<(u32, u32)>) -> u64 {
    let true_ones = || {
        busy.iter()
            .filter(|row| row.percent <= 100 && row.at > seen)
    };
    into.clear();
    for row in true_ones() {
        let newer = |other: &Busy| other.pid == row.pid && other.at > row.at;
        let is_known = into.iter().any(|(pid, _)| *pid == row.pid);
        if !is_known && !true_ones().any(newer) {
            into.push((row.pid, row.percent));
        }
    }
    true_ones().map(|row| row.at).max().unwrap_or(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, memory: u64) -> Process {
        Process {
            pid,
            memory,
            gpu_instance: u32::MAX,
            compute_instance: u32::MAX,
        }
    }

    fn busy(pid: u32, at: u64, percent: u32) -> Busy {
        Busy { pid, at, percent }
    }

    #[test]
    fn memory_that_is_not_told_is_absent() {
        let mut all = Vec::new();
        add(
            ProcessKind::Compute,
            &[row(1, 8 << 30), row(2, u64::MAX), row(3, 0), row(1, 5)],
            &mut all,
        );
        add(ProcessKind::Graphics, &[row(1, 7)], &mut all);
        let read: Vec<_> = all
            .iter()
            .map(|process| (process.pid, process.memory))
            .collect();
        let expect = [
            (1, Reading::Value(8 << 30)),
            (2, Reading::Unsupported),
            (3, Reading::Value(0)),
            (1, Reading::Value(7)),
        ];
        assert_eq!(read, expect);
        assert_eq!(all[0].gpu_instance, None);
    }

    #[test]
    fn rows_that_cannot_be_true_are_left_out() {
        let rows = [
            busy(1, 100, 40),
            busy(1, 120, 50),
            // Above all of it; told before; of a process that is gone.
            busy(1, 130, 4_000),
            busy(2, 90, 30),
            busy(9, 125, 60),
        ];
        let mut known = Processes::default();
        assert_eq!(known.share(1), Reading::Unread);
        known.asked = Reading::Value(0);
        let seen = newest(95, &rows, &mut known.shares);
        assert_eq!(
            [1, 2, 3].map(|pid| known.share(pid)),
            [
                Reading::Value(500_000),
                Reading::Value(0),
                Reading::Value(0)
            ]
        );
        assert_eq!(seen, 125);
        assert_eq!(newest(seen, &rows, &mut known.shares), 125);
        assert_eq!(known.share(1), Reading::Value(0));
    }
}
