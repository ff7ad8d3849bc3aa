//! Rules of what only live rooms have: custom fields and the audience list. They have the form
//! of those in `room`.

use serde_json::Value;

use super::room::{Refusal, Room, Watcher};
use super::rules::Rules;
use crate::protocol::json;

/// Custom fields that a room may have: they go out with every room list.
const MAX_FIELDS: usize = 32;
/// Bytes that one may have as JSON, name and value together.
const MAX_FIELD_BYTES: usize = 1024;
/// Bytes that the value of one may take in memory: a thousand bytes of JSON can become a hundred
/// thousand.
const MAX_FIELD_WEIGHT: usize = 8 * 1024;

/// The change that `set_custom_field` makes to a field; counters start at 0.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldChange {
    Increase,
    Decrease,
    Set(Value),
}

impl FieldChange {
    /// Reads an operation of the wire.
    ///
    /// # Errors
    /// [`Refusal::BadOperation`] for an unknown operation and for `set` without a value.
    pub fn parse(operation: &str, value: Option<Value>) -> Result<Self, Refusal> {
        match (operation, value) {
            ("inc", _) => Ok(Self::Increase),
            ("dec", _) => Ok(Self::Decrease),
            ("set", Some(value)) if !value.is_null() => Ok(Self::Set(value)),
            _ => Err(Refusal::BadOperation),
        }
    }
}

/// Custom fields as the wire has them: JSON in a string.
#[must_use]
pub fn custom_text(room: &Room) -> String {
    let fields = room.custom.iter().map(|(k, v)| (k.clone(), v.clone()));
    Value::Object(fields.collect()).to_string()
}

/// Changes a custom field; answers all fields as JSON text.
pub(super) fn set_field(
    slot: &mut Option<Room>,
    field: &str,
    change: &FieldChange,
) -> Result<String, Refusal> {
    let room = slot.as_mut().ok_or(Refusal::RoomMissing)?;
    let known = room.custom.get(field);
    let value = match change {
        FieldChange::Increase => counted(known, 1)?,
        FieldChange::Decrease => counted(known, -1)?,
        FieldChange::Set(value) => value.clone(),
    };
    let too_many = known.is_none() && room.custom.len() >= MAX_FIELDS;
    let text = value.to_string();
    let too_large = field.len() + text.len() > MAX_FIELD_BYTES
        || json::weight(text.as_bytes()) > MAX_FIELD_WEIGHT;
    if too_many || too_large {
        return Err(Refusal::CustomTooLarge);
    }
    room.custom.insert(field.to_owned(), value);
    Ok(custom_text(room))
}

fn counted(known: Option<&Value>, step: i64) -> Result<Value, Refusal> {
    let count = match known {
        None => 0,
        Some(value) => value.as_i64().ok_or(Refusal::BadOperation)?,
    };
    Ok(count.saturating_add(step).into())
}

/// Adds somebody to the audience, or renews what is known about them.
pub(super) fn add_watcher(
    slot: &mut Option<Room>,
    watcher: &Watcher,
    rules: &Rules,
) -> Result<(), Refusal> {
    let room = slot.as_mut().ok_or(Refusal::RoomMissing)?;
    let known = room.audience.iter_mut().find(|w| w.user == watcher.user);
    if let Some(known) = known {
        known.info.clone_from(&watcher.info);
        return Ok(());
    }
    if room.audience.len() >= rules.audience_limit {
        return Err(Refusal::AudienceFull);
    }
    room.audience.push(watcher.clone());
    Ok(())
}

/// Takes somebody out of the audience. Never refused: a user that is not there has left.
pub(super) fn remove_watcher(slot: &mut Option<Room>, user: &str) {
    if let Some(room) = slot {
        room.audience.retain(|watcher| watcher.user != user);
    }
}
