//! A logistic regression, evaluated without a session. The ONNX file stays the truth: its graph is read at load, and whatever
//! is not the regression that model/training/logistic.py writes is left to ONNX Runtime.

use super::graph::{Graph, Node};

type Expected = (
    &'static str,
    &'static [&'static str],
    &'static str,
    Option<i64>,
);

/// Operators with their inputs and output; of a `Cast`, what it casts to: float64 (11) or float32 (1).
const NODES: [Expected; 16] = [
    ("Sub", &["features", "mean"], "centred", None),
    ("Mul", &["centred", "inverse"], "scaled", None),
    ("Max", &["scaled", "low"], "within", None),
    ("Min", &["within", "whole_high"], "whole_clipped", None),
    ("Cast", &["whole_clipped"], "whole_terms", Some(11)),
    (
        "MatMul",
        &["whole_terms", "whole_weights"],
        "whole_weighted",
        None,
    ),
    ("Add", &["whole_weighted", "whole_bias"], "whole", None),
    ("Min", &["within", "wary_high"], "wary_clipped", None),
    ("Cast", &["wary_clipped"], "wary_terms", Some(11)),
    (
        "MatMul",
        &["wary_terms", "wary_weights"],
        "wary_weighted",
        None,
    ),
    ("Add", &["wary_weighted", "wary_bias"], "wary", None),
    ("Max", &["whole", "wary"], "larger", None),
    ("Mul", &["larger", "slope"], "steep", None),
    ("Add", &["steep", "intercept"], "logit", None),
    ("Sigmoid", &["logit"], "exact", None),
    ("Cast", &["exact"], "probability", Some(1)),
];

/// Two weighted sums of scaled features, the larger of which counts.
pub struct Logistic {
    features: Vec<Feature>,
    /// A scaled feature counts no further below its mean.
    low: f32,
    whole_bias: f64,
    wary_bias: f64,
    slope: f64,
    intercept: f64,
}

struct Feature {
    mean: f32,
    /// 1 / scale.
    inverse: f32,
    whole: Term,
    wary: Term,
}

#[derive(Clone, Copy)]
struct Term {
    /// The scaled feature counts no further above its mean.
    high: f32,
    weight: f64,
}

impl Logistic {
    /// `None` where the file holds another graph, or one of other than `width` features.
    pub fn read(model: &[u8], width: usize) -> Option<Self> {
        let graph = Graph::read(model)?;
        if graph.nodes.len() != NODES.len() || !graph.nodes.iter().zip(NODES).all(is) {
            return None;
        }
        let number = |name| Some(*graph.doubles(name, 1)?.first()?);
        let terms = |high, weights| {
            let high = graph.floats(high, width)?.iter();
            let weights = graph.doubles(weights, width)?.iter();
            Some(
                high.zip(weights)
                    .map(|(&high, &weight)| Term { high, weight }),
            )
        };
        let mean = graph.floats("mean", width)?.iter();
        let inverse = graph.floats("inverse", width)?.iter();
        let (whole, wary) = (
            terms("whole_high", "whole_weights")?,
            terms("wary_high", "wary_weights")?,
        );
        let features = mean.zip(inverse).zip(whole.zip(wary));
        let features = features.map(|((&mean, &inverse), (whole, wary))| Feature {
            mean,
            inverse,
            whole,
            wary,
        });
        Some(Self {
            features: features.collect(),
            low: *graph.floats("low", 1)?.first()?,
            whole_bias: number("whole_bias")?,
            wary_bias: number("wary_bias")?,
            slope: number("slope")?,
            intercept: number("intercept")?,
        })
    }

    /// The probability of one row: scaled in float32, summed in float64. ONNX Runtime adds in another order, or fuses; what
    /// that moves in the last bits of a float64 is gone in the float32.
    pub fn predict(&self, row: &[f32]) -> f32 {
        let (mut whole, mut wary) = (0.0, 0.0);
        for (value, feature) in row.iter().zip(&self.features) {
            let scaled = (value - feature.mean) * feature.inverse;
            // Comparisons, not `max` and `min`: what is not a number shall stay so.
            let within = if scaled < self.low { self.low } else { scaled };
            whole += feature.whole.of(within);
            wary += feature.wary.of(within);
        }
        let (whole, wary) = (whole + self.whole_bias, wary + self.wary_bias);
        let larger = if wary > whole { wary } else { whole };
        sigmoid(larger * self.slope + self.intercept) as f32
    }
}

impl Term {
    #[inline]
    fn of(self, within: f32) -> f64 {
        let clipped = if within > self.high {
            self.high
        } else {
            within
        };
        f64::from(clipped) * self.weight
    }
}

/// As ONNX Runtime computes it: of the far negative only so many digits are left.
fn sigmoid(x: f64) -> f64 {
    let far = 1.0 / (1.0 + (-x.abs()).exp());
    if x >= 0.0 { far } else { 1.0 - far }
}

fn is((node, (operator, inputs, output, to)): (&Node, Expected)) -> bool {
    let attributes = node.attributes.iter().map(|a| (a.name.as_str(), a.number));
    node.operator == operator
        && node.domain.is_empty()
        && node.inputs == inputs
        && node.outputs == [output]
        && attributes.eq(to.map(|to| ("to", to)))
}

#[cfg(test)]
mod tests;
