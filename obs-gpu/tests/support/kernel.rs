//! Directories that stand for the kernel's, and what was read of them.

use obs_core::metrics::{Data, Metric};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Writes files, each with its text.
pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Each point as `name{labels}`.
pub(crate) fn values(metrics: Vec<Metric>) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for metric in metrics {
        let Data::Sum { points, .. } = &metric.data else {
            panic!("{metric:?}");
        };
        for point in points {
            let labels: Vec<_> = { point.attributes.iter() }
                .map(|(_, text)| text.to_text())
                .collect();
            let name = format!("{}{{{}}}", metric.name, labels.join(","));
            assert!(
                values.insert(name.clone(), point.value.as_f64()).is_none(),
                "{name} twice"
            );
        }
    }
    values
}

/// The points that are expected are among them.
#[track_caller]
pub(crate) fn check(values: &BTreeMap<String, f64>, expect: &[(&str, f64)]) {
    for (name, value) in expect {
        assert_eq!(values.get(*name), Some(value), "{name} of {values:#?}");
    }
}
