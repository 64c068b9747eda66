//! Binary metadata of requests, which volo-grpc cannot read: its server panics (0.12.2), and the peer is told nothing but that
//! its stream was reset. So they are kept away from it until it has read the rest.

use http::{HeaderMap, HeaderValue, Request};

/// Metadata of a request whose keys end in `-bin`, as they came: in base64.
///
/// [`VoloGrpcServerLayer`](super::VoloGrpcServerLayer) moves them from the metadata into the request's extensions before Volo
/// looks. Where [`VoloGrpcHandleLayer`](super::VoloGrpcHandleLayer) stands they are in the metadata again when the handler is
/// called; without it a handler finds them here.
#[derive(Clone, Debug, Default)]
pub struct BinaryMetadata(pub HeaderMap);

impl BinaryMetadata {
    /// The first value of a key, as it came.
    pub fn get(&self, key: &str) -> Option<&HeaderValue> {
        self.0.get(key)
    }
}

fn is_binary(name: &http::HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

/// Moves them out of Volo's sight.
pub(crate) fn hide<B>(request: &mut Request<B>) {
    if request.headers().keys().any(is_binary) {
        move_out(request);
    }
}

#[cold]
fn move_out<B>(request: &mut Request<B>) {
    let mut binary = HeaderMap::new();
    let metadata = request.headers_mut();
    let names: Vec<_> = metadata
        .keys()
        .filter(|name| is_binary(name))
        .cloned()
        .collect();
    for name in names {
        for value in metadata.get_all(&name) {
            binary.append(&name, value.clone());
        }
        metadata.remove(name);
    }
    request.extensions_mut().insert(BinaryMetadata(binary));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_binary_moves_and_all_else_stays_in_its_order() {
        let mut request = Request::new(());
        for (name, value) in [
            ("trace-bin", "AAE"),
            ("kind", "one"),
            ("trace-bin", "AAI"),
            ("kind", "two"),
            ("bin", "no"),
            ("x-binary", "no"),
        ] {
            let name = http::HeaderName::from_static(name);
            request
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
        hide(&mut request);
        let text = |map: &HeaderMap, name: &str| {
            let values = map.get_all(name).iter();
            values
                .map(|value| value.to_str().expect("text").to_owned())
                .collect::<Vec<_>>()
        };
        let metadata = request.headers();
        assert_eq!(text(metadata, "kind"), ["one", "two"]);
        assert_eq!(metadata.len(), 4);
        let binary = request.extensions().get::<BinaryMetadata>().expect("moved");
        assert_eq!(text(&binary.0, "trace-bin"), ["AAE", "AAI"]);
        assert_eq!(binary.0.len(), 2);
    }

    #[test]
    fn where_nothing_is_binary_nothing_is_left_behind() {
        let mut request = Request::new(());
        hide(&mut request);
        assert!(request.extensions().is_empty());
    }
}
