//! Files that other programs read and write: Keras, PyTorch, TFLite and ONNX, and those of earlier versions of this one.

mod backbone_interop;
mod backbones;
mod checkpoint_files;
mod export;
mod export_onnx;
mod export_pytorch;
mod export_tflite;
mod formats;
mod keras_interop;
mod keras_layers;
mod using_exports;
mod using_models;

#[path = "../support/place.rs"]
mod place;
#[path = "../support/trained.rs"]
mod trained;
