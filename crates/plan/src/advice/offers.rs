//! What can be rented, bought or used for nothing, compared for a need.

use aitk_system::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tree::{Leaf, yes};
use crate::basics::basics;
use crate::names;
use crate::texts::Texts;

/// Months over which a purchase is counted.
const PURCHASE_MONTHS: f64 = 24.0;
/// Hours a month that are counted where nobody says how many.
pub const HOURS: u32 = 40;

/// A row of what can be rented, bought or used for nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// By this the tree, prices and texts name it; it stays when the product is called otherwise.
    #[serde(deserialize_with = "names::step_id::one")]
    pub id: String,
    /// Whether it is a notebook, a machine or something else.
    pub kind: OfferKind,
    /// What its maker calls it.
    pub name: String,
    /// Whether it is still there.
    pub status: OfferStatus,
    /// The least that it costs, in US dollars.
    pub usd: Option<f64>,
    /// What that is for.
    pub per: Option<Per>,
    /// Whether it can have a GPU.
    #[serde(default)]
    pub gpu: bool,
    /// Memory of the GPU in GB; `None` where that depends.
    pub vram: Option<u32>,
    /// The GPUs that it has, where there are several, the cheapest first: `usd` and `vram` are those of the first.
    #[serde(default)]
    pub sizes: Vec<Size>,
    /// Hours of a GPU that it gives in a month at most.
    pub hours: Option<u32>,
    /// Its page, where the price stands.
    #[serde(deserialize_with = "names::address::one")]
    pub link: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
    /// Whether it was checked.
    #[serde(default = "yes")]
    pub sure: bool,
    /// What it gives, in a row of the user's own.
    pub gives: Option<String>,
    /// Its limits, in a row of the user's own.
    pub limits: Option<String>,
    /// Its prices in words, in a row of the user's own.
    pub price: Option<String>,
}

/// A GPU that can be had.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// What its maker calls it: `L4`.
    pub name: String,
    /// Its memory in GB.
    pub vram: u32,
    /// US dollars an hour; nothing where nobody looked it up.
    pub usd: Option<f64>,
}

/// Kinds of offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words are in the texts, under `kind`")]
pub enum OfferKind {
    Notebook,
    Trial,
    Vps,
    Gpu,
    Managed,
    Stack,
    Lakehouse,
    Hardware,
}

/// Whether an offer is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferStatus {
    /// As it ever was.
    Alive,
    /// Under another name than the one that people know.
    Renamed,
    /// Alive, but nobody should count on it.
    Uncertain,
    /// It is not sold any more; the row stays for those who look for it.
    Retired,
}

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// A calendar month, used or not.
    Month,
    /// An hour that it runs.
    Hour,
    /// Paid once, as hardware is.
    Once,
}

/// What somebody needs besides their answers: `--vram`, `--hours`, `--spend`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Need {
    /// Memory of a GPU, in GB.
    pub vram: Option<u32>,
    /// Hours of a GPU in a month.
    pub hours: Option<u32>,
    /// US dollars a month.
    pub spend: Option<f64>,
}

impl Need {
    /// As it is counted where answers have led.
    pub fn at(&self, leaf: &Leaf) -> Self {
        Self { hours: self.hours.or(leaf.hours), ..*self }
    }

    /// As it is typed.
    pub(super) fn flags(&self) -> String {
        let vram = self.vram.map(|vram| format!(" --vram {vram}"));
        let hours = self.hours.map(|hours| format!(" --hours {hours}"));
        let spend = self.spend.map(|spend| format!(" --spend {spend}"));
        [vram, hours, spend].into_iter().flatten().collect()
    }
}

/// Why an offer does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferMismatch {
    /// It is not sold any more.
    Retired,
    /// Too little memory of a GPU.
    Vram,
    /// Nobody knows how much memory its GPU has.
    Unknown,
    /// It brings no GPU of its own.
    Software,
    /// Its quota has fewer hours a month than are needed.
    Hours,
    /// The hours that are needed cost more a month than may be spent.
    Spend,
}

impl Offer {
    /// The GPU that is meant where memory is asked for: the first that has enough.
    fn size(&self, need: &Need) -> Option<&Size> {
        let wanted = need.vram?;
        self.sizes.iter().find(|size| size.vram >= wanted)
    }

    /// Memory of the GPU that is meant.
    fn vram(&self, need: &Need) -> Option<u32> {
        self.size(need).map_or(self.vram, |size| Some(size.vram))
    }

    /// What it costs, for what `per` says.
    fn rate(&self, need: &Need) -> Option<f64> {
        self.size(need).map_or(self.usd, |size| size.usd)
    }

    /// What it costs in a month, in US dollars; `None` where use decides, or nobody knows.
    pub fn month_usd(&self, need: &Need) -> Option<f64> {
        let usd = self.rate(need)?;
        let month = match self.per? {
            Per::Month => usd,
            Per::Hour => usd * f64::from(need.hours.unwrap_or(HOURS)),
            Per::Once => usd / PURCHASE_MONTHS,
        };
        Some((month * 100.0).round() / 100.0)
    }

    /// Whether a GPU of it is known to have so much memory; `None` where nobody knows. Where software is the way, the machine is
    /// one's own.
    fn has_vram(&self, wanted: u32) -> Option<bool> {
        match self.kind {
            _ if !self.gpu => Some(false),
            OfferKind::Stack => Some(true),
            _ if !self.sizes.is_empty() => Some(self.sizes.iter().any(|size| size.vram >= wanted)),
            _ => self.vram.map(|has| has >= wanted),
        }
    }

