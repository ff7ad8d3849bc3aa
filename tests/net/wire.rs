//! The link between the two namespaces: carries IP packets from one TUN device to the other,
//! later, or never. Kernels have `netem` for this, but not all; and TCP must meet delay and loss
//! itself, which a proxy would hide from it.

use std::collections::VecDeque;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

/// The device's name on both sides.
pub(crate) const DEVICE: &str = "link0";
pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
pub(crate) const NEAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const NETMASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 252);
const MTU: i32 = 1500;
/// Packets on their way; more are lost.
const ON_THE_WAY: usize = 4096;
/// So often the delay changes when it is unsteady.
const STEADY_FOR: Duration = Duration::from_millis(50);

/// The treatment of packets, in each direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Up to this much more, evenly distributed, another every [`STEADY_FOR`]. Packets keep
    /// their order, as on one path.
    pub(crate) jitter: Duration,
    /// Part of the packets that is lost, one by one.
    pub(crate) loss: f64,
    /// All are lost, and nobody is told.
    pub(crate) gone: bool,
}

/// Ends when dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    weather: Arc<Mutex<Weather>>,
    _runtime: Runtime,
}

impl Wire {
    /// Joins this thread's namespace with that of a process.
    pub(crate) fn to(near: u32) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let far = device(&runtime, FAR)?;
        // A device belongs to the namespace of the thread that makes it.
        let near = std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                enter(near)?;
                device(&runtime, NEAR)
            });
            made.join().expect("no panic")
        })?;
        let weather = Arc::<Mutex<Weather>>::default();
        let (far, near) = (Arc::new(far), Arc::new(near));
        // The same packets are lost in every run that sends the same.
        let ends = [(1, &near, &far), (2, &far, &near)];
        for (seed, from, to) in ends {
            let random = StdRng::seed_from_u64(seed);
            let carried = carry(
                Arc::clone(from),
                Arc::clone(to),
                Arc::clone(&weather),
                random,
            );
            runtime.spawn(carried);
        }
        Ok(Self {
            weather,
            _runtime: runtime,
        })
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.weather.lock().expect("no panic") = weather;
    }
}

fn device(runtime: &Runtime, address: Ipv4Addr) -> Result<Tun, String> {
    let _runtime = runtime.enter();
    let made = Tun::builder()
        .name(DEVICE)
        .address(address)
        .netmask(NETMASK)
        .mtu(MTU)
        .up()
        .build();
    let mut made = made.map_err(|error| format!("no TUN device can be made: {error}"))?;
    made.pop()
        .ok_or_else(|| "no TUN device was made".to_owned())
}

/// Moves this thread into the network namespace of a process.
fn enter(process: u32) -> Result<(), String> {
    let namespace = format!("/proc/{process}/ns/net");
    let file = File::open(&namespace).map_err(|error| format!("{namespace}: {error}"))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|error| format!("{namespace} cannot be entered: {error}"))
}

/// Carries packets in one direction, for ever.
async fn carry(from: Arc<Tun>, to: Arc<Tun>, weather: Arc<Mutex<Weather>>, mut random: StdRng) {
    let mut on_the_way = VecDeque::<(Instant, Vec<u8>)>::new();
    let mut packet = [0; MTU as usize];
    let (mut extra, mut extra_until) = (0.0, Instant::now());
    loop {
        let due = on_the_way.front().map(|(due, _)| *due);
        tokio::select! {
            read = from.recv(&mut packet) => {
                let Ok(bytes) = read else { return };
                let now = Instant::now();
                if now >= extra_until {
                    extra = random.random::<f64>();
                    extra_until = now + STEADY_FOR;
                }
                let weather = *weather.lock().expect("no panic");
                let lost = random.random_bool(weather.loss);
                if weather.gone || lost || on_the_way.len() >= ON_THE_WAY {
                    continue;
                }
                let arrives = now + weather.delay + weather.jitter.mul_f64(extra);
                let after = on_the_way.back().map_or(arrives, |(due, _)| arrives.max(*due));
                on_the_way.push_back((after, packet[..bytes].to_vec()));
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, packet)) = on_the_way.pop_front() {
                    // A device that takes no more loses packets, as a full router does.
                    let _ = to.send(&packet).await;
                }
            }
        }
    }
}
