//! What holds on every machine and ages all the same (`profiles/catalog/basics.toml`), and when a row is old.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::version_pair;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basics {
    pub python: Pythons,
    pub age: Age,
    pub gpu_groups: GpuGroupTable,
    pub kernels: KernelFlavours,
}

/// Who may use the devices of AMD and Intel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GpuGroupTable {
    names: Vec<String>,
    source: String,
    as_of: String,
}

/// How packages of modules are called after the flavour of a kernel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelFlavours {
    named: BTreeMap<String, String>,
    newer: BTreeMap<String, String>,
    source: String,
    as_of: String,
}

/// The Pythons that are planned with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pythons {
    oldest: String,
    own: String,
    source: String,
    as_of: String,
}

/// When a row is old.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Age {
    pub days: i64,
    source: String,
    as_of: String,
}

static BASICS: LazyLock<Basics> = LazyLock::new(|| {
    let table = toml::from_str(aitk_system::builtin("catalog/basics.toml"));
    table.unwrap_or_else(|error| unreachable!("{error}"))
});

/// The table, which comes with the program.
pub(crate) fn basics() -> &'static Basics {
    &BASICS
}

/// Groups that may use the devices of AMD and Intel.
pub fn gpu_groups() -> &'static [String] {
    &basics().gpu_groups.names
}

impl GpuGroupTable {
    /// The row, as one that has decided.
    pub fn ground(&self) -> Ground {
        Ground::new("groups", self.names.join(" "), &self.source, &self.as_of)
    }
}

impl KernelFlavours {
    /// What packages are called after for a flavour in a release, whose kernel is the one that it shipped or a newer one.
    pub fn called(&self, flavour: &str, release: &str, is_shipped: bool) -> String {
        let newer = self.newer.get(flavour).filter(|_| !is_shipped);
        let name = self.named.get(flavour).or(newer).map_or(flavour, String::as_str);
        name.replace("{version}", release)
    }

    /// The row, as one that has decided.
    pub fn ground(&self) -> Ground {
        Ground::new("kernels", "ubuntu", &self.source, &self.as_of)
    }
}

/// Whether a row that was true on a day is old on another.
pub fn is_old(as_of: &str, today: &str) -> bool {
    basics().age.is_old(as_of, today)
}

/// How many days it is from one day to another; fewer than none where that is past.
pub fn days_until(until: &str, today: &str) -> Option<i64> {
    let date = |text: &str| text.parse::<jiff::civil::Date>().ok();
    Some(i64::from(date(today)?.until(date(until)?).ok()?.get_days()))
}

/// Days after which a row is old.
pub fn old_after() -> i64 {
    basics().age.days
}

impl Pythons {
    /// The oldest that the scientific libraries still have wheels for.
    pub fn oldest(&self) -> (u32, u32) {
        version_pair(&self.oldest).unwrap_or_default()
    }

    /// The one of an environment that brings its own.
    pub fn own(&self) -> (u32, u32) {
        version_pair(&self.own).unwrap_or_default()
    }

    /// The row, as one that has decided.
    pub fn ground(&self) -> Ground {
        Ground::new("python", &self.own, &self.source, &self.as_of)
    }
}

impl Age {
    /// Whether what was true on a day is old on another.
    pub fn is_old(&self, as_of: &str, today: &str) -> bool {
        let date = |text: &str| text.parse::<jiff::civil::Date>().ok();
        let (Some(then), Some(today)) = (date(as_of), date(today)) else { return false };
        today.since(then).is_ok_and(|age| i64::from(age.get_days()) > self.days)
    }

    /// The row, as one that has decided.
    pub fn ground(&self) -> Ground {
        Ground::new("age", self.days, &self.source, &self.as_of)
    }
}

/// A row that has decided something of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ground {
    /// Its table, and which row of it: `build cu132`.
    pub row: String,
    /// Where it comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    pub as_of: String,
}

impl Ground {
    pub(crate) fn new(table: &str, row: impl Display, source: &str, as_of: &str) -> Self {
        Self { row: format!("{table} {row}"), source: source.to_owned(), as_of: as_of.to_owned() }
    }
}
