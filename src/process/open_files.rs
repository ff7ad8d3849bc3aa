//! Open files of this process: every connection and every device is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's limit of open files as far as the system allows, and answers it.
/// Usually 1024 are given and many more allowed; only a privileged process gets beyond those, and
/// does if it wants more.
#[must_use]
pub fn raise(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(wanted).ok();
    let beyond = wanted.filter(|files| maximum.is_some_and(|maximum| maximum < *files));
    let both = |files| Rlimit {
        current: files,
        maximum: files,
    };
    if beyond.is_some() && setrlimit(Resource::Nofile, both(beyond)).is_ok() {
        return count(beyond);
    }
    match setrlimit(Resource::Nofile, both(maximum)) {
        Ok(()) => count(maximum),
        Err(error) => {
            log::warn!(error:%; "the limit of open files cannot be raised");
            count(current)
        }
    }
}

fn count(files: Option<u64>) -> usize {
    files.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_then_what_it_says() {
        let raised = raise(0);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert!(current.is_none_or(|files| usize::try_from(files) == Ok(raised)));
    }
}
