//! What describes the process behind every signal (v1.44.0): the registries of service, telemetry, host, process and os.

/// Logical name of the service.
pub const SERVICE_NAME: &str = "service.name";
/// What groups services: the same name may be in several.
pub const SERVICE_NAMESPACE: &str = "service.namespace";
/// Its version.
pub const SERVICE_VERSION: &str = "service.version";
/// Tells instances of the service apart.
pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";
/// Who recorded.
pub const TELEMETRY_SDK_NAME: &str = "telemetry.sdk.name";
/// In which language.
pub const TELEMETRY_SDK_LANGUAGE: &str = "telemetry.sdk.language";
/// In which version.
pub const TELEMETRY_SDK_VERSION: &str = "telemetry.sdk.version";
/// Name of the machine.
pub const HOST_NAME: &str = "host.name";
/// Number of the process on it.
pub const PROCESS_PID: &str = "process.pid";
/// Kind of operating system.
pub const OS_TYPE: &str = "os.type";
/// Where it is deployed (development).
pub const DEPLOYMENT_ENVIRONMENT_NAME: &str = "deployment.environment.name";
/// The same as it was called before v1.27; Kitex's telemetry still does.
pub const DEPLOYMENT_ENVIRONMENT: &str = "deployment.environment";
