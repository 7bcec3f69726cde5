//! What turns an English sentence with holes into a message, an error into one that explains itself, and a struct into a
//! kind of step.
//!
//! The first two are seen through `aitk_system`, which has the types that they make.

mod explain;
mod kind;
mod message;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// A message: an English sentence, which is its id, and what stands in its holes.
///
/// It is written as `format!` is: `message!("{path} is there already")`, `message!("{} of {total}", done)`,
/// `message!("{rate:.1} GFLOP/s")`. What stands in a hole is a message in turn where its type is one or can tell one
/// (`aitk_system::ToMessage`); anything else stays in every language what it is.
#[proc_macro]
pub fn message(input: TokenStream) -> TokenStream {
    let sentence = parse_macro_input!(input as message::Sentence);
    sentence.expand().unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enumeration an error that explains itself, from one attribute on each variant.
///
/// ```text
/// #[explain(code = "AITK-C14", exit = Usage, say("{path} is there already"), hint("add --force"))]
/// There { path: PathBuf },
/// #[explain(transparent)]
/// Env(#[from] EnvError),
/// ```
///
/// `say` and `hint` are what [`message!`] takes, and see the variant's fields (`{0}` of a tuple). `exit` is `Failed`
/// where nothing is said. What depends on more than the fields' text is an expression over them: `exit(…)`,
/// `hint_if(…)`, which gives an `Option<Message>`. A field called `source`, or one with `#[source]`, is the cause.
#[proc_macro_derive(Explain, attributes(explain, from, source))]
pub fn explain(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    explain::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Reads what is said of a kind of step from its struct: the comments, the names of its fields, and one attribute.
///
/// ```text
/// /// apt knows a vendor's repository.
/// #[kind(name = "apt-source", root, apt, part = Layer)]
/// ```
///
/// Where no `name` is said, it is the struct's. What else is said is a field of `Facts` that is true.
#[proc_macro_derive(Kind, attributes(kind))]
pub fn kind(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    kind::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
