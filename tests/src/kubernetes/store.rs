//! The objects of the fake cluster, each change of which has a number.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::resource::ResourceType;
use super::status::{ApiError, ApiResult};

/// Changes that are kept for watches. Older ones are forgotten, as by a real cluster.
const HISTORY_LIMIT: usize = 20_000;

/// Names one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectKey {
    group: &'static str,
    plural: &'static str,
    /// Empty for objects that are in no namespace.
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A change of one object.
#[derive(Debug, Clone)]
pub(super) struct ObjectChange {
    pub(super) revision: u64,
    pub(super) key: ObjectKey,
    /// The object before; `None` if it was created.
    pub(super) before: Option<Arc<Value>>,
    /// The object after. The last state of one that was removed, with the revision of its removal.
    pub(super) after: Arc<Value>,
    pub(super) removed: bool,
}

/// All objects. Each operation is atomic.
#[derive(Debug)]
pub(super) struct ObjectStore {
    content: Mutex<StoreContent>,
    /// The revision, for who waits for changes.
    revision: watch::Sender<u64>,
}

#[derive(Debug)]
struct StoreContent {
    revision: u64,
    /// Changes up to this revision are forgotten.
    forgotten: u64,
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    history: VecDeque<ObjectChange>,
}

impl ObjectKey {
    pub(super) fn new(resource: &ResourceType, namespace: &str, name: &str) -> Self {
        Self {
            group: resource.group,
            plural: resource.plural,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Returns whether the object is of this type, and in this namespace if one is given.
    pub(super) fn is_of(&self, resource: &ResourceType, namespace: &str) -> bool {
        self.group == resource.group
            && self.plural == resource.plural
            && (namespace.is_empty() || self.namespace == namespace)
    }
}

impl ObjectStore {
    pub(super) fn new() -> Self {
        let content = StoreContent {
            revision: 1,
            forgotten: 0,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
        };
        Self { content: Mutex::new(content), revision: watch::Sender::new(1) }
    }

    /// Adds an object. `None` if there is one of this name.
    pub(super) fn insert(&self, key: ObjectKey, object: Value) -> Option<Arc<Value>> {
        let mut content = self.content();
        if content.objects.contains_key(&key) {
            return None;
        }
        let object = content.put(key, None, object);
        self.revision.send_replace(content.revision);
        Some(object)
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.content().objects.get(key).cloned()
    }

    /// Returns the objects of a type, and the revision at which they were so.
    pub(super) fn list(&self, resource: &ResourceType, namespace: &str) -> (Vec<Arc<Value>>, u64) {
        let content = self.content();
        let objects = content.objects.iter().filter(|(key, _)| key.is_of(resource, namespace));
        (objects.map(|(_, object)| Arc::clone(object)).collect(), content.revision)
    }

    /// Changes an object, and returns it. Nothing happens if `change` fails or changes nothing.
    ///
    /// # Errors
    /// Those of `change`.
    pub(super) fn update<E>(
        &self,
        key: &ObjectKey,
        change: impl FnOnce(&mut Value) -> Result<(), E>,
    ) -> Result<Option<Arc<Value>>, E> {
        let mut content = self.content();
        let Some(before) = content.objects.get(key).cloned() else { return Ok(None) };
        let mut object = Value::clone(&before);
        change(&mut object)?;
        if object == *before {
            return Ok(Some(before));
        }
        let object = content.put(key.clone(), Some(before), object);
        self.revision.send_replace(content.revision);
        Ok(Some(object))
    }

    /// Removes an object if `may` says so, and returns its last state.
    pub(super) fn remove_if(
        &self,
        key: &ObjectKey,
        may: impl FnOnce(&Value) -> bool,
    ) -> Option<Arc<Value>> {
        let mut content = self.content();
        if !may(content.objects.get(key)?) {
            return None;
        }
        let before = content.objects.remove(key)?;
        content.revision += 1;
        let mut last = Value::clone(&before);
        last["metadata"]["resourceVersion"] = content.revision.to_string().into();
        let after = Arc::new(last);
        let revision = content.revision;
        let key = key.clone();
        let before = Some(before);
        content.record(ObjectChange {
            revision,
            key,
            before,
            after: Arc::clone(&after),
            removed: true,
        });
        self.revision.send_replace(revision);
        Some(after)
    }

    /// Returns the changes after a revision.
    ///
    /// # Errors
    /// 410 if not all of them are known.
    pub(super) fn since(&self, revision: u64) -> ApiResult<Vec<ObjectChange>> {
        let content = self.content();
        if revision < content.forgotten {
            return Err(ApiError::expired(revision, content.forgotten));
        }
        let after = content.history.partition_point(|change| change.revision <= revision);
        Ok(content.history.range(after..).cloned().collect())
    }

    /// Forgets all changes so far, so that who has not seen them must list again.
    pub(super) fn forget(&self) {
        let mut content = self.content();
        content.revision += 1;
        content.forgotten = content.revision;
        content.history.clear();
        self.revision.send_replace(content.revision);
    }

    /// A receiver that learns of each change.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub(super) fn revision(&self) -> u64 {
        self.content().revision
    }

    fn content(&self) -> MutexGuard<'_, StoreContent> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreContent {
    fn put(&mut self, key: ObjectKey, before: Option<Arc<Value>>, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let after = Arc::new(object);
        self.objects.insert(key.clone(), Arc::clone(&after));
        let revision = self.revision;
        let change =
            ObjectChange { revision, key, before, after: Arc::clone(&after), removed: false };
        self.record(change);
        after
    }

    fn record(&mut self, change: ObjectChange) {
        if self.history.len() == HISTORY_LIMIT
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.revision;
        }
        self.history.push_back(change);
    }
}
