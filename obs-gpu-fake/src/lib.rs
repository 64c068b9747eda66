//! NVIDIA's management library without a GPU.
//!
//! This crate builds a `libnvidia-ml.so` that a loader takes for the driver's. What its devices are, what they measure, what goes
//! wrong with them and when, is a script: a test moves the clock and sees what a driver would have shown. Calls hang where the
//! script says so, events wake who waits for them, and counters sum up their rates exactly.
//!
//! ```
//! use obs_gpu_fake::Fake;
//! use std::time::Duration;
//!
//! let fake = Fake::start("gpus = H100*2; clock = virtual")?;
//! let nvml = nvml_wrapper::Nvml::builder().lib_path(fake.library().as_os_str()).init()?;
//! let gpu = nvml.device_by_index(0)?;
//!
//! fake.push("+0 0 power=300_000; +1000 0 power=700_000; +2000 1 lost")?;
//! fake.advance(Duration::from_secs(2));
//! assert_eq!(gpu.total_energy_consumption()?, 300_000 + 700_000); // millijoules
//! assert!(nvml.device_by_index(1).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A plain dev-dependency on this crate is all that is needed: cargo then builds the library beside the test, where
//! [`library_path`] finds it. There is one world in each image of the library. [`Fake::start`] takes the one of the process, so tests
//! of one program take turns; [`Fake::install`] copies the library, and each copy is a driver of its own. Linux only.
//!
//! # Scripts
//!
//! A script has settings and steps, one to a line or with `;` between; `#` begins a comment.
//!
//! | setting | |
//! |---|---|
//! | `gpus = H100*8 L40S` | what there is, by profile: `A100`, `B200`, `H100`, `H200`, `L40S`; otherwise one H100 |
//! | `driver = 580.95.05` | the driver's version; from 580.82 on field values 251 to 273 have other numbers |
//! | `nvml = …`, `cuda = 13000` | the other versions |
//! | `clock = virtual` | time passes when the test says so; otherwise it is `real` |
//! | `xids = last` | faults that were not asked for yet have the last one's number, as headers before API 13 say; otherwise `each` its own |
//! | `seed = 7` | of noise and latencies |
//! | `scenario = S1` | plays one of the scenarios below; what stands beside it goes before |
//! | `latency CALL P50 P99 MAX` | how long a call takes, as measured: half of them at most `P50` real microseconds, 99 of 100 at most `P99`, none longer than `MAX`; on either clock; `*` is every other call |
//! | `latency field:83 P50 P99 MAX`, `latency gpm:1 …` | the same of a field value, by its number before 580.82, or of a GPM metric: it adds so much to a call that asks for it |
//! | `latencies = h100-580` | those of a real device, by the files in `latencies/`, which say of which and when; what stands beside it goes before |
//!
//! A step is `WHEN DEVICE WHAT`. `WHEN` is in milliseconds since the world began, or with `+` from the moment it is pushed; `DEVICE` is
//! the place in `gpus` from 0 on, `*` for all of them, or `driver`.
//!
//! | step | |
//! |---|---|
//! | `power=300_000` | a level becomes a number; `KiB`, `MiB`, `GiB` and `0x` are understood |
//! | `power=300_000->700_000/5000` | evenly, in 5000 ms; without the first number from where it is |
//! | `util=50~10/100` | noise: each 100 ms another value, no further than 10 away |
//! | `power=!3` | asking for it gives the code 3, "not supported" |
//! | `ecc.corrected=5`, `ecc.corrected+=5`, `ecc.corrected.rate=17_700` | a total is set, grows, or grows by so much a second |
//! | `nvlink.state:3=0` | with a scope: link 3. Without: all of them |
//! | `fi:186=42`, `fi:138:3=7` | a field value by number, and scope, whatever the rest says; `fi:*=!3` is every one |
//! | `gpm:10=55.5` | a GPM metric by number |
//! | `lost`, `lost=0` | it has fallen off the bus: every call about it gives 15; it is back |
//! | `remove`, `add` | it is not in the list any more, so that those behind it have other indices; it is again |
//! | `reset` | as after a reset: back, no processes, nothing pending, counters at 0 but for those kept on the board |
//! | `err:CALL=15` | a call gives a code; `*` is every call, and a code of 0 for one call excepts it |
//! | `stall:CALL=1500`, `=forever`, `=0` | a call hangs for so long by the world's clock, or until the stall is lifted |
//! | `xid=79`, `xid:1=94` | a fault is reported, of GPU instance 1 |
//! | `event:ecc.double=0` | another event, by name or by bit |
//! | `recovery=1` | what the driver asks to be done (field 230); reported as an event, too |
//! | `process:4711=8GiB`, `process:4711.sm=60` | a process with its memory, and its share of the device; `=gone`, `.memory=unavailable` |
//! | `process:4711.kind=mps`, `.gi=1`, `.ci=0` | what it is, and on which part |
//! | `mig:0=1,0,3,40GiB`, `mig:0.used=5GiB` | part 0 is GPU instance 1, compute instance 0, three slices, 40 GiB; `mig.mode=1` makes it seen |
//! | `driver absent`, `driver present` | nothing answers but with 9, until it is initialised anew |
//! | `driver err:…`, `driver stall:…`, `driver version=…` | calls that are about no device; another version |
//!
//! Levels and totals have the units that NVML gives them in: percent, bytes, milliwatts, millijoules, degrees, MHz, MB/s. Their names
//! are those in the files in `profiles/`, which say, too, where their numbers come from. What a file does not name the device does not
//! support.
//!
//! # Scenarios
//!
//! | name | what happens | what the driver shows |
//! |---|---|---|
//! | `S1` | off the bus | XID 79, then 15 from every call and every wait |
//! | `S2` | off the bus in silence | 15, no event; it is listed still |
//! | `S3` | double bit error | XID 48, 63, 154; a remap that waits; recovery action 1 |
//! | `S4` | a contained error | XID 94, then 13 and 45; one process is gone; recovery action 0 |
//! | `S5` | an uncontained error | XID 95, 154; recovery action 1; readings go on |
//! | `S6` | power limit, then heat | reasons, clocks, and nanoseconds of each |
//! | `S7` | its own processor hangs | calls hang for 45 s and give 999; only then XID 119 |
//! | `S8` | 17 700 corrected errors a second | one event, XID 92, a total that runs, calls that hang for 3 s of every 10 |
//! | `S9` | a reset | gone for 5 s, then back: energy and volatile errors at 0 |
//! | `S10` | the driver comes later | 9 for 10 s |
//! | `S11` | a device in three parts | parts with memory and processes; an error on one |
//! | `S12` | next to nothing is supported | 3 |
//! | `S13` | memory runs out | used memory grows for a minute; no event |
//! | `S14` | a link goes down | replays, recoveries, a link that is down, XID 74 |
//! | `serving` | nothing goes wrong | eight devices that are busy: something to look at |
//!
//! The fault comes five seconds after the world began, where nothing else is said; the files in `scenarios/` are the scripts. In those
//! with two devices the second one is ill.
//!
//! # Other languages, other programs
//!
//! A program that loads `libnvidia-ml.so.1` finds the fake by `LD_LIBRARY_PATH`, and its script in the environment: `OBS_GPU_FAKE` is
//! the script, `OBS_GPU_FAKE_FILE` names a file with it. With a wrong script there is no driver (9), and the reason is on standard
//! error.
//!
//! ```sh
//! cargo build -p obs-gpu-fake --release
//! mkdir -p fake && cp target/release/libobs_gpu_fake.so fake/libnvidia-ml.so.1
//! LD_LIBRARY_PATH=$PWD/fake OBS_GPU_FAKE='gpus = H100*8; scenario = S6' python3 -m gpustat
//! ```
//!
//! The controls that [`Fake`] uses are C functions of the same library; `include/obs_gpu_fake.h` declares them.
//!
//! # What is true of a driver, and what is chosen
//!
//! Shapes, version words, codes, and the numbers of fields are those of `nvml.h`, API 13. What the header leaves open is chosen so that
//! a careless reader is found out:
//!
//! - What is not exported here is missing as in an older driver. `Fake::install` takes more symbols away. A call that is there and gives
//!   "function not found" is another thing: `err:CALL=13`.
//! - A device that is lost gives 15 for every call and, once its events are read, for every wait on a set that it is in.
//! - Events that happen before somebody registered for them are gone, and at most 1024 wait to be asked for.
//! - Of a device in parts there is no utilisation and no word on remapped rows: so say the header and captures of an H100.
//! - GPM samples less than 100 ms apart give 2, and so does one that was never taken.
//! - `nvmlDeviceGetPcieThroughput` takes 20 ms of real time, as the header says. Waits for events time out in real time, too: a thread
//!   that listens must come back. All else is by the world's clock, stalls included: a test by a virtual clock never sleeps.
//! - A handle is a number: of a device that was removed it gives 15, a wrong one gives 2, and neither is ever followed.
//! - Samples are kept for 120 times 20 ms; shares of processes change each sixth of a second.
//! - The margin of temperature is the limit of the profile less the temperature; real devices are not as simple under load.
//! - It is not known which numbers the driver gives for a failing GSP: `S7` says 999.

// All of it is `unsafe` at its edge: the functions are C's. Where pointers are followed is `out`.
#![allow(
    non_snake_case,
    non_upper_case_globals,
    reason = "NVIDIA's functions and numbers have their own names"
)]

mod answer;
mod clock;
mod control;
mod entry;
mod events;
mod fake;
mod find;
mod gpu;
mod latencies;
mod metric;
mod nvml;
mod out;
mod profile;
mod scenarios;
mod script;
mod value;
mod world;

pub use fake::{Count, Error, Fake, check};
pub use find::{install, library_path};
pub use script::ScriptError;
