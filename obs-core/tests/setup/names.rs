//! Who speaks, and which methods have a name of their own: code beats the environment, the narrower setting the wider.

use crate::environment;
use crate::support::builder;
use obs_core::Builder;
use obs_core::setup::resource::Resource;

#[track_caller]
fn check_name(builder: Builder, expect: &str) {
    let telemetry = builder.manual().build().expect("usable");
    let resource = telemetry.resource().expect("there is one");
    assert_eq!(
        resource.get("service.name"),
        Some(&expect.to_owned().into())
    );
    let names = resource
        .iter()
        .filter(|(key, _)| key.as_str() == "service.name");
    assert_eq!(names.count(), 1);
}

#[test]
fn a_service_name_beside_a_resource_is_not_ignored() {
    let resource = || Resource::builder().with_service_name("listed").build();
    let environment = environment(&[("OTEL_SERVICE_NAME", "from outside")]);
    let builder = || builder().with_environment(environment.clone());
    check_name(builder(), "from outside");
    check_name(builder().with_service_name("coded"), "coded");
    check_name(builder().with_resource(resource()), "listed");
    check_name(
        builder()
            .with_resource(resource())
            .with_service_name("coded"),
        "coded",
    );
    check_name(
        builder()
            .with_service_name("coded")
            .with_resource(resource()),
        "coded",
    );
    check_name(
        builder().with_resource(resource()).with_service_name(""),
        "listed",
    );
}

#[test]
fn known_http_methods_of_the_builder_beat_the_environments() {
    let variables = [("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,PURGE")];
    let known = |set: fn(Builder) -> Builder| {
        let builder = set(builder().with_environment(environment(&variables)).manual());
        let telemetry = builder.build().expect("usable");
        telemetry.known_http_methods().expect("named").join(" ")
    };
    assert_eq!(known(|builder| builder), "GET PURGE");
    let coded = |builder: Builder| builder.with_known_http_methods(["GET", "QUERY"]);
    assert_eq!(known(coded), "GET QUERY");
}
