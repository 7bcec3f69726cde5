//! Downloads that run ahead of the steps: while apt works, or a layer is installed, the next packages come in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use aitk_env::{Backend, EnvError, FetchProgress, Settings};
use aitk_plan::{Locked, LockedLayer};
use aitk_system::{Failure, interrupted, message};

use crate::error::ExecError;
use crate::report::{Event, Reporter};

/// How often a waiting step says how far its downloads are.
const POLL_INTERVAL: Duration = Duration::from_millis(150);

/// The downloads of a run, layer by layer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Downloads {
    layers: Arc<Mutex<BTreeMap<String, Arc<LayerDownload>>>>,
}

#[derive(Debug, Default)]
struct LayerDownload {
    packages: Vec<Locked>,
    total: u64,
    bytes: AtomicU64,
    result: Mutex<Option<Result<(), EnvError>>>,
    ended: Condvar,
}

impl FetchProgress for LayerDownload {
    fn bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
    }
}

impl Downloads {
    /// Begins to download the packages of these layers, in this order, in the background. What has been begun already
    /// goes on.
    pub fn begin(
        &self,
        settings: &Settings,
        backend: &'static dyn Backend,
        layers: &[LockedLayer],
    ) {
        let mut queue = Vec::new();
        let mut known = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        for layer in layers.iter().filter(|layer| !layer.packages.is_empty()) {
            if known.get(&layer.step).is_some_and(|begun| begun.packages == layer.packages) {
                continue;
            }
            let packages = layer.packages.clone();
            let total = packages.iter().filter_map(|locked| locked.package.size).sum();
            let download = LayerDownload { packages, total, ..LayerDownload::default() };
            let download = Arc::new(download);
            known.insert(layer.step.clone(), Arc::clone(&download));
            queue.push(download);
        }
        drop(known);
        let settings = settings.clone();
        let waiting = queue.clone();
        let begun = thread::Builder::new().spawn(move || {
            for download in queue {
                let packages: Vec<&Locked> = download.packages.iter().collect();
                let result = backend.fetch(&settings, &packages, &*download);
                *download.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                download.ended.notify_all();
            }
        });
        if let Err(source) = begun
            && let Some(first) = waiting.first()
        {
            let failed =
                EnvError::System(Failure::IoOf { what: message!("the downloads"), source });
            *first.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(Err(failed));
        }
    }

    /// Whether the downloads of a layer have begun: they take up the room that its step was said to need.
    pub fn begun(&self, step: &str) -> bool {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(step)
    }

    /// Waits until a layer's packages are there.
    pub fn wait(&self, step: &str, reporter: &dyn Reporter) -> Result<(), ExecError> {
        let known = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(download) = known.get(step).map(Arc::clone) else { return Ok(()) };
        drop(known);
        let mut result = download.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let done = download.bytes.load(Ordering::Relaxed).min(download.total);
            reporter.event(&Event::Progress { step, done, total: download.total });
            if let Some(result) = result.take() {
                return result.map_err(ExecError::from);
            }
            if interrupted() {
                return Err(ExecError::System(Failure::Interrupted));
            }
            (result, _) = download
                .ended
                .wait_timeout(result, POLL_INTERVAL)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
