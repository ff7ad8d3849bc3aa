//! `cfg` attributes: whether the product can ever have what is behind them.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The values that a condition can have in some build of the product.
#[derive(Clone, Copy)]
struct Values {
    yes: bool,
    no: bool,
}

const EITHER: Values = Values {
    yes: true,
    no: true,
};
const NEVER: Values = Values {
    yes: false,
    no: true,
};

/// Whether an item with these attributes is only there for tests or fuzzing.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes.iter().filter(|each| each.path().is_ident("cfg"));
    conditions.any(|cfg| cfg.parse_args().is_ok_and(|meta| !values(&meta).yes))
}

fn values(meta: &Meta) -> Values {
    match meta {
        Meta::Path(path) if path.is_ident("test") || path.is_ident("fuzzing") => NEVER,
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let parts: Vec<Values> = parts.iter().flatten().map(values).collect();
            combined(&list.path, &parts)
        }
        _ => EITHER,
    }
}

/// The values of `not`, `any` or `all` of these.
fn combined(word: &syn::Path, parts: &[Values]) -> Values {
    let yes = |part: &Values| part.yes;
    let no = |part: &Values| part.no;
    let (yes, no) = if word.is_ident("not") {
        (parts.iter().any(no), parts.iter().any(yes))
    } else if word.is_ident("any") {
        (parts.iter().any(yes), parts.iter().all(no))
    } else {
        (parts.iter().all(yes), parts.iter().any(no))
    };
    Values { yes, no }
}
