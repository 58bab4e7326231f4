//! One ONNX Runtime session with one thread, and the library it runs in.

use crate::error::{Error, Result};
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, TensorRef, ValueType};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

/// Names of a graph's input and output.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    pub input: &'a str,
    pub output: &'a str,
}

pub struct Session {
    inner: ort::session::Session,
    output: String,
    width: usize,
}

impl Session {
    /// Checks the graph's interface: one float32 input [N, `width`] and one float32 output [N] or [N, 1], named as `ends` says.
    pub fn open(
        library: &Path,
        name: &str,
        ends: Ends,
        width: usize,
        model: &[u8],
    ) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| Error::Model(format!("{name}: ONNX Runtime: {e}"));
        let environment = environment(library)?;
        let inner = ort::session::Session::builder(environment)
            .map_err(|e| failed(&e))?
            .with_intra_threads(1)
            .map_err(|e| failed(&e))?
            .with_inter_threads(1)
            .map_err(|e| failed(&e))?
            .with_intra_op_spinning(false)
            .map_err(|e| failed(&e))?
            // Batches differ in size: a pattern of allocations learned from one does not fit the next.
            .with_memory_pattern(false)
            .map_err(|e| failed(&e))?
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(|e| failed(&e))?
            .commit_from_memory(model)
            .map_err(|e| failed(&e))?;
        check(
            name,
            "input",
            ends.input,
            inner.inputs(),
            &format!("[N, {width}]"),
            |shape| matches!(shape, [_, w] if *w == width as i64),
        )?;
        check(
            name,
            "output",
            ends.output,
            inner.outputs(),
            "[N] or [N, 1]",
            |shape| matches!(shape, [_] | [_, 1 | -1]),
        )?;
        Ok(Self {
            inner,
            output: ends.output.to_owned(),
            width,
        })
    }

    /// `rows`: row-major [N, width]. Appends N probabilities to `out`.
    pub fn run(&mut self, rows: &[f32], out: &mut Vec<f32>) -> Result<()> {
        let failed = |e: ort::Error| Error::Model(format!("inference: {e}"));
        let shape = [rows.len() / self.width, self.width];
        let input = TensorRef::from_array_view((shape, rows)).map_err(failed)?;
        let outputs = self.inner.run(ort::inputs![input]).map_err(failed)?;
        let (_, p) = outputs[self.output.as_str()]
            .try_extract_tensor::<f32>()
            .map_err(failed)?;
        out.extend_from_slice(p);
        Ok(())
    }
}

fn check(
    model: &str,
    side: &str,
    expected: &str,
    outlets: &[ort::value::Outlet],
    expected_shape: &str,
    fits: impl Fn(&[i64]) -> bool,
) -> Result<()> {
    let found: Vec<_> = outlets
        .iter()
        .map(|o| format!("{} {}", o.name(), o.dtype()))
        .collect();
    let wrong = |what: &str| {
        Err(Error::Model(format!(
            "{model}: shape: {side} {expected:?} {what}; the graph has: {}",
            found.join(", ")
        )))
    };
    let Some(outlet) = outlets.iter().find(|o| o.name() == expected) else {
        return wrong("is not in the graph");
    };
    if side == "input" && outlets.len() != 1 {
        return wrong("is not the only input");
    }
    match outlet.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } if fits(shape) => Ok(()),
        _ => wrong(&format!("must be float32 {expected_shape}")),
    }
}

/// A process holds one ONNX Runtime: the first library loaded serves every session.
fn environment(library: &Path) -> Result<&'static Environment> {
    static LOADED: OnceLock<Environment> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    if let Some(environment) = LOADED.get() {
        return Ok(environment);
    }
    let _one_at_a_time = LOADING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if LOADED.get().is_none() {
        let failed = |e: &dyn std::fmt::Display| {
            Error::Model(format!(
                "ONNX Runtime at {}: {e}; is the onnxruntime package installed?",
                library.display()
            ))
        };
        let environment = ort::init_from(library)
            .map_err(|e| failed(&e))?
            .with_name("mempool-ids")
            .with_telemetry(false)
            .build()
            .map_err(|e| failed(&e))?;
        let _ = LOADED.set(environment);
    }
    LOADED
        .get()
        .ok_or_else(|| Error::Model("ONNX Runtime did not load".into()))
}
