//! `#[derive(Explain)]`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, LitStr, Token, Variant, parenthesized};

/// What `#[explain(…)]` says of a variant.
#[derive(Default)]
struct Row {
    transparent: bool,
    code: Option<LitStr>,
    exit: Option<ExitAttribute>,
    say: Option<TokenStream>,
    hint: Option<TokenStream>,
    hint_if: Option<TokenStream>,
}

/// The exit code: one of `aitk_system::Exit`, or what an expression over the fields gives.
enum ExitAttribute {
    Always(Ident),
    From(Box<Expr>),
}

impl Row {
    fn of(variant: &Variant) -> syn::Result<Self> {
        let mut row = Self::default();
        for attribute in variant.attrs.iter().filter(|a| a.path().is_ident("explain")) {
            let parts = attribute
                .parse_args_with(Punctuated::<MessagePart, Token![,]>::parse_terminated)?;
            for part in parts {
                match part {
                    MessagePart::Transparent => row.transparent = true,
                    MessagePart::Code(code) => row.code = Some(code),
                    MessagePart::Exit(exit) => row.exit = Some(exit),
                    MessagePart::Say(say) => row.say = Some(say),
                    MessagePart::Hint(hint) => row.hint = Some(hint),
                    MessagePart::HintIf(hint) => row.hint_if = Some(hint),
                }
            }
        }
        if !row.transparent && (row.code.is_none() || row.say.is_none()) {
            let what = "#[explain(…)] says a code and a message of each variant, or `transparent`";
            return Err(syn::Error::new(variant.span(), what));
        }
        Ok(row)
    }
}

enum MessagePart {
    Transparent,
    Code(LitStr),
    Exit(ExitAttribute),
    Say(TokenStream),
    Hint(TokenStream),
    HintIf(TokenStream),
}

impl Parse for MessagePart {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        let inside = |input: ParseStream<'_>| {
            let content;
            parenthesized!(content in input);
            content.parse::<TokenStream>()
        };
        match name.to_string().as_str() {
            "transparent" => Ok(Self::Transparent),
            "code" => {
                input.parse::<Token![=]>()?;
                input.parse().map(Self::Code)
            }
            "exit" if input.peek(Token![=]) => {
                input.parse::<Token![=]>()?;
                input.parse().map(|exit| Self::Exit(ExitAttribute::Always(exit)))
            }
            "exit" => syn::parse2(inside(input)?)
                .map(|exit| Self::Exit(ExitAttribute::From(Box::new(exit)))),
            "say" => inside(input).map(Self::Say),
            "hint" => inside(input).map(Self::Hint),
            "hint_if" => inside(input).map(Self::HintIf),
            _ => Err(syn::Error::new(
                name.span(),
                "none of code, exit, say, hint, hint_if, transparent",
            )),
        }
    }
}

/// The arms of the functions, one for each variant.
#[derive(Default)]
struct Arms {
    code: TokenStream,
    message: TokenStream,
    hint: TokenStream,
    exit: TokenStream,
    source: TokenStream,
    from: TokenStream,
    rows: TokenStream,
}

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new(
            input.span(),
            "an error that explains itself is an enumeration",
        ));
    };
    let name = &input.ident;
    let mut arms = Arms::default();
    for variant in &data.variants {
        arms.add(name, variant)?;
    }
    let Arms { code, message, hint, exit, source, from, rows } = arms;
    Ok(quote! {
        #[allow(unused_variables, clippy::pattern_type_mismatch, reason = "each takes what it needs")]
        impl ::aitk_system::Explain for #name {
            fn code(&self) -> &'static str { match self { #code } }
            fn message(&self) -> ::aitk_system::Message { match self { #message } }
            fn hint(&self) -> ::std::option::Option<::aitk_system::Message> { match self { #hint } }
            fn exit(&self) -> ::aitk_system::Exit { match self { #exit } }
        }
        impl ::std::fmt::Display for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&::aitk_system::Explain::message(self), f)
            }
        }
        impl ::aitk_system::ToMessage for #name {
            fn to_message(&self) -> ::aitk_system::Message { ::aitk_system::Explain::message(self) }
        }
        #[allow(unused_variables, reason = "each takes what it needs")]
        impl ::std::error::Error for #name {
            fn source(&self) -> ::std::option::Option<&(dyn ::std::error::Error + 'static)> {
                match self { #source _ => ::std::option::Option::None }
            }
        }
        impl #name {
            /// What there is to say of each kind, for the list of all diagnostics.
            pub const DIAGNOSTICS: &'static [::aitk_system::Diagnosed] = &[#rows];
        }
        #from
    })
}

