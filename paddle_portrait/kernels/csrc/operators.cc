// All but the convolutions as Paddle operators.
#include "tensors.h"

namespace portrait::binding {
namespace {

// ---- batch normalisation

std::vector<Tensor> batch_norm_forward(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                       const Tensor& running_mean, const Tensor& running_variance, float momentum,
                                       float epsilon, int activation) {
  const auto shape = x.shape();
  auto y = unfilled_like(x);
  auto statistics = paddle::empty({2, shape[1]}, paddle::DataType::FLOAT64, x.place());
  double* mean = statistics.data<double>();
  portrait::batch_norm_forward(x.data<float>(), scale.data<float>(), shift.data<float>(), moved(running_mean),
                               moved(running_variance), y.data<float>(), mean, mean + shape[1], shape[0],
                               shape[1], shape[2] * shape[3], momentum, epsilon,
                               static_cast<portrait::Activation>(activation));
  return {y, statistics};
}

std::vector<Tensor> batch_norm_backward(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                        const Tensor& statistics, const Tensor& grad_y, float momentum, float epsilon,
                                        int activation) {
  const auto shape = x.shape();
  auto grad_x = unfilled_like(x), grad_scale = unfilled_like(scale), grad_shift = unfilled_like(shift);
  const double* mean = statistics.data<double>();
  portrait::batch_norm_backward(x.data<float>(), scale.data<float>(), shift.data<float>(), mean, mean + shape[1],
                                grad_y.data<float>(), grad_x.data<float>(), grad_scale.data<float>(),
                                grad_shift.data<float>(), shape[0], shape[1], shape[2] * shape[3],
                                static_cast<portrait::Activation>(activation));
  return {grad_x, grad_scale, grad_shift};
}

Shapes batch_norm_shape(Shape x, Shape scale, Shape, Shape, Shape, float, float, int) { return {x, {2, scale[0]}}; }

Types batch_norm_type(paddle::DataType x, paddle::DataType, paddle::DataType, paddle::DataType, paddle::DataType) {
  return {x, paddle::DataType::FLOAT64};
}

// ---- activations

std::vector<Tensor> prelu_forward(const Tensor& x, const Tensor& weight) {
  const auto shape = x.shape();
  auto y = unfilled_like(x);
  portrait::prelu_forward(x.data<float>(), weight.data<float>(), y.data<float>(), shape[0], shape[1], weight.numel(),
                          shape[2] * shape[3]);
  return {y};
}

std::vector<Tensor> prelu_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_y) {
  const auto shape = x.shape();
  auto grad_x = unfilled_like(x), grad_weight = unfilled_like(weight);
  portrait::prelu_backward(x.data<float>(), weight.data<float>(), grad_y.data<float>(), grad_x.data<float>(),
                           grad_weight.data<float>(), shape[0], shape[1], weight.numel(), shape[2] * shape[3]);
  return {grad_x, grad_weight};
}

Shapes first_shape(Shape x, Shape) { return {x}; }

std::vector<Tensor> hard_swish_forward(const Tensor& x) {
  auto y = unfilled_like(x);
  portrait::hard_swish_forward(x.data<float>(), y.data<float>(), x.numel());
  return {y};
}

std::vector<Tensor> hard_swish_backward(const Tensor& x, const Tensor& grad_y) {
  auto grad_x = unfilled_like(x);
  portrait::hard_swish_backward(x.data<float>(), grad_y.data<float>(), grad_x.data<float>(), x.numel());
  return {grad_x};
}

Shapes same_shape(Shape x) { return {x}; }

Types same_type(paddle::DataType x) { return {x}; }

Types first_type(paddle::DataType first, paddle::DataType) { return {first}; }

// ---- max pooling

portrait::Window pool_window(const Shape& x, int size, int stride, int padding) {
  const std::vector<int> pads(4, padding);
  return window_of(x, {0, 0, size, size}, stride, 1, pads);
}

std::vector<Tensor> max_pool_forward(const Tensor& x, int size, int stride, int padding) {
  const auto shape = x.shape();
  const auto window = pool_window(shape, size, stride, padding);
  const Shape out{shape[0], shape[1], window.out_height, window.out_width};
  auto y = paddle::empty(out, x.dtype(), x.place());
  auto winners = paddle::empty(out, paddle::DataType::UINT8, x.place());
  portrait::max_pool_forward(x.data<float>(), y.data<float>(), winners.data<uint8_t>(), shape[0] * shape[1], window);
  return {y, winners};
}

std::vector<Tensor> max_pool_backward(const Tensor& x, const Tensor& winners, const Tensor& grad_y, int size,
                                      int stride, int padding) {
  auto grad_x = unfilled_like(x);
  portrait::max_pool_backward(grad_y.data<float>(), winners.data<uint8_t>(), grad_x.data<float>(),
                              x.shape()[0] * x.shape()[1], pool_window(x.shape(), size, stride, padding));
  return {grad_x};
}

Shapes max_pool_shape(Shape x, int size, int stride, int padding) {
  const Shape y{x[0], x[1], out_length(x[2], size, padding, padding, stride, 1),
                out_length(x[3], size, padding, padding, stride, 1)};
  return {y, y};
}

Types max_pool_type(paddle::DataType x) { return {x, paddle::DataType::UINT8}; }

// ---- bilinear resizing

std::vector<Tensor> resize_forward(const Tensor& x, int height, int width, bool align_corners) {
  const auto shape = x.shape();
  auto y = paddle::empty({shape[0], shape[1], height, width}, x.dtype(), x.place());
  portrait::resize_forward(x.data<float>(), y.data<float>(), shape[0] * shape[1], shape[2], shape[3], height, width,
                           align_corners);
  return {y};
}

std::vector<Tensor> resize_backward(const Tensor& x, const Tensor& grad_y, int height, int width, bool align_corners) {
  const auto shape = x.shape();
  auto grad_x = unfilled_like(x);
  portrait::resize_backward(grad_y.data<float>(), grad_x.data<float>(), shape[0] * shape[1], shape[2], shape[3],
                            height, width, align_corners);
  return {grad_x};
}

Shapes resize_shape(Shape x, int height, int width, bool) { return {{x[0], x[1], height, width}}; }

// ---- channel interleaving

std::vector<Tensor> interleave_forward(const Tensor& first, const Tensor& second) {
  const auto shape = first.shape();
  auto y = paddle::empty({shape[0], 2 * shape[1], shape[2], shape[3]}, first.dtype(), first.place());
  portrait::interleave(first.data<float>(), second.data<float>(), y.data<float>(), shape[0] * shape[1],
                       shape[2] * shape[3]);
  return {y};
}

std::vector<Tensor> interleave_backward(const Tensor& grad_y) {
  const auto shape = grad_y.shape();
  const Shape half{shape[0], shape[1] / 2, shape[2], shape[3]};
  auto first = paddle::empty(half, grad_y.dtype(), grad_y.place());
  auto second = paddle::empty(half, grad_y.dtype(), grad_y.place());
  portrait::deinterleave(grad_y.data<float>(), first.data<float>(), second.data<float>(), half[0] * half[1],
                         half[2] * half[3]);
  return {first, second};
}

Shapes interleave_shape(Shape first, Shape) { return {{first[0], 2 * first[1], first[2], first[3]}}; }

// ---- two-class margin

std::vector<Tensor> margin_forward(const Tensor& logits) {
  const auto shape = logits.shape();
  auto margin = paddle::empty({shape[0], shape[2], shape[3]}, logits.dtype(), logits.place());
  portrait::margin_forward(logits.data<float>(), margin.data<float>(), shape[0], shape[2] * shape[3]);
  return {margin};
}

std::vector<Tensor> margin_backward(const Tensor& grad_margin) {
  const auto shape = grad_margin.shape();
  auto grad_logits = paddle::empty({shape[0], 2, shape[1], shape[2]}, grad_margin.dtype(), grad_margin.place());
  portrait::margin_backward(grad_margin.data<float>(), grad_logits.data<float>(), shape[0], shape[1] * shape[2]);
  return {grad_logits};
}

Shapes margin_shape(Shape logits) { return {{logits[0], logits[2], logits[3]}}; }

// ---- squeeze and excite

portrait::ChannelGate gate_of(const Tensor& squeeze, const Tensor& squeeze_bias, const Tensor& excite,
                              const Tensor& excite_bias) {
  return {squeeze.data<float>(),     squeeze_bias.data<float>(),           excite.data<float>(),
          excite_bias.data<float>(), static_cast<int>(excite.shape()[0]), static_cast<int>(squeeze.shape()[0])};
}

// Without an addend an empty one is given: custom operators have no optional gradients.
std::vector<Tensor> channel_gate_forward(const Tensor& x, const Tensor& addend, const Tensor& squeeze,
                                         const Tensor& squeeze_bias, const Tensor& excite, const Tensor& excite_bias) {
  const auto shape = x.shape();
  const auto gate = gate_of(squeeze, squeeze_bias, excite, excite_bias);
  auto y = unfilled_like(x);
  auto saved = paddle::empty({shape[0], gate.saved_size()}, paddle::DataType::FLOAT64, x.place());
  portrait::channel_gate_forward(gate, x.data<float>(), addend.numel() ? addend.data<float>() : nullptr,
                                 y.data<float>(), saved.data<double>(), shape[0], shape[2] * shape[3]);
  return {y, saved};
}

std::vector<Tensor> channel_gate_backward(const Tensor& x, const Tensor& addend, const Tensor& squeeze,
                                          const Tensor& squeeze_bias, const Tensor& excite, const Tensor& excite_bias,
                                          const Tensor& saved, const Tensor& grad_y) {
  const auto shape = x.shape();
  auto grad_x = unfilled_like(x), grad_addend = unfilled_like(addend);
  auto grad_squeeze = unfilled_like(squeeze), grad_squeeze_bias = unfilled_like(squeeze_bias);
  auto grad_excite = unfilled_like(excite), grad_excite_bias = unfilled_like(excite_bias);
  portrait::channel_gate_backward(gate_of(squeeze, squeeze_bias, excite, excite_bias), x.data<float>(),
                                  saved.data<double>(), grad_y.data<float>(), grad_x.data<float>(),
                                  addend.numel() ? grad_addend.data<float>() : nullptr,
                                  {grad_squeeze.data<float>(), grad_squeeze_bias.data<float>(),
                                   grad_excite.data<float>(), grad_excite_bias.data<float>()},
                                  shape[0], shape[2] * shape[3]);
  return {grad_x, grad_addend, grad_squeeze, grad_squeeze_bias, grad_excite, grad_excite_bias};
}

Shapes channel_gate_shape(Shape x, Shape, Shape squeeze, Shape, Shape, Shape) {
  return {x, {x[0], 2 * x[1] + squeeze[0]}};
}

Types channel_gate_type(paddle::DataType x, paddle::DataType, paddle::DataType, paddle::DataType, paddle::DataType,
                        paddle::DataType) {
  return {x, paddle::DataType::FLOAT64};
}

// ---- moving average of many tensors, in place and outside all graphs of gradients

std::vector<Tensor> blend(const std::vector<Tensor>& averages, const std::vector<Tensor>& values, float share) {
  for (size_t i = 0; i < averages.size(); ++i)
    portrait::blend(moved(averages[i]), values[i].data<float>(), share, averages[i].numel());
  return {paddle::empty({0}, paddle::DataType::FLOAT32, averages[0].place())};
}

Shapes blend_shape(const std::vector<Shape>&, const std::vector<Shape>&, float) { return {{0}}; }

Types blend_type(const Types&, const Types&) { return {paddle::DataType::FLOAT32}; }

}  // namespace
}  // namespace portrait::binding

