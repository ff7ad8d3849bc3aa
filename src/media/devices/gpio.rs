//! GPIO chips and their lines, as the kernel's character devices tell of them.

use std::path::PathBuf;

use linux_embedded_hal::gpio_cdev;
use serde::Serialize;

/// A GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpioChip {
    pub path: PathBuf,
    pub label: String,
    pub lines: Vec<GpioLine>,
}

/// One line of a GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpioLine {
    pub offset: u32,
    /// The board's name of the line, if it has one.
    pub name: Option<String>,
    /// The present user of the line.
    pub consumer: Option<String>,
}

pub(super) fn chips() -> Vec<GpioChip> {
    let Ok(chips) = gpio_cdev::chips() else {
        return Vec::new();
    };
    chips.flatten().map(|chip| describe(&chip)).collect()
}

fn describe(chip: &gpio_cdev::Chip) -> GpioChip {
    let lines = chip
        .lines()
        .filter_map(|line| line.info().ok())
        .map(|info| GpioLine {
            offset: info.line().offset(),
            name: info.name().map(str::to_owned),
            consumer: info.consumer().map(str::to_owned),
        });
    GpioChip {
        path: chip.path().to_owned(),
        label: chip.label().to_owned(),
        lines: lines.collect(),
    }
}
