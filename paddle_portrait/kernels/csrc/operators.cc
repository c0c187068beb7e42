// The kernels as Paddle operators. Python decides when they apply (see ../layers.py): here all inputs are
// float32 NCHW tensors on the CPU.
#include <vector>

#include "kernels.h"
#include "paddle/extension.h"

namespace {

using paddle::Tensor;
using Shape = std::vector<int64_t>;
using Shapes = std::vector<Shape>;
using Types = std::vector<paddle::DataType>;

Tensor unfilled_like(const Tensor& tensor) { return paddle::empty(tensor.shape(), tensor.dtype(), tensor.place()); }

// A convolution without bias is given an empty one: custom operators have no optional gradients.
const float* values_or_null(const Tensor& bias) { return bias.numel() ? bias.data<float>() : nullptr; }

Tensor bias_gradient(const Tensor& bias, const Tensor& grad_y) {
  auto grad_bias = unfilled_like(bias);
  const auto shape = grad_y.shape();
  if (bias.numel())
    portrait::bias_gradient(grad_y.data<float>(), grad_bias.data<float>(), shape[0], shape[1], shape[2] * shape[3]);
  return grad_bias;
}

// `pads` is top, bottom, left, right, as in Paddle's own convolutions.
int64_t out_length(int64_t length, int64_t kernel, int before, int after, int stride, int dilation) {
  return length < 0 ? -1 : (length + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

portrait::Window window_of(const Shape& x, const Shape& weight, int stride, int dilation,
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

Types first_of_three(paddle::DataType x, paddle::DataType, paddle::DataType) { return {x}; }

// ---- convolutions

// How a convolution with this window and these weights is computed.
struct Depthwise {
  static void forward(const Tensor& x, const Tensor& weight, const float* bias, Tensor* y, int,
                      const portrait::Window& window) {
    portrait::depthwise_forward(x.data<float>(), weight.data<float>(), bias, y->data<float>(), x.shape()[0],
                                x.shape()[1], window);
  }
  // `grad_x` or `grad_weight` may be null; `bias` is added to grad_x.
  static void backward(const Tensor& x, const Tensor& weight, const Tensor& grad_y, const float* bias, Tensor* grad_x,
                       Tensor* grad_weight, int, const portrait::Window& window) {
    portrait::depthwise_backward(grad_weight ? x.data<float>() : nullptr, weight.data<float>(), grad_y.data<float>(),
                                 bias, grad_x ? grad_x->data<float>() : nullptr,
                                 grad_weight ? grad_weight->data<float>() : nullptr, grad_y.shape()[0],
                                 grad_y.shape()[1], window);
  }
};

struct Dense {
  static void forward(const Tensor& x, const Tensor& weight, const float* bias, Tensor* y, int groups,
                      const portrait::Window& window) {
    portrait::dense_forward(x.data<float>(), weight.data<float>(), bias, y->data<float>(), x.shape()[0],
                            channels(x.shape()[1], y->shape()[1], groups), window);
  }
  static void backward(const Tensor& x, const Tensor& weight, const Tensor& grad_y, const float* bias, Tensor* grad_x,
                       Tensor* grad_weight, int groups, const portrait::Window& window) {
    const auto ours = channels(weight.shape()[1] * groups, weight.shape()[0], groups);
    const int batch = grad_y.shape()[0];
    if (grad_x)
      portrait::dense_input_gradient(grad_y.data<float>(), weight.data<float>(), bias, grad_x->data<float>(), batch,
                                     ours, window);
    if (grad_weight)
      portrait::dense_weight_gradient(x.data<float>(), grad_y.data<float>(), grad_weight->data<float>(), batch, ours,
                                      window);
  }
  static portrait::Channels channels(int64_t in, int64_t out, int groups) {
    return {static_cast<int>(in), static_cast<int>(out), groups};
  }
};

template <class Kind>
std::vector<Tensor> convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int stride, int dilation,
                                int groups, const std::vector<int>& pads) {
  const auto window = window_of(x.shape(), weight.shape(), stride, dilation, pads);
  auto y = paddle::empty({x.shape()[0], weight.shape()[0], window.out_height, window.out_width}, x.dtype(), x.place());
  Kind::forward(x, weight, values_or_null(bias), &y, groups, window);
  return {y};
}

template <class Kind>
std::vector<Tensor> convolution_gradient(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                         const Tensor& grad_y, int stride, int dilation, int groups,
                                         const std::vector<int>& pads) {
  auto grad_x = unfilled_like(x), grad_weight = unfilled_like(weight);
  Kind::backward(x, weight, grad_y, nullptr, &grad_x, &grad_weight, groups,
                 window_of(x.shape(), weight.shape(), stride, dilation, pads));
  return {grad_x, grad_weight, bias_gradient(bias, grad_y)};
}

Shapes convolution_shape(Shape x, Shape weight, Shape, int stride, int dilation, int, std::vector<int> pads) {
  return {{x[0], weight[0], out_length(x[2], weight[2], pads[0], pads[1], stride, dilation),
           out_length(x[3], weight[3], pads[2], pads[3], stride, dilation)}};
}

// The network's first convolution: nobody wants the gradient of the image.
std::vector<Tensor> stem_gradient(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& grad_y,
                                  int stride, int dilation, int groups, const std::vector<int>& pads) {
  auto grad_weight = unfilled_like(weight);
  Dense::backward(x, weight, grad_y, nullptr, nullptr, &grad_weight, groups,
                  window_of(x.shape(), weight.shape(), stride, dilation, pads));
  return {grad_weight, bias_gradient(bias, grad_y)};
}

// A transposed convolution from x to y is the input's gradient of the convolution from y to x.
// `size` is y's height and width, which the strides leave open.
portrait::Window window_of_transposed(const Shape& x, const Shape& weight, int stride, int dilation,
                                      const std::vector<int>& pads, const std::vector<int>& size) {
  auto window = window_of({x[0], x[1], size[0], size[1]}, weight, stride, dilation, pads);
  window.out_height = x[2], window.out_width = x[3];
  return window;
}

template <class Kind>
std::vector<Tensor> transposed(const Tensor& x, const Tensor& weight, const Tensor& bias, int stride, int dilation,
                               int groups, const std::vector<int>& pads, const std::vector<int>& size) {
  auto y = paddle::empty({x.shape()[0], weight.shape()[1] * groups, size[0], size[1]}, x.dtype(), x.place());
  Kind::backward(y, weight, x, values_or_null(bias), &y, nullptr, groups,
                 window_of_transposed(x.shape(), weight.shape(), stride, dilation, pads, size));
  return {y};
}

template <class Kind>
std::vector<Tensor> transposed_gradient(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                        const Tensor& grad_y, int stride, int dilation, int groups,
                                        const std::vector<int>& pads, const std::vector<int>& size) {
  const auto window = window_of_transposed(x.shape(), weight.shape(), stride, dilation, pads, size);
  auto grad_x = unfilled_like(x), grad_weight = unfilled_like(weight);
  Kind::forward(grad_y, weight, nullptr, &grad_x, groups, window);
  Kind::backward(grad_y, weight, x, nullptr, nullptr, &grad_weight, groups, window);
  return {grad_x, grad_weight, bias_gradient(bias, grad_y)};
}

Shapes transposed_shape(Shape x, Shape weight, Shape, int, int, int groups, std::vector<int>, std::vector<int> size) {
  return {{x[0], weight[1] * groups, size[0], size[1]}};
}

// ---- 1x1 convolution

std::vector<Tensor> pointwise_forward(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto shape = x.shape();
  const int out_channels = weight.shape()[0];
  auto y = paddle::empty({shape[0], out_channels, shape[2], shape[3]}, x.dtype(), x.place());
  portrait::pointwise_forward(x.data<float>(), weight.data<float>(), values_or_null(bias), y.data<float>(), shape[0],
                              shape[1], out_channels, shape[2] * shape[3]);
  return {y};
}

std::vector<Tensor> pointwise_backward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                       const Tensor& grad_y) {
  const auto shape = x.shape();
  auto grad_x = unfilled_like(x), grad_weight = unfilled_like(weight);
  portrait::pointwise_backward(x.data<float>(), weight.data<float>(), grad_y.data<float>(), grad_x.data<float>(),
                               grad_weight.data<float>(), shape[0], shape[1], weight.shape()[0], shape[2] * shape[3]);
  return {grad_x, grad_weight, bias_gradient(bias, grad_y)};
}

Shapes pointwise_shape(Shape x, Shape weight, Shape) { return {{x[0], weight[0], x[2], x[3]}}; }

// ---- batch normalisation

// Running statistics and averages are inputs that a kernel moves. Declared as Paddle's in-place outputs they would join
// the graph of gradients, which refuses them as leaves at the next step; so they are written behind its back.
float* moved(const Tensor& running) { return const_cast<float*>(running.data<float>()); }

std::vector<Tensor> batch_norm_forward(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                       const Tensor& running_mean, const Tensor& running_variance, float momentum,
                                       float epsilon, int activation) {
  const auto shape = x.shape();
  auto y = unfilled_like(x);
  auto statistics = paddle::empty({2, shape[1]}, paddle::DataType::FLOAT64, x.place());
  double* mean = statistics.data<double>();
  portrait::batch_norm_forward(x.data<float>(), scale.data<float>(), shift.data<float>(), moved(running_mean),
                               moved(running_variance), y.data<float>(), mean, mean + shape[1], shape[0],
                               shape[1], shape[2] * shape[3], momentum, epsilon, static_cast<portrait::Activation>(activation));
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

// ---- depthwise convolution, batch norm, 1x1 convolution

portrait::Separable separable_layer(const Tensor& x, const Tensor& depthwise, const Tensor& scale, const Tensor& shift,
                                    const Tensor& pointwise, int stride, int dilation, const std::vector<int>& pads) {
  return {depthwise.data<float>(), scale.data<float>(), shift.data<float>(), pointwise.data<float>(),
          static_cast<int>(x.shape()[0]), static_cast<int>(x.shape()[1]), static_cast<int>(pointwise.shape()[0]),
          window_of(x.shape(), depthwise.shape(), stride, dilation, pads)};
}

std::vector<Tensor> separable_forward(const Tensor& x, const Tensor& depthwise, const Tensor& scale,
                                      const Tensor& shift, const Tensor& pointwise, const Tensor& running_mean,
                                      const Tensor& running_variance, int stride, int dilation,
                                      const std::vector<int>& pads, float momentum, float epsilon) {
  const auto layer = separable_layer(x, depthwise, scale, shift, pointwise, stride, dilation, pads);
  const Shape size{layer.window.out_height, layer.window.out_width};
  auto y = paddle::empty({layer.batch, layer.out, size[0], size[1]}, x.dtype(), x.place());
  auto z = paddle::empty({layer.batch, layer.in, size[0], size[1]}, x.dtype(), x.place());
  auto statistics = paddle::empty({2, layer.in}, paddle::DataType::FLOAT64, x.place());
  double* mean = statistics.data<double>();
  portrait::separable_forward(layer, x.data<float>(), momentum, epsilon, moved(running_mean), moved(running_variance),
                              z.data<float>(), y.data<float>(), mean, mean + layer.in);
  return {y, z, statistics};
}

std::vector<Tensor> separable_backward(const Tensor& x, const Tensor& depthwise, const Tensor& scale,
                                       const Tensor& shift, const Tensor& pointwise, const Tensor& z,
                                       const Tensor& statistics, const Tensor& grad_y, int stride, int dilation,
                                       const std::vector<int>& pads, float momentum, float epsilon) {
  const auto layer = separable_layer(x, depthwise, scale, shift, pointwise, stride, dilation, pads);
  auto grad_x = unfilled_like(x), grad_depthwise = unfilled_like(depthwise), grad_scale = unfilled_like(scale);
  auto grad_shift = unfilled_like(shift), grad_pointwise = unfilled_like(pointwise), grad_normalised = unfilled_like(z);
  const double* mean = statistics.data<double>();
  portrait::separable_backward(layer, x.data<float>(), z.data<float>(), mean, mean + layer.in, grad_y.data<float>(),
                               grad_normalised.data<float>(),
                               {grad_x.data<float>(), grad_depthwise.data<float>(), grad_scale.data<float>(),
                                grad_shift.data<float>(), grad_pointwise.data<float>()});
  return {grad_x, grad_depthwise, grad_scale, grad_shift, grad_pointwise};
}

Shapes separable_shape(Shape x, Shape depthwise, Shape, Shape, Shape pointwise, Shape, Shape, int stride, int dilation,
                       std::vector<int> pads, float, float) {
  const int64_t height = out_length(x[2], depthwise[2], pads[0], pads[1], stride, dilation);
  const int64_t width = out_length(x[3], depthwise[3], pads[2], pads[3], stride, dilation);
  return {{x[0], pointwise[0], height, width}, {x[0], x[1], height, width}, {2, x[1]}};
}

Types separable_type(paddle::DataType x, paddle::DataType, paddle::DataType, paddle::DataType, paddle::DataType,
                     paddle::DataType, paddle::DataType) {
  return {x, x, paddle::DataType::FLOAT64};
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

// ---- moving average of many tensors, in place and outside all graphs of gradients

std::vector<Tensor> blend(const std::vector<Tensor>& averages, const std::vector<Tensor>& values, float share) {
  for (size_t i = 0; i < averages.size(); ++i)
    portrait::blend(moved(averages[i]), values[i].data<float>(), share, averages[i].numel());
  return {paddle::empty({0}, paddle::DataType::FLOAT32, averages[0].place())};
}

Shapes blend_shape(const std::vector<Shape>&, const std::vector<Shape>&, float) { return {{0}}; }

Types blend_type(const Types&, const Types&) { return {paddle::DataType::FLOAT32}; }

}  // namespace

#define CONVOLUTION_ATTRIBUTES {"stride: int", "dilation: int", "groups: int", "pads: std::vector<int>"}
#define TRANSPOSED_ATTRIBUTES \
  {"stride: int", "dilation: int", "groups: int", "pads: std::vector<int>", "size: std::vector<int>"}

PD_BUILD_OP(portrait_depthwise)
    .Inputs({"X", "Weight", "Bias"})
    .Outputs({"Y"})
    .Attrs(CONVOLUTION_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(convolution<Depthwise>))
    .SetInferShapeFn(PD_INFER_SHAPE(convolution_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_of_three));
PD_BUILD_GRAD_OP(portrait_depthwise)
    .Inputs({"X", "Weight", "Bias", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Weight"), paddle::Grad("Bias")})
    .Attrs(CONVOLUTION_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(convolution_gradient<Depthwise>));

PD_BUILD_OP(portrait_dense)
    .Inputs({"X", "Weight", "Bias"})
    .Outputs({"Y"})
    .Attrs(CONVOLUTION_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(convolution<Dense>))
    .SetInferShapeFn(PD_INFER_SHAPE(convolution_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_of_three));
PD_BUILD_GRAD_OP(portrait_dense)
    .Inputs({"X", "Weight", "Bias", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Weight"), paddle::Grad("Bias")})
    .Attrs(CONVOLUTION_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(convolution_gradient<Dense>));

PD_BUILD_OP(portrait_stem)
    .Inputs({"X", "Weight", "Bias"})
    .Outputs({"Y"})
    .Attrs(CONVOLUTION_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(convolution<Dense>))
    .SetInferShapeFn(PD_INFER_SHAPE(convolution_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_of_three));
PD_BUILD_GRAD_OP(portrait_stem)
    .Inputs({"X", "Weight", "Bias", paddle::Grad("Y")})
    .Outputs({paddle::Grad("Weight"), paddle::Grad("Bias")})
    .Attrs(CONVOLUTION_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(stem_gradient));

PD_BUILD_OP(portrait_depthwise_transposed)
    .Inputs({"X", "Weight", "Bias"})
    .Outputs({"Y"})
    .Attrs(TRANSPOSED_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(transposed<Depthwise>))
    .SetInferShapeFn(PD_INFER_SHAPE(transposed_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_of_three));
PD_BUILD_GRAD_OP(portrait_depthwise_transposed)
    .Inputs({"X", "Weight", "Bias", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Weight"), paddle::Grad("Bias")})
    .Attrs(TRANSPOSED_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(transposed_gradient<Depthwise>));

PD_BUILD_OP(portrait_dense_transposed)
    .Inputs({"X", "Weight", "Bias"})
    .Outputs({"Y"})
    .Attrs(TRANSPOSED_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(transposed<Dense>))
    .SetInferShapeFn(PD_INFER_SHAPE(transposed_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_of_three));
PD_BUILD_GRAD_OP(portrait_dense_transposed)
    .Inputs({"X", "Weight", "Bias", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Weight"), paddle::Grad("Bias")})
    .Attrs(TRANSPOSED_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(transposed_gradient<Dense>));

PD_BUILD_OP(portrait_pointwise)
    .Inputs({"X", "Weight", "Bias"})
    .Outputs({"Y"})
    .SetKernelFn(PD_KERNEL(pointwise_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(pointwise_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(first_of_three));
PD_BUILD_GRAD_OP(portrait_pointwise)
    .Inputs({"X", "Weight", "Bias", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Weight"), paddle::Grad("Bias")})
    .SetKernelFn(PD_KERNEL(pointwise_backward));

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

PD_BUILD_OP(portrait_blend)
    .Inputs({paddle::Vec("Averages"), paddle::Vec("Values")})
    .Outputs({"Done"})
    .Attrs({"share: float"})
    .SetKernelFn(PD_KERNEL(blend))
    .SetInferShapeFn(PD_INFER_SHAPE(blend_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(blend_type));

#define SEPARABLE_ATTRIBUTES \
  {"stride: int", "dilation: int", "pads: std::vector<int>", "momentum: float", "epsilon: float"}

PD_BUILD_OP(portrait_separable)
    .Inputs({"X", "Depthwise", "Scale", "Shift", "Pointwise", "RunningMean", "RunningVariance"})
    .Outputs({"Y", "Z", "Statistics"})
    .Attrs(SEPARABLE_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(separable_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(separable_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(separable_type));
PD_BUILD_GRAD_OP(portrait_separable)
    .Inputs({"X", "Depthwise", "Scale", "Shift", "Pointwise", "Z", "Statistics", paddle::Grad("Y")})
    .Outputs({paddle::Grad("X"), paddle::Grad("Depthwise"), paddle::Grad("Scale"), paddle::Grad("Shift"),
              paddle::Grad("Pointwise")})
    .Attrs(SEPARABLE_ATTRIBUTES)
    .SetKernelFn(PD_KERNEL(separable_backward));
