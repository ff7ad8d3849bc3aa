//! Lengths of files and functions, tests apart.

use crate::house::House;
use crate::source::Finding;

/// Limits in lines, for the middle one, for nine of ten, and for each.
pub(crate) struct Limits {
    pub(crate) median: usize,
    pub(crate) most: usize,
    pub(crate) largest: usize,
}

pub(crate) const FILES: Limits = Limits {
    median: 180,
    most: 350,
    largest: 450,
};
pub(crate) const FUNCTIONS: Limits = Limits {
    median: 9,
    most: 25,
    largest: 60,
};

/// Something with a length, and the finding that it is when it is too long.
struct Measured {
    lines: usize,
    finding: Finding,
}

pub(crate) fn find(house: &House) -> Vec<Finding> {
    let files = house.product().map(|(_, file)| Measured {
        lines: file.lines,
        finding: Finding::new(&file.source, 1, format!("{} lines", file.lines)),
    });
    let functions = house.product().flat_map(|(_, file)| {
        file.functions.iter().map(|function| Measured {
            lines: function.lines,
            finding: Finding::new(
                &file.source,
                function.line,
                format!("`{}` has {} lines", function.name, function.lines),
            ),
        })
    });
    let mut findings = judged("files", files.collect(), &FILES);
    findings.extend(judged("functions", functions.collect(), &FUNCTIONS));
    findings
}

fn judged(kind: &str, mut all: Vec<Measured>, limits: &Limits) -> Vec<Finding> {
    all.sort_by_key(|each| each.lines);
    let median = share(&all, 50);
    let most = share(&all, 90);
    println!(
        "{kind}: median {median}, 90 % at most {most}, {} of them",
        all.len()
    );
    let mut findings = Vec::new();
    if median > limits.median || most > limits.most {
        let message = format!(
            "{kind}: median {median} and 90 % {most} lines, at most {} and {} are wanted",
            limits.median, limits.most
        );
        findings.push(Finding {
            path: "src".into(),
            line: 0,
            message,
        });
    }
    // Where nine of ten are short enough, only what is above the last limit is to be split.
    let limit = if most > limits.most {
        limits.most
    } else {
        limits.largest
    };
    let long = all.into_iter().rev().take_while(|each| each.lines > limit);
    findings.extend(long.map(|each| each.finding));
    findings
}

/// The length that so many percent do not exceed.
fn share(sorted: &[Measured], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0, |each| each.lines)
}
