//! Instructions by callgrind: the request thread only, inside the loop only, (long run - short run) / more operations.
//!
//! One process makes four runs. Collection is switched on by entering [`counted_calls`], and leaving [`counted_run`]
//! writes the counters to a file and clears them, so each run is one file per thread; the thread that ran the loop is
//! the process's first. What valgrind cannot see (the kernel, the vDSO's clocks) is not counted.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use super::{pair::Pair, report::Report};

/// The four runs, in the order their files are numbered. Called in the process under callgrind.
///
/// Each comes after some calls that are not counted: what a settling freed on other threads is sorted into the
/// allocator's bins by the first calls after it, and would make the short run the dearer one.
pub(crate) fn run_counted(pair: &mut Pair) {
    pair.warm_up();
    let lengths = lengths(pair.burst);
    // The longest stretch without a settling below: it is what pools have to have seen.
    pair.try_out(lengths[0] + lengths[1]);
    for calls in lengths {
        (0..lengths[0]).for_each(|_| (pair.bare)());
        counted_run(&mut *pair.bare, calls);
        pair.settle();
    }
    for calls in lengths {
        pair.run_with(lengths[0], |work, calls| (0..calls).for_each(|_| work()));
        pair.run_with(calls, counted_run);
        pair.settle();
    }
}

/// Calls of the short and the long run: neither longer than a burst.
fn lengths(burst: u64) -> [u64; 2] {
    [(burst / 5).max(1), burst]
}

#[inline(never)]
fn counted_run(work: &mut dyn FnMut(), runs: u64) {
    counted_calls(work, runs);
    // Keeps this a call and not a jump: callgrind sees the return.
    std::hint::black_box(runs);
}

#[inline(never)]
fn counted_calls(work: &mut dyn FnMut(), runs: u64) {
    for _ in 0..runs {
        work();
    }
}

/// Whether `valgrind` can be started.
pub(crate) fn available() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Runs `case NAME instr` of this program under callgrind and adds `bare_instr` and `with_instr` to the report.
pub(crate) fn measure(program: &Path, case: &str) -> io::Result<Report> {
    let folder = Scratch::new()?;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--separate-threads=yes",
            "--toggle-collect=*counted_calls*",
            "--dump-after=*counted_run*",
        ])
        .arg(format!(
            "--callgrind-out-file={}",
            folder.0.join("out").display()
        ))
        .arg(program)
        .args(["case", case, "instr"])
        .output()?;
    let mut report = Report::parse(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() && report.account.is_none() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!(
            "under callgrind: {}",
            said.lines().last().unwrap_or("no output")
        )));
    }
    let total = |run: u32| {
        fs::read_to_string(folder.0.join(format!("out.{run}-01"))).and_then(|text| totals(&text))
    };
    let told = |name| {
        report
            .get(name)
            .ok_or_else(|| io::Error::other("the case did not say how it ran"))
    };
    let [short, long] = lengths(told("burst")? as u64);
    let more = (long - short) as f64 * told("per_call")?;
    report.put("bare_instr", (total(2)? - total(1)?) / more);
    report.put("with_instr", (total(4)? - total(3)?) / more);
    Ok(report)
}

fn totals(profile: &str) -> io::Result<f64> {
    profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .and_then(|count| count.trim().parse().ok())
        .ok_or_else(|| io::Error::other("callgrind wrote a profile without totals"))
}

/// A folder that goes when the measurement is read.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("obs-benches-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_totals_of_a_profile() {
        assert_eq!(
            totals("part: 1\nevents: Ir\nfn=x\n1 4\ntotals: 6004\n").ok(),
            Some(6004.0)
        );
        assert!(totals("events: Ir\n").is_err());
    }
}
