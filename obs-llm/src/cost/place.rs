//! Surcharges for where a call is served.

/// A place that some models cost more in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    /// OpenAI's European hosts: the data stays there.
    Eu,
    /// OpenAI's American ones.
    Us,
    /// Any endpoint of Google's Vertex AI but the global one.
    Regional,
}

/// Factors by [`Place`]; 1 where nothing is added.
pub(super) type Uplift = [f64; 3];

/// The fields that hold them.
const FIELDS: [(&str, Place); 3] = [
    ("regional_processing_uplift_multiplier_eu", Place::Eu),
    ("regional_processing_uplift_multiplier_us", Place::Us),
    ("regional_endpoint_uplift_multiplier", Place::Regional),
];

impl Place {
    pub(super) fn of_field(name: &str) -> Option<Self> {
        let mut fields = FIELDS.iter();
        let field = fields.find(|(field, _)| *field == name);
        field.map(|&(_, place)| place)
    }

    /// The place that a host is in, as far as its name tells.
    pub(super) fn of_host(host: &str) -> Option<Self> {
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        let below = |name: &str| {
            let at = host.len().checked_sub(name.len())?;
            let (head, tail) = host.split_at_checked(at)?;
            tail.eq_ignore_ascii_case(name).then_some(head)
        };
        if let Some(region) = below(".api.openai.com") {
            let is = |name: &str| region.eq_ignore_ascii_case(name);
            return match () {
                () if is("eu") => Some(Self::Eu),
                () if is("us") => Some(Self::Us),
                () => None,
            };
        }
        let regional = below("-aiplatform.googleapis.com").or_else(|| below(".rep.googleapis.com"));
        regional
            .filter(|region| !region.is_empty())
            .map(|_| Self::Regional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn host(host: &str, expect: Option<Place>) {
        assert_eq!(Place::of_host(host), expect, "{host}");
    }

    #[test]
    fn a_hosts_name_tells_its_place() {
        host("eu.api.openai.com", Some(Place::Eu));
        host("US.api.openai.com:443", Some(Place::Us));
        host(
            "europe-west4-aiplatform.googleapis.com",
            Some(Place::Regional),
        );
        host("aiplatform.eu.rep.googleapis.com", Some(Place::Regional));
        for elsewhere in [
            "",
            "api.openai.com",
            "au.api.openai.com",
            "eu.api.openai.com.example",
            "aiplatform.googleapis.com",
            "-aiplatform.googleapis.com",
            "generativelanguage.googleapis.com",
            "\u{e9}.googleapis.co",
        ] {
            host(elsewhere, None);
        }
    }
}
