//! How much of what we sent still waits in the kernel.
//!
//! A send buffer takes megabytes from a peer that no longer reads: without this the stream would
//! look well for a minute, and on a slow link its delay would grow by seconds unseen. The
//! kernel's table is read because GStreamer does not give its socket away.

use std::collections::HashSet;
use std::path::Path;

/// Bytes that the kernel holds for connections of this process to `port` of any host. Other
/// connections to the same relay only play: what they send is next to nothing.
pub(super) fn bytes_to(port: u16) -> u64 {
    let sockets = own_sockets();
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .map(|table| queued(&table, port, &sockets))
        .sum()
}

/// Inode numbers of this process's sockets.
fn own_sockets() -> HashSet<u64> {
    let Ok(files) = std::fs::read_dir("/proc/self/fd") else {
        return HashSet::new();
    };
    files
        .flatten()
        .filter_map(|file| {
            let target = std::fs::read_link(file.path()).ok()?;
            inode(&target)
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

/// Sum of the send queues in a table of `proc_pid_net_tcp(5)`.
fn queued(table: &str, port: u16, sockets: &HashSet<u64>) -> u64 {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let remote_port = u16::from_str_radix(fields.get(2)?.rsplit_once(':')?.1, 16).ok()?;
        let waiting = u64::from_str_radix(fields.get(4)?.split_once(':')?.0, 16).ok()?;
        let inode = fields.get(9)?.parse().ok()?;
        (remote_port == port && sockets.contains(&inode)).then_some(waiting)
    };
    table.lines().skip(1).filter_map(line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100
   1: 0100007F:C350 0100007F:078F 01 0000A000:00000000 01:00000014 00000000     0        0 12 2 0 20
   2: 0100007F:C351 0100007F:078F 01 00000001:00000000 00:00000000 00000000     0        0 13 1 0 20
   3: 0100007F:C352 0100007F:0050 01 00000100:00000000 00:00000000 00000000     0        0 14 1 0 20
 garbage";

    #[test]
    fn sums_what_our_connections_to_the_port_hold() {
        let own = HashSet::from([11, 12, 14]);
        assert_eq!(queued(TABLE, 1935, &own), 0xa000);
        assert_eq!(queued(TABLE, 80, &own), 0x100);
        assert_eq!(queued(TABLE, 443, &own), 0);
        assert_eq!(queued("", 1935, &own), 0);
    }

    #[test]
    fn sees_a_peer_that_does_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        let _unread = listener.accept().expect("accepts");
        assert_eq!(bytes_to(port), 0);
        stream.set_nonblocking(true).expect("a socket");
        while stream.write(&[0; 65_536]).is_ok() {}
        assert!(bytes_to(port) > 10_000, "{}", bytes_to(port));
    }
}
