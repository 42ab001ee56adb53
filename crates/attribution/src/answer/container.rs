//! What the table knows about a container besides its id.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

/// What container runtimes have recorded about a container.
///
/// All of it was chosen by the user who started the container. For a container of an ordinary user,
/// that user also writes the files ([`Unit::user`](crate::Unit::user)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Container {
    /// The name that a person or the pod gave the container.
    pub name: Option<String>,
    /// The image from which the container was made, such as `docker.io/library/nginx:1.27`.
    pub image: Option<String>,
    /// The Kubernetes pod that contains it.
    pub pod: Option<Pod>,
}

impl Container {
    /// A container of which the table knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether all fields are empty.
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.image.is_none() && self.pod.is_none()
    }
}

/// A Kubernetes pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Pod {
    /// The Kubernetes namespace of the pod.
    pub namespace: String,
    /// The name of the pod, unique in its namespace.
    pub name: String,
}

impl Pod {
    /// A pod by its namespace and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// `NAMESPACE/NAME`, as `kubectl` writes it.
impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A slot for the facts about a container, shared by all units of that container. A reader thread
/// may fill it at any time. Therefore the slot does not distinguish units: two slots are always
/// equal.
#[derive(Debug, Clone, Default)]
pub struct ContainerDetails(Arc<RwLock<Option<Arc<Container>>>>);

impl ContainerDetails {
    /// An empty slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// The facts, if a reader has filled the slot.
    pub fn get(&self) -> Option<Arc<Container>> {
        let details = self.0.read().unwrap_or_else(PoisonError::into_inner);
        details.clone()
    }

    /// Fills the slot for every unit that shares it.
    pub fn set(&self, container: Container) {
        let details = (!container.is_empty()).then(|| Arc::new(container));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = details;
    }

    /// Whether other units share the slot.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl PartialEq for ContainerDetails {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ContainerDetails {}

impl Hash for ContainerDetails {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Ord for ContainerDetails {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl PartialOrd for ContainerDetails {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ContainerDetails {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.get().as_deref().serialize(to)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ContainerDetails {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let container = Option::<Container>::deserialize(from)?;
        let details = Self::new();
        details.set(container.unwrap_or_default());
        Ok(details)
    }
}