using namespace portrait::binding;  // NOLINT: the macros need plain names

PD_BUILD_OP(portrait_batch_norm)
    .Inputs({"X", "Scale", "Shift", "RunningMean", "RunningVariance"})
    .Outputs({"Y", "Statistics"})
    .Attrs({"momentum: float", "epsilon: float", "activation: int"})
    .SetKernelFn(PD_KERNEL(batch_norm_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(batch_norm_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(batch_norm_type));
PD_BUILD_GRAD_OP(portrait_batch_norm)
    .Inputs({"X", "Scale", "Shift", "Statistics", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Scale"), paddle::Grad("Shift")})
    .Attrs({"momentum: float", "epsilon: float", "activation: int"})
    .SetKernelFn(PD_KERNEL(batch_norm_backward));

PD_BUILD_OP(portrait_max_pool)
    .Inputs({"X"})
    .Outputs({"Y", "Winners"})
    .Attrs({"size: int", "stride: int", "padding: int"})
    .SetKernelFn(PD_KERNEL(max_pool_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(max_pool_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(max_pool_type));
PD_BUILD_GRAD_OP(portrait_max_pool)
    .Inputs({"X", "Winners", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X")})
    .Attrs({"size: int", "stride: int", "padding: int"})
    .SetKernelFn(PD_KERNEL(max_pool_backward));

PD_BUILD_OP(portrait_resize)
    .Inputs({"X"})
    .Outputs({"Y"})
    .Attrs({"height: int", "width: int", "align_corners: bool"})
    .SetKernelFn(PD_KERNEL(resize_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(resize_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(same_type));
PD_BUILD_GRAD_OP(portrait_resize)
    .Inputs({"X", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X")})
    .Attrs({"height: int", "width: int", "align_corners: bool"})
    .SetKernelFn(PD_KERNEL(resize_backward));

PD_BUILD_OP(portrait_interleave)
    .Inputs({"First", "Second"})
    .Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(interleave_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(interleave_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_type));
PD_BUILD_GRAD_OP(portrait_interleave)
    .Inputs({paddle::Grad("Y")})
    .Outputs({paddle::Grad("First"), paddle::Grad("Second")})
    .SetKernelFn(PD_KERNEL(interleave_backward));

PD_BUILD_OP(portrait_prelu)
    .Inputs({"X", "Weight"})
    .Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(prelu_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(first_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_type));
PD_BUILD_GRAD_OP(portrait_prelu)
    .Inputs({"X", "Weight", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Weight")})
    .SetKernelFn(PD_KERNEL(prelu_backward));

PD_BUILD_OP(portrait_hard_swish)
    .Inputs({"X"})
    .Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(hard_swish_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(same_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(same_type));
PD_BUILD_GRAD_OP(portrait_hard_swish)
    .Inputs({"X", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X")})
    .SetKernelFn(PD_KERNEL(hard_swish_backward));

PD_BUILD_OP(portrait_margin)
    .Inputs({"Logits"})
    .Outputs({"Margin"})
    .SetKernelFn(PD_KERNEL(margin_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(margin_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(same_type));
PD_BUILD_GRAD_OP(portrait_margin)
    .Inputs({paddle::Grad("Margin")})
    .Outputs({paddle::Grad("Logits")})
    .SetKernelFn(PD_KERNEL(margin_backward));

PD_BUILD_OP(portrait_channel_gate)
    .Inputs({"X", "Addend", "Squeeze", "SqueezeBias", "Excite", "ExciteBias"})
    .Outputs({"Y", "Saved"})
    .SetKernelFn(PD_KERNEL(channel_gate_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(channel_gate_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(channel_gate_type));
PD_BUILD_GRAD_OP(portrait_channel_gate)
    .Inputs({"X", "Addend", "Squeeze", "SqueezeBias", "Excite", "ExciteBias", "Saved", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Addend"), paddle::Grad("Squeeze"), paddle::Grad("SqueezeBias"),
              paddle::Grad("Excite"), paddle::Grad("ExciteBias")})
    .SetKernelFn(PD_KERNEL(channel_gate_backward));

PD_BUILD_OP(portrait_blend)
    .Inputs({paddle::Vec("Averages"), paddle::Vec("Values")})
    .Outputs({"Done"})
    .Attrs({"share: float"})
    .SetKernelFn(PD_KERNEL(blend))
    .SetInferShapeFn(PD_INFER_SHAPE(blend_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(blend_type));
