//! Measures how much of what we sent still waits in the kernel.
//!
//! A send buffer takes megabytes from a peer that no longer reads: without this the stream would
//! look well for a minute, and on a slow link its delay would grow by seconds unseen. GStreamer
//! does not give its socket away, so it is found among this process's open files.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::fd::RawFd;
use rustix::process::{ForeignRawFd, PidfdFlags, PidfdGetfdFlags};

use super::sock_diag::{Ends, Held, SockDiag};
use crate::media::relay_link::Socket;

/// The connection to a relay; where only its port is known, all of this process to that port.
/// Those to the same relay that only play send next to nothing, so that they may be counted in.
#[derive(Debug)]
pub(super) struct KernelQueue {
    socket: Socket,
    connections: Vec<Connection>,
    /// Socket to the kernel; absent where it or a sandbox has no netlink for this.
    diag: Option<SockDiag>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Connection {
    ends: Ends,
    inode: u64,
    waiting: u64,
}

impl KernelQueue {
    /// Finds the connections of now. Blocks for the milliseconds that the kernel's table takes.
    pub(super) fn of(socket: Socket) -> Self {
        let diag = SockDiag::open()
            .inspect_err(|error| log::info!(error:%; "no socket diagnostics: /proc is read"))
            .ok();
        Self {
            connections: connections(socket),
            socket,
            diag,
        }
    }

    /// Whether a look is cheap enough to be taken often, and on any thread.
    pub(super) fn is_quick(&self) -> bool {
        self.diag.is_some()
    }

    /// Reads what the kernel holds now.
    pub(super) fn look(&self) -> Held {
        let Some(diag) = &self.diag else {
            let connections = connections(self.socket);
            return Held {
                bytes: connections.iter().map(|c| c.waiting).sum(),
                ..Held::default()
            };
        };
        let each = self
            .connections
            .iter()
            .filter_map(|connection| diag.look(&connection.ends).ok().flatten());
        each.fold(Held::default(), |sum, held| Held {
            bytes: sum.bytes + held.bytes,
            next_try: sum.next_try.max(held.next_try),
            rtt: sum.rtt.max(held.rtt),
        })
    }

    /// The relay's address.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.connections
            .first()
            .map(|connection| connection.ends.peer)
    }

    /// Makes the kernel forget unsent bytes, and tell the peer so, when the sockets are closed.
    /// Otherwise a relay would believe the old stream alive, and refuse the new one, until the
    /// next of ever rarer retransmissions.
    pub(super) fn sever(&self) {
        let fds = own_sockets();
        for connection in &self.connections {
            let Some(fd) = fds.get(&connection.inode) else {
                continue;
            };
            if let Err(error) = no_linger(*fd) {
                log::debug!(error:%; "the old connection ends slowly");
            }
        }
    }
}

/// The socket behind a file of this process is duplicated, set, and let go.
fn no_linger(fd: RawFd) -> rustix::io::Result<()> {
    let process = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let socket =
        rustix::process::pidfd_getfd(process, fd as ForeignRawFd, PidfdGetfdFlags::empty())?;
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO))
}

fn connections(socket: Socket) -> Vec<Connection> {
    let sockets = own_sockets();
    let fits = |found: &Connection| socket.local.is_none_or(|local| found.ends.local == local);
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listed(&table, socket.port, |inode| sockets.contains_key(&inode)))
        .filter(fits)
        .collect()
}

/// Inode numbers of this process's sockets, and their file descriptors.
fn own_sockets() -> HashMap<u64, RawFd> {
    let Ok(files) = std::fs::read_dir("/proc/self/fd") else {
        return HashMap::new();
    };
    files
        .flatten()
        .filter_map(|file| {
            let target = std::fs::read_link(file.path()).ok()?;
            let fd = file.file_name().to_str()?.parse().ok()?;
            Some((inode(&target)?, fd))
        })
        .collect()
}

/// `socket:[12345]`
fn inode(target: &Path) -> Option<u64> {
    target
        .to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// Our connections to a port in a table of `proc_pid_net_tcp(5)`.
fn listed(table: &str, port: u16, ours: impl Fn(u64) -> bool) -> Vec<Connection> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let connection = Connection {
            ends: Ends {
                local: address(fields.get(1)?)?,
                peer: address(fields.get(2)?)?,
            },
            waiting: u64::from_str_radix(fields.get(4)?.split_once(':')?.0, 16).ok()?,
            inode: fields.get(9)?.parse().ok()?,
        };
        (connection.ends.peer.port() == port && ours(connection.inode)).then_some(connection)
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// `0100007F:078F`: words of the address as this machine reads them, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        Some(
            u32::from_str_radix(ip.get(at..at + 8)?, 16)
                .ok()?
                .to_ne_bytes(),
        )
    };
    match ip.len() {
        8 => Some((Ipv4Addr::from(word(0)?), port).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Some((Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?), port).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100
   1: 0100007F:C350 0100007F:078F 01 0000A000:00000000 01:00000014 00000000     0        0 12 2 0 20
   2: 0100007F:C351 0100007F:078F 01 00000001:00000000 00:00000000 00000000     0        0 13 1 0 20
   3: 0100007F:C352 0100007F:0050 01 00000100:00000000 00:00000000 00000000     0        0 14 1 0 20
 garbage";

    #[test]
    #[cfg(target_endian = "little")]
    fn finds_our_connections_to_the_port() {
        let ours = |inode| [11, 12, 14].contains(&inode);
        let found = listed(TABLE, 1935, ours);
        let ends = Ends {
            local: "127.0.0.1:50000".parse().expect("an address"),
            peer: "127.0.0.1:1935".parse().expect("an address"),
        };
        assert_eq!(
            found,
            [Connection {
                ends,
                inode: 12,
                waiting: 0xa000
            }]
        );
        assert_eq!(listed(TABLE, 443, ours), []);
        assert_eq!(listed("", 1935, ours), []);
        let six = address("00000000000000000000000001000000:0050");
        assert_eq!(six, "[::1]:80".parse().ok());
    }

    /// A connection and the other end of it.
    fn pair() -> (TcpStream, TcpStream, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        (stream, listener.accept().expect("accepts").0, port)
    }

    #[test]
    fn sees_a_peer_that_does_not_read() {
        let (mut stream, _unread, port) = pair();
        let mut queue = KernelQueue::of(Socket { port, local: None });
        assert!(queue.is_quick());
        assert_eq!(queue.look().bytes, 0);
        assert_eq!(queue.peer(), stream.peer_addr().ok());
        stream.set_nonblocking(true).expect("a socket");
        while stream.write(&[0; 65_536]).is_ok() {}
        assert!(queue.look().bytes > 10_000, "{:?}", queue.look());
        queue.diag = None;
        assert!(queue.look().bytes > 10_000, "{:?}", queue.look());
    }

    #[test]
    fn a_known_socket_is_the_only_one() {
        let (stream, _peer, port) = pair();
        let _beside = TcpStream::connect(stream.peer_addr().expect("a peer"));
        let of = |local| KernelQueue::of(Socket { port, local }).connections;
        let local = stream.local_addr().expect("an address");
        let found = of(Some(local));
        assert!(
            found.len() == 1 && found[0].ends.local == local,
            "{found:?}"
        );
    }

    #[test]
    fn a_severed_connection_is_reset() {
        let (stream, mut peer, port) = pair();
        KernelQueue::of(Socket { port, local: None }).sever();
        drop(stream);
        let end = peer.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(end, Err(ErrorKind::ConnectionReset));
    }
}
