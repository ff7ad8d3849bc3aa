//! Whether the machine had time for a measurement: a thread that wants to wake every few
//! milliseconds, and counts how often it was let to wake late. What holds it up (other programs, or
//! the host of a virtual machine) holds up every other thread as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(5);
/// The time that the play-out clock leaves beside jitter that it knows.
const LATE: Duration = Duration::from_millis(5);

/// Runs until [`Control::end`].
pub(crate) struct Control {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Wakes>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wakes {
    pub(crate) all: u32,
    pub(crate) late: u32,
    pub(crate) latest: Duration,
}

impl Control {
    pub(crate) fn start() -> Self {
        let stop = Arc::<AtomicBool>::default();
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut wakes = Wakes::default();
            while !until.load(Ordering::Relaxed) {
                let due = Instant::now() + EVERY;
                std::thread::sleep(EVERY);
                wakes.note(due.elapsed());
            }
            wakes
        });
        Self { stop, thread }
    }

    pub(crate) fn end(self) -> Wakes {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

impl Wakes {
    fn note(&mut self, late: Duration) {
        self.all += 1;
        self.late += u32::from(late > LATE);
        self.latest = self.latest.max(late);
    }

    /// More than one in a thousand was late. On a machine with nothing else to do there is none.
    pub(crate) fn busy(self) -> bool {
        self.late * 1000 > self.all
    }
}

#[test]
fn a_machine_is_busy_when_threads_wake_late() {
    let mut wakes = Wakes::default();
    for n in 0..1000 {
        wakes.note(Duration::from_millis(if n == 500 { 20 } else { 1 }));
    }
    assert!(!wakes.busy(), "{wakes:?}");
    wakes.note(Duration::from_millis(6));
    assert!(wakes.busy(), "{wakes:?}");
    assert_eq!(wakes.latest, Duration::from_millis(20));
}
