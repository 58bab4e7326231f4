//! What people look into the sensor with: one transaction at a time, or one stage.

pub mod analyzer;
mod creation;
pub mod deployed;
mod input;
pub mod inspect;
pub mod measure;
mod nodes;
pub mod rehearse;
pub mod rules;
pub mod schema;
pub mod score;
