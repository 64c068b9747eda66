//! Who is speaking: one set of attributes, built once and shared by everything that leaves the process.

use std::hash::{BuildHasher, RandomState};
use std::{env, fs, process};

use opentelemetry::{Key, KeyValue, Value};

use super::environment::Environment;
use crate::fork::Anew;
use crate::redact::Looking;
use crate::semconv::resource as names;

/// The attributes of this process, unchanging. Each key occurs once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    attributes: Vec<KeyValue>,
    schema_url: Option<String>,
    /// Those that were detected and are another process's no more.
    of_process: Vec<Key>,
}

impl Anew for Resource {
    /// A forked child's: another process, another instance, the same service.
    fn anew(&self) -> Self {
        let mut anew = self.clone();
        for pair in &mut anew.attributes {
            if self.of_process.contains(&pair.key) {
                pair.value = match pair.key.as_str() {
                    names::PROCESS_PID => i64::from(process::id()).into(),
                    _ => random_uuid().into(),
                };
            }
        }
        anew
    }
}

impl Resource {
    /// Starts from what can be detected: service, instance, process and host.
    pub fn builder() -> ResourceBuilder {
        ResourceBuilder {
            detected: detected(),
            ..ResourceBuilder::empty()
        }
    }

    /// The attributes, `service.name` first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.attributes.iter().map(|pair| (&pair.key, &pair.value))
    }

    /// The value of one attribute.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter()
            .find(|(known, _)| known.as_str() == key)
            .map(|(_, value)| value)
    }

    /// The same under another name; an empty one changes nothing.
    pub(crate) fn renamed(mut self, name: String) -> Self {
        if !name.is_empty()
            && let Some(known) = self
                .attributes
                .iter_mut()
                .find(|pair| pair.key.as_str() == names::SERVICE_NAME)
        {
            known.value = name.into();
        }
        self
    }

    /// The version of the conventions that the attribute names follow.
    pub fn schema_url(&self) -> Option<&str> {
        self.schema_url.as_deref()
    }

    /// What redactors leave of it. There always is a service's name.
    pub(crate) fn redacted(mut self, by: Looking<'_>) -> Self {
        by.resource(&mut self.attributes);
        self
    }

    /// The same for the OpenTelemetry SDK, so that a provider of the user's speaks for the same process.
    #[cfg(feature = "sdk")]
    pub fn to_sdk(&self) -> opentelemetry_sdk::Resource {
        let builder = opentelemetry_sdk::Resource::builder_empty();
        match &self.schema_url {
            Some(url) => builder
                .with_schema_url(self.attributes.clone(), url.clone())
                .build(),
            None => builder.with_attributes(self.attributes.clone()).build(),
        }
    }
}

/// Collects attributes by where they come from: code beats the environment, which beats detection.
#[derive(Clone, Debug)]
#[must_use]
pub struct ResourceBuilder {
    code: Vec<KeyValue>,
    environment: Vec<KeyValue>,
    detected: Vec<KeyValue>,
    schema_url: Option<String>,
}

impl ResourceBuilder {
    /// Starts from nothing detected, for tests and for processes that speak for others. `service.name` is still ensured.
    pub fn empty() -> Self {
        Self {
            code: Vec::new(),
            environment: Vec::new(),
            detected: Vec::new(),
            schema_url: None,
        }
    }

    /// The logical name of the service.
    pub fn with_service_name(self, name: impl Into<Value>) -> Self {
        self.with_attribute(names::SERVICE_NAME, name)
    }

    /// The version of the service, usually `env!("CARGO_PKG_VERSION")`.
    pub fn with_service_version(self, version: impl Into<Value>) -> Self {
        self.with_attribute(names::SERVICE_VERSION, version)
    }

    /// Any attribute; the last of one key wins.
    pub fn with_attribute(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
        self.code.push(KeyValue::new(key, value));
        self
    }

    /// Several attributes.
    pub fn with_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.code.extend(attributes);
        self
    }

    /// What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say.
    pub fn with_environment(mut self, environment: &Environment) -> Self {
        let pairs = environment.resource_attributes.iter().cloned();
        self.environment
            .extend(pairs.map(|(key, value)| KeyValue::new(key, value)));
        let name = environment.service_name.clone();
        self.environment
            .extend(name.map(|name| KeyValue::new(names::SERVICE_NAME, name)));
        self
    }

    /// The version of the conventions that the attribute names follow.
    pub fn with_schema_url(mut self, url: impl Into<String>) -> Self {
        self.schema_url = Some(url.into());
        self
    }

    /// The resource. An empty `service.name` counts as none.
    pub fn build(self) -> Resource {
        let mut attributes: Vec<KeyValue> = Vec::new();
        let alone = [names::SERVICE_INSTANCE_ID, names::PROCESS_PID];
        let of_process: Vec<KeyValue> = { self.detected.iter() }
            .filter(|pair| alone.contains(&pair.key.as_str()))
            .cloned()
            .collect();
        let given = self
            .detected
            .into_iter()
            .chain(self.environment)
            .chain(self.code);
        let fallback = KeyValue::new(names::SERVICE_NAME, unknown_service());
        for pair in std::iter::once(fallback).chain(given) {
            if pair.key.as_str() == names::SERVICE_NAME && pair.value.as_str().is_empty() {
                continue;
            }
            match attributes.iter_mut().find(|known| known.key == pair.key) {
                Some(known) => *known = pair,
                None => attributes.push(pair),
            }
        }
        let of_process = { of_process.into_iter() }
            .filter(|detected| attributes.contains(detected))
            .map(|detected| detected.key)
            .collect();
        Resource {
            attributes,
            schema_url: self.schema_url,
            of_process,
        }
    }
}

