//! News of devices that come and go, as kernel and udev announce them over netlink.
//!
//! The kernel speaks first, when a device's node exists; udev speaks when it has given the node
//! its group and rights. Both are heard: a board may have no udev, and a daemon that is not root
//! can open nothing before udev has spoken. Where neither can be heard (a container), the
//! back-off of whoever waits for the device has to do.

use std::io;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netlink};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Group of the kernel's messages among those of `NETLINK_KOBJECT_UEVENT`.
const KERNEL: u32 = 1;
/// Group of udev's messages.
const UDEV: u32 = 2;
/// Beginning of a message of udev: `struct udev_monitor_netlink_header`.
const UDEV_PREFIX: &[u8] = b"libudev\0";
/// Place in its header of the byte at which the properties begin.
const UDEV_PROPERTIES: std::ops::Range<usize> = 16..20;
/// Bytes of the longest message: the kernel's have at most 2 KiB, udev's a few more.
const LONGEST: usize = 16 * 1024;

/// A kind of device that is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    Camera,
    Sound,
}

impl DeviceKind {
    const fn subsystem(self) -> &'static [u8] {
        match self {
            Self::Camera => b"video4linux",
            Self::Sound => b"sound",
        }
    }
}

/// Hears of one kind of device until it is dropped.
#[derive(Debug)]
pub(crate) struct Hotplug {
    news: watch::Receiver<u64>,
    _stop: DropGuard,
}

impl Hotplug {
    /// Begins to listen. Must be called on a tokio runtime.
    pub(crate) fn of(kind: DeviceKind) -> Self {
        let (announced, news) = watch::channel(0);
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        match open() {
            Ok(socket) => {
                tokio::spawn(stop.run_until_cancelled_owned(listen(socket, kind, announced)));
            }
            Err(error) => {
                log::info!(error:%; "no news of devices that come and go: they are tried now and then");
            }
        }
        Self { news, _stop: guard }
    }

    /// Waits until devices have come or gone since the last call; pends for ever where that
    /// cannot be heard. Safe to drop and call again.
    pub(crate) async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

// Its successor is an unsafe function; `OwnedFd` keeps what that demands: one file as long as it
// lives.
#[expect(deprecated)]
fn open() -> io::Result<AsyncFd<OwnedFd>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL | UDEV))?;
    AsyncFd::new(socket)
}

async fn listen(socket: AsyncFd<OwnedFd>, kind: DeviceKind, announced: watch::Sender<u64>) {
    let mut message = vec![0; LONGEST];
    loop {
        let read = socket.async_io(tokio::io::Interest::READABLE, |socket| {
            let (read, _) = rustix::net::recv(socket, &mut message[..], RecvFlags::empty())?;
            Ok(read)
        });
        match read.await {
            Ok(read) => {
                if let Some(action) = concerns(&message[..read], kind) {
                    log::debug!(action, kind:?; "device announced");
                    announced.send_modify(|count| *count += 1);
                }
            }
            // Messages were lost: ours may have been among them.
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) =>
            {
                announced.send_modify(|count| *count += 1);
            }
            Err(error) => {
                log::warn!(error:%; "no more news of devices that come and go");
                return;
            }
        }
    }
}

/// The action of a message about a device of this kind, such as "add".
fn concerns(message: &[u8], kind: DeviceKind) -> Option<&str> {
    let properties = if message.starts_with(UDEV_PREFIX) {
        let at = message.get(UDEV_PROPERTIES)?.try_into().ok()?;
        message.get(usize::try_from(u32::from_ne_bytes(at)).ok()?..)?
    } else {
        message
    };
    let value = |name: &[u8]| {
        properties
            .split(|&byte| byte == 0)
            .find_map(|line| line.strip_prefix(name))
    };
    let action = std::str::from_utf8(value(b"ACTION=")?).ok()?;
    (value(b"SUBSYSTEM=")? == kind.subsystem()).then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Message as the kernel of Debian 12 sends it.
    const CAMERA: &[u8] = b"add@/devices/platform/vivid.0/video4linux/video0\0ACTION=add\0\
        DEVPATH=/devices/platform/vivid.0/video4linux/video0\0SUBSYSTEM=video4linux\0MAJOR=81\0\
        MINOR=0\0DEVNAME=video0\0SEQNUM=1234\0";

    /// Message as udev 252 wraps it.
    fn from_udev(properties: &[u8], offset: u32) -> Vec<u8> {
        let mut message = UDEV_PREFIX.to_vec();
        message.extend(0xfeed_cafe_u32.to_be_bytes());
        message.extend(40_u32.to_ne_bytes());
        message.extend(offset.to_ne_bytes());
        message.extend(
            u32::try_from(properties.len())
                .expect("short")
                .to_ne_bytes(),
        );
        message.extend([0; 16]);
        message.extend(properties);
        message
    }

    #[test]
    fn reads_what_kernel_and_udev_say() {
        let sound = b"remove@/x\0ACTION=remove\0SUBSYSTEM=sound\0";
        let plain = b"ACTION=add\0SUBSYSTEM=video4linux\0";
        for (message, kind, expected) in [
            (CAMERA.to_vec(), DeviceKind::Camera, Some("add")),
            (CAMERA.to_vec(), DeviceKind::Sound, None),
            (sound.to_vec(), DeviceKind::Sound, Some("remove")),
            (from_udev(plain, 40), DeviceKind::Camera, Some("add")),
            (from_udev(plain, 40), DeviceKind::Sound, None),
            // Nonsense is no news.
            (from_udev(plain, 4000), DeviceKind::Camera, None),
            (UDEV_PREFIX.to_vec(), DeviceKind::Camera, None),
            (vec![], DeviceKind::Camera, None),
            (vec![0xff; 300], DeviceKind::Camera, None),
            (
                b"ACTION=\xff\xfe\0SUBSYSTEM=sound\0".to_vec(),
                DeviceKind::Sound,
                None,
            ),
        ] {
            assert_eq!(concerns(&message, kind), expected, "{message:?}");
        }
    }

    #[tokio::test]
    async fn without_news_it_waits() {
        let mut hotplug = Hotplug::of(DeviceKind::Camera);
        tokio::task::yield_now().await;
        let waited = futures_util::FutureExt::now_or_never(hotplug.changed());
        assert!(waited.is_none());
    }
}
