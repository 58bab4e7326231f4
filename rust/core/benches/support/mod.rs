//! What the benches share: real transactions where the data is, else the project's own samples; and a node that only talks.
#![allow(dead_code)] // Each bench uses a part.

pub mod feed;
pub mod samples;
