//! The fields of a transaction that only its execution needs.

use super::notification_object;
use crate::tx::Extras;

impl Extras {
    /// Of a transaction's JSON object, or the notification around it, which have been read before.
    ///
    /// # Errors
    /// In words: a field is not what it should be.
    pub fn of_json(json: &[u8], is_notification: bool) -> Result<Self, String> {
        let read = |object: &[u8]| {
            serde_json::from_slice(object)
                .map_err(|error| format!("a field beside the usual ones: {error}"))
        };
        match is_notification {
            true => read(&notification_object(json).map_err(|error| error.to_string())?),
            false => read(json),
        }
    }
}
