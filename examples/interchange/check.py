"""Loads every net of a folder into PyTorch, writes its logits, and the way back with changed weights.

Each subfolder has net.py (code of an nn.Sequential called `model`), net.safetensors, net.onnx, images.f32 and
size. ONNX Runtime classifies the images, too.
"""

import pathlib
import sys

import onnx
import onnxruntime
import torch
from safetensors.torch import load_file, save_file

torch.manual_seed(0)
torch.set_num_threads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1


def logits(model, images):
    with torch.no_grad():
        return model.eval()(images).numpy().tobytes()


def change(model):
    """Moves every parameter and running average that stands for one of the net."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            # Constant tensors stand for a scale or center that the net does not have.
            if tensor.is_floating_point() and tensor.unique().numel() > 1:
                tensor.mul_(1 + 0.1 * torch.rand_like(tensor))


for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    scope = {}
    exec((folder / "net.py").read_text(), scope)
    model = scope["model"]
    model.load_state_dict(load_file(folder / "net.safetensors"), strict=True)
    size = [int(n) for n in (folder / "size").read_text().split()]
    images = torch.frombuffer(bytearray((folder / "images.f32").read_bytes()), dtype=torch.float32)
    images = images.reshape(-1, *size)
    onnx.checker.check_model(str(folder / "net.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(folder / "net.onnx", options, ["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"images": images.numpy()})
    (folder / "onnx.f32").write_bytes(found.tobytes())
    (folder / "torch.f32").write_bytes(logits(model, images))
    (folder / "torch.f64").write_bytes(logits(model.double(), images.double()))
    model.float()
    change(model)
    save_file(model.state_dict(), folder / "back.safetensors")
    (folder / "back.f32").write_bytes(logits(model, images))
