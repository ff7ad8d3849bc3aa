//! Paths in tokens that nothing has parsed: the insides of macros and of attributes.

use proc_macro2::{Spacing, TokenStream, TokenTree};

use crate::facts::Names;

/// Every path of two names or more, with its line.
pub(crate) fn paths(tokens: TokenStream) -> Vec<(Names, usize)> {
    let mut scan = Scan::default();
    scan.read(tokens);
    scan.found
}

#[derive(Default)]
struct Scan {
    found: Vec<(Names, usize)>,
    path: Names,
    line: usize,
    /// Colons since the last name.
    colons: usize,
}

impl Scan {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    self.name(&ident.to_string(), ident.span().start().line);
                }
                TokenTree::Punct(punct) if self.is_colon(&punct) => self.colons += 1,
                TokenTree::Punct(_) => self.end(),
                TokenTree::Group(group) => {
                    self.end();
                    self.read(group.stream());
                }
                TokenTree::Literal(literal) => {
                    self.end();
                    self.literal(&literal.to_string(), literal.span().start().line);
                }
            }
        }
        self.end();
    }

    /// Whether this is the first or the second colon of a pair.
    fn is_colon(&self, punct: &proc_macro2::Punct) -> bool {
        punct.as_char() == ':' && (punct.spacing() == Spacing::Joint || self.colons == 1)
    }

    fn name(&mut self, name: &str, line: usize) {
        if self.colons != 2 {
            self.end();
        }
        if self.path.is_empty() {
            self.line = line;
        }
        self.path.push(name.trim_start_matches("r#").to_owned());
        self.colons = 0;
    }

    /// Attributes of serde have paths in quotes.
    fn literal(&mut self, text: &str, line: usize) {
        let text = text.trim_matches('"');
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        if ["crate::", "super::"]
            .iter()
            .any(|root| text.starts_with(root))
            && text.chars().all(is_name)
        {
            self.found
                .push((text.split("::").map(str::to_owned).collect(), line));
        }
    }

    fn end(&mut self) {
        let path = std::mem::take(&mut self.path);
        self.colons = 0;
        if path.len() > 1 {
            self.found.push((path, self.line));
        }
    }
}
