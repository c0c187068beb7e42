// The convolutions as Paddle operators.
#include "tensors.h"

namespace portrait::binding {
namespace {

// A convolution without bias is given an empty one: custom operators have no optional gradients.
const float* values_or_null(const Tensor& bias) { return bias.numel() ? bias.data<float>() : nullptr; }

Tensor bias_gradient(const Tensor& bias, const Tensor& grad_y) {
  auto grad_bias = unfilled_like(bias);
  const auto shape = grad_y.shape();
  if (bias.numel())
    portrait::bias_gradient(grad_y.data<float>(), grad_bias.data<float>(), shape[0], shape[1], shape[2] * shape[3]);
  return grad_bias;
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

}  // namespace
}  // namespace portrait::binding

using namespace portrait::binding;  // NOLINT: the macros need plain names

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
