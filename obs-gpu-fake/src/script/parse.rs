//! Statements, one by one.

use super::{
    ALL, Action, Kind, MigStep, Numbered, ProcessStep, Setting, Stall, Step, Target, Value, When,
};
use crate::metric::{Level, Total};
use crate::nvml;
use crate::value::{Micros, Shape};

type Parsed<T> = Result<T, String>;

/// As many as there are PCI buses for, and as parts of a device.
const MOST_GPUS: usize = 64;
const MOST_PARTS: u32 = 64;

/// `NAME = VALUE`, or `latency CALL P50 P99 MAX` in microseconds.
pub(super) fn setting(text: &str) -> Parsed<Setting> {
    if let Some(rest) = text.strip_prefix("latency ") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [call, p50, p99, max] = words[..] else {
            return Err("a latency has a call and three numbers".to_owned());
        };
        let times = [measured(p50)?, measured(p99)?, measured(max)?];
        if !times.is_sorted() {
            return Err("p50, p99 and the longest do not grow".to_owned());
        }
        return Ok(match call.split_once(':') {
            Some(("field", number)) => Setting::Adds(Numbered::Field(id(number)?), times),
            Some(("gpm", number)) => Setting::Adds(Numbered::Gpm(id(number)?), times),
            _ => Setting::Latency(call_name(call)?, times),
        });
    }
    let (name, value) = text.split_once('=').ok_or("neither a setting nor a step")?;
    let value = value.trim();
    Ok(match name.trim() {
        "gpus" => Setting::Gpus(gpus(value)?),
        "driver" => Setting::Driver(value.to_owned()),
        "nvml" => Setting::Nvml(value.to_owned()),
        "cuda" => Setting::Cuda(number(value)? as i32),
        "clock" => Setting::VirtualClock(match value {
            "virtual" => true,
            "real" => false,
            _ => return Err("a clock is virtual or real".to_owned()),
        }),
        "xids" => Setting::OnlyLastXid(match value {
            "last" => true,
            "each" => false,
            _ => return Err("each has its own, or the last one's".to_owned()),
        }),
        "seed" => Setting::Seed(number(value)? as u64),
        "latencies" => Setting::Latencies(value.to_owned()),
        "scenario" => Setting::Scenario(value.to_owned()),
        _ => return Err("no such setting".to_owned()),
    })
}

/// `H100*8 L40S`.
fn gpus(text: &str) -> Parsed<Vec<String>> {
    let mut names = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let (name, times) = word.split_once('*').unwrap_or((word, "1"));
        let times = times.parse::<usize>().map_err(|_| "how many?")?;
        let times = times.min(MOST_GPUS + 1);
        names.extend(std::iter::repeat_n(name.to_owned(), times));
    }
    if names.len() > MOST_GPUS {
        return Err(format!("more than {MOST_GPUS}"));
    }
    Ok(names)
}

/// `WHEN TARGET KEY[=VALUE]`.
pub(super) fn step(text: &str) -> Parsed<Step> {
    let mut words = text.splitn(3, char::is_whitespace);
    let (when, target, rest) = (words.next(), words.next(), words.next());
    let (Some(when), Some(target), Some(rest)) = (when, target, rest) else {
        return Err("a step has a moment, a device and what happens".to_owned());
    };
    let when = match when.strip_prefix('+') {
        Some(later) => When::In(millis(later)?),
        None => When::At(millis(when)?),
    };
    let target = match target {
        "*" => Target::EveryGpu,
        "driver" => Target::Driver,
        index => Target::Gpu(index.parse().map_err(|_| "no such device")?),
    };
    let (key, value) = match rest.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (rest.trim(), None),
    };
    let action = match target {
        Target::Driver => of_driver(key, value)?,
        _ => of_gpu(key, value)?,
    };
    Ok(Step {
        when,
        target,
        action,
    })
}

fn of_driver(key: &str, value: Option<&str>) -> Parsed<Action> {
    Ok(match (key, value) {
        ("absent", None) => Action::DriverAbsent(true),
        ("present", None) => Action::DriverAbsent(false),
        ("version", Some(version)) => Action::DriverVersion(version.to_owned()),
        _ => of_call(key, value).unwrap_or_else(|| Err("a driver has no such thing".to_owned()))?,
    })
}

