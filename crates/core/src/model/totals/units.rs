//! Sums by unit, by container and by pod.

use std::fmt;

use flowner_attribution::{Ownership, Pod, Unit, UnitKind};

use super::{Key, Totals};
use crate::model::flow::FlowRecord;

/// The service, container or sandbox of an owner; `None` if it is in none, in several, or unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitGroup(pub Option<Unit>);

/// The container of an owner; `None` if it is in none, in several, or unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerGroup(pub Option<Unit>);

/// The pod of an owner's container; `None` if it is in none, in several, or unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodGroup(pub Option<Pod>);

impl UnitGroup {
    fn of(owner: Option<&Ownership>) -> Self {
        Self(unit_of(owner).cloned())
    }
}

impl ContainerGroup {
    fn of(owner: Option<&Ownership>) -> Self {
        let unit = unit_of(owner);
        let container = unit.filter(|unit| unit.kind == UnitKind::Container);
        Self(container.cloned())
    }
}

impl PodGroup {
    fn of(owner: Option<&Ownership>) -> Self {
        let container = unit_of(owner).and_then(Unit::container);
        Self(container.and_then(|container| container.pod.clone()))
    }
}

fn unit_of(owner: Option<&Ownership>) -> Option<&Unit> {
    owner?.verdict.unit()
}

impl Key for UnitGroup {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        for share in flow.shares() {
            add(Self::of(share.owner), &share.totals);
        }
    }
}

impl Key for ContainerGroup {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        for share in flow.shares() {
            add(Self::of(share.owner), &share.totals);
        }
    }
}

impl Key for PodGroup {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        for share in flow.shares() {
            add(Self::of(share.owner), &share.totals);
        }
    }
}

impl fmt::Display for UnitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(unit) => unit.fmt(f),
            None => f.write_str("no unit"),
        }
    }
}

/// With the image, if known: `web (nginx:1.27)`.
impl fmt::Display for ContainerGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(unit) = &self.0 else {
            return f.write_str("no container");
        };
        f.write_str(&unit.short_name())?;
        match unit.container().and_then(|it| it.image.clone()) {
            Some(image) => write!(f, " ({image})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PodGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(pod) => pod.fmt(f),
            None => f.write_str("no pod"),
        }
    }
}
