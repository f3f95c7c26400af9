//! A second copy of a payload, for providers that keep what they answer in memory.

use lockstep_core::{Field, Payload};

/// Copies a payload, every byte into buffers that are wiped.
pub(crate) fn duplicate(payload: &Payload) -> Payload {
    let copy = |field: &Field| Field { value: field.value.duplicate(), encoding: field.encoding };
    match payload {
        Payload::Whole(field) => Payload::Whole(copy(field)),
        Payload::Fields(fields) => {
            Payload::Fields(fields.iter().map(|(name, field)| (name.clone(), copy(field))).collect())
        }
    }
}
