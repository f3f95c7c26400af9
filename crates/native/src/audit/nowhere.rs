//! [`Unaudited`]: audit records that nobody wants.

use lockstep_core::{AuditRecord, AuditSink, Result};

/// `audit.sink = "none"`, and a command that a person watches.
#[derive(Debug, Clone, Copy)]
pub struct Unaudited;

impl AuditSink for Unaudited {
    fn write(&self, _: &AuditRecord) -> Result<()> {
        Ok(())
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn lost(&self) -> u64 {
        0
    }
}
