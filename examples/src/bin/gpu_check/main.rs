//! What GPUs say here, how long it takes to ask them, and whether `nvidia-smi` says the same. `cargo run --release -p obs-examples --bin
//! gpu_check` prints it in the form of a page: every metric of each device; how long each of the driver's calls takes (p50, p99, longest),
//! also as lines that `obs-gpu-fake` plays; which field values and counters are dear, each asked for by itself; what a monitor reads
//! together, what that costs, and how often its budget lets it be read; whether a call that is slow delays others; and the comparison. It fails where that finds
//! a difference. Without a driver it asks devices that are played, says so at its head, and compares nothing.
//!
//! - `--seconds N`: how long is measured, 20 of them, or 2 of devices that are played.
//! - `--load-seconds N`: is measured again, for so long, under a load that whoever runs this starts beside it. Devices that are played
//!   play that, too.
//! - `--fake SCENARIO`: asks devices that are played, whatever the machine has. More of a script may follow after a `;`, such as the
//!   lines that this printed on another machine.
//!
//! One call may be slow for as long as the driver likes: nothing watches here.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

mod costs;
mod delay;
mod groups;
mod latency;
mod load;
mod options;
mod smi;
mod sweep;
mod today;
mod values;

use costs::Costs;
use delay::Delays;
use load::Load;
use obs_core::Telemetry;
use obs_examples::gpus::{Gpus, Source};
use obs_gpu::{Calls, DeviceInfo, GpuSource};
use options::Options;
use std::process::ExitCode;
use std::time::Duration;
use sweep::Swept;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is played where there is no driver.
const SCENARIO: &str = "serving; gpus = H200*2";

fn main() -> ExitCode {
    match Options::from_arguments(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gpu_check: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let gpus = match &options.fake {
        Some(scenario) => Gpus::played(&format!("scenario = {scenario}"))?,
        None => Gpus::of_this_machine_or(&format!("scenario = {SCENARIO}"))?,
    };
    // For its clock alone.
    let telemetry = Telemetry::builder().manual().build()?;
    let source = gpus.source(&telemetry);
    let devices = source.devices(&mut Calls::unwatched())?;
    if devices.is_empty() {
        return Err("there is no device".into());
    }
    head(&gpus, &devices);

    let load = Load::new(&gpus, &source, &devices);
    let is_simulated = gpus.is_simulated();
    load.rest()?;
    let idle = measure(&source, &devices, options.time(is_simulated));
    let costs = Costs::measure(&gpus, &devices)?;
    println!("\n## Values\n\n{}", values::table(&devices, &idle));
    let loaded = match options.time_under_load(is_simulated) {
        None => None,
        Some(time) => {
            load.begin()?;
            let swept = measure(&source, &devices, time);
            Some((swept, Costs::measure(&gpus, &devices)?))
        }
    };
    let (loaded, loaded_costs) = loaded.unzip();
    latencies(&idle, loaded.as_deref());
    println!("\n## What single values cost\n");
    match &costs {
        None => println!("Not measured: there is no whole device that answers."),
        Some(costs) => {
            println!("{}", costs.table(loaded_costs.flatten().as_ref()));
            println!(
                "\nFor a script of obs-gpu-fake, as it was:\n\n```text\n{}```",
                costs.script()
            );
        }
    }
    println!(
        "\n## What is read together\n\n{}",
        groups::tables(&idle, loaded.as_deref())
    );
    println!("\n## Whether a slow call delays others\n");
    println!("{}", Delays::measure(&gpus, &devices)?);
    println!("\n## Beside nvidia-smi\n");
    smi::compare(&gpus, &source, &devices)
}

fn head(gpus: &Gpus, devices: &[DeviceInfo]) {
    println!("# GPUs of {gpus}\n");
    if gpus.is_simulated() {
        println!(
            "None of this was measured on a GPU: it is what a script says, asked for through the same calls.\n"
        );
    }
    let driver = devices
        .iter()
        .find_map(|info| info.driver_version.as_deref());
    println!("{}, driver {}", today::today(), driver.unwrap_or("unknown"));
    for info in devices {
        let model = info.model.as_deref().unwrap_or("unknown");
        println!("- GPU {}: {model}, {}", info.index, info.id);
    }
}

/// All devices at once, each on a thread of its own, as a monitor reads them.
fn measure(source: &Source, devices: &[DeviceInfo], time: Duration) -> Vec<Swept> {
    let swept = std::thread::scope(|scope| {
        let threads = devices.iter().map(|info| {
            let read = move || sweep::sweep(source, &info.id, time);
            scope.spawn(read)
        });
        let threads: Vec<_> = threads.collect();
        let swept = threads.into_iter().map(|thread| thread.join());
        swept.collect::<std::result::Result<Vec<_>, _>>()
    });
    // One that panicked has said why.
    swept.unwrap_or_default()
}

fn latencies(idle: &[Swept], loaded: Option<&[Swept]>) {
    let idle = latency::Measured::of("as it was", idle);
    let loaded = loaded.map(|swept| latency::Measured::of("under load", swept));
    println!("\n## How long calls take\n");
    for measured in std::iter::once(&idle).chain(&loaded) {
        println!("{measured}");
    }
    if loaded.is_none() {
        println!("Not measured under load: `--load-seconds N` does that.");
    }
    println!("\n{}", latency::table(&idle, loaded.as_ref()));
    for measured in std::iter::once(&idle).chain(&loaded) {
        println!("\nFor a script of obs-gpu-fake, {}:\n", measured.name);
        println!("```text\n{}```", measured.script());
    }
}
