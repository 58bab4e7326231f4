//! Somebody who watches an execution beside the tracer, for what only it needs to know.

use super::tracer::Tracer;
use alloy_primitives::{Address, Log, U256};
use revm::Inspector;
use revm::context_interface::ContextTr;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter};

/// Sees each instruction before it is executed, and where frames begin and end. Changes nothing.
pub trait Watch {
    fn step(&mut self, _: &Interpreter<EthInterpreter>) {}

    /// A frame begins; a creation's without inputs.
    fn enter(&mut self, _: Option<&CallInputs>) {}

    fn leave(&mut self) {}
}

/// Nobody.
impl Watch for () {}

/// The tracer, and who watches beside it.
pub(super) struct Watched<W> {
    pub tracer: Tracer,
    pub watch: W,
}

impl<CTX: ContextTr, W: Watch> Inspector<CTX, EthInterpreter> for Watched<W> {
    #[inline]
    fn step(&mut self, interp: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        self.watch.step(interp);
        self.tracer.step(interp, context);
    }

    fn log(&mut self, context: &mut CTX, log: Log) {
        self.tracer.log(context, log);
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.watch.enter(Some(inputs));
        self.tracer.call(context, inputs)
    }

    fn call_end(&mut self, context: &mut CTX, inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.watch.leave();
        self.tracer.call_end(context, inputs, outcome);
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.watch.enter(None);
        self.tracer.create(context, inputs)
    }

    fn create_end(
        &mut self,
        context: &mut CTX,
        inputs: &CreateInputs,
        outcome: &mut CreateOutcome,
    ) {
        self.watch.leave();
        self.tracer.create_end(context, inputs, outcome);
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        Inspector::<CTX, EthInterpreter>::selfdestruct(&mut self.tracer, contract, target, value);
    }
}
