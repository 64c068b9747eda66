//! Whom to believe over `https`.

use std::error::Error as _;
use std::path::Path;

use rustls::{CertificateError, Error as TlsError};
use ureq::config::ConfigBuilder;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use crate::error::Error;

/// Trusts the authorities in a file and no others; without one those that the browsers trust.
pub(super) fn trusting(
    config: ConfigBuilder<AgentScope>,
    file: Option<&Path>,
) -> Result<ConfigBuilder<AgentScope>, Error> {
    let Some(file) = file else {
        return Ok(config);
    };
    let shown = file.display();
    let bad = |what: &str| Error::configuration(format!("the certificates in `{shown}` {what}"));
    let pem = std::fs::read(file).map_err(|error| bad("cannot be read").with_source(error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|error| bad("are no PEM").with_source(error))?;
        // A key beside them is nobody's to trust.
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(bad("are none"));
    }
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(config.tls_config(TlsConfig::builder().root_certs(roots).build()))
}

/// Whether the destination's certificate is one that no further attempt will make better: another authority's, another
/// host's, a revoked one. Those that are too old or too young may be replaced, or the clock be set.
pub(super) fn is_not_trusted(error: &ureq::Error) -> bool {
    let found = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<TlsError>()),
        other => other
            .source()
            .and_then(|source| source.downcast_ref::<TlsError>()),
    };
    match found {
        Some(TlsError::InvalidCertificate(why)) => !matches!(
            why,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        ),
        _ => false,
    }
}
