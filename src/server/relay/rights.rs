//! The right to publish, by the gate and by what the user publishes already.

use super::conversation::StreamName;
use super::gate::Gate;
use super::hub::Hub;

/// Streams that one user may publish beside those of a member: the next one on its way into a room, and
/// those whose connections have not yet broken.
pub(super) const MAX_SPARE: usize = 3;

/// The user that publishes a stream, if they may.
///
/// # Errors
/// The reason, in words.
pub(super) fn publisher(gate: &dyn Gate, hub: &Hub, name: &StreamName) -> Result<String, String> {
    let owner = gate.publisher(&name.id, &name.query)?;
    if owner.is_empty() || gate.is_members(&name.id) {
        return Ok(owner);
    }
    let theirs = hub.published_by(&owner);
    let spare = theirs
        .iter()
        .filter(|id| **id != name.id && !gate.is_members(id));
    if spare.count() < MAX_SPARE {
        return Ok(owner);
    }
    Err(format!(
        "{owner} publishes {MAX_SPARE} streams that no room knows"
    ))
}
