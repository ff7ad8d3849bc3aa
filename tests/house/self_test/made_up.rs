//! A small house in which nothing is wrong.

use crate::house::House;
use crate::source::Source;
use crate::tables::{Floors, Rooms};

const TABLES: &str = "
## Rooms of the house

| folder | job | may import |
|---|---|---|
| `words/` | ground floor | nothing |
| `media/` | kiosk | words |
| `server/` | server | words |
| `bin/` | all | everything |

## Floors of `media/`

| floor | units | imports on the same floor |
|---|---|---|
| ground | `format.rs`, `fault.rs` | |
| devices | `capture/`, `echo/` | `capture/` imports `echo/` |
| streams | `uplink/` | |
";

const FILES: [(&str, &str); 14] = [
    ("lib.rs", "pub mod words; pub mod media; pub mod server;"),
    (
        "bin/one.rs",
        "use rtckiosk::{media, server}; fn main() { media::uplink::push(server::serve) }",
    ),
    ("words/mod.rs", "mod code;\npub use code::Code;"),
    ("words/code.rs", "pub struct Code;"),
    (
        "media/mod.rs",
        "mod capture; mod echo; mod fault; mod format;\npub mod uplink;\npub use fault::Fault;",
    ),
    (
        "media/fault.rs",
        "use super::format;\npub struct Fault(format::Caps);",
    ),
    (
        "media/format.rs",
        "pub struct Caps;\n#[cfg(test)]\nmod tests { use crate::server::serve; }",
    ),
    (
        "media/capture/mod.rs",
        "mod camera;\npub use camera::Camera;",
    ),
    (
        "media/capture/camera.rs",
        "use crate::media::echo::Echo;\npub struct Camera(Echo);",
    ),
    ("media/echo/mod.rs", "mod echo;\npub use echo::Echo;"),
    (
        "media/echo/echo.rs",
        "use crate::words::Code;\npub struct Echo(Code);",
    ),
    ("media/uplink/mod.rs", "mod push;\npub use push::push;"),
    (
        "media/uplink/push.rs",
        "use super::super::capture::Camera;\npub fn push() -> Camera { Camera }",
    ),
    (
        "server/mod.rs",
        "mod serve;\nuse crate::words;\npub use words::Code;\npub use serve::serve;",
    ),
];

pub(super) fn house() -> House {
    let mut sources: Vec<Source> = FILES
        .iter()
        .map(|(path, text)| Source::new(format!("src/{path}"), *text))
        .collect();
    sources.push(Source::new("src/server/serve.rs", "pub fn serve() {}"));
    House::read(sources)
}

pub(super) fn rooms() -> Rooms {
    Rooms::read(TABLES)
}

pub(super) fn floors() -> Floors {
    Floors::read_all(TABLES).remove(0)
}
