//! Pages in the customer's language. Each page is one line of text as yet.

mod status_line;

pub(super) use status_line::status_line;
