//! `#[derive(Kind)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Fields, Lit, LitStr, Meta, Type};

/// What `#[kind(…)]` says.
#[derive(Default)]
struct Words {
    name: Option<String>,
    part: Option<Ident>,
    flags: Vec<Ident>,
}

impl Words {
    fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut said = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("kind")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    said.name = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("part") {
                    said.part = Some(meta.value()?.parse()?);
                } else {
                    said.flags.push(meta.path.require_ident()?.clone());
                }
                Ok(())
            })?;
        }
        Ok(said)
    }
}

/// The comment of an item, as one line.
fn comment(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// `AptLists` as `apt-lists`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// Whether serde takes a field that is not there.
fn is_optional(field: &syn::Field) -> bool {
    let is_option = matches!(&field.ty, Type::Path(path)
        if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"));
    let defaults = |attribute: &Attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let said = list.tokens.to_string();
        list.path.is_ident("serde")
            && said.split(',').any(|part| part.trim().starts_with("default"))
    };
    is_option || field.attrs.iter().any(defaults)
}

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "a kind of step is a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "what a kind of step says has names"));
    };
    let said = Words::of(&input.attrs)?;
    let keys = fields.named.iter().map(|field| {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let (name, about) = (name.trim_start_matches('_'), comment(&field.attrs));
        let optional = is_optional(field);
        quote!(crate::step::Key { name: #name, about: #about, optional: #optional })
    });
    let ident = &input.ident;
    let name = said.name.unwrap_or_else(|| kebab(&ident.to_string()));
    let about = comment(&input.attrs);
    let part = said.part.map(|part| quote!(part: crate::step::Part::#part,));
    let flags = &said.flags;
    Ok(quote! {
        impl crate::step::Kind for #ident {
            const FACTS: crate::step::Facts = crate::step::Facts {
                name: #name,
                about: #about,
                keys: &[#(#keys),*],
                #part
                #(#flags: true,)*
                ..crate::step::Facts::PLAIN
            };
        }
    })
}