fn detected() -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new(names::SERVICE_INSTANCE_ID, random_uuid()),
        // `opentelemetry` is reserved for the official SDKs.
        KeyValue::new(names::TELEMETRY_SDK_NAME, "obs"),
        KeyValue::new(names::TELEMETRY_SDK_LANGUAGE, "rust"),
        KeyValue::new(names::TELEMETRY_SDK_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(names::PROCESS_PID, i64::from(process::id())),
    ];
    attributes.extend(host_name().map(|name| KeyValue::new(names::HOST_NAME, name)));
    attributes.extend(os_type().map(|name| KeyValue::new(names::OS_TYPE, name)));
    attributes
}

fn unknown_service() -> String {
    let exe = env::current_exe().ok();
    let name = exe
        .as_deref()
        .and_then(|path| path.file_name())
        .map(|name| name.to_string_lossy());
    match name {
        Some(name) => format!("unknown_service:{name}"),
        None => "unknown_service".to_owned(),
    }
}

/// From the kernel where it shows it in a file, else from the shells' variables: asking the system takes unsafe code.
fn host_name() -> Option<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let shells = || {
        ["HOSTNAME", "COMPUTERNAME"]
            .into_iter()
            .find_map(|name| env::var(name).ok())
    };
    kernel
        .or_else(shells)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

/// The convention's names for the systems that it names.
fn os_type() -> Option<&'static str> {
    Some(match env::consts::OS {
        "macos" => "darwin",
        "dragonfly" => "dragonflybsd",
        known @ ("linux" | "windows" | "freebsd" | "netbsd" | "openbsd" | "solaris" | "aix") => {
            known
        }
        _ => return None,
    })
}

/// A version 4 UUID. The standard library's hasher keys come from the system's randomness; they are kept per thread
/// and copied by a fork, so the process id is mixed in.
fn random_uuid() -> String {
    let half = || u128::from(RandomState::new().hash_one(process::id()));
    let random = half() << 64 | half();
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let text = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(attributes: &'static str, name: &'static str) -> Environment {
        Environment::from_fn(|variable| match variable {
            "OTEL_RESOURCE_ATTRIBUTES" => Some(attributes.to_owned()),
            "OTEL_SERVICE_NAME" => Some(name.to_owned()),
            _ => None,
        })
    }

    #[track_caller]
    fn check_name(builder: ResourceBuilder, expect: &str) {
        let resource = builder.build();
        assert_eq!(
            resource.get(names::SERVICE_NAME),
            Some(&Value::from(expect.to_owned()))
        );
        assert_eq!(
            resource.iter().next().map(|(key, _)| key.as_str()),
            Some(names::SERVICE_NAME)
        );
    }

    #[test]
    fn code_beats_environment_beats_detection() {
        let both = environment("service.name=listed,team=a", "named");
        check_name(
            Resource::builder()
                .with_environment(&both)
                .with_service_name("coded"),
            "coded",
        );
        check_name(Resource::builder().with_environment(&both), "named");
        check_name(
            Resource::builder().with_environment(&environment("service.name=listed", "")),
            "listed",
        );
        let resource = Resource::builder()
            .with_environment(&environment("host.name=pod-7,telemetry.sdk.language=x", ""))
            .with_attribute("telemetry.sdk.language", "rust")
            .build();
        assert_eq!(resource.get("host.name"), Some(&Value::from("pod-7")));
        assert_eq!(
            resource.get("telemetry.sdk.language"),
            Some(&Value::from("rust"))
        );
    }

    #[test]
    fn a_service_without_a_name_is_called_after_its_executable() {
        let resource = ResourceBuilder::empty().with_service_name("").build();
        let name = resource
            .get(names::SERVICE_NAME)
            .expect("always there")
            .as_str()
            .into_owned();
        let exe = name
            .strip_prefix("unknown_service:")
            .expect("the prefix of the specification");
        assert!(env::current_exe().expect("known").ends_with(exe), "{name}");
    }

    #[test]
    fn the_process_is_described() {
        let resource = Resource::builder()
            .with_service_version("1.2.3")
            .with_schema_url("url")
            .build();
        assert_eq!(
            resource.get("process.pid"),
            Some(&Value::from(i64::from(process::id())))
        );
        assert_eq!(
            resource.get("telemetry.sdk.name"),
            Some(&Value::from("obs"))
        );
        assert_eq!(resource.get("service.version"), Some(&Value::from("1.2.3")));
        assert_eq!(resource.schema_url(), Some("url"));
        let mut keys: Vec<_> = resource.iter().map(|(key, _)| key.as_str()).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "a key occurs once");
        #[cfg(target_os = "linux")]
        {
            assert_eq!(resource.get("os.type"), Some(&Value::from("linux")));
            assert!(resource.get("host.name").is_some());
        }
    }

    #[test]
    fn instance_ids_are_random_version_4_uuids() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| random_uuid()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let groups: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        }
    }

    #[cfg(feature = "sdk")]
    #[test]
    fn the_sdk_gets_the_same_attributes() {
        let resource = Resource::builder()
            .with_service_name("shop")
            .with_schema_url("url")
            .build();
        let sdk = resource.to_sdk();
        assert_eq!(sdk.len(), resource.iter().len());
        for (key, value) in resource.iter() {
            assert_eq!(sdk.get(key).as_ref(), Some(value));
        }
        assert_eq!(sdk.schema_url(), Some("url"));
    }
}
