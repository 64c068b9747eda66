//! What a kind of device is and has: one small file of data each. What is not in the file is not supported.

use crate::metric::{Level, Total};
use crate::script::{Value, number, shape};

/// A kind of device.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) architecture: u32,
    pub(crate) compute: (i32, i32),
    pub(crate) pci_device: u32,
    pub(crate) pci_subsystem: u32,
    pub(crate) bus_width: u32,
    pub(crate) cores: u32,
    pub(crate) multiprocessors: u32,
    pub(crate) gpm: bool,
    pub(crate) links: u32,
    pub(crate) mig: u32,
    pub(crate) events: u64,
    /// Calls that it answers with "not supported".
    pub(crate) without: Vec<&'static str>,
    pub(crate) levels: Vec<(Level, i64)>,
    pub(crate) totals: Vec<(Total, i64)>,
    /// Field values that no metric stands for, and GPM metrics in thousandths.
    pub(crate) fields: Vec<(u32, Value)>,
    pub(crate) gpm_metrics: Vec<(u32, Value)>,
}

const FILES: [(&str, &str); 5] = [
    ("A100", include_str!("../profiles/a100.profile")),
    ("B200", include_str!("../profiles/b200.profile")),
    ("H100", include_str!("../profiles/h100.profile")),
    ("H200", include_str!("../profiles/h200.profile")),
    ("L40S", include_str!("../profiles/l40s.profile")),
];

impl Profile {
    /// The names there are.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|&(name, _)| name)
    }

    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let (_, text) = FILES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| {
                let known: Vec<_> = Self::names().collect();
                format!("no profile {name:?}; there are {known:?}")
            })?;
        Self::parse(text)
    }

    fn parse(text: &'static str) -> Result<Self, String> {
        let mut profile = Self::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| format!("no value: {line}"))?;
            profile
                .set(key.trim(), value.trim())
                .map_err(|why| format!("{why}: {line}"))?;
        }
        Ok(profile)
    }

    fn set(&mut self, key: &'static str, value: &'static str) -> Result<(), String> {
        let unsigned = || u32::try_from(number(value)?).map_err(|_| "too large".to_owned());
        match key {
            "name" => self.name = value,
            "architecture" => self.architecture = unsigned()?,
            "compute" => {
                let (major, minor) = value.split_once('.').ok_or("MAJOR.MINOR")?;
                self.compute = (number(major)? as i32, number(minor)? as i32);
            }
            "pci.device" => self.pci_device = unsigned()?,
            "pci.subsystem" => self.pci_subsystem = unsigned()?,
            "memory.bus" => self.bus_width = unsigned()?,
            "cores" => self.cores = unsigned()?,
            "multiprocessors" => self.multiprocessors = unsigned()?,
            "gpm" => self.gpm = unsigned()? != 0,
            "nvlink.links" => self.links = unsigned()?,
            "mig.devices" => self.mig = unsigned()?,
            "events" => self.events = u64::from(unsigned()?),
            "without" => self.without = value.split_whitespace().collect(),
            _ => {
                if let Some(level) = Level::named(key) {
                    self.levels.push((level, number(value)?));
                } else if let Some(total) = Total::named(key) {
                    self.totals.push((total, number(value)?));
                } else if let Some(id) = key.strip_prefix("fi:") {
                    self.fields.push((number(id)? as u32, shape(value, 1)?));
                } else if let Some(id) = key.strip_prefix("gpm:") {
                    self.gpm_metrics
                        .push((number(id)? as u32, shape(value, 1000)?));
                } else {
                    return Err("a device has no such thing".to_owned());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What only scripts say: no capture has it. Devices that replace rows retire no pages.
    const SCRIPTED: [&str; 6] = [
        "power.module",
        "temperature.margin",
        "fan",
        "retired.pending",
        "retired.single",
        "retired.double",
    ];

    #[test]
    fn all_are_understood_and_say_where_they_come_from() {
        for &(name, text) in &FILES {
            let profile = Profile::parse(text);
            assert!(profile.is_ok(), "{name}: {}", profile.unwrap_err());
            assert!(text.contains("# Where the numbers come from: "), "{name}");
        }
        assert!(Profile::named("K80").unwrap_err().contains("\"H100\""));
        assert!(Profile::parse("utl = 5").is_err());
        assert!(Profile::parse("util").is_err());
    }

    #[test]
    fn each_metric_is_some_devices() {
        let profiles: Vec<Profile> = Profile::names()
            .map(|name| Profile::named(name).unwrap())
            .collect();
        let levels = Level::ALL.iter().filter(|(level, _)| {
            !profiles
                .iter()
                .any(|profile| profile.levels.iter().any(|(has, _)| has == level))
        });
        let totals = Total::ALL.iter().filter(|(total, _)| {
            !profiles
                .iter()
                .any(|profile| profile.totals.iter().any(|(has, _)| has == total))
        });
        let names = levels
            .map(|(_, name)| *name)
            .chain(totals.map(|(_, name)| *name));
        let missing: Vec<&str> = names.filter(|name| !SCRIPTED.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn an_idle_device_is_possible() {
        for name in Profile::names() {
            let profile = Profile::named(name).unwrap();
            let level = |wanted| {
                let found = profile.levels.iter().find(|(level, _)| *level == wanted);
                found.map(|&(_, value)| value).unwrap()
            };
            assert!(
                level(Level::MemoryReserved) < level(Level::MemoryTotal),
                "{name}"
            );
            assert!(level(Level::Power) < level(Level::PowerLimit), "{name}");
            assert!(level(Level::ClockSm) <= level(Level::ClockSmMax), "{name}");
            assert_eq!(profile.gpm, profile.architecture >= 9, "{name}");
            let links = profile
                .levels
                .iter()
                .any(|(level, _)| *level == Level::NvlinkState);
            assert_eq!(links, profile.links > 0, "{name}");
        }
    }
}
