//! Reads a file into facts, by its syntax and not by its text.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ImplItemFn, Item, ItemFn, ItemMod, ItemUse, Macro, Meta, Path, Signature,
    TraitItemFn, UseTree, Visibility,
};

use crate::condition::is_for_tests;
use crate::facts::{Binding, Definition, File, Form, Function, Mention, Names, module_of};
use crate::source::Source;
use crate::tokens;

/// The facts of one file.
///
/// # Panics
/// When the file is not Rust.
pub(crate) fn read(source: Source) -> File {
    let syntax = syn::parse_file(&source.text)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", source.path));
    let module = module_of(&source.path);
    let mut reader = Reader {
        module: module.clone(),
        file: File {
            module,
            lines: source.text.lines().count(),
            source,
            inner_modules: Vec::new(),
            test_modules: Vec::new(),
            definitions: Vec::new(),
            mentions: Vec::new(),
            functions: Vec::new(),
        },
    };
    reader.visit_file(&syntax);
    reader.file
}

struct Reader {
    file: File,
    /// The module that is being read.
    module: Names,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = parts(item);
        if is_for_tests(attributes) {
            if let Item::Mod(module) = item {
                let module = self.child(&module.ident);
                self.file.test_modules.push(module);
            }
            return self.leave_out(item.span());
        }
        if let Some((name, is_type)) = name {
            self.file.definitions.push(Definition {
                module: self.module.clone(),
                name: text(name),
                line: line(name.span()),
                is_type,
            });
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let module = self.child(&item.ident);
        if item.content.is_some() {
            self.file.inner_modules.push(module.clone());
        }
        let around = std::mem::replace(&mut self.module, module);
        visit::visit_item_mod(self, item);
        self.module = around;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        if item.leading_colon.is_none() {
            self.read_use(&item.tree, &mut Vec::new(), exported);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if is_for_tests(&item.attrs) {
            return self.leave_out(item.span());
        }
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|each| text(&each.ident));
            self.mention(names.collect(), line(path.span()), Form::Inline);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.read_tokens(&item.tokens);
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.read_tokens(&list.tokens);
        }
    }

    /// `pub(in crate::media)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

impl Reader {
    fn child(&self, name: &syn::Ident) -> Names {
        let mut module = self.module.clone();
        module.push(text(name));
        module
    }

    fn leave_out(&mut self, tests: Span) {
        self.file.lines -= lines(tests.start().line, tests);
    }

    fn measure(&mut self, signature: &Signature, block: &Block) {
        let start = line(signature.span());
        self.file.functions.push(Function {
            name: text(&signature.ident),
            line: start,
            lines: lines(start, block.span()),
        });
    }

    fn mention(&mut self, path: Names, line: usize, form: Form) {
        if path.len() > 1 || matches!(form, Form::Use { .. }) {
            self.file.mentions.push(Mention {
                module: self.module.clone(),
                path,
                line,
                form,
            });
        }
    }

    fn read_tokens(&mut self, tokens: &proc_macro2::TokenStream) {
        for (path, line) in tokens::paths(tokens.clone()) {
            self.mention(path, line, Form::Inline);
        }
    }

    fn read_use(&mut self, tree: &UseTree, before: &mut Names, exported: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(text(&path.ident));
                self.read_use(&path.tree, before, exported);
                before.pop();
            }
            UseTree::Group(group) => {
                for each in &group.items {
                    self.read_use(each, before, exported);
                }
            }
            UseTree::Name(name) => self.bind(before, &name.ident, &name.ident, exported),
            UseTree::Rename(name) => self.bind(before, &name.ident, &name.rename, exported),
            UseTree::Glob(glob) => {
                let binds = Binding::Everything;
                let form = Form::Use { binds, exported };
                self.mention(before.clone(), line(glob.span()), form);
            }
        }
    }

    /// Notes `use before::{name as known}`.
    fn bind(&mut self, before: &Names, name: &syn::Ident, known: &syn::Ident, exported: bool) {
        let mut path = before.clone();
        if name != "self" {
            path.push(text(name));
        }
        let known = if known == "self" {
            path.last().cloned()
        } else {
            Some(text(known))
        };
        let binds = Binding::Name(known.unwrap_or_default());
        self.mention(path, line(name.span()), Form::Use { binds, exported });
    }
}

/// The attributes of an item, and the name that it defines, with whether that is a type.
fn parts(item: &Item) -> (&[Attribute], Option<(&syn::Ident, bool)>) {
    match item {
        Item::Enum(syn::ItemEnum { attrs, ident, .. })
        | Item::Struct(syn::ItemStruct { attrs, ident, .. })
        | Item::Trait(syn::ItemTrait { attrs, ident, .. })
        | Item::Type(syn::ItemType { attrs, ident, .. })
        | Item::Union(syn::ItemUnion { attrs, ident, .. }) => (attrs, Some((ident, true))),
        Item::Const(syn::ItemConst { attrs, ident, .. })
        | Item::Static(syn::ItemStatic { attrs, ident, .. }) => (attrs, Some((ident, false))),
        Item::Fn(item) => (&item.attrs, Some((&item.sig.ident, false))),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref().map(|name| (name, false))),
        Item::Impl(syn::ItemImpl { attrs, .. })
        | Item::Mod(ItemMod { attrs, .. })
        | Item::Use(ItemUse { attrs, .. }) => (attrs, None),
        _ => (&[], None),
    }
}

fn text(name: &syn::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

fn line(span: Span) -> usize {
    span.start().line
}

/// Lines from this one to the end of the span, both included.
fn lines(start: usize, span: Span) -> usize {
    span.end().line + 1 - start
}
