//! A kiosk put together from its rooms.

use tokio::sync::mpsc;

use super::identity;
use super::plan::Plan;
use crate::config::kiosk::Credentials;
use crate::display::{Display, DisplayError, DisplayHandle};
use crate::media::{self, MediaError, codecs};
use crate::room::{RoomHandle, RoomSession, SetupError};
use crate::session::{Session, SessionHandle};

/// Room events that may wait for the session.
const ROOM_EVENTS: usize = 64;

/// A kiosk, or an agent's side: room client, session and screen.
#[derive(Debug)]
pub struct Kiosk {
    room: RoomHandle,
    session: Session,
    display: Option<Display>,
}

/// A reason why a kiosk could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("the screen cannot be used")]
    Display(#[from] DisplayError),
    #[error("GStreamer ended badly while it was started")]
    Panicked,
    #[error("the room client cannot start")]
    Room(#[from] SetupError),
}

impl Kiosk {
    /// Starts everything; the session logs in by itself and then waits for a call.
    ///
    /// # Errors
    /// When GStreamer misses elements, there is no screen of the configured kind, or TLS
    /// cannot be set up.
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let (shape, display) = (plan.session.shape(), plan.display);
        // GStreamer scans its plugins, and a window takes its time: both block.
        let display = tokio::task::spawn_blocking(move || {
            media::init()?;
            // Now, so that no call waits for it.
            codecs::start(shape);
            Ok::<_, StartError>(display.map(Display::start).transpose()?)
        });
        let display = display.await.map_err(|_| StartError::Panicked)??;
        let (events, room_events) = mpsc::channel(ROOM_EVENTS);
        let credentials = match &plan.state_dir {
            Some(state_dir) => identity::with_known(plan.credentials, state_dir),
            None => plan.credentials,
        };
        let made_up = matches!(credentials, Credentials::GetLoginInfo { user_id: None });
        let room = RoomSession::start(&plan.room, credentials, events)?;
        if let Some(state_dir) = plan.state_dir.filter(|_| made_up) {
            // Ends with the login, or with the room client.
            tokio::spawn(identity::keep(state_dir, room.snapshot()));
        }
        let screen = display.as_ref().map(Display::handle);
        let session = Session::start(plan.session, room.clone(), room_events, screen);
        Ok(Self {
            room,
            session,
            display,
        })
    }

    #[must_use]
    pub fn session(&self) -> SessionHandle {
        self.session.handle()
    }

    /// Our id in rooms, once logged in.
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        self.room.snapshot().borrow().user_id.clone()
    }

    #[must_use]
    pub fn display(&self) -> Option<DisplayHandle> {
        self.display.as_ref().map(Display::handle)
    }

    /// Leaves the room, closes the devices and the screen.
    pub async fn stop(self) {
        self.session.stop().await;
        if let Err(error) = self.room.stop().await {
            log::debug!("the room client had stopped: {error}");
        }
        if let Some(display) = self.display
            && tokio::task::spawn_blocking(|| display.stop())
                .await
                .is_err()
        {
            log::error!("the display ended badly");
        }
    }
}
