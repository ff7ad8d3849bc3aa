//! Imports that the tables do not allow, and imports of a file from the folder that it is in.

use std::collections::BTreeSet;

use crate::facts::{File, Names};
use crate::house::{House, Reference};
use crate::source::Finding;
use crate::tables::{Floors, Rooms};

/// Imports between rooms, judged by the room that is written and by the room that defines.
pub(crate) fn between_rooms(house: &House, rooms: &Rooms) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, file) in house
        .product()
        .filter(|(_, file)| !rooms.knows(file.room()))
    {
        if !file.module.is_empty() {
            findings.push(Finding::new(
                &file.source,
                1,
                "its room is not in the table of rooms",
            ));
        }
    }
    for reference in &house.references {
        let from = house.files[reference.from].room();
        let reached: BTreeSet<&str> = reached(house, reference).map(File::room).collect();
        for to in reached
            .into_iter()
            .filter(|to| *to != from && !rooms.allow(from, to))
        {
            findings.push(finding(
                house,
                reference,
                &format!("{from} must not import {to}"),
            ));
        }
    }
    findings
}

/// Imports inside a room, held against its floors.
pub(crate) fn between_floors(house: &House, floors: &Floors) -> Vec<Finding> {
    let mut findings = Vec::new();
    let depth = floors.folder.len();
    for (_, file) in house
        .product()
        .filter(|(_, file)| file.module.starts_with(&floors.folder))
    {
        let unit = file.module.get(depth);
        if unit.is_some_and(|unit| !floors.knows(unit)) && !is_deeper(file, depth + 1) {
            findings.push(Finding::new(
                &file.source,
                1,
                "it is not in the table of floors",
            ));
        }
    }
    for reference in &house.references {
        let Some(from) = unit_in(&house.files[reference.from], &floors.folder) else {
            continue;
        };
        let units = reached(house, reference).filter_map(|file| unit_in(file, &floors.folder));
        let units: BTreeSet<&String> = units.collect();
        for to in units.into_iter().filter(|to| *to != from) {
            if !floors.allow(from, to, house.folders.contains(&with(&floors.folder, to))) {
                let why = format!("{from} must not import {to}: it is not on a lower floor");
                findings.push(finding(house, reference, &why));
            }
        }
    }
    findings
}

/// Imports of a file from a `mod.rs` that it is inside of.
pub(crate) fn from_around(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for reference in &house.references {
        let inside = &house.files[reference.from].module;
        let is_around =
            |file: &File| inside.len() > file.module.len() && inside.starts_with(&file.module);
        let target = &house.files[reference.target];
        let mut facades = reference.through.iter().map(|file| &house.files[*file]);
        if let Some(facade) = facades.find(|file| is_around(file)) {
            let (target, facade) = (&target.source.path, &facade.source.path);
            let why = format!("import from {target}, not through {facade} that it is inside of");
            findings.push(finding(house, reference, &why));
        } else if is_around(target) {
            let target = &target.source.path;
            let why = format!("{target}, that it is inside of, gives this: to a file of its own");
            findings.push(finding(house, reference, &why));
        }
    }
    findings
}

/// The file that defines what is imported, and those that pass it on.
fn reached<'a>(house: &'a House, reference: &'a Reference) -> impl Iterator<Item = &'a File> {
    let files = reference.through.iter().chain([&reference.target]);
    files.map(|file| &*house.files[*file])
}

fn unit_in<'a>(file: &'a File, folder: &Names) -> Option<&'a String> {
    file.module.strip_prefix(folder.as_slice())?.first()
}

fn is_deeper(file: &File, depth: usize) -> bool {
    file.module.len() > depth
}

fn with(folder: &[String], name: &str) -> Names {
    let mut module = folder.to_vec();
    module.push(name.to_owned());
    module
}

fn finding(house: &House, reference: &Reference, why: &str) -> Finding {
    let path = &reference.path;
    let source = &house.files[reference.from].source;
    Finding::new(source, reference.line, format!("`{path}`: {why}"))
}
