//! Scripts with a name: what goes wrong with GPUs, as it is seen through the driver. Each file says at its head what happens.

const SCENARIOS: [(&str, &str); 15] = [
    ("S1", include_str!("../scenarios/s1.txt")),
    ("S2", include_str!("../scenarios/s2.txt")),
    ("S3", include_str!("../scenarios/s3.txt")),
    ("S4", include_str!("../scenarios/s4.txt")),
    ("S5", include_str!("../scenarios/s5.txt")),
    ("S6", include_str!("../scenarios/s6.txt")),
    ("S7", include_str!("../scenarios/s7.txt")),
    ("S8", include_str!("../scenarios/s8.txt")),
    ("S9", include_str!("../scenarios/s9.txt")),
    ("S10", include_str!("../scenarios/s10.txt")),
    ("S11", include_str!("../scenarios/s11.txt")),
    ("S12", include_str!("../scenarios/s12.txt")),
    ("S13", include_str!("../scenarios/s13.txt")),
    ("S14", include_str!("../scenarios/s14.txt")),
    ("serving", include_str!("../scenarios/serving.txt")),
];

/// The names there are.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|&(name, _)| name)
}

/// The text of a scenario.
pub(crate) fn text(name: &str) -> Result<&'static str, String> {
    let found = SCENARIOS.iter().find(|(known, _)| *known == name);
    found.map(|&(_, text)| text).ok_or_else(|| {
        let known: Vec<_> = names().collect();
        format!("no scenario {name:?}; there are {known:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn all_are_understood() {
        for name in names() {
            let world = World::begin(&format!("scenario = {name}; clock = virtual"));
            assert!(world.is_ok(), "{name}: {}", world.unwrap_err());
        }
        assert!(text("S15").unwrap_err().contains("\"S14\""));
    }
}
