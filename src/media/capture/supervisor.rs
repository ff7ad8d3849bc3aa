//! Keeps one kind of device delivering: notices when the device is gone, puts another or a
//! stand-in in its place, and opens it again.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::capture_pipeline::{CapturePipeline, open};
use super::device_choice::{DeviceChoice, Next};
use super::device_group::{Codes, DeviceGroup, Order, Reply};
use crate::media::devices::Hotplug;
use crate::media::error::MediaError;
use crate::media::group_status::GroupStatus;
use crate::media::progress::Progress;

/// Time after which a device that delivers is well: the next fault is a new one. Our choice.
const WELL: Duration = Duration::from_secs(5);

/// Time after which a device that closes hangs: the next one does not wait for it. Our choice.
const CLOSING: Duration = Duration::from_millis(1500);

/// The source that delivers now.
struct Running {
    /// Its place; `None` for the stand-in.
    device: Option<usize>,
    source: CapturePipeline,
    progress: Progress,
    since: Instant,
}

type Open = Pin<Box<dyn Future<Output = Result<CapturePipeline, MediaError>> + Send>>;

/// A device that is being opened beside what delivers.
struct Opening {
    device: usize,
    open: Open,
    begun: Instant,
    /// The askers that wait for it; empty when nobody asked.
    replies: Vec<Reply>,
}

pub(super) struct Supervisor {
    group: DeviceGroup,
    choice: DeviceChoice,
    running: Option<Running>,
    opening: Option<Opening>,
    /// Closes what no longer delivers: the next device waits for it.
    closing: Option<JoinHandle<()>>,
    opened: Option<Reply>,
    /// Whether a device has delivered since the start.
    ever: bool,
    /// The time at which the kernel spoke of such devices since the last one was opened.
    announced: Option<Instant>,
    status: watch::Sender<GroupStatus>,
}

impl Supervisor {
    /// Keeps `group` delivering until `stop`; tells `opened` how the first try of each device went,
    /// or that one delivers.
    pub(super) async fn run(
        group: DeviceGroup,
        stop: CancellationToken,
        orders: mpsc::Receiver<Order>,
        status: watch::Sender<GroupStatus>,
        opened: Reply,
    ) {
        let mut supervisor = Self::new(group, status, opened);
        stop.run_until_cancelled(supervisor.supervise(orders)).await;
        supervisor.close().await;
    }

    fn new(group: DeviceGroup, status: watch::Sender<GroupStatus>, opened: Reply) -> Self {
        Self {
            choice: DeviceChoice::new(group.devices.len()),
            running: None,
            opening: None,
            closing: None,
            opened: Some(opened),
            ever: false,
            announced: None,
            status,
            group,
        }
    }

    /// Works for ever.
    async fn supervise(&mut self, mut orders: mpsc::Receiver<Order>) {
        let mut hotplug = Hotplug::of(self.group.kind);
        self.show();
        loop {
            let due = self.decide();
            tokio::select! {
                fault = look(&mut self.running) => match fault {
                    Some(error) => self.lost(error).await,
                    None => {
                        self.note_well();
                        self.note_own_h264();
                    }
                },
                opened = finish(&mut self.opening) => self.take(opened).await,
                Some(order) = orders.recv() => self.obey(order),
                () = hotplug.changed() => {
                    self.announced = Some(Instant::now());
                    self.choice.announced();
                }
                () = wait_until(due) => {}
            }
        }
    }

    fn live(&self) -> Option<usize> {
        self.running.as_ref()?.device
    }

    /// Begins to open what is due; returns when to look again.
    fn decide(&mut self) -> Option<Instant> {
        if self.opening.is_none() {
            match self.choice.next(Instant::now(), self.live()) {
                Next::Open(device) => self.begin(device, vec![]),
                Next::At(due) => return Some(due),
                Next::Stay => {}
            }
        }
        None
    }

