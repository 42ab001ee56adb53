//! What a policy counts.

/// What the policy did so far, and how full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PolicyStatistics {
    /// Questions asked.
    pub questions: u64,
    /// Of those, answered at once from an earlier answer.
    pub from_cache: u64,
    /// Answered by what an earlier look saw.
    pub from_history: u64,
    /// Observations that were pushed.
    pub observations: u64,
    /// Questions that one of them answered. The others were about flows that nobody asked for, came
    /// late, or were not believed.
    pub from_observation: u64,
    /// Requests to the socket table.
    pub requests: u64,
    /// Questions that the bound on waiting ones refused or dropped.
    pub overflow: u64,
    /// Kept answers and remembered sockets that their bounds dropped or refused.
    pub forgotten: u64,
    /// Questions that wait now.
    pub waiting: usize,
    /// Answers kept now.
    pub cached: usize,
    /// Sockets remembered now.
    pub remembered: usize,
}
