//! The fields of a line: its owner, unit, names and times.

use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{Match, Ownership, Process, Unit, UnitKind, User, Verdict};

use crate::model::flow::FlowRecord;
use crate::model::names::{FlowNames, Name};
use crate::model::place::AddressRange;
use crate::model::principal::Principal;

pub(super) fn unit_fields(unit: Option<&Unit>) -> [String; 5] {
    let Some(unit) = unit else {
        return [const { String::new() }; 5];
    };
    let container = unit.container();
    let container = container.as_deref();
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        unit.kind.name().to_owned(),
        unit.name.clone(),
        text(container.and_then(|it| it.name.clone())),
        text(container.and_then(|it| it.image.clone())),
        text(container.and_then(|it| Some(it.pod.as_ref()?.to_string()))),
    ]
}

/// A unit with its whole name, which is for programs.
pub(super) fn whole(unit: &Unit) -> String {
    match unit.kind {
        UnitKind::Container => {
            let user = unit.user.map(|user| format!(" (uid {user})"));
            let user = user.unwrap_or_default();
            format!("{} {}{user}", unit.kind.name(), unit.name)
        }
        _ => unit.to_string(),
    }
}

/// The four fields of names.
pub(super) fn names(flow: &FlowRecord) -> [String; 4] {
    let joined = |names: &[Name]| {
        let texts: Vec<&str> = names.iter().map(Name::as_str).collect();
        texts.join("; ")
    };
    let all = flow.names.as_deref().filter(|it| !it.others.is_empty());
    let all: Vec<Name> = all
        .into_iter()
        .flat_map(FlowNames::of_remote)
        .cloned()
        .collect();
    let remote = flow.remote_name();
    [
        remote.map(|it| it.name.to_string()).unwrap_or_default(),
        remote.map(|it| it.source.to_string()).unwrap_or_default(),
        joined(&all),
        joined(flow.dns_questions()),
    ]
}

/// The five fields of where the remote end is.
pub(super) fn place(flow: &FlowRecord) -> [String; 5] {
    let place = flow.place();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    [
        text(flow.country().map(|country| &*country.code)),
        text(place.and_then(|place| place.city.as_deref())),
        place
            .and_then(|place| place.asn)
            .map(|asn| asn.to_string())
            .unwrap_or_default(),
        text(place.and_then(|place| place.network_name.as_deref())),
        text(flow.range().map(AddressRange::name)),
    ]
}

/// The nine fields of an owner; all empty where nobody was asked.
pub(super) fn owner(owner: Option<&Ownership>, principal: &Principal) -> [String; 9] {
    let Some(Ownership {
        verdict, evidence, ..
    }) = owner
    else {
        return std::array::from_fn(|_| String::new());
    };
    let processes = verdict.processes();
    let of_each = |value: &dyn Fn(&Process) -> Option<String>| {
        let values: Vec<_> = processes
            .iter()
            .filter_map(|process| value(process))
            .collect();
        values.join("; ")
    };
    let name_of = |user: &User| user.name.clone().unwrap_or_else(|| user.id.to_string());
    let (reason, user, unit) = match verdict {
        Verdict::Unknown(reason) => (reason.name(), None, None),
        Verdict::Partial { user, unit } => ("", user.as_ref().map(name_of), unit.as_ref()),
        Verdict::Process(_) | Verdict::Shared(_) => ("", None, None),
    };
    let program = match principal {
        Principal::Unattributed => String::new(),
        principal => principal.to_string(),
    };
    [
        program,
        verdict.name().to_owned(),
        evidence
            .matched
            .map(Match::name)
            .unwrap_or_default()
            .to_owned(),
        reason.to_owned(),
        of_each(&|process| Some(process.pid.to_string())),
        of_each(&|process| Some(process.name.clone())),
        user.unwrap_or_else(|| of_each(&|process| process.user.as_ref().map(name_of))),
        of_each(&|process| Some(process.path.as_ref()?.to_string_lossy().into_owned())),
        unit.map_or_else(
            || of_each(&|process| process.unit.as_ref().map(whole)),
            whole,
        ),
    ]
}

/// Empty if RFC 3339 cannot represent it, and for zero.
pub(super) fn time(time: Duration) -> String {
    // The first second of the year 10000.
    const END: u64 = 253_402_300_800;
    if time.is_zero() || time.as_secs() >= END {
        return String::new();
    }
    humantime::format_rfc3339_micros(UNIX_EPOCH + time).to_string()
}
