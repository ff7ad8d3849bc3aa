//! Reads settings out of a TOML document and collects everything that is wrong with it.
//!
//! serde stops at the first wrong value; this reader goes on with the default, so that an
//! operator sees every mistake at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use secrecy::SecretString;
use toml::de::{DeTable, DeValue};

/// The ruling on a value: the typed value, or the range that is allowed ("must be ...").
pub(super) type Ruling<T> = Result<T, String>;

/// One mistake in a configuration text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file, as given to `parse`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Dotted path of the key; empty if the text is not TOML there.
    pub key: String,
    /// The value as written (shortened, `(hidden)` for a secret); empty if not of interest.
    pub value: String,
    /// The remedy: what is allowed, or needed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        match (self.key.as_str(), self.value.as_str()) {
            ("", _) => {}
            (key, "") => write!(f, "{key}: ")?,
            (key, value) => write!(f, "{key} = {value}: ")?,
        }
        f.write_str(&self.message)
    }
}

/// All mistakes in a configuration text, in the order of the text; displays one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// The problems; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Reads `text` by `read`, which asks the root section for every key it knows.
///
/// # Errors
/// All problems found: text that is not TOML, wrong values, unknown keys.
pub(super) fn read<T>(
    file: &str,
    text: &str,
    read: impl FnOnce(&Section<'_>) -> T,
) -> Result<T, ConfigErrors> {
    let (root, syntax) = DeTable::parse_recoverable(text);
    let findings = Findings::default();
    let value = read(&Section {
        findings: &findings,
        path: String::new(),
        table: Some(root.get_ref()),
    });
    if syntax.is_empty() {
        report_unknown(root.get_ref(), "", &findings);
    }
    let mut found = findings.found.into_inner();
    found.extend(syntax.iter().map(|error| Found {
        at: error.span().map_or(text.len(), |span| span.start),
        key: String::new(),
        value: String::new(),
        message: format!("not valid TOML: {}", error.message()),
    }));
    found.sort_by_key(|found| found.at);
    let mut problems: Vec<_> = found
        .into_iter()
        .map(|found| found.place(file, text))
        .collect();
    let broken: BTreeSet<usize> = problems
        .iter()
        .filter(|problem| problem.key.is_empty())
        .map(|problem| problem.line)
        .collect();
    // The values of a broken line are guesses, and one value needs one line only.
    problems.retain(|problem| problem.key.is_empty() || !broken.contains(&problem.line));
    problems.dedup_by_key(|problem| (problem.line, problem.column));
    if problems.is_empty() {
        Ok(value)
    } else {
        Err(ConfigErrors(problems))
    }
}

/// Lists the paths of all keys that `read` asks for, tables excepted.
#[cfg(test)]
pub(super) fn known_paths<T>(read: impl FnOnce(&Section<'_>) -> T) -> Vec<String> {
    let findings = Findings::default();
    read(&Section {
        findings: &findings,
        path: String::new(),
        table: None,
    });
    let tables = findings.tables.into_inner();
    let known = findings.known.into_inner();
    known.difference(&tables).cloned().collect()
}

#[derive(Default)]
struct Findings {
    found: RefCell<Vec<Found>>,
    known: RefCell<BTreeSet<String>>,
    tables: RefCell<BTreeSet<String>>,
    secrets: RefCell<BTreeSet<String>>,
}

struct Found {
    at: usize,
    key: String,
    value: String,
    message: String,
}

impl Found {
    fn place(self, file: &str, text: &str) -> Problem {
        let before = text.get(..self.at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: self.key,
            value: self.value,
            message: self.message,
        }
    }
}

/// One table of the document; also takes the place of a table that is not written.
pub(super) struct Section<'a> {
    findings: &'a Findings,
    path: String,
    table: Option<&'a DeTable<'a>>,
}

impl<'a> Section<'a> {
    /// Enters the table `key` inside this one.
    pub(super) fn section(&self, key: &str) -> Section<'a> {
        let path = self.know(key);
        self.findings.tables.borrow_mut().insert(path.clone());
        let table = self.value(key).and_then(|(span, value)| {
            if value.as_table().is_none() {
                let message = format!("must be a table, [{path}]");
                self.add(span, path.clone(), shown(value), message);
            }
            value.as_table()
        });
        Section {
            findings: self.findings,
            path,
            table,
        }
    }

    /// Reads each table of the list `[[key]]` by `read`, at most `most` of them. A key that is
    /// `needed` in each is reported where it is not written.
    #[cfg(feature = "kiosk")]
    pub(super) fn list<T>(
        &self,
        key: &str,
        most: usize,
        needed: &[&str],
        read: impl Fn(&Section<'_>) -> T,
    ) -> Vec<T> {
        let path = self.know(key);
        self.findings.tables.borrow_mut().insert(path.clone());
        let section = |table| Section {
            findings: self.findings,
            path: path.clone(),
            table,
        };
        // Makes the keys known where none is written.
        read(&section(None));
        let Some((span, value)) = self.value(key) else {
            return Vec::new();
        };
        let tables = value.as_array().and_then(|list| {
            let tables = list
                .iter()
                .map(|item| Some((item.span(), item.get_ref().as_table()?)));
            tables.collect::<Option<Vec<_>>>()
        });
        let Some(tables) = tables.filter(|tables| tables.len() <= most) else {
            let message = format!("must be at most {most} tables, each under [[{path}]]");
            self.add(span, path.clone(), shown(value), message);
            return Vec::new();
        };
        for (span, table) in &tables {
            for missing in needed.iter().filter(|key| !table.contains_key(**key)) {
                let message = format!("each [[{path}]] needs it");
                self.add(span.clone(), join(&path, missing), String::new(), message);
            }
        }
        tables
            .into_iter()
            .map(|(_, table)| read(&section(Some(table))))
            .collect()
    }

    /// Whether nothing is written in this table.
    #[cfg(feature = "server")]
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_none_or(DeTable::is_empty)
    }

    /// Whether the key is written, with a right value or a wrong one.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Reads the value of `key` if it is written and right.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        rule: impl FnOnce(&DeValue<'_>) -> Ruling<T>,
    ) -> Option<T> {
        self.judge(key, rule, shown)
    }

    /// Reads the value of `key`; the default if it is not written or wrong.
    pub(super) fn get<T>(
        &self,
        key: &str,
        default: T,
        rule: impl FnOnce(&DeValue<'_>) -> Ruling<T>,
    ) -> T {
        self.optional(key, rule).unwrap_or(default)
    }

    /// Reads a text that never appears in a message.
    pub(super) fn secret(
        &self,
        key: &str,
        rule: impl FnOnce(&DeValue<'_>) -> Ruling<String>,
    ) -> Option<SecretString> {
        self.hidden(key, rule).map(SecretString::from)
    }

    /// The same for a text that holds a secret beside other things.
    pub(super) fn hidden<T>(
        &self,
        key: &str,
        rule: impl FnOnce(&DeValue<'_>) -> Ruling<T>,
    ) -> Option<T> {
        let path = join(&self.path, key);
        self.findings.secrets.borrow_mut().insert(path);
        self.judge(key, rule, |_| HIDDEN.to_owned())
    }

    /// Reports a written key whose value is right by itself but does not fit the others.
    /// Ask for the value first: that tells whether it is a secret.
    pub(super) fn reject(&self, key: &str, message: impl Into<String>) {
        let path = join(&self.path, key);
        if let Some((span, value)) = self.value(key) {
            let secret = self.findings.secrets.borrow().contains(&path);
            let value = if secret { HIDDEN.into() } else { shown(value) };
            self.add(span, path, value, message.into());
        }
    }

    /// Reports the first of `given` that is written while any of `needed` is not.
    pub(super) fn require(&self, given: &[&str], needed: &[&str]) {
        let Some(given) = given.iter().find(|key| self.has(key)) else {
            return;
        };
        let missing: Vec<_> = needed
            .iter()
            .filter(|key| !self.has(key))
            .map(|key| join(&self.path, key))
            .collect();
        if !missing.is_empty() {
            self.reject(given, format!("needs {} as well", missing.join(", ")));
        }
    }

    fn judge<T>(
        &self,
        key: &str,
        rule: impl FnOnce(&DeValue<'_>) -> Ruling<T>,
        show: impl FnOnce(&DeValue<'_>) -> String,
    ) -> Option<T> {
        let path = self.know(key);
        let (span, value) = self.value(key)?;
        rule(value)
            .map_err(|message| self.add(span, path, show(value), message))
            .ok()
    }

    fn value(&self, key: &str) -> Option<(Range<usize>, &'a DeValue<'a>)> {
        let value = self.table?.get(key)?;
        Some((value.span(), value.get_ref()))
    }

    fn know(&self, key: &str) -> String {
        let path = join(&self.path, key);
        self.findings.known.borrow_mut().insert(path.clone());
        path
    }

    fn add(&self, span: Range<usize>, key: String, value: String, message: String) {
        self.findings.found.borrow_mut().push(Found {
            at: span.start,
            key,
            value,
            message,
        });
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

fn report_unknown(table: &DeTable<'_>, path: &str, findings: &Findings) {
    for (key, value) in table {
        let full = join(path, &one_line(key.get_ref()));
        if !findings.known.borrow().contains(&full) {
            findings.found.borrow_mut().push(Found {
                at: key.span().start,
                message: format!("unknown key{}", hint(&full, &findings.known.borrow())),
                key: full,
                value: String::new(),
            });
        } else if let Some(inner) = value.get_ref().as_table() {
            report_unknown(inner, &full, findings);
        } else if let Some(list) = value.get_ref().as_array() {
            for inner in list.iter().filter_map(|item| item.get_ref().as_table()) {
                report_unknown(inner, &full, findings);
            }
        }
    }
}

/// Suggests the known key that was probably meant: one of a similar spelling in the same table, or
/// one of the same name in another table.
fn hint(full: &str, known: &BTreeSet<String>) -> String {
    let (path, name) = split(full);
    let distance = |other: &str| {
        let (other_path, other_name) = split(other);
        strsim::osa_distance(name, other_name) + usize::from(other_path != path)
    };
    known
        .iter()
        .map(|other| (distance(other), other))
        .min()
        .filter(|(distance, _)| *distance <= (name.chars().count() / 3).max(1))
        .map_or_else(
            || format!(", known here: {}", siblings(path, known)),
            |(_, meant)| format!(", did you mean {meant}?"),
        )
}

fn siblings(path: &str, known: &BTreeSet<String>) -> String {
    let names: Vec<_> = known
        .iter()
        .map(|other| split(other))
        .filter(|(other, _)| *other == path)
        .map(|(_, name)| name)
        .collect();
    names.join(", ")
}

/// Splits a path into table and name of the key.
fn split(full: &str) -> (&str, &str) {
    full.rsplit_once('.').unwrap_or(("", full))
}

const HIDDEN: &str = "(hidden)";
/// Maximum length of an echoed value, in characters.
const SHOWN: usize = 60;

/// Writes a value on one line, shortened, without passwords and queries of URLs.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", one_line(&without_secrets(text))),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "[...]".to_owned(),
        DeValue::Table(_) => "{...}".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let escaped = text.escape_debug().to_string();
    if escaped.chars().count() <= SHOWN {
        return escaped;
    }
    let start: String = escaped.chars().take(SHOWN).collect();
    format!("{start}...")
}

/// Cuts out of a text what may be a password before `@`, and everything after `?`.
fn without_secrets(text: &str) -> String {
    let text = text.split_once('?').map_or_else(
        || text.to_owned(),
        |(address, _)| format!("{address}?{HIDDEN}"),
    );
    let Some((login, host)) = text.rsplit_once('@') else {
        return text;
    };
    match login.rsplit_once("//") {
        Some((scheme, _)) => format!("{scheme}//{HIDDEN}@{host}"),
        None if login.contains(':') => format!("{HIDDEN}@{host}"),
        None => text,
    }
}
