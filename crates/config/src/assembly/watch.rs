//! [`Watch`]: carries what change sources tell to the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_core::{Alias, Call, ChangeSource, Journal};

/// Change sources, and the journal that they tell.
pub struct Watch {
    journal: Arc<dyn Journal>,
    sources: BTreeMap<Alias, Box<dyn ChangeSource>>,
    /// Whether other processes read it too.
    #[cfg(any(feature = "dynamodb", feature = "redis", feature = "feed"))]
    shared: bool,
}

impl Watch {
    pub(super) fn new(journal: Arc<dyn Journal>, sources: BTreeMap<Alias, Box<dyn ChangeSource>>) -> Self {
        Self {
            journal,
            sources,
            #[cfg(any(feature = "dynamodb", feature = "redis", feature = "feed"))]
            shared: false,
        }
    }

    /// The same for a journal that other processes read too.
    #[cfg(any(feature = "dynamodb", feature = "redis", feature = "feed"))]
    pub(super) fn shared(self, shared: bool) -> Self {
        Self { shared, ..self }
    }

    /// One task per source, which runs until it is dropped. `call` makes a call for each append.
    pub fn tasks(
        self,
        call: impl Fn() -> Call + Clone + Send + Sync + 'static,
    ) -> Vec<impl Future<Output = ()> + Send + 'static> {
        let journal = self.journal;
        #[cfg(any(feature = "dynamodb", feature = "redis", feature = "feed"))]
        let shared = self.shared;
        self.sources
            .into_iter()
            .map(|(alias, mut source)| {
                let (journal, call) = (Arc::clone(&journal), call.clone());
                async move {
                    loop {
                        let changes = source.next().await;
                        if changes.is_empty() {
                            continue;
                        }
                        #[cfg(any(feature = "dynamodb", feature = "redis", feature = "feed"))]
                        let changes = if shared { super::telling::for_others(changes) } else { changes };
                        #[cfg(any(feature = "dynamodb", feature = "redis", feature = "feed"))]
                        let taken = super::telling::insist(&*journal, &call, &alias, &changes).await;
                        #[cfg(not(any(feature = "dynamodb", feature = "redis", feature = "feed")))]
                        let taken = journal.append(&call(), &changes).await;
                        match taken {
                            Ok(_) => tracing::info!(provider = %alias, changes = changes.len(), "secrets changed"),
                            Err(error) => tracing::warn!(provider = %alias, %error, "the journal took no changes"),
                        }
                    }
                }
            })
            .collect()
    }
}