fn of_gpu(key: &str, value: Option<&str>) -> Parsed<Action> {
    if let Some(action) = of_call(key, value) {
        let action = action?;
        if let Action::Fails(call, _) | Action::Stalls(call, _) = &action
            && nvml::is_about_no_device(call)
        {
            return Err("this call is about no device; say it of the driver".to_owned());
        }
        return Ok(action);
    }
    match (key, value) {
        ("lost", None) => return Ok(Action::Lost(true)),
        ("remove", None) => return Ok(Action::Remove),
        ("add", None) => return Ok(Action::Add),
        ("reset", None) => return Ok(Action::Reset),
        _ => {}
    }
    let (adds, key) = match key.strip_suffix('+') {
        Some(key) => (true, key.trim()),
        None => (false, key),
    };
    let value = value.ok_or("no such thing happens by itself")?;
    let (name, scope) = key.split_once(':').unwrap_or((key, ""));
    let scoped = || if scope.is_empty() { Ok(ALL) } else { id(scope) };
    Ok(match name {
        "lost" => Action::Lost(number(value)? != 0),
        "xid" => Action::Xid(number(value)? as u64, scoped()?),
        "event" => Action::Event(event(scope)?, number(value)? as u64),
        "fi" | "gpm" => {
            let (number, within) = scope.split_once(':').unwrap_or((scope, ""));
            let number = if number == "*" { ALL } else { id(number)? };
            let within = if within.is_empty() { ALL } else { id(within)? };
            if name == "fi" {
                Action::Field(number, within, shape(value, 1)?)
            } else {
                Action::Gpm(number, within, shape(value, 1000)?)
            }
        }
        "process" => {
            let (pid, what) = scope.split_once('.').unwrap_or((scope, ""));
            Action::Process(id(pid)?, of_process(what, value)?)
        }
        "mig" => {
            let (index, what) = scope.split_once('.').unwrap_or((scope, ""));
            let index = id(index)?;
            if index >= MOST_PARTS {
                return Err("too many parts".to_owned());
            }
            Action::Mig(index, of_mig(what, value)?)
        }
        _ => {
            if let Some(level) = Level::named(name) {
                let value = shape(value, 1)?;
                // The time with a bit set is only counted in what stays the same for a while.
                let steady = matches!(value, Value::Becomes(Shape::Flat(_)) | Value::Refused(_));
                if adds || (level == Level::Throttle && !steady) {
                    return Err("it only becomes a number".to_owned());
                }
                return Ok(Action::Level(level, scoped()?, value));
            }
            let rate = name.strip_suffix(".rate").and_then(Total::named);
            match (rate, Total::named(name)) {
                (Some(total), _) if !adds => Action::Rate(total, scoped()?, shape(value, 1)?),
                (None, Some(total)) => Action::Total(total, scoped()?, total_value(value, adds)?),
                _ => return Err("a device has no such thing".to_owned()),
            }
        }
    })
}

fn total_value(value: &str, adds: bool) -> Parsed<Value> {
    Ok(match shape(value, 1)? {
        Value::Becomes(Shape::Flat(value)) if adds => Value::Add(value),
        value @ (Value::Becomes(Shape::Flat(_)) | Value::Refused(_)) if !adds => value,
        _ => return Err("a total takes a number; what changes evenly is its rate".to_owned()),
    })
}

/// `err:CALL=CODE` and `stall:CALL=MS`, where this is one.
fn of_call(key: &str, value: Option<&str>) -> Option<Parsed<Action>> {
    let (what, call) = key.split_once(':')?;
    let value = value.unwrap_or("");
    let action = match what {
        "err" => call_name(call).and_then(|call| Ok(Action::Fails(call, number(value)? as u32))),
        "stall" => call_name(call).and_then(|call| {
            Ok(Action::Stalls(
                call,
                match value {
                    "forever" => Stall::Forever,
                    "0" => Stall::No,
                    ms => Stall::For(millis(ms)?),
                },
            ))
        }),
        _ => return None,
    };
    Some(action)
}

fn of_process(what: &str, value: &str) -> Parsed<ProcessStep> {
    Ok(match what {
        "" if value == "gone" => ProcessStep::Gone,
        "" | "memory" if value == "unavailable" => ProcessStep::Memory(Value::Refused(0)),
        "" | "memory" => ProcessStep::Memory(shape(value, 1)?),
        "sm" => ProcessStep::Sm(shape(value, 1)?),
        "kind" => ProcessStep::Kind(match value {
            "compute" => Kind::Compute,
            "graphics" => Kind::Graphics,
            "mps" => Kind::Mps,
            _ => return Err("a process is compute, graphics or mps".to_owned()),
        }),
        "gi" => ProcessStep::GpuInstance(id(value)?),
        "ci" => ProcessStep::ComputeInstance(id(value)?),
        _ => return Err("a process has no such thing".to_owned()),
    })
}

