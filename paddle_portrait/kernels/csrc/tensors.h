// What the bindings share. Python decides when the operators apply (see ../layers.py): here all inputs are float32 NCHW
// tensors on the CPU.
#pragma once

#include <vector>

#include "kernels.h"
#include "paddle/extension.h"

namespace portrait::binding {

using paddle::Tensor;
using Shape = std::vector<int64_t>;
using Shapes = std::vector<Shape>;
using Types = std::vector<paddle::DataType>;

inline Tensor unfilled_like(const Tensor& tensor) {
  return paddle::empty(tensor.shape(), tensor.dtype(), tensor.place());
}

// Running statistics and averages are inputs that a kernel moves. Declared as Paddle's in-place outputs they would join
// the graph of gradients, which refuses them as leaves at the next step; so they are written behind its back.
inline float* moved(const Tensor& running) { return const_cast<float*>(running.data<float>()); }

// `pads` is top, bottom, left, right, as in Paddle's own convolutions.
inline int64_t out_length(int64_t length, int64_t kernel, int before, int after, int stride, int dilation) {
  return length < 0 ? -1 : (length + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

inline portrait::Window window_of(const Shape& x, const Shape& weight, int stride, int dilation,
                           const std::vector<int>& pads) {
  portrait::Window window;
  window.height = x[2], window.width = x[3];
  window.kernel_height = weight[2], window.kernel_width = weight[3];
  window.stride = stride, window.dilation = dilation;
  window.pad_top = pads[0], window.pad_left = pads[2];
  window.out_height = out_length(x[2], weight[2], pads[0], pads[1], stride, dilation);
  window.out_width = out_length(x[3], weight[3], pads[2], pads[3], stride, dilation);
  return window;
}

}  // namespace portrait::binding
