//! Bodies made small: the same for OTLP/HTTP and OTLP/gRPC.
//!
//! Protobuf of telemetry shrinks severalfold at any level; the fastest of each costs the host least.

use std::borrow::Cow;
use std::io;

use super::Compression;
use crate::error::Error;

impl Compression {
    /// What `content-encoding` and `grpc-encoding` call it.
    pub(super) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Refused at set-up rather than at the first batch.
    pub(super) fn check(self) -> Result<(), Error> {
        if self == Self::Zstd && !cfg!(feature = "zstd") {
            return Err(Error::configuration(
                "compression by zstd needs the feature `zstd` of obs-core; enable it, or use gzip",
            ));
        }
        Ok(())
    }

    pub(super) fn apply(self, body: &[u8]) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::None => Ok(Cow::Borrowed(body)),
            Self::Gzip => gzip(body).map(Cow::Owned),
            Self::Zstd => zstd(body).map(Cow::Owned),
        }
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 4 + 64), Compression::fast());
    out.write_all(body)?;
    out.finish()
}

#[cfg(feature = "zstd")]
fn zstd(body: &[u8]) -> io::Result<Vec<u8>> {
    ::zstd::bulk::compress(body, 1)
}

#[cfg(not(feature = "zstd"))]
fn zstd(_body: &[u8]) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn telemetry() -> Vec<u8> {
        (0..2_000u32)
            .flat_map(|n| format!("http.request.method GET {n} /orders/{{id}}").into_bytes())
            .collect()
    }

    #[test]
    fn what_is_made_small_is_small_and_comes_back_whole() {
        let body = telemetry();
        let mut back = Vec::new();
        let gzip = Compression::Gzip.apply(&body).expect("gzip");
        flate2::read::GzDecoder::new(&*gzip)
            .read_to_end(&mut back)
            .expect("gzip");
        assert_eq!(back, body);
        assert!(gzip.len() < body.len() / 4, "{} bytes", gzip.len());
        assert_eq!(&*Compression::None.apply(&body).expect("as it is"), body);
        assert_eq!(Compression::None.encoding(), None);
    }

    #[test]
    #[cfg(all(feature = "zstd", not(loom)))]
    fn zstd_is_read_by_its_reference() {
        let body = telemetry();
        let small = Compression::Zstd.apply(&body).expect("zstd");
        assert_eq!(::zstd::decode_all(&*small).expect("zstd"), body);
        assert!(small.len() < body.len() / 4, "{} bytes", small.len());
    }

    #[test]
    fn a_compression_that_the_build_lacks_is_refused_by_name() {
        let checked = Compression::Zstd.check();
        if cfg!(feature = "zstd") {
            checked.expect("it is there");
        } else {
            let error = checked.expect_err("it is not there");
            assert!(error.is_configuration() && error.to_string().contains("feature `zstd`"));
        }
    }
}
