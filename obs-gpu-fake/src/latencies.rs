//! How long calls of real devices take, by names. Each file says at its head which device it was, which driver, when, and by what.

const LATENCIES: [(&str, &str); 1] = [("h100-580", include_str!("../latencies/h100-580.txt"))];

/// The names there are.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    LATENCIES.iter().map(|&(name, _)| name)
}

/// The text of one.
pub(crate) fn text(name: &str) -> Result<&'static str, String> {
    let found = LATENCIES.iter().find(|(known, _)| *known == name);
    found.map(|&(_, text)| text).ok_or_else(|| {
        let known: Vec<_> = names().collect();
        format!("no latencies {name:?}; there are {known:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Numbered;
    use crate::world::World;

    #[test]
    fn all_are_understood_and_what_stands_beside_them_goes_before() {
        for name in names() {
            let world = World::begin(&format!("latencies = {name}; clock = virtual"));
            let world = world.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(world.latencies.len() > 20 && !world.adds.is_empty());
        }
        let text = "latency field:83 1 2 3; latencies = h100-580";
        let world = World::begin(text).expect("understood");
        assert_eq!(world.adds[&Numbered::Field(83)], [1, 2, 3]);
        assert!(super::text("h1").unwrap_err().contains("\"h100-580\""));
    }
}
