//! How the devices of one kind are.

use std::collections::BTreeMap;

use serde::Serialize;

/// One kind of device as `status` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// The device that delivers; none while a stand-in does.
    pub live: Option<String>,
    /// The device that is to deliver.
    pub wanted: String,
    /// Why a device does not deliver, by name; renewed with each try.
    pub faults: BTreeMap<String, String>,
    /// Of cameras, by name: whether the H.264 that they make themselves can be sent, or why not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub own_h264: BTreeMap<String, String>,
}
