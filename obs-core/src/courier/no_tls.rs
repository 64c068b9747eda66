//! What [`tls`](super::tls) is without the feature: `https` is refused at set-up, so there is nobody to believe.

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use super::Destination;
use crate::error::Error;

/// Certificates say nothing where nothing is encrypted.
#[derive(Debug)]
pub(super) struct Trust;

impl Trust {
    pub(super) fn of(_destination: &Destination) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) fn given_to(&self, config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
        config
    }

    #[cfg(feature = "grpc")]
    pub(super) fn given_to_grpc(
        &self,
        endpoint: tonic::transport::Endpoint,
    ) -> Result<tonic::transport::Endpoint, Error> {
        Ok(endpoint)
    }
}

pub(super) fn refusal_by_http(_error: &ureq::Error) -> Option<String> {
    None
}

#[cfg(feature = "grpc")]
pub(super) fn refusal(_error: &(dyn std::error::Error + 'static)) -> Option<String> {
    None
}
