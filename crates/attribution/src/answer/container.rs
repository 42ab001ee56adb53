//! What is known of a container besides its id.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

/// What the programs that run containers have written about one of them.
///
/// Whoever starts the container chooses all of it. Of a container that an ordinary user runs, that user
/// writes the files ([`Unit::user`](crate::Unit::user)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Container {
    /// The name that people gave it, or that its pod gives it.
    pub name: Option<String>,
    /// The image that it was made of, such as `docker.io/library/nginx:1.27`.
    pub image: Option<String>,
    /// The pod of Kubernetes that it is in.
    pub pod: Option<Pod>,
}

impl Container {
    /// Nothing is known of it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is known of it.
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.image.is_none() && self.pod.is_none()
    }
}

/// A pod of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Pod {
    /// The namespace of Kubernetes that it is in.
    pub namespace: String,
    /// Its name, which is the only one in its namespace.
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

/// A place for what is known of a container. All units of the container share it, and it may become known
/// at any time: so it does not tell one unit from another, and two places are always equal.
#[derive(Debug, Clone, Default)]
pub struct ContainerDetails(Arc<RwLock<Option<Arc<Container>>>>);

impl ContainerDetails {
    /// A place in which nothing is yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known by now.
    pub fn get(&self) -> Option<Arc<Container>> {
        let details = self.0.read().unwrap_or_else(PoisonError::into_inner);
        details.clone()
    }

    /// Tells all who share the place.
    pub fn set(&self, container: Container) {
        let details = (!container.is_empty()).then(|| Arc::new(container));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = details;
    }

    /// Whether somebody else shares the place.
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
