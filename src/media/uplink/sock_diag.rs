//! Asks the kernel about one TCP connection, over netlink: `sock_diag(7)`.
//!
//! The tables in `/proc` say the same, but reading them walks every bucket of the kernel's hash
//! (14 ms where that has 262144), too long for a look every few milliseconds.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};

/// Time for an answer: the kernel gives it within the call that asks.
const DEADLINE: Duration = Duration::from_millis(100);

// From linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h, which never change.
/// Bytes of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// Bytes of a request: the header and `struct inet_diag_req_v2`.
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
/// Flag of a request.
const NLM_F_REQUEST: u16 = 1;
/// Type of a request for sockets, and of its answer.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Number of TCP.
const IPPROTO_TCP: u8 = 6;
/// `idiag_ext`: asks for `struct tcp_info`.
const WITH_INFO: u8 = 1 << (INFO - 1);
/// Type of the attribute that holds it.
const INFO: u8 = 2;
/// `tcpi_min_rtt` in it, in µs; all ones while nothing was acknowledged. Linux 4.6 and newer.
const MIN_RTT: usize = 148;
/// `idiag_cookie`: any socket with these addresses.
const NO_COOKIE: [u8; 8] = [0xff; 8];
/// `idiag_timer` while the kernel waits to send again.
const TIMER_RETRANSMIT: u8 = 1;
/// Offset of `idiag_timer` in an answer: `struct inet_diag_msg` after the header.
const TIMER: usize = HEADER_BYTES + 2;
/// Offset of `idiag_expires`.
const EXPIRES: usize = HEADER_BYTES + 52;
/// Offset of `idiag_wqueue`.
const SEND_QUEUE: usize = HEADER_BYTES + 60;
/// Bytes of an answer without attributes.
const ANSWER_BYTES: usize = HEADER_BYTES + 72;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// Bytes and times that the kernel holds for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    /// Written, and not acknowledged.
    pub(super) bytes: u64,
    /// The peer acknowledges nothing, and this long from now it is sent again.
    pub(super) next_try: Option<Duration>,
    /// The minimum time that the kernel saw from a segment to its acknowledgement.
    pub(super) rtt: Option<Duration>,
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

    /// Asks what the kernel holds; `None` when there is no such connection.
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
    put(16, &[family.as_raw() as u8, IPPROTO_TCP, WITH_INFO]);
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
        rtt: info(answer.get(ANSWER_BYTES..)?).and_then(min_rtt),
    })
}

/// `struct tcp_info` among the attributes of an answer: each has its length and type before it and
/// begins at a multiple of four bytes.
fn info(mut attributes: &[u8]) -> Option<&[u8]> {
    loop {
        let [a, b, c, d] = *attributes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        if u16::from_ne_bytes([c, d]) == u16::from(INFO) {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn min_rtt(info: &[u8]) -> Option<Duration> {
    let bytes = info.get(MIN_RTT..)?.first_chunk()?;
    let micros = u32::from_ne_bytes(*bytes);
    (micros != u32::MAX).then(|| Duration::from_micros(u64::from(micros)))
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
            let idle = diag.look(&ends).expect("asks").expect("is there");
            assert_eq!((idle.bytes, idle.next_try), (0, None));
            // The handshake was acknowledged, on this machine.
            let rtt = idle.rtt.expect("a time");
            assert!(rtt < Duration::from_millis(20), "{rtt:?}");
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
                next_try: None,
                rtt: None
            }),
            "the first try"
        );
        answer[TIMER + 1] = 3;
        let next_try = Some(Duration::from_millis(1600));
        assert_eq!(
            held(&answer),
            Some(Held {
                bytes: 700,
                next_try,
                rtt: None
            })
        );
        let attribute = |kind: u16, bytes: &[u8]| {
            let length = (4 + bytes.len()) as u16;
            [&length.to_ne_bytes(), &kind.to_ne_bytes(), bytes].concat()
        };
        let mut tcp_info = [0; MIN_RTT + 8];
        tcp_info[MIN_RTT..MIN_RTT + 4].copy_from_slice(&1500u32.to_ne_bytes());
        // One of five bytes is followed by three that count for nothing.
        let mut rest = [attribute(8, &[0]), vec![0; 3], attribute(2, &tcp_info)].concat();
        let rtt = |rest: &[u8]| held(&[&answer[..], rest].concat()).and_then(|held| held.rtt);
        assert_eq!(rtt(&rest), Some(Duration::from_micros(1500)));
        rest.truncate(60);
        assert_eq!((rtt(&rest), rtt(&[0; 9])), (None, None));
        answer[4..6].copy_from_slice(&2u16.to_ne_bytes());
        assert_eq!(held(&answer), None, "NLMSG_ERROR");
        assert_eq!(held(&[]), None);
    }
}