/// `GI,CI,SLICES,BYTES`.
fn of_mig(what: &str, value: &str) -> Parsed<MigStep> {
    Ok(match what {
        "" if value == "gone" => MigStep::Gone,
        "" => {
            let parts: Vec<&str> = value.split(',').map(str::trim).collect();
            let [gi, ci, slices, bytes] = parts[..] else {
                return Err(
                    "a part has a GPU instance, a compute instance, slices and bytes".to_owned(),
                );
            };
            let slices = id(slices)?;
            if slices > MOST_PARTS {
                return Err("too many slices".to_owned());
            }
            MigStep::Is(id(gi)?, id(ci)?, slices, number(bytes)?)
        }
        "used" => MigStep::Used(shape(value, 1)?),
        _ => return Err("a part has no such thing".to_owned()),
    })
}

/// The bit of `nvmlEventType…`, by number or by name.
fn event(name: &str) -> Parsed<u64> {
    Ok(match name {
        "ecc.single" => 0x1,
        "ecc.double" => 0x2,
        "pstate" => 0x4,
        "clock" => 0x10,
        "mig" => 0x100,
        "ecc.storm" => 0x200,
        "dram.retirement" => 0x400,
        "dram.retirement.failed" => 0x800,
        "poison" => 0x1000,
        "poison.fatal" => 0x2000,
        "unavailable" => 0x4000,
        "recovery" => 0x8000,
        number => self::number(number)? as u64,
    })
}

/// `5`, `200->700/5000` (evenly in so many milliseconds; without the first number from where it is), `50~10/100` (each 100
/// milliseconds another value that is no further than 10 away), `!3` (the code 3).
pub(crate) fn shape(text: &str, scale: i64) -> Parsed<Value> {
    if let Some(code) = text.strip_prefix('!') {
        return Ok(Value::Refused(number(code)? as u32));
    }
    let Some((values, time)) = text.split_once('/') else {
        return Ok(Value::Becomes(Shape::Flat(scaled(text, scale)?)));
    };
    let time = millis(time)?;
    if let Some((from, to)) = values.split_once("->") {
        let to = scaled(to, scale)?;
        if from.trim().is_empty() {
            return Ok(Value::RampFromHere(to, time));
        }
        let from = scaled(from, scale)?;
        let over = time;
        return Ok(Value::Becomes(Shape::Ramp { from, to, over }));
    }
    let (middle, spread) = values.split_once('~').ok_or("neither a ramp nor noise")?;
    if time == 0 {
        return Err("noise that changes in no time".to_owned());
    }
    Ok(Value::Becomes(Shape::Noise {
        middle: scaled(middle, scale)?,
        spread: scaled(spread, scale)?,
        every: time,
        // The world gives it one of its own.
        seed: 0,
    }))
}

fn call_name(name: &str) -> Parsed<String> {
    if name == "*" || nvml::calls().any(|call| call == name) {
        Ok(name.to_owned())
    } else {
        Err("this library has no such call".to_owned())
    }
}

fn id(text: &str) -> Parsed<u32> {
    u32::try_from(number(text)?).map_err(|_| "too large a number".to_owned())
}

/// A whole number, `0x` allowed, with `_` between digits and with `KiB`, `MiB` or `GiB` behind it.
pub(crate) fn number(text: &str) -> Parsed<i64> {
    let text = text.trim().replace('_', "");
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let unit = units
        .iter()
        .find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (digits, shift) = unit.unwrap_or((&text, 0));
    let number = match digits.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.trim().parse(),
    };
    let number = number.map_err(|_| format!("{text:?} is no number"))?;
    bounded(number.checked_mul(1 << shift))
}

/// A number in `1 / scale`, with a point if need be.
fn scaled(text: &str, scale: i64) -> Parsed<i64> {
    if scale == 1 {
        return number(text);
    }
    let digits = text.trim().replace('_', "");
    let value: f64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is no number"))?;
    // What is no number becomes zero in the conversion, and what is too large the largest.
    let whole = (value * scale as f64).round() as i64;
    bounded(value.is_finite().then_some(whole))
}

/// Nothing that sums and differences could overflow with.
fn bounded(number: Option<i64>) -> Parsed<i64> {
    let most = 1 << 60;
    number
        .filter(|number| (-most..=most).contains(number))
        .ok_or_else(|| "too large a number".to_owned())
}

/// Microseconds as they are measured, with a point. Parts of one are less than the fake itself takes.
fn measured(text: &str) -> Parsed<Micros> {
    let nanos = Micros::try_from(scaled(text, 1000)?);
    nanos
        .map(|nanos| (nanos + 500) / 1000)
        .map_err(|_| "a time before the beginning".to_owned())
}

fn millis(text: &str) -> Parsed<Micros> {
    micros(text)?
        .checked_mul(1000)
        .ok_or_else(|| "too long".to_owned())
}

fn micros(text: &str) -> Parsed<Micros> {
    Micros::try_from(number(text)?).map_err(|_| "a time before the beginning".to_owned())
}
