//! The streams of the scene with their latest frames.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{pending, select_all};
use gstreamer as gst;

use super::compose::MemberFrame;
use super::scene::{MemberPicture, Scene};
use super::shared::NewFrame;
use crate::picture::Picture;

/// Members' frames are shown as they come, but not faster than a usual panel's 60 a second.
pub(super) const MEMBER_PERIOD: Duration = Duration::from_millis(16);
/// Self-view frames alone: slower than a member's 30 a second, so that they ride along with those.
const SELF_VIEW_PERIOD: Duration = Duration::from_millis(40);

/// A picture that changed.
#[derive(Clone, Copy)]
pub(super) enum Changed {
    Member,
    SelfView,
}

impl Changed {
    /// Shortest time from the last canvas to one for this change.
    pub(super) fn period(self) -> Duration {
        match self {
            Self::Member => MEMBER_PERIOD,
            Self::SelfView => SELF_VIEW_PERIOD,
        }
    }
}

/// The streams of the scene with their latest frames.
#[derive(Default)]
pub(super) struct Sources {
    members: Vec<Source>,
    self_view: Option<Source>,
}

/// One stream.
struct Source {
    member: MemberPicture,
    latest: Option<gst::Sample>,
    /// Whether the latest frame has not been shown.
    is_new: bool,
    /// Time at which the latest frame was taken.
    taken: Instant,
    /// Whether frames may still come.
    open: bool,
}

impl Sources {
    /// Follows a scene that changed; streams that stay keep their latest frame.
    pub(super) fn follow(&mut self, scene: &Scene) {
        let mut before = std::mem::take(&mut self.members);
        let keep_or_open = |member: &MemberPicture| {
            let known = before.iter().position(|source| {
                source.member.id == member.id && source.member.picture.same_channel(&member.picture)
            });
            let mut source =
                known.map_or_else(|| Source::new(member.clone()), |at| before.swap_remove(at));
            source.member.name.clone_from(&member.name);
            source
        };
        self.members = scene.members.iter().map(keep_or_open).collect();
        let same = match (&self.self_view, &scene.self_view) {
            (Some(source), Some(picture)) => source.member.picture.same_channel(picture),
            _ => false,
        };
        if !same {
            self.self_view = scene.self_view.as_ref().map(Source::of_self_view);
        }
    }

    /// Each member's name and latest frame.
    pub(super) fn members(&self) -> Vec<MemberFrame<'_>> {
        self.members.iter().map(Source::frame).collect()
    }

    pub(super) fn self_view(&self) -> Option<&gst::Sample> {
        self.self_view.as_ref()?.latest.as_ref()
    }

    /// Takes the latest frame of each.
    pub(super) fn refresh(&mut self) {
        self.members
            .iter_mut()
            .chain(&mut self.self_view)
            .for_each(Source::refresh);
    }

    /// Waits for a frame, on a window for one of the self-view too, and takes it; older frames not
    /// yet shown are forgotten.
    pub(super) async fn changed(&mut self, window: bool) -> Changed {
        let members = self
            .members
            .iter_mut()
            .map(|source| (source, Changed::Member));
        let self_view = self.self_view.iter_mut().filter(|_| window);
        let self_view = self_view.map(|source| (source, Changed::SelfView));
        let open: Vec<_> = members
            .chain(self_view)
            .filter(|(source, _)| source.open)
            .map(|(source, which)| async move { source.changed().await.then_some(which) }.boxed())
            .collect();
        if open.is_empty() {
            return pending().await;
        }
        match select_all(open).await {
            (Some(which), ..) => which,
            // The stream closed: its tile changes all the same.
            (None, ..) => Changed::Member,
        }
    }

    /// Members' frames that are shown for the first time.
    pub(super) fn take_new_frames(&mut self) -> Vec<NewFrame> {
        self.members
            .iter_mut()
            .filter_map(|source| {
                let is_new = std::mem::take(&mut source.is_new);
                Some(NewFrame {
                    member: source.member.id.clone(),
                    sample: source.latest.clone().filter(|_| is_new)?,
                    taken: source.taken,
                })
            })
            .collect()
    }
}

impl Source {
    fn new(member: MemberPicture) -> Self {
        let mut source = Self {
            member,
            latest: None,
            is_new: false,
            taken: Instant::now(),
            open: true,
        };
        source.take_latest();
        source
    }

    fn of_self_view(picture: &Picture) -> Self {
        Self::new(MemberPicture {
            id: String::new(),
            name: String::new(),
            picture: picture.clone(),
        })
    }

    fn frame(&self) -> MemberFrame<'_> {
        MemberFrame {
            name: &self.member.name,
            sample: self.latest.as_ref(),
        }
    }

    fn take_latest(&mut self) {
        self.latest = self.member.picture.borrow_and_update().clone();
        self.is_new = self.latest.is_some();
        self.taken = Instant::now();
    }

    /// Waits for the next frame and takes it; false when the sender is gone.
    async fn changed(&mut self) -> bool {
        match self.member.picture.changed().await {
            Ok(()) => self.take_latest(),
            Err(_) => self.close(),
        }
        self.open
    }

    /// Takes a frame that has come.
    fn refresh(&mut self) {
        match self.member.picture.has_changed() {
            Ok(true) => self.take_latest(),
            Ok(false) => {}
            Err(_) => self.close(),
        }
    }

    /// Forgets the frame of a sender that is gone: it would be a lie.
    fn close(&mut self) {
        self.open = false;
        self.latest = None;
    }
}
