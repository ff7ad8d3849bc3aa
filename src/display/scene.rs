//! The things to show, as the session names them.

use super::page::Page;
use crate::picture::Picture;

/// A member that the customer sees.
#[derive(Debug, Clone)]
pub struct MemberPicture {
    pub id: String,
    pub name: String,
    pub picture: Picture,
}

/// Everything that is to be shown.
#[derive(Clone, Default)]
pub(super) struct Scene {
    pub members: Vec<MemberPicture>,
    pub self_view: Option<Picture>,
    /// `None` until there is a first one.
    pub page: Option<Page>,
}