    /// Why it does not fit a need; `None` where it does, as far as that is known.
    pub fn unfit(&self, need: &Need) -> Option<OfferMismatch> {
        let vram = need.vram.map(|wanted| self.has_vram(wanted));
        // What use decides costs something.
        let dear = |spend: f64| self.month_usd(need).map_or(spend == 0.0, |usd| usd > spend);
        if self.status == OfferStatus::Retired {
            Some(OfferMismatch::Retired)
        } else if vram == Some(Some(false)) {
            Some(OfferMismatch::Vram)
        } else if self.hours.is_some_and(|has| need.hours.is_some_and(|wanted| has < wanted)) {
            Some(OfferMismatch::Hours)
        } else if need.spend.is_some_and(dear) {
            Some(OfferMismatch::Spend)
        } else {
            (vram == Some(None)).then_some(OfferMismatch::Unknown)
        }
    }
}

/// An offer as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OfferInfo {
    /// By this the tree, prices and texts name it; it stays when the product is called otherwise.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// Whether it is a notebook, a machine or something else.
    pub kind: OfferKind,
    /// The GPU that is meant, where it has several.
    pub size: Option<String>,
    /// Whether it is still there.
    pub status: OfferStatus,
    /// What one gets for the price, in words.
    pub gives: Message,
    /// What it does not give.
    pub limits: Message,
    /// Its prices in words.
    pub price: Message,
    /// The least that it costs, in US dollars.
    pub usd: Option<f64>,
    /// What that is for.
    pub per: Option<Per>,
    /// What that makes in a month.
    pub month_usd: Option<f64>,
    /// Memory of its GPU in GB.
    pub vram: Option<u32>,
    /// Address of its page, where the price stands.
    pub link: String,
    /// Where this comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
    /// Whether it was checked.
    pub sure: bool,
    /// Whether that is long ago.
    pub stale: bool,
    /// Why it does not fit, in one word.
    pub unfit: Option<OfferMismatch>,
    /// Why it does not fit.
    pub why: Option<Message>,
}

/// Offers, those that fit first: all of the catalog by their cost, or those of a leaf in its order. What nobody should
/// count on comes behind the others.
pub fn compare(
    offers: &[Offer],
    leaf: Option<&Leaf>,
    need: &Need,
    texts: &Texts,
    today: &str,
) -> Vec<OfferInfo> {
    let named = |id: &String| offers.iter().find(|offer| offer.id == *id);
    let mut all: Vec<_> = match leaf {
        Some(leaf) => leaf.offers.iter().filter_map(named).collect(),
        None => offers.iter().collect(),
    };
    if leaf.is_none() {
        let cost = |offer: &Offer| offer.month_usd(need).unwrap_or(f64::MAX);
        all.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    }
    // Where software is the way, the machine is one's own; in a comparison of everything it brings no GPU.
    let brings_none = |offer: &Offer| {
        let asked = leaf.is_none() && need.vram.is_some() && offer.kind == OfferKind::Stack;
        asked.then_some(OfferMismatch::Software)
    };
    let tell = |offer: &Offer| {
        tell(offer, offer.unfit(need).or_else(|| brings_none(offer)), need, texts, today)
    };
    let mut told: Vec<_> = all.into_iter().map(tell).collect();
    told.sort_by_key(|offer| (offer.unfit.is_some(), offer.status == OfferStatus::Uncertain));
    told
}

fn tell(
    offer: &Offer,
    unfit: Option<OfferMismatch>,
    need: &Need,
    texts: &Texts,
    today: &str,
) -> OfferInfo {
    let words = |own: &Option<String>, what: &str| {
        let built_in = || texts.get(&format!("offer.{}.{what}", offer.id));
        own.as_ref().map_or_else(built_in, Message::plain)
    };
    let count = |number: Option<u32>| Message::plain(number.unwrap_or_default());
    let why = unfit.map(|unfit| match unfit {
        OfferMismatch::Retired => texts.get("reason.retired"),
        OfferMismatch::Vram => texts.fill("reason.vram", vec![("vram", count(need.vram))]),
        OfferMismatch::Unknown => texts.fill("reason.unknown", vec![("vram", count(need.vram))]),
        OfferMismatch::Software => texts.get("reason.software"),
        OfferMismatch::Hours => texts
            .fill("reason.hours", vec![("has", count(offer.hours)), ("hours", count(need.hours))]),
        OfferMismatch::Spend => {
            texts.fill("reason.spend", vec![("spend", price(need.spend.unwrap_or_default()))])
        }
    });
    OfferInfo {
        id: offer.id.clone(),
        name: offer.name.clone(),
        kind: offer.kind,
        status: offer.status,
        gives: words(&offer.gives, "gives"),
        limits: words(&offer.limits, "limits"),
        price: words(&offer.price, "price"),
        size: offer.size(need).map(|size| size.name.clone()),
        usd: offer.rate(need),
        per: offer.per,
        month_usd: offer.month_usd(need),
        vram: offer.vram(need),
        link: offer.link.clone(),
        source: offer.source.clone(),
        as_of: offer.as_of.clone(),
        sure: offer.sure,
        stale: basics().age.is_old(&offer.as_of, today),
        unfit,
        why,
    }
}

/// A sum of money, with two digits behind the point where it is not whole.
pub fn price(usd: f64) -> Message {
    Message::number(if usd.fract() == 0.0 { format!("{usd:.0}") } else { format!("{usd:.2}") })
}
