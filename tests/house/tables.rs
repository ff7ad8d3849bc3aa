//! The tables of docs/architecture.md: which rooms there are, and the floors inside rooms.

use std::collections::{HashMap, HashSet};

/// The rooms that each room may import.
pub(crate) struct Rooms {
    /// `None` = all of them.
    allowed: HashMap<String, Option<HashSet<String>>>,
}

/// The floors of one folder. Units are its files and folders, by the names of their modules.
pub(crate) struct Floors {
    /// The path of the folder's module.
    pub(crate) folder: Vec<String>,
    /// From the bottom.
    floor: HashMap<String, usize>,
    /// Imports between folders of one floor that are written down.
    beside: HashSet<(String, String)>,
}

impl Rooms {
    /// Reads the section "Rooms of the house": folder, job, may import.
    pub(crate) fn read(document: &str) -> Self {
        let rows = rows(document, "Rooms of the house");
        let allowed: HashMap<_, _> = rows
            .iter()
            .map(|row| (unit(&row[0]), imports(&row[2])))
            .collect();
        for named in allowed.values().flatten().flatten() {
            assert!(
                allowed.contains_key(named),
                "a room may import {named}, which is no room"
            );
        }
        Self { allowed }
    }

    pub(crate) fn knows(&self, room: &str) -> bool {
        self.allowed.contains_key(room)
    }

    pub(crate) fn allow(&self, from: &str, to: &str) -> bool {
        let allowed = self.allowed.get(from);
        allowed.is_some_and(|rooms| rooms.as_ref().is_none_or(|rooms| rooms.contains(to)))
    }
}

impl Floors {
    /// Reads each section "Floors of `folder/`": floor, units, imports beside each other.
    pub(crate) fn read_all(document: &str) -> Vec<Self> {
        let headings = document
            .lines()
            .filter_map(|line| line.strip_prefix("## Floors of "));
        headings
            .map(|folder| Self::read(document, folder))
            .collect()
    }

    fn read(document: &str, folder: &str) -> Self {
        let rows = rows(document, &format!("Floors of {folder}"));
        let mut floor = HashMap::new();
        for (level, row) in rows.iter().enumerate() {
            for name in quoted(&row[1]) {
                let first = floor.insert(unit(name), level).is_none();
                assert!(first, "{name} is on two floors of {folder}");
            }
        }
        let beside: HashSet<_> = rows.iter().flat_map(|row| beside(&row[2])).collect();
        for (a, b) in &beside {
            assert!(
                floor.contains_key(a) && floor.get(a) == floor.get(b),
                "{a}, {b}: two floors"
            );
        }
        let folder = unit(folder).split('/').map(str::to_owned).collect();
        Self {
            folder,
            floor,
            beside,
        }
    }

    pub(crate) fn knows(&self, unit: &str) -> bool {
        self.floor.contains_key(unit)
    }

    /// Whether one unit may import another. Files of its own floor are free to all.
    pub(crate) fn allow(&self, from: &str, to: &str, to_is_folder: bool) -> bool {
        let (Some(from_floor), Some(to_floor)) = (self.floor.get(from), self.floor.get(to)) else {
            return false;
        };
        to_floor < from_floor
            || to_floor == from_floor
                && (!to_is_folder || self.beside.contains(&(from.to_owned(), to.to_owned())))
    }
}

/// The cells of the table under this heading, without its head.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = document
        .lines()
        .skip_while(|line| line.strip_prefix("## ") != Some(heading));
    let section = lines.skip(1).take_while(|line| !line.starts_with("## "));
    let table = section.filter(|line| line.starts_with('|')).skip(2);
    let rows: Vec<Vec<String>> = table.map(cells).collect();
    assert!(!rows.is_empty(), "there is no table under {heading:?}");
    rows
}

fn cells(row: &str) -> Vec<String> {
    let cells = row.trim_matches('|').split('|');
    let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
    assert_eq!(cells.len(), 3, "three columns: {row}");
    cells
}

/// "nothing", "everything", or names of rooms.
fn imports(cell: &str) -> Option<HashSet<String>> {
    match cell {
        "everything" => None,
        "nothing" => Some(HashSet::new()),
        names => Some(names.split(',').map(unit).collect()),
    }
}

/// "`a/` imports `b/`, `c/`; `b/` imports `c/`".
fn beside(cell: &str) -> Vec<(String, String)> {
    let sentences = cell
        .split(';')
        .filter_map(|each| each.split_once(" imports "));
    let pairs = sentences
        .flat_map(|(from, to)| quoted(to).into_iter().map(move |to| (unit(from), unit(to))));
    pairs.collect()
}

/// The name of a folder's or a file's module: "`media/`" is "media".
fn unit(cell: &str) -> String {
    let name = cell.trim().trim_matches('`').trim_end_matches('/');
    name.strip_suffix(".rs").unwrap_or(name).to_owned()
}

/// The parts between backticks.
pub(crate) fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
