//! `cargo run --release -p obs-benches -- table [FILTER] [--tsv] [--quick]`, `-- rpc [--tsv] [--quick]` for what is about calls of
//! gRPC, `-- llm` for calls of models, `-- gpu` for watching GPUs, `-- agent` for runs of agents, and `-- chaos [FILTER] [--tsv] [--long]`

use std::{
    io::{self, Write},
    process::ExitCode,
};

mod bars;
mod cases;
mod chaos;
mod harness;
mod table;

const USAGE: &str = "obs-benches table [FILTER] [--tsv] [--quick]   measure and print
obs-benches rpc [FILTER] [--tsv] [--quick]      the same of calls of gRPC, and what they are held against
obs-benches llm [FILTER] [--tsv] [--quick]      the same of calls of models
obs-benches gpu [FILTER] [--tsv] [--quick]      the same of watching GPUs, of the fake library that needs none
obs-benches agent [FILTER] [--tsv] [--quick]    the same of runs of agents
                               --counts         instructions and allocations alone, without times
                               --bars           and of that only what a bar asks for
obs-benches chaos [FILTER] [--tsv] [--long]     outages and attacks, and which bars hold
obs-benches list                                what can be measured
obs-benches case NAME time|alloc|instr|check    one measurement, in this process";

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let good = match words.as_slice() {
        ["table", rest @ ..] => return table(rest, |_| true),
        ["llm", rest @ ..] => return table(rest, cases::is_of_llm),
        ["agent", rest @ ..] => return table(rest, cases::is_of_agent),
        ["gpu", rest @ ..] => return table(rest, cases::is_of_gpu),
        ["rpc", rest @ ..] => return table(rest, cases::is_of_rpc),
        ["chaos", rest @ ..] => return chaos(rest),
        ["chaos-case", name, rest @ ..] => {
            chaos::one(name, rest.contains(&"--long"))?;
            true
        }
        ["chaos-peer", endpoint, words @ ..] => {
            chaos::peer(endpoint, words)?;
            true
        }
        ["chaos-forks", endpoint, mode] => {
            chaos::forks(endpoint, mode)?;
            true
        }
        ["chaos-loops", endpoint, protocol, rest @ ..] => {
            chaos::loops_of(endpoint, protocol, rest.contains(&"--long"))?;
            true
        }
        ["chaos-service", words @ ..] => {
            chaos::service::serve(words)?;
            true
        }
        ["list"] => {
            let mut out = io::stdout().lock();
            for case in cases::all() {
                writeln!(out, "{}\t{}", case.name, case.about)?;
            }
            true
        }
        ["case", name, mode] => match (cases::named(name), harness::Mode::named(mode)) {
            (Some(case), Some(mode)) => {
                let report = harness::run_here(case.measured, mode);
                write!(io::stdout(), "{report}")?;
                !matches!(report.account, Some(Err(_)))
            }
            _ => return usage(),
        },
        _ => return usage(),
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn table(words: &[&str], asked: fn(&cases::Case) -> bool) -> io::Result<ExitCode> {
    let mut options = table::Options::default();
    for word in words {
        match *word {
            "--tsv" => options.tsv = true,
            "--quick" => options.quick = true,
            "--counts" => options.counts = true,
            "--bars" => (options.counts, options.bars) = (true, true),
            flag if flag.starts_with('-') => return usage(),
            filter => options.filter = Some(filter.to_owned()),
        }
    }
    let cases: Vec<_> = cases::all()
        .filter(|case| asked(case))
        .filter(|case| !options.counts || case.is_counted())
        .filter(|case| !options.bars || bars::ask_for(case.name))
        .filter(|case| {
            options
                .filter
                .as_ref()
                .is_none_or(|filter| case.name.contains(filter))
        })
        .collect();
    if cases.is_empty() {
        writeln!(io::stderr(), "no case of that name; `list` shows them")?;
        return Ok(ExitCode::FAILURE);
    }
    let good = table::run(&std::env::current_exe()?, &cases, &options)?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chaos(words: &[&str]) -> io::Result<ExitCode> {
    let mut options = chaos::Options::default();
    for word in words {
        match *word {
            "--tsv" => options.tsv = true,
            "--long" => options.long = true,
            flag if flag.starts_with('-') => return usage(),
            filter => options.filter = Some(filter.to_owned()),
        }
    }
    let good = chaos::run(&std::env::current_exe()?, &options)?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn usage() -> io::Result<ExitCode> {
    writeln!(io::stderr(), "{USAGE}")?;
    Ok(ExitCode::FAILURE)
}
