"""Checks ONNX files and runs them with onnxruntime: argv[1] is a JSON list of {model, input, output}. One process for all
files, because the start takes longer than the work. Prints nothing when all is well.
"""

import json
import sys
import warnings

import numpy
import onnx
import onnxruntime

warnings.simplefilter("error")
onnxruntime.set_default_logger_severity(2)
wrong = []
with open(sys.argv[1]) as jobs:
    jobs = json.load(jobs)
for job in jobs:
    try:
        model = onnx.load(job["model"])
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        (single,) = model.graph.input
        batch = single.type.tensor_type.shape.dim[0]
        assert (single.name, model.graph.output[0].name, batch.dim_param) == ("images", "embeddings", "N")
        assert model.ir_version == 8 and model.opset_import[0].version == 17
        session = onnxruntime.InferenceSession(job["model"], providers=["CPUExecutionProvider"])
        images = numpy.load(job["input"])
        output = session.run(["embeddings"], {"images": images})[0]
        alone = session.run(["embeddings"], {"images": images[:1]})[0]
        numpy.testing.assert_allclose(alone, output[:1], atol=1e-4 * numpy.abs(output).max())
        numpy.save(job["output"], output)
    except Exception as error:  # noqa: BLE001: every file is tried
        wrong.append(f"{job['model']}: {type(error).__name__}: {error}")
if wrong:
    sys.exit("\n".join(wrong))