    fn begin(&mut self, device: usize, replies: Vec<Reply>) {
        let build = Arc::clone(&self.group.devices[device].build);
        let closing = self.closing.take();
        self.opening = Some(Opening {
            device,
            open: Box::pin(async move {
                if let Some(closing) = closing {
                    // Whatever came of it: the device may do all the same.
                    let _ = timeout(CLOSING, closing).await;
                }
                open(build).await
            }),
            begun: Instant::now(),
            replies,
        });
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stills(reply) => {
                let live = self
                    .running
                    .as_ref()
                    .and_then(|running| Some((running.device?, running.source.stills.clone()?)));
                // Who asked may have gone.
                let _ = reply.send(live);
            }
            Order::Switch(device, reply) => self.switch(device, reply),
        }
    }

    fn switch(&mut self, device: usize, reply: Reply) {
        if let Some(opening) = self.opening.as_mut().filter(|o| o.device == device) {
            opening.replies.push(reply);
            return;
        }
        // What is being opened is not what is wanted any more.
        if let Some(former) = self.opening.take() {
            let other = MediaError::broken("another one was asked for meanwhile");
            answer(former.replies, &Err(other));
            self.keep_on();
        }
        if self.live() == Some(device) {
            self.choice.want(device);
            self.show();
            answer(vec![reply], &Ok(()));
        } else {
            self.begin(device, vec![reply]);
        }
    }

    /// Lets what delivers go on, even if its successor has had a frame already.
    fn keep_on(&self) {
        if let Some(running) = &self.running {
            running.source.turn.renew();
        }
    }

    /// Takes over the device that was being opened, or notes that it cannot be.
    async fn take(&mut self, opened: Result<CapturePipeline, MediaError>) {
        let Some(Opening {
            device,
            begun,
            replies,
            ..
        }) = self.opening.take()
        else {
            return;
        };
        let given_up = !replies.is_empty() && replies.iter().all(Reply::is_closed);
        let result = match opened {
            // Whoever asked was told that it takes too long.
            Ok(source) if given_up && self.live().is_some() => {
                self.keep_on();
                self.close_beside(source);
                Ok(())
            }
            Ok(source) => {
                self.put_on(Some(device), source);
                if !replies.is_empty() {
                    self.choice.want(device);
                }
                // Whoever hears of it may look at once.
                self.show();
                self.report_open(device, begun.elapsed());
                answer(self.opened.take(), &Ok(()));
                Ok(())
            }
            Err(error) => {
                self.failed(device, &error, !replies.is_empty()).await;
                Err(error)
            }
        };
        self.show();
        answer(replies, &result);
    }

    /// Puts `source` on, which delivers; what delivered before is closed beside it.
    fn put_on(&mut self, device: Option<usize>, source: CapturePipeline) {
        // What was built before the one that delivers now comes after it all the same.
        source.turn.renew();
        self.retire();
        self.running = Some(Running {
            device,
            source,
            progress: CapturePipeline::progress(),
            since: Instant::now(),
        });
        if let Some(device) = device {
            let name = &self.group.devices[device].name;
            self.status
                .send_modify(|status| drop(status.faults.remove(name)));
        }
        self.note_own_h264();
    }

    /// Closes what delivers, without waiting for it.
    fn retire(&mut self) {
        if let Some(running) = self.running.take() {
            self.close_beside(running.source);
        }
    }

    fn close_beside(&mut self, source: CapturePipeline) {
        let former = self.closing.take();
        self.closing = Some(tokio::spawn(async move {
            source.stop().await;
            if let Some(former) = former {
                let _ = former.await;
            }
        }));
    }

    /// Notes that the device cannot be opened; `asked` when somebody waits for it.
    async fn failed(&mut self, device: usize, error: &MediaError, asked: bool) {
        let name = self.group.devices[device].name.clone();
        let what = self.group.what;
        if asked || self.choice.tries(device) == 0 {
            let code = self.group.codes.failed;
            self.group
                .events
                .report(code, format!("{what} {name}: {error}"));
        }
        let wait = self.choice.failed(device, Instant::now(), rand::random());
        let tries = self.choice.tries(device);
        log::warn!(error:%, wait:?, tries; "{what} {name} is tried again");
        self.note_fault(name, error);
        if self.running.is_none() {
            self.stand_in().await;
        }
        let hopeless = matches!(error, MediaError::BadSource { .. });
        let all_tried = (0..self.group.devices.len()).all(|device| self.choice.tries(device) > 0);
        if hopeless || all_tried {
            answer(self.opened.take(), &Err(error.clone()));
        }
    }

    /// Replaces what delivered and is gone.
    async fn lost(&mut self, error: MediaError) {
        let device = self.live();
        self.retire();
        if let Some(device) = device {
            let name = self.group.devices[device].name.clone();
            let what = self.group.what;
            let code = self.group.codes.lost;
            self.group
                .events
                .report(code, format!("{what} {name} lost: {error}"));
            let wait = self.choice.failed(device, Instant::now(), rand::random());
            log::warn!(error:%, wait:?; "{what} {name} is lost");
            self.note_fault(name, &error);
        } else {
            log::error!(error:%; "what stands in for the {} failed", self.group.what);
        }
        self.stand_in().await;
        self.show();
    }

    async fn stand_in(&mut self) {
        match open(Arc::clone(&self.group.stand_in)).await {
            Ok(source) => self.put_on(None, source),
            Err(error) => {
                log::error!(error:%; "nothing can stand in for the {}", self.group.what);
            }
        }
    }

    fn note_well(&mut self) {
        if let Some(Running {
            device: Some(device),
            since,
            ..
        }) = self.running
            && since.elapsed() >= WELL
        {
            self.choice.well(device);
        }
    }

    /// Says in the status what is known of the camera's own H.264, which may fail at any time.
    fn note_own_h264(&self) {
        let Some(running) = &self.running else { return };
        let name = running
            .device
            .map(|device| &self.group.devices[device].name);
        if let (Some(name), Some(h264)) = (name, running.source.own_h264()) {
            self.status.send_if_modified(|status| {
                let news = status.own_h264.get(name) != Some(&h264);
                if news {
                    status.own_h264.insert(name.clone(), h264);
                }
                news
            });
        }
    }

    fn note_fault(&self, name: String, error: &MediaError) {
        self.status
            .send_modify(|status| drop(status.faults.insert(name, error.to_string())));
    }

    /// Says in the status what delivers.
    fn show(&self) {
        let name = |device: usize| self.group.devices[device].name.clone();
        let (live, wanted) = (self.live().map(name), name(self.choice.wanted()));
        self.status.send_modify(|status| {
            status.live = live;
            status.wanted = wanted;
        });
    }

    fn report_open(&mut self, device: usize, took: Duration) {
        let Codes {
            opened,
            first_frame,
            back,
            ..
        } = self.group.codes;
        let codes = if self.ever {
            [back, None]
        } else {
            [opened, first_frame]
        };
        self.ever = true;
        let (what, name) = (self.group.what, &self.group.devices[device].name);
        let mut message = format!(
            "{what} {name} delivers, {} ms after it was tried",
            took.as_millis()
        );
        if let Some(announced) = self.announced.take() {
            message += &format!(
                " and {} ms after it was announced",
                announced.elapsed().as_millis()
            );
        }
        log::info!("{message}");
        for code in codes.into_iter().flatten() {
            self.group.events.report(code, message.clone());
        }
    }

    /// Closes everything; the devices are free when this returns.
    async fn close(mut self) {
        self.opening = None;
        self.retire();
        if let Some(closing) = self.closing.take() {
            let _ = closing.await;
        }
    }
}

/// Looks for a moment at what delivers.
async fn look(running: &mut Option<Running>) -> Option<MediaError> {
    match running {
        Some(running) => running.source.look(&mut running.progress).await,
        None => pending().await,
    }
}

/// Waits for the device that is being opened. Safe to drop and call again.
async fn finish(opening: &mut Option<Opening>) -> Result<CapturePipeline, MediaError> {
    match opening {
        Some(opening) => opening.open.as_mut().await,
        None => pending().await,
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// Tells everybody who waits; they may have stopped waiting.
fn answer(waiting: impl IntoIterator<Item = Reply>, result: &Result<(), MediaError>) {
    for reply in waiting {
        let _ = reply.send(result.clone());
    }
}
