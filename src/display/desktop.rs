//! The desktop that a window could open on: whether it answers, and which element draws there.
//!
//! GStreamer's own choice would try every sink it knows, and some of them crash without a desktop.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Sinks for a Wayland compositor, and for an X server, the better first.
const WAYLAND: &[&str] = &["waylandsink"];
const X11: &[&str] = &["xvimagesink", "ximagesink"];
/// TCP port of an X server's display 0.
const X11_PORT: u16 = 6000;
/// Time for an X server on another machine: our choice.
const FAR: Duration = Duration::from_secs(2);

/// An environment variable, unless it is empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The sinks that can draw here, in the order in which to try them.
///
/// # Errors
/// The variables that would name a desktop, and what is wrong with each.
pub(super) fn sinks() -> Result<Vec<&'static str>, String> {
    choose(
        variable("WAYLAND_DISPLAY").as_deref(),
        variable("DISPLAY").as_deref(),
        |name| wayland(name, variable("XDG_RUNTIME_DIR").as_deref()),
        x11,
    )
}

fn choose(
    wayland: Option<&str>,
    display: Option<&str>,
    ask_wayland: impl Fn(&str) -> io::Result<()>,
    ask_x11: impl Fn(&str) -> io::Result<()>,
) -> Result<Vec<&'static str>, String> {
    if wayland.is_none() && display.is_none() {
        return Err("neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned());
    }
    let (mut sinks, mut dead) = (Vec::new(), Vec::new());
    let mut ask = |name: &str, value: Option<&str>, answer: Option<io::Result<()>>, of: &[_]| match (
        value, answer,
    ) {
        (Some(value), Some(Err(error))) => {
            dead.push(format!("{name} = {value:?} does not answer: {error}"));
        }
        (Some(_), _) => sinks.extend_from_slice(of),
        (None, _) => {}
    };
    ask(
        "WAYLAND_DISPLAY",
        wayland,
        wayland.map(ask_wayland),
        WAYLAND,
    );
    ask("DISPLAY", display, display.map(ask_x11), X11);
    for reason in &dead {
        log::warn!("{reason}");
    }
    match sinks.is_empty() {
        true => Err(dead.join("; ")),
        false => Ok(sinks),
    }
}

/// Asks whether a Wayland compositor listens.
fn wayland(name: &str, runtime_dir: Option<&str>) -> io::Result<()> {
    let path = match (Path::new(name).is_absolute(), runtime_dir) {
        (true, _) => PathBuf::from(name),
        (false, Some(dir)) => Path::new(dir).join(name),
        (false, None) => return Err(io::Error::other("XDG_RUNTIME_DIR is not set")),
    };
    UnixStream::connect(path).map(drop)
}

/// Asks whether an X server listens.
fn x11(display: &str) -> io::Result<()> {
    let wrong = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "it must be like :0 or host:0.0",
        )
    };
    let (host, number) = display.rsplit_once(':').ok_or_else(wrong)?;
    let number = number.split('.').next().unwrap_or_default();
    let number: u16 = number.parse().map_err(|_| wrong())?;
    if host.is_empty() || host == "unix" {
        let path = format!("/tmp/.X11-unix/X{number}");
        let hidden = SocketAddr::from_abstract_name(&path)?;
        return UnixStream::connect(path)
            .or_else(|error| UnixStream::connect_addr(&hidden).map_err(|_| error))
            .map(drop);
    }
    let port = X11_PORT.checked_add(number).ok_or_else(wrong)?;
    let mut last = wrong();
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, FAR) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_desktops_that_answer_are_tried() {
        let dead = |_: &str| Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        let lives = |_: &str| Ok(());
        let unset = choose(None, None, lives, lives);
        assert!(unset.unwrap_err().contains("neither DISPLAY nor"));
        let both = choose(Some("wayland-0"), Some(":0"), lives, lives);
        assert_eq!(both.unwrap(), ["waylandsink", "xvimagesink", "ximagesink"]);
        let one = choose(Some("wayland-0"), Some(":0"), dead, lives);
        assert_eq!(one.unwrap(), X11);
        let none = choose(Some("wayland-0"), Some(":0"), dead, dead).unwrap_err();
        assert!(
            none.contains("WAYLAND_DISPLAY = \"wayland-0\" does not answer"),
            "{none}"
        );
        assert!(none.contains("DISPLAY = \":0\" does not answer"), "{none}");
    }

    #[test]
    fn servers_are_asked_where_they_listen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wayland-7");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let runtime_dir = dir.path().to_str();
        wayland("wayland-7", runtime_dir).unwrap();
        wayland(path.to_str().unwrap(), None).unwrap();
        assert!(wayland("wayland-7", None).is_err());
        drop(listener);
        let dead = wayland("wayland-7", runtime_dir).unwrap_err();
        assert_eq!(dead.kind(), io::ErrorKind::ConnectionRefused);
        for wrong in ["", "0", ":", ":x", "host:70000"] {
            let error = x11(wrong).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{wrong}");
        }
        assert!(x11(":61234").is_err());
    }
}
