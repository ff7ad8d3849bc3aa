//! The option `--room-type double|multi` of the demo and the benchmarks.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::protocol::RoomType;

/// Parses the types of room in which a whole call can be made.
pub(crate) fn room_type_parser() -> impl TypedValueParser<Value = RoomType> {
    PossibleValuesParser::new(["double", "multi"]).map(|word| match &*word {
        "multi" => RoomType::Multi,
        _ => RoomType::Double,
    })
}
