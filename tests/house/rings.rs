//! Rings of imports among the files and folders of each folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{File, joined};
use crate::house::{House, Reference};
use crate::source::Finding;

/// Files of one folder that may import each other in a ring, at most.
const FILES: usize = 3;
/// The unit of a folder's own file.
const OWN: &str = "mod.rs";

/// Every ring that has a folder in it or more than three files.
pub(crate) fn find(house: &House) -> Vec<Finding> {
    house
        .folders
        .iter()
        .flat_map(|folder| in_folder(house, folder))
        .collect()
}

fn in_folder(house: &House, folder: &[String]) -> Vec<Finding> {
    let graph = Graph::of(house, folder);
    let is_folder = |unit: &&str| {
        house
            .folders
            .contains(&joined(folder, &[(*unit).to_owned()]))
    };
    let mut rings = graph.rings();
    rings.retain(|ring| ring.len() > FILES || ring.iter().any(is_folder));
    rings
        .iter()
        .map(|ring| graph.finding(house, ring))
        .collect()
}

/// The imports among the children of one folder; for each pair the first that makes it.
struct Graph<'a> {
    edges: BTreeMap<(&'a str, &'a str), &'a Reference>,
}

impl<'a> Graph<'a> {
    fn of(house: &'a House, folder: &[String]) -> Self {
        let mut edges = BTreeMap::new();
        for reference in &house.references {
            let Some(from) = unit(&house.files[reference.from], folder) else {
                continue;
            };
            if from == OWN && reference.is_export {
                continue;
            }
            for to in reached(house, reference, folder).filter(|to| *to != from) {
                edges.entry((from, to)).or_insert(reference);
            }
        }
        Self { edges }
    }

    /// Groups of at least two units that all reach each other.
    fn rings(&self) -> Vec<Vec<&'a str>> {
        let units: BTreeSet<&str> = self.edges.keys().map(|(from, _)| *from).collect();
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            units.iter().map(|unit| (*unit, self.reach(unit))).collect();
        let mut rings = BTreeSet::new();
        for (unit, reached) in &reach {
            let back = |other: &&&str| reach.get(**other).is_some_and(|all| all.contains(unit));
            let ring: Vec<&str> = reached.iter().filter(back).copied().collect();
            if ring.len() > 1 {
                rings.insert(ring);
            }
        }
        rings.into_iter().collect()
    }

    /// Every unit that can be reached from this one.
    fn reach(&self, start: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(unit) = open.pop() {
            let next = self.edges.keys().filter(|(from, _)| *from == unit);
            open.extend(next.map(|(_, to)| *to).filter(|to| reached.insert(*to)));
        }
        reached
    }

    fn finding(&self, house: &House, ring: &[&str]) -> Finding {
        let inside = |(from, to): &(&str, &str)| ring.contains(from) && ring.contains(to);
        let edges = self.edges.iter().filter(|(pair, _)| inside(pair));
        let mut message = format!("a ring of {}", ring.join(", "));
        let mut first = None;
        for ((from, to), reference) in edges {
            let (path, line) = (&house.files[reference.from].source.path, reference.line);
            message += &format!("\n    {path}:{line}: {from} -> {to}: `{}`", reference.path);
            first.get_or_insert(*reference);
        }
        let source = first.map(|first| (&house.files[first.from].source, first.line));
        let (source, line) = source.unwrap_or((&house.files[0].source, 1));
        Finding::new(source, line, message)
    }
}

/// The children of the folder that a path leads to or through, and the folder's own file only
/// where that defines something.
fn reached<'a>(
    house: &'a House,
    reference: &'a Reference,
    folder: &[String],
) -> impl Iterator<Item = &'a str> {
    let through = reference
        .through
        .iter()
        .filter_map(|file| unit(&house.files[*file], folder));
    let through = through.filter(|unit| *unit != OWN);
    through.chain(unit(&house.files[reference.target], folder))
}

/// The child of the folder that the file belongs to.
fn unit<'a>(file: &'a File, folder: &[String]) -> Option<&'a str> {
    let below = file.module.strip_prefix(folder)?;
    Some(below.first().map_or(OWN, String::as_str))
}
