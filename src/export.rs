//! A trained network as a file for another program: ONNX, TFLite, safetensors. Every format is written from one list of
//! plain operations ([`lower`]) and checked before it is kept.

pub mod lower;
pub mod onnx;
