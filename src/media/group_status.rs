//! The state of the devices of one kind.

use std::collections::BTreeMap;

use serde::Serialize;

/// One kind of device as `status` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// The device that delivers; none while a stand-in does.
    pub live: Option<String>,
    /// The device that is to deliver.
    pub wanted: String,
    /// The reason why a device does not deliver, by its name; renewed with each try.
    pub faults: BTreeMap<String, String>,
    /// The H.264 that cameras make themselves, by their names: usable, or why not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub own_h264: BTreeMap<String, String>,
}
