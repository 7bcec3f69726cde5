//! The pinned uv is there, or the one that the user names.

use aitk_env::{
    Depth, cached_uv, fetch_uv, file_hash, find_uv, install_uv, note_of, own_uv, uv_wheel,
};
use aitk_plan::step::Uv;
use aitk_plan::{Package, Plan, Step};
use aitk_system::{Message, message};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Remedy, Work, not_ours};
use crate::context::Context;
use crate::error::ExecError;
use crate::report::Incoming;

impl Ensure for Uv {
    fn verified(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Message {
        match &cx.settings.uv {
            Some(named) => message!("{} is there, as the uv to use", named.display()),
            None => message!("uv {} is there", cx.catalog.uv.version),
        }
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        self.verify(cx, plan, step, cx.depth())
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        _: &Plan,
        _: &Step,
        depth: Depth,
    ) -> Result<CheckOutcome, ExecError> {
        let found = find_uv(cx.system, cx.catalog, cx.settings, depth == Depth::Content);
        Ok(match (found, &cx.settings.uv) {
            (Some(_), _) => CheckOutcome::Holds,
            (None, Some(named)) => {
                CheckOutcome::missing(message!("{} is not there", named.display()))
                    .helped_by(Remedy::Do(message!("name a uv that is there with --uv, or none")))
            }
            (None, None) => {
                CheckOutcome::missing(message!("there is no uv {}", cx.catalog.uv.version))
                    .helped_by(not_ours(cx, &own_uv(&cx.settings.data, cx.catalog)))
            }
        })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let pin = &cx.catalog.uv;
        let wheel = uv_wheel(cx.catalog, &cx.machine.arch);
        let cached = cached_uv(cx.system, cx.catalog, cx.settings, false).is_some();
        let pip = || Message::plain("python3 -I -m pip download");
        let way = match &cx.settings.index_url {
            _ if cached => message!("take from the cache"),
            Some(_) => message!("fetch from the index that is set"),
            None if cx.machine.python.is_empty() && !cx.settings.waited => {
                Message::or([message!("fetch from the conda channel"), pip()])
            }
            None => pip(),
        };
        let packages = wheel.map(|wheel| Package {
            name: "uv".to_owned(),
            version: pin.version.clone(),
            size: Some(wheel.size),
            sha256: Some(wheel.sha256.clone()),
            ..Package::default()
        });
        Ok(Exact::one(Step {
            commands: vec![message!("{way}: uv=={} (checked by its sha256)", pin.version)],
            packages: packages.into_iter().collect(),
            download: if cached { Some(0) } else { step.download },
            estimated: false,
            ..step.clone()
        }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let machine = cx.machine_now()?;
        let total = work.step.download.unwrap_or(0);
        let progress = Incoming::new(&work.step.id, total, work.reporter);
        let uv = fetch_uv(cx.system, &machine, cx.catalog, cx.settings, &progress)?;
        let path = install_uv(cx.system, &uv, cx.catalog, cx.settings)?;
        // The one that the user names stays the user's.
        let ours = cx.settings.uv.is_none().then(|| [path.clone(), note_of(&path)]);
        let ours = ours.into_iter().flatten();
        Ok(ours.map(|path| ReceiptEntry::path(&path, file_hash(&path, cx.system))).collect())
    }

    /// Whatever is among aitk's tools.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let tools = cx.settings.data.join("tools");
        let names = cx.system.list(&tools).unwrap_or_default().into_iter();
        let uvs = names.filter(|name| name.starts_with("uv-"));
        let programs = uvs.map(|name| tools.join(name).join("uv"));
        let files = programs.flat_map(|uv| [note_of(&uv), uv]);
        let there = files.filter(|path| cx.system.exists(path));
        there.map(|path| ReceiptEntry::path(&path, None)).collect()
    }
}
