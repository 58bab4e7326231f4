//! What people look into the sensor with: one transaction at a time, or one stage.

pub mod analyzer;
pub mod inspect;
pub mod measure;
pub mod rules;
pub mod schema;
