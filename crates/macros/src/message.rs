//! `message!`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, LitStr, Token};

/// What stands between the parentheses.
pub struct Sentence {
    text: LitStr,
    args: Vec<(Option<Ident>, Expr)>,
}

impl Parse for Sentence {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text = input.parse()?;
        let mut args = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let named =
                input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
            let name = if named {
                let name = input.parse()?;
                input.parse::<Token![=]>()?;
                Some(name)
            } else {
                None
            };
            args.push((name, input.parse()?));
        }
        Ok(Self { text, args })
    }
}

/// A hole as it is written: `{}`, `{name}`, `{name:.1}`.
struct Hole {
    /// What it is called in the message.
    name: String,
    /// How its value is to be formatted, where that is said.
    form: Option<String>,
}

impl Sentence {
    pub fn expand(&self) -> syn::Result<TokenStream> {
        let (id, holes) = self.holes()?;
        let mut used = vec![false; self.args.len()];
        let mut names = Vec::new();
        let mut values = Vec::new();
        for hole in holes {
            if names.contains(&hole.name) {
                continue;
            }
            let value = match self.place(&hole.name) {
                Some(place) => {
                    used[place] = true;
                    let value = &self.args[place].1;
                    quote!(#value)
                }
                None if hole.name.starts_with(|c: char| c.is_ascii_digit()) => {
                    return Err(self.wrong("there are more holes than values"));
                }
                None => {
                    let name = Ident::new(&hole.name, self.text.span());
                    quote!(#name)
                }
            };
            values.push(match &hole.form {
                None => quote!((&::aitk_system::Held(&(#value))).message()),
                Some(form) => {
                    let form = LitStr::new(&format!("{{:{form}}}"), Span::call_site());
                    quote!(::aitk_system::Message::number(::std::format!(#form, #value)))
                }
            });
            names.push(hole.name);
        }
        if used.contains(&false) {
            return Err(self.wrong("there are more values than holes"));
        }
        let told = quote!(::aitk_system::Message::said(#id, ::std::vec![#((::std::borrow::Cow::Borrowed(#names), #values)),*]));
        Ok(match names.is_empty() {
            true => quote!(::aitk_system::Message::said(#id, ::std::vec::Vec::new())),
            false => quote!({
                #[allow(unused_imports, reason = "which of them serves depends on the type")]
                use ::aitk_system::{HeldAsItIs as _, HeldMessage as _};
                #told
            }),
        })
    }

    /// The message's id, with a name in each hole, and the holes in their order.
    fn holes(&self) -> syn::Result<(String, Vec<Hole>)> {
        let text = self.text.value();
        let (mut id, mut holes, mut number) = (String::new(), Vec::new(), 0);
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, behind) = rest.split_at(at);
            id += before;
            let double = ["{{", "}}"].into_iter().find(|two| behind.starts_with(two));
            if let Some(two) = double {
                id += &two[1..];
                rest = &behind[2..];
                continue;
            }
            let inside = behind.strip_prefix('{').and_then(|behind| behind.split_once('}'));
            let Some((hole, after)) = inside else {
                return Err(self.wrong("a brace stands alone; two of them make one"));
            };
            let (name, form) = match hole.split_once(':') {
                Some((name, form)) => (name, Some(form.to_owned())),
                None => (hole, None),
            };
            let name = match name {
                "" => {
                    number += 1;
                    (number - 1).to_string()
                }
                name if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                    name.to_owned()
                }
                name => return Err(self.wrong(&format!("`{name}` is no name of a hole"))),
            };
            id += &format!("{{{name}}}");
            holes.push(Hole { name, form });
            rest = after;
        }
        id += rest;
        Ok((id, holes))
    }

    /// Which of the values belongs into a hole.
    fn place(&self, hole: &str) -> Option<usize> {
        let named = |(name, _): &(Option<Ident>, _)| name.as_ref().is_some_and(|name| name == hole);
        match hole.parse::<usize>() {
            Ok(number) => (number < self.args.len()).then_some(number),
            Err(_) => self.args.iter().position(named),
        }
    }

    fn wrong(&self, what: &str) -> syn::Error {
        syn::Error::new(self.text.span(), what)
    }
}
