//! What the benches share: transactions to measure on, as records and as JSON, and a node that only talks.
#![allow(dead_code)] // Each bench uses a part.

pub mod capture;
pub mod codes;
pub mod corpus;
pub mod feed;
pub mod figures;
pub mod machine;
pub mod samples;
pub mod sensor;
