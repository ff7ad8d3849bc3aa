//! The findings of the self-test, and what they add up to.

use std::fmt;

use serde::Serialize;

/// Severity of a finding. The worst one is that of the whole self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// A call can be made, but something is missing or not as it should be.
    Warning,
    /// No call can be made.
    Failure,
}

/// One line of the self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    /// The finding in words.
    pub detail: String,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, detail)
    }

    pub(super) fn warning(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, detail)
    }

    pub(super) fn failure(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Failure, detail)
    }

    /// A part that a call cannot do without: it works, or it does not.
    pub(super) fn needed(name: &'static str, found: Result<String, String>) -> Self {
        match found {
            Ok(detail) => Self::ok(name, detail),
            Err(reason) => Self::failure(name, reason),
        }
    }

    fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            detail: detail.into(),
        }
    }
}

/// The whole self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// A call can be made.
    pub ok: bool,
    pub verdict: Verdict,
    pub checks: Vec<Check>,
}

impl SelfTest {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        let worst = checks.iter().map(|check| check.verdict).max();
        let verdict = worst.unwrap_or(Verdict::Ok);
        Self {
            ok: verdict != Verdict::Failure,
            verdict,
            checks,
        }
    }

    /// A self-test that ended at the configuration.
    #[must_use]
    pub fn bad_config(reason: &str) -> Self {
        Self::new(vec![Check::failure("config", reason)])
    }

    /// Whether the exit code is to be 0; `strict` forgives no warning.
    #[must_use]
    pub fn passes(&self, strict: bool) -> bool {
        let worst = if strict {
            Verdict::Ok
        } else {
            Verdict::Warning
        };
        self.verdict <= worst
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let mark = match check.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warning => "WARN",
                Verdict::Failure => "FAIL",
            };
            writeln!(f, "{mark} {}: {}", check.name, check.detail)?;
        }
        f.write_str(match self.verdict {
            Verdict::Ok => "a call can be made",
            Verdict::Warning => "a call can be made; see the warnings",
            Verdict::Failure => "no call can be made",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_is_that_of_the_whole() {
        let (ok, warning) = (Check::ok("a", ""), Check::warning("b", ""));
        let failure = Check::failure("c", "");
        // Findings, exit code 0, exit code 0 if strict, last line.
        let table = [
            (vec![], true, true, "a call can be made"),
            (vec![ok.clone()], true, true, "a call can be made"),
            (
                vec![warning.clone(), ok.clone()],
                true,
                false,
                "a call can be made; see the warnings",
            ),
            (
                vec![failure, warning, ok],
                false,
                false,
                "no call can be made",
            ),
        ];
        for (checks, passes, strictly, last) in table {
            let test = SelfTest::new(checks);
            assert_eq!((test.passes(false), test.passes(true)), (passes, strictly));
            assert_eq!(test.ok, passes);
            assert_eq!(test.to_string().lines().last(), Some(last));
        }
    }
}
