//! Texts for customers, one file per language: `en.txt` and `zh-CN.txt`. A line is
//! `key = text`, where `{name}` stands for a value; lines that begin with `#` are comments.

mod catalog;
mod key;
mod no_picture;

pub(super) use catalog::text;
pub(super) use key::Key;
pub use no_picture::no_picture;
