//! The counters of a policy.

/// What the policy has done so far, and how full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PolicyStatistics {
    /// Requests so far.
    pub lookups: u64,
    /// Of these, those that the cache answered at once.
    pub from_cache: u64,
    /// Those that an earlier snapshot answered.
    pub from_history: u64,
    /// Observations from observers.
    pub observations: u64,
    /// Requests that an observation answered. The other observations were about flows without a
    /// request, came late, or did not hold.
    pub from_observation: u64,
    /// Requests to the socket table.
    pub table_requests: u64,
    /// Requests that the bound on waiting ones refused or dropped.
    pub overflow: u64,
    /// Answers and sockets that the bounds of cache and history dropped or refused.
    pub forgotten: u64,
    /// Queries that wait now.
    pub waiting: usize,
    /// Answers in the cache now.
    pub cached: usize,
    /// Sockets in the history now.
    pub remembered: usize,
}
