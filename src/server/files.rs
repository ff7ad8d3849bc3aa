//! Open files of this process: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's limit of open files as far as the system allows, and answers it.
/// Usually 1024 are given and many more allowed.
#[must_use]
pub fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, most) {
        Ok(()) => maximum,
        Err(error) => {
            log::warn!(error:%; "the limit of open files cannot be raised");
            current
        }
    };
    limit.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_then_what_it_says() {
        let raised = raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert!(current.is_none_or(|files| usize::try_from(files) == Ok(raised)));
    }
}
