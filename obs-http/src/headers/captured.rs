//! Headers that become attributes, because somebody asked for them.

use http::{HeaderMap, HeaderName};
use obs_core::redact::{names::is_secret, urls};
use obs_core::{Active, Key};

/// Those of the names that carry no secrets, each with its attribute's key.
pub(crate) fn allowed<'n>(
    names: impl IntoIterator<Item = &'n str>,
    prefix: &str,
) -> Vec<(HeaderName, Key)> {
    let names = names
        .into_iter()
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    names
        .filter(|name| !is_secret(name.as_str().as_bytes()))
        .map(|name| (name.clone(), Key::leak(format!("{prefix}{name}"))))
        .collect()
}

/// Values of allowed headers, as lists of strings by the conventions, without the secrets of URLs and of pairs that stand in
/// them: `referer`, `location`, `link` and `x-forwarded-uri` are harmless names.
#[cold]
pub(crate) fn capture(active: &mut Active<'_>, headers: &HeaderMap, allowed: &[(HeaderName, Key)]) {
    use obs_core::otel::{Array, KeyValue, StringValue, Value};
    for (name, key) in allowed {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let values: Vec<StringValue> = values
            .map(|value| urls(value).into_owned().into())
            .collect();
        if !values.is_empty() {
            active.set_dynamic(KeyValue::new(
                key.as_str(),
                Value::Array(Array::String(values)),
            ));
        }
    }
}
