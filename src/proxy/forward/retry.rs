//! Whether a request that was not answered is sent again, and where.

use http::Method;

use super::upstream::RequestFate;

/// What is known of a request that decides whether it may be sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryPolicy {
    is_idempotent: bool,
    has_body: bool,
}

/// Why an attempt to have a request answered has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailedAttempt {
    /// No connection to the member could be made.
    Unreachable,
    /// This machine could open no connection, which says nothing about the member.
    Shortage,
    /// A new connection broke off before the answer.
    NewConnection(RequestFate),
    /// A connection that had been kept broke off: perhaps the member had closed it before, which says nothing about the member.
    KeptConnection(RequestFate),
}

/// What is done after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// The request may go to any member, but on a new connection: it is not to go through all that have been kept.
    OnNewConnection,
    /// The request goes to another member.
    AtOtherMember,
    /// The client is answered 502.
    Never,
}

impl RetryPolicy {
    pub(super) fn new(method: &Method, has_body: bool) -> Self {
        Self { is_idempotent: is_idempotent(method), has_body }
    }

    /// Whether the request may be sent again whatever has become of it.
    pub(super) fn is_repeatable(self) -> bool {
        self.is_idempotent && !self.has_body
    }

    /// What is done after a failed attempt. A proxy may repeat a request that has an idempotent method, or of which the server has
    /// got nothing (RFC 9110 section 9.2.2). A body is streamed, and not kept to be sent again.
    ///
    /// | what had been sent of the request | idempotent, no body | other method, no body | with a body |
    /// | --- | --- | --- | --- |
    /// | nothing: no connection | again | again | again |
    /// | nothing: the connection broke off | again | again | never |
    /// | some or all of it | again | never | never |
    pub(super) fn may_retry(self, failed: FailedAttempt) -> Retry {
        let (fate, retry) = match failed {
            FailedAttempt::Unreachable | FailedAttempt::Shortage => return Retry::AtOtherMember,
            FailedAttempt::NewConnection(fate) => (fate, Retry::AtOtherMember),
            FailedAttempt::KeptConnection(fate) => (fate, Retry::OnNewConnection),
        };
        match fate {
            _ if self.has_body => Retry::Never,
            RequestFate::Unsent => retry,
            RequestFate::Begun if self.is_idempotent => retry,
            RequestFate::Begun | RequestFate::BodyFailed => Retry::Never,
        }
    }
}

/// Whether a method is idempotent (RFC 9110 section 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_repeated_as_the_table_says() {
        use RequestFate::{Begun, Unsent};
        let again = |method: &Method, has_body, fate| {
            let policy = RetryPolicy::new(method, has_body);
            let new = policy.may_retry(FailedAttempt::NewConnection(fate));
            let kept = policy.may_retry(FailedAttempt::KeptConnection(fate));
            assert_eq!(policy.may_retry(FailedAttempt::Unreachable), Retry::AtOtherMember);
            match (new, kept) {
                (Retry::AtOtherMember, Retry::OnNewConnection) => true,
                (Retry::Never, Retry::Never) => false,
                other => panic!("{other:?}"),
            }
        };
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS] {
            assert!(again(&method, false, Unsent) && again(&method, false, Begun), "{method}");
            assert!(!again(&method, true, Unsent) && !again(&method, true, Begun), "{method}");
        }
        for method in [Method::POST, Method::PATCH] {
            assert!(again(&method, false, Unsent) && !again(&method, false, Begun), "{method}");
            assert!(!again(&method, true, Unsent) && !again(&method, true, Begun), "{method}");
        }
    }
}
