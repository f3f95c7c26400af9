//! [`Watch`]: carries what change sources tell to the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_core::{Alias, Call, ChangeSource, Journal};

#[cfg(feature = "shared-journal")]
use super::telling::tell;

/// Change sources, and the journal that they tell.
pub struct Watch {
    journal: Arc<dyn Journal>,
    sources: BTreeMap<Alias, Box<dyn ChangeSource>>,
    /// Whether other processes read it too.
    shared: bool,
}

impl Watch {
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        sources: BTreeMap<Alias, Box<dyn ChangeSource>>,
        shared: bool,
    ) -> Self {
        Self { journal, sources, shared }
    }

    /// One task per source, which runs until it is dropped. `call` makes a call for each append.
    pub fn tasks(
        self,
        call: impl Fn() -> Call + Clone + Send + Sync + 'static,
    ) -> Vec<impl Future<Output = ()> + Send + 'static> {
        let Self { journal, sources, shared } = self;
        #[cfg(not(feature = "shared-journal"))]
        let _ = shared;
        sources
            .into_iter()
            .map(|(alias, mut source)| {
                let (journal, call) = (Arc::clone(&journal), call.clone());
                async move {
                    loop {
                        let changes = source.next().await;
                        if changes.is_empty() {
                            continue;
                        }
                        let count = changes.len();
                        #[cfg(feature = "shared-journal")]
                        let told = tell(&*journal, &call, &alias, changes, shared).await;
                        // A journal of this process is never away.
                        #[cfg(not(feature = "shared-journal"))]
                        let told = journal.append(&call(), &changes).await;
                        match told {
                            Ok(_) => tracing::info!(provider = %alias, changes = count, "secrets changed"),
                            Err(error) => tracing::warn!(provider = %alias, %error, "the journal took no changes"),
                        }
                    }
                }
            })
            .collect()
    }
}
