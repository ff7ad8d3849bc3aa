//! `cfg` attributes: whether the product can ever have what is behind them.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// What a condition can come to in some build of the product.
#[derive(Clone, Copy)]
struct Outcome {
    yes: bool,
    no: bool,
}

/// Whether an item with these attributes is only there for tests or fuzzing.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes.iter().filter(|each| each.path().is_ident("cfg"));
    conditions.any(|cfg| cfg.parse_args().is_ok_and(|meta| !outcome(&meta).yes))
}

fn outcome(meta: &Meta) -> Outcome {
    match meta {
        Meta::Path(path) if path.is_ident("test") || path.is_ident("fuzzing") => Outcome {
            yes: false,
            no: true,
        },
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let parts: Vec<Outcome> = parts.iter().flatten().map(outcome).collect();
            combined(list.path.get_ident().map(ToString::to_string), &parts)
        }
        _ => Outcome {
            yes: true,
            no: true,
        },
    }
}

fn combined(word: Option<String>, parts: &[Outcome]) -> Outcome {
    let yes = |part: &Outcome| part.yes;
    let no = |part: &Outcome| part.no;
    match word.as_deref() {
        Some("not") => Outcome {
            yes: parts.iter().any(no),
            no: parts.iter().any(yes),
        },
        Some("any") => Outcome {
            yes: parts.iter().any(yes),
            no: parts.iter().all(no),
        },
        _ => Outcome {
            yes: parts.iter().all(yes),
            no: parts.iter().any(no),
        },
    }
}
