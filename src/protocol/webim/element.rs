//! The elements of a message's body.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::protocol::json::lenient::{self, Lenient, object};

/// One element of a message's body.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    Text(String),
    Custom {
        data: String,
        desc: String,
        ext: String,
    },
    Face {
        index: u64,
        data: String,
    },
    /// Any other element: kept as it came, to be passed on.
    Other {
        kind: String,
        content: Value,
    },
}

impl Element {
    /// Makes a custom element with data only.
    #[must_use]
    pub fn custom(data: impl Into<String>) -> Self {
        Self::Custom {
            data: data.into(),
            desc: String::new(),
            ext: String::new(),
        }
    }

    fn parts(&self) -> (&str, Value) {
        match self {
            Self::Text(text) => ("TIMTextElem", json!({ "Text": text })),
            Self::Custom { data, desc, ext } => (
                "TIMCustomElem",
                json!({ "Data": data, "Desc": desc, "Ext": ext }),
            ),
            Self::Face { index, data } => ("TIMFaceElem", json!({ "Index": index, "Data": data })),
            Self::Other { kind, content } => (kind.as_str(), content.clone()),
        }
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        let (kind, content) = self.parts();
        json!({ "MsgType": kind, "MsgContent": content })
    }

    /// Reads an element; None if it has no `MsgType`. The content may stand in a text.
    #[must_use]
    pub fn from_json(json: &Value) -> Option<Self> {
        let kind = json.get("MsgType").and_then(Value::as_str)?;
        let content = json.get("MsgContent");
        let unpacked = content.cloned().and_then(object);
        let field = |key: &str| unpacked.as_ref().and_then(|content| content.get(key));
        Some(match kind {
            "TIMTextElem" => Self::Text(lenient::text(field("Text"))),
            "TIMCustomElem" => Self::Custom {
                data: lenient::text(field("Data")),
                desc: lenient::text(field("Desc")),
                ext: lenient::text(field("Ext")),
            },
            "TIMFaceElem" => Self::Face {
                index: lenient::number(field("Index")),
                data: lenient::text(field("Data")),
            },
            _ => Self::Other {
                kind: kind.to_owned(),
                content: content.cloned().unwrap_or(Value::Object(Map::new())),
            },
        })
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In the documented order.
        let (kind, content) = self.parts();
        let mut element = serializer.serialize_struct("Element", 2)?;
        element.serialize_field("MsgType", kind)?;
        element.serialize_field("MsgContent", &content)?;
        element.end()
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self::read(value).unwrap_or_default())
    }
}

impl Default for Element {
    /// An element without kind.
    fn default() -> Self {
        Self::Other {
            kind: String::new(),
            content: Value::Null,
        }
    }
}

impl Lenient for Element {
    fn read(value: Value) -> Option<Self> {
        Self::from_json(&value)
    }
}

/// Reads a body, without the entries that are not elements.
pub(super) fn elements(body: Option<&Value>) -> Vec<Element> {
    lenient::list(body)
}
