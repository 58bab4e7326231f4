//! The fields of a transaction that only its execution needs.

use crate::tx::Extras;

impl Extras {
    /// Of a transaction's JSON object, which has been read before.
    ///
    /// # Errors
    /// In words: a field is not what it should be.
    pub fn of_object(object: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(object)
            .map_err(|error| format!("a field beside the usual ones: {error}"))
    }
}
