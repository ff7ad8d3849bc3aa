//! Asks the kernel about one TCP connection, over netlink: `sock_diag(7)`.
//!
//! The tables in `/proc` say the same, but reading them walks every bucket of the kernel's hash
//! (14 ms where that has 262144), too long for a look every few milliseconds.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};

/// The kernel answers within the call that asks.
const DEADLINE: Duration = Duration::from_millis(100);

// From linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h, which never change.
const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
const NLM_F_REQUEST: u16 = 1;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const IPPROTO_TCP: u8 = 6;
/// `idiag_cookie`: any socket with these addresses.
const NO_COOKIE: [u8; 8] = [0xff; 8];
const TIMER_RETRANSMIT: u8 = 1;
/// Offsets in an answer: `struct inet_diag_msg` after the header.
const TIMER: usize = HEADER_BYTES + 2;
const EXPIRES: usize = HEADER_BYTES + 52;
const SEND_QUEUE: usize = HEADER_BYTES + 60;
const ANSWER_BYTES: usize = HEADER_BYTES + 72;

/// Both ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// What the kernel holds for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    /// Written, and not acknowledged.
    pub(super) bytes: u64,
    /// The peer acknowledges nothing, and this long from now it is sent again.
    pub(super) next_try: Option<Duration>,
}

/// A netlink socket.
#[derive(Debug)]
pub(super) struct SockDiag(OwnedFd);

impl SockDiag {
    pub(super) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(DEADLINE))?;
        Ok(Self(socket))
    }

    /// What the kernel holds; `None` when there is no such connection.
    pub(super) fn look(&self, ends: &Ends) -> io::Result<Option<Held>> {
        rustix::net::send(&self.0, &request(ends), SendFlags::empty())?;
        let mut answer = [0; 1024];
        let (read, _) = rustix::net::recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        Ok(held(&answer[..read]))
    }
}

fn request(ends: &Ends) -> [u8; REQUEST_BYTES] {
    let mut request = [0; REQUEST_BYTES];
    let mut put = |at: usize, bytes: &[u8]| request[at..at + bytes.len()].copy_from_slice(bytes);
    let family = match ends.local {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    put(0, &(REQUEST_BYTES as u32).to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &NLM_F_REQUEST.to_ne_bytes());
    put(16, &[family.as_raw() as u8, IPPROTO_TCP]);
    // All states.
    put(20, &u32::MAX.to_ne_bytes());
    put(24, &ends.local.port().to_be_bytes());
    put(26, &ends.peer.port().to_be_bytes());
    for (at, end) in [(28, ends.local), (44, ends.peer)] {
        match end.ip() {
            IpAddr::V4(address) => put(at, &address.octets()),
            IpAddr::V6(address) => put(at, &address.octets()),
        }
    }
    put(64, &NO_COOKIE);
    request
}

fn held(answer: &[u8]) -> Option<Held> {
    let number = |at: usize| {
        let bytes = answer.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes))
    };
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if kind != SOCK_DIAG_BY_FAMILY || answer.len() < ANSWER_BYTES {
        return None;
    }
    let [timer, tries] = answer.get(TIMER..TIMER + 2)?.try_into().ok()?;
    let again = timer == TIMER_RETRANSMIT && tries > 0;
    Some(Held {
        bytes: u64::from(number(SEND_QUEUE)?),
        next_try: number(EXPIRES)
            .filter(|_| again)
            .map(|ms| Duration::from_millis(u64::from(ms))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn tells_what_a_connection_holds() {
        let diag = SockDiag::open().expect("netlink");
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(host).expect("a port");
            let peer = listener.local_addr().expect("an address");
            let mut stream = TcpStream::connect(peer).expect("connects");
            let _unread = listener.accept().expect("accepts");
            let ends = Ends {
                local: stream.local_addr().expect("an address"),
                peer,
            };
            assert_eq!(diag.look(&ends).expect("asks"), Some(Held::default()));
            stream.set_nonblocking(true).expect("a socket");
            while stream.write(&[0; 65_536]).is_ok() {}
            let held = diag.look(&ends).expect("asks").expect("is there");
            assert!(held.bytes > 10_000, "{held:?}");
            let nobody = Ends {
                local: peer,
                peer: ends.local,
            };
            drop(stream);
            drop(_unread);
            drop(listener);
            assert_eq!(
                diag.look(&nobody).expect("asks").map(|held| held.next_try),
                None
            );
        }
    }

    #[test]
    fn a_retransmission_is_told_and_an_error_is_nothing() {
        let mut answer = [0u8; ANSWER_BYTES];
        answer[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        answer[SEND_QUEUE..SEND_QUEUE + 4].copy_from_slice(&700u32.to_ne_bytes());
        answer[EXPIRES..EXPIRES + 4].copy_from_slice(&1600u32.to_ne_bytes());
        answer[TIMER] = TIMER_RETRANSMIT;
        assert_eq!(
            held(&answer),
            Some(Held {
                bytes: 700,
                next_try: None
            }),
            "the first try"
        );
        answer[TIMER + 1] = 3;
        let next_try = Some(Duration::from_millis(1600));
        assert_eq!(
            held(&answer),
            Some(Held {
                bytes: 700,
                next_try
            })
        );
        answer[4..6].copy_from_slice(&2u16.to_ne_bytes());
        assert_eq!(held(&answer), None, "NLMSG_ERROR");
        assert_eq!(held(&[]), None);
    }
}
