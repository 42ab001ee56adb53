//! The names of a flow, and where it leads to, in its line.

use serde::Serialize;

use crate::model::flow::FlowRecord;
use crate::model::names::{FlowNames, HostName, Name};
use crate::model::place::AddressRange;

/// The names and the place of the other end. An unknown one is absent.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NameFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name_asked_by: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    remote_name_outer: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remote_names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dns_questions: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<&'static str>,
}

impl<'a> NameFields<'a> {
    pub(super) fn new(flow: &'a FlowRecord) -> Self {
        let remote: Option<&HostName> = flow.remote_name();
        let names = flow.names.as_deref();
        let place = flow.place();
        let all = names.filter(|names| !names.others.is_empty());
        Self {
            remote_name: remote.map(|remote| remote.name.as_str()),
            remote_name_source: remote.map(|remote| remote.source.name()),
            remote_name_asked_by: remote.map(|remote| remote.asked_by.name()),
            remote_name_outer: remote.is_some_and(|remote| remote.may_be_outer),
            remote_names: all
                .into_iter()
                .flat_map(FlowNames::of_remote)
                .map(Name::as_str)
                .collect(),
            dns_questions: flow.dns_questions().iter().map(Name::as_str).collect(),
            country: flow.country().map(|country| &*country.code),
            city: place.and_then(|place| place.city.as_deref()),
            asn: place.and_then(|place| place.asn),
            network_name: place.and_then(|place| place.network_name.as_deref()),
            range: flow.range().map(AddressRange::name),
        }
    }
}
