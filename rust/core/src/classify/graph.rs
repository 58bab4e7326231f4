//! An ONNX file as far as an evaluator of our own must know it: its nodes and its constants. Messages and numbers of fields as
//! in onnx.proto; prost passes over all others.

use prost::Message;

const FLOAT: i32 = 1;
const DOUBLE: i32 = 11;

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    constants: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Node {
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    #[prost(string, tag = "4")]
    pub operator: String,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "3")]
    pub number: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(float, repeated, tag = "4")]
    floats: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(double, repeated, tag = "10")]
    doubles: Vec<f64>,
}

impl Graph {
    /// `None` where the bytes are no ONNX file.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        File::decode(bytes).ok()?.graph
    }

    /// The float32 values of a constant, where it has `count` of them.
    pub fn floats(&self, name: &str, count: usize) -> Option<&[f32]> {
        let tensor = self.constant(name, FLOAT)?;
        (tensor.floats.len() == count).then_some(&tensor.floats)
    }

    /// The same of a float64 one.
    pub fn doubles(&self, name: &str, count: usize) -> Option<&[f64]> {
        let tensor = self.constant(name, DOUBLE)?;
        (tensor.doubles.len() == count).then_some(&tensor.doubles)
    }

    fn constant(&self, name: &str, kind: i32) -> Option<&Tensor> {
        let mut named = self.constants.iter().filter(|tensor| tensor.name == name);
        named.next().filter(|tensor| tensor.kind == kind)
    }
}
