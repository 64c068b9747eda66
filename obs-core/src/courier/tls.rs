//! Whom to believe over `https`, and who we say we are: files of PEM, read once at set-up, for HTTP and gRPC alike.

use std::error::Error as StdError;
use std::fs;
use std::io;
use std::path::Path;

use rustls::{AlertDescription, CertificateError, Error as TlsError};
#[cfg(feature = "grpc")]
use tonic::transport::Endpoint;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use super::Destination;
use crate::error::Error;

/// What the files of one destination say.
#[derive(Debug)]
pub(super) struct Trust {
    /// Who may sign the destination's certificate; nobody named are those that the browsers trust.
    pub(super) authorities: Option<Pem>,
    /// Who we are, to whoever asks.
    pub(super) identity: Option<Identity>,
}

/// A file of certificates, as it is and read.
#[derive(Debug)]
pub(super) struct Pem {
    #[cfg_attr(
        not(feature = "grpc"),
        allow(dead_code, reason = "tonic reads it again")
    )]
    pub(super) text: Vec<u8>,
    pub(super) certificates: Vec<Certificate<'static>>,
}

pub(super) struct Identity {
    #[cfg_attr(
        not(feature = "grpc"),
        allow(dead_code, reason = "tonic reads it again")
    )]
    pub(super) chain: Vec<u8>,
    #[cfg_attr(
        not(feature = "grpc"),
        allow(dead_code, reason = "tonic reads it again")
    )]
    pub(super) key: Vec<u8>,
    pub(super) client: ClientCert,
}

impl Trust {
    pub(super) fn of(destination: &Destination) -> Result<Self, Error> {
        let identity = match (&destination.client_certificate, &destination.client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
            (Some(_), None) => {
                return Err(Error::configuration(
                    "a client certificate is named, and no key for it",
                ));
            }
            (None, Some(_)) => {
                return Err(Error::configuration(
                    "a client key is named, and no certificate for it",
                ));
            }
        };
        let authorities = destination.certificate.as_deref().map(pem).transpose()?;
        Ok(Self {
            authorities,
            identity,
        })
    }
}

impl Trust {
    pub(super) fn given_to(&self, config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
        if self.authorities.is_none() && self.identity.is_none() {
            return config;
        }
        let client = self
            .identity
            .as_ref()
            .map(|identity| identity.client.clone());
        let mut tls = TlsConfig::builder().client_cert(client);
        if let Some(pem) = &self.authorities {
            tls = tls.root_certs(RootCerts::new_with_certs(&pem.certificates));
        }
        config.tls_config(tls.build())
    }
}

#[cfg(feature = "grpc")]
impl Trust {
    pub(super) fn given_to_grpc(&self, endpoint: Endpoint) -> Result<Endpoint, Error> {
        use tonic::transport::{Certificate, ClientTlsConfig, Identity};
        let mut tls = match &self.authorities {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&pem.text)),
            None => ClientTlsConfig::new().with_webpki_roots(),
        };
        if let Some(identity) = &self.identity {
            tls = tls.identity(Identity::from_pem(&identity.chain, &identity.key));
        }
        endpoint.tls_config(tls).map_err(|error| {
            Error::configuration("its certificates cannot be used").with_source(error)
        })
    }
}

fn pem(file: &Path) -> Result<Pem, Error> {
    let shown = file.display();
    let bad = |what: &str| Error::configuration(format!("the certificates in `{shown}` {what}"));
    let text = fs::read(file).map_err(|error| bad("cannot be read").with_source(error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        let item = item.map_err(|error| bad("are no PEM").with_source(error))?;
        // A key beside them is nobody's to trust.
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(bad("are none"));
    }
    Ok(Pem { text, certificates })
}

fn identity(certificate: &Path, file: &Path) -> Result<Identity, Error> {
    let chain = pem(certificate)?;
    let shown = file.display();
    let bad = |what: &str| Error::configuration(format!("the client key in `{shown}` {what}"));
    let key = fs::read(file).map_err(|error| bad("cannot be read").with_source(error))?;
    let private = PrivateKey::from_pem(&key).map_err(|error| bad("is none").with_source(error))?;
    Ok(Identity {
        client: ClientCert::new_with_certs(&chain.certificates, private),
        chain: chain.text,
        key,
    })
}

/// The key is nobody's to see.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// [`refusal`], of an error that does not name its cause where causes are looked for.
pub(super) fn refusal_by_http(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Rustls(error) => refusal(error),
        ureq::Error::Io(error) => refusal(error),
        other => refusal(other),
    }
}

/// Why no further attempt will make it better, if that is so: the destination's certificate is another authority's,
/// another host's, a revoked one, or ours is not what it accepts. What is too old or too young may be replaced, or the
/// clock be set.
pub(super) fn refusal(error: &(dyn StdError + 'static)) -> Option<String> {
    match within(error)? {
        TlsError::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => None,
        found @ TlsError::InvalidCertificate(_) => Some(format!(
            "the certificate of the server is not trusted: {found} (`OTEL_EXPORTER_OTLP_CERTIFICATE` names a file of authorities)"
        )),
        found @ TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Some(format!(
            "the server does not accept our certificate: {found} (`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` and `OTEL_EXPORTER_OTLP_CLIENT_KEY` name one)"
        )),
        _ => None,
    }
}

/// What TLS said, however it is wrapped.
fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    // A chain that leads back to itself would be somebody's bug, and must not be our loop.
    for _ in 0..16 {
        let error = next?;
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        // An I/O error answers for its source with the source's own, and so hides it.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
