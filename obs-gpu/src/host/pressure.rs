//! Pressure stall information: for how long something waited for a resource (`psi.rst` of the kernel).

use crate::files::Root;
use crate::metrics::Shape;
use crate::points::{Points, Shown};
use obs_core::semconv::obs;

const TIME: Shown = Shown {
    name: obs::HOST_PRESSURE_TIME,
    unit: "s",
    description: "Time in which some or all tasks of the host waited for a resource.",
    shape: Shape::Counter,
};

pub(super) const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];
pub(super) const PRESSURES: [&str; 2] = ["some", "full"];

pub(super) fn read(proc: &Root, points: &mut Points<'_>) {
    let pressure = proc.within("pressure");
    for resource in RESOURCES {
        show(&TIME, resource, pressure.read(resource).as_deref(), points);
    }
}

/// What one file says, for both kinds of pressure.
pub(super) fn show(shown: &Shown, resource: &str, file: Option<&str>, points: &mut Points<'_>) {
    let Some(file) = file else { return };
    for pressure in PRESSURES {
        // Of the whole machine's processors `full` is zero by definition, and says nothing.
        if shown.name == TIME.name && (resource, pressure) == ("cpu", "full") {
            continue;
        }
        let labels = [
            (obs::HOST_RESOURCE, resource),
            (obs::HOST_PRESSURE, pressure),
        ];
        let seconds = total(file, pressure).map(|micros| micros as f64 / 1e6);
        points.float(shown, &labels, seconds);
    }
}

/// Microseconds since the start of one kind of pressure.
pub(super) fn total(file: &str, pressure: &str) -> Option<u64> {
    let line = file.lines().find_map(|line| line.strip_prefix(pressure))?;
    let mut fields = line.split_ascii_whitespace();
    fields.find_map(|field| field.strip_prefix("total=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_microseconds() {
        let file = "some avg10=98.20 avg60=87.85 avg300=78.41 total=27251733562\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(total(file, "some"), Some(27_251_733_562));
        assert_eq!(total(file, "full"), Some(7));
        // Kernels before 5.13 have no `full` of processors.
        assert_eq!(total("some avg10=0.00 total=1", "full"), None);
        assert_eq!(total("some avg10=0.00 total=x", "some"), None);
    }
}