impl Arms {
    fn add(&mut self, name: &Ident, variant: &Variant) -> syn::Result<()> {
        let row = Row::of(variant)?;
        let pattern = pattern(variant);
        self.sources(name, variant);
        let some = |hint: &TokenStream| {
            quote!(::std::option::Option::Some(::aitk_system::message!(#hint)))
        };
        if row.transparent {
            let each = |function: &str| {
                let function = format_ident!("{function}");
                quote!(#pattern => ::aitk_system::Explain::#function(_0),)
            };
            self.code.extend(each("code"));
            self.message.extend(each("message"));
            self.exit.extend(each("exit"));
            self.hint.extend(match (&row.hint, &row.hint_if) {
                (Some(hint), _) => {
                    let hint = some(hint);
                    quote!(#pattern => #hint,)
                }
                (None, Some(hint)) => quote!(#pattern => #hint,),
                (None, None) => each("hint"),
            });
            return Ok(());
        }
        let (code, say) = (&row.code, held(row.say.as_ref(), variant));
        self.code.extend(quote!(#pattern => #code,));
        self.message.extend(quote!(#pattern => ::aitk_system::message!(#say),));
        let (exit, exit_row) = match row.exit {
            None => (
                quote!(::aitk_system::Exit::Failed),
                quote!(::std::option::Option::Some(::aitk_system::Exit::Failed)),
            ),
            Some(ExitAttribute::Always(exit)) => (
                quote!(::aitk_system::Exit::#exit),
                quote!(::std::option::Option::Some(::aitk_system::Exit::#exit)),
            ),
            Some(ExitAttribute::From(exit)) => (quote!(#exit), quote!(::std::option::Option::None)),
        };
        self.exit.extend(quote!(#pattern => #exit,));
        let hint = match (&row.hint, &row.hint_if) {
            (Some(hint), _) => some(&held(Some(hint), variant)),
            (None, Some(hint)) => quote!(#hint),
            (None, None) => quote!(::std::option::Option::None),
        };
        self.hint.extend(quote!(#pattern => #hint,));
        let says = first_literal(row.say.as_ref());
        let mut hints: Vec<_> = first_literal(row.hint.as_ref()).into_iter().collect();
        messages(row.hint_if.unwrap_or_default(), &mut hints);
        let about = docs(&variant.attrs);
        self.rows.extend(quote!(::aitk_system::Diagnosed {
            code: #code, exit: #exit_row, about: #about, says: #says, hints: &[#(#hints),*],
        },));
        Ok(())
    }

    /// The cause, and the way from it.
    fn sources(&mut self, name: &Ident, variant: &Variant) {
        let ident = &variant.ident;
        for (place, field) in variant.fields.iter().enumerate() {
            let has =
                |what: &str| field.attrs.iter().any(|attribute| attribute.path().is_ident(what));
            let is_source = field.ident.as_ref().is_some_and(|name| name == "source");
            if has("from") {
                let kind = &field.ty;
                self.from.extend(quote! {
                    impl ::std::convert::From<#kind> for #name {
                        fn from(source: #kind) -> Self { Self::#ident(source) }
                    }
                });
            }
            if has("source") || has("from") || is_source {
                let pattern = pattern(variant);
                let field = field.ident.clone().unwrap_or_else(|| format_ident!("_{place}"));
                self.source.extend(quote!(#pattern => ::std::option::Option::Some(#field),));
                return;
            }
        }
    }
}

/// A pattern that binds every field, `_0` and so on in a tuple.
fn pattern(variant: &Variant) -> TokenStream {
    let name = &variant.ident;
    match &variant.fields {
        Fields::Unit => quote!(Self::#name),
        Fields::Named(fields) => {
            let fields = fields.named.iter().map(|field| &field.ident);
            quote!(Self::#name { #(#fields),* })
        }
        Fields::Unnamed(fields) => {
            let fields = (0..fields.unnamed.len()).map(|place| format_ident!("_{place}"));
            quote!(Self::#name(#(#fields),*))
        }
    }
}

/// What a message is made of; in a tuple the fields are the values of the holes `{0}`, `{1}`.
fn held(words: Option<&TokenStream>, variant: &Variant) -> TokenStream {
    let words = words.cloned().unwrap_or_default();
    let text = first_literal(Some(&words)).map(|text| text.value()).unwrap_or_default();
    match &variant.fields {
        Fields::Unnamed(fields) if words.clone().into_iter().count() == 1 => {
            let asked =
                (0..fields.unnamed.len()).filter(|place| text.contains(&format!("{{{place}")));
            let fields = asked.map(|place| format_ident!("_{place}"));
            quote!(#words #(, #fields)*)
        }
        _ => words,
    }
}

fn first_literal(words: Option<&TokenStream>) -> Option<LitStr> {
    let first = words?.clone().into_iter().next()?;
    syn::parse2(quote!(#first)).ok()
}

/// The sentences of every `message!` in some code.
fn messages(code: TokenStream, found: &mut Vec<LitStr>) {
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "message" => {
                let sign = tokens.next_if(
                    |next| matches!(next, TokenTree::Punct(sign) if sign.as_char() == '!'),
                );
                if let (Some(_), Some(TokenTree::Group(words))) = (sign, tokens.peek()) {
                    found.extend(first_literal(Some(&words.stream())));
                }
            }
            TokenTree::Group(group) => messages(group.stream(), found),
            _ => {}
        }
    }
}

fn docs(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                Some(text.value().trim().to_owned())
            }
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(line).collect::<Vec<_>>().join(" ")
}
