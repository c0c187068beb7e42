// Losses of two classes as Paddle operators: labels of any shape, and a margin and floats of the same shape.
#include "tensors.h"

namespace portrait::binding {
namespace {

std::vector<Tensor> read_labels(const Tensor& labels, int64_t ignored) {
  auto person = paddle::empty(labels.shape(), paddle::DataType::FLOAT32, labels.place());
  auto valid = unfilled_like(person);
  portrait::read_labels(labels.data<int64_t>(), person.data<float>(), valid.data<float>(), ignored, labels.numel());
  return {person, valid};
}

Shapes two_shapes(Shape labels, int64_t) { return {labels, labels}; }

Types two_floats(paddle::DataType) { return {paddle::DataType::FLOAT32, paddle::DataType::FLOAT32}; }

constexpr double kLeastWeight = 1e-12;  // of all pixels, where none counts

std::vector<Tensor> cross_entropy_forward(const Tensor& margin, const Tensor& person, const Tensor& weights) {
  const auto sums = portrait::cross_entropy_forward(margin.data<float>(), person.data<float>(), weights.data<float>(),
                                                    margin.numel());
  auto mean = paddle::empty({}, margin.dtype(), margin.place());
  auto divisor = paddle::empty({}, paddle::DataType::FLOAT64, margin.place());
  *divisor.data<double>() = sums.weights < kLeastWeight ? kLeastWeight : sums.weights;
  *mean.data<float>() = static_cast<float>(sums.values / *divisor.data<double>());
  return {mean, divisor};
}

std::vector<Tensor> cross_entropy_backward(const Tensor& margin, const Tensor& person, const Tensor& weights,
                                           const Tensor& divisor, const Tensor& grad_mean) {
  auto grad_margin = unfilled_like(margin);
  portrait::cross_entropy_backward(margin.data<float>(), person.data<float>(), weights.data<float>(),
                                   static_cast<float>(*grad_mean.data<float>() / *divisor.data<double>()),
                                   grad_margin.data<float>(), margin.numel());
  return {grad_margin};
}

Shapes cross_entropy_shape(Shape, Shape, Shape) { return {Shape(), Shape()}; }

Types cross_entropy_type(paddle::DataType margin, paddle::DataType, paddle::DataType) {
  return {margin, paddle::DataType::FLOAT64};
}

std::vector<Tensor> overlaps_forward(const Tensor& margin, const Tensor& person, const Tensor& valid) {
  auto sums = paddle::empty({2, 3}, margin.dtype(), margin.place());
  portrait::overlaps_forward(margin.data<float>(), person.data<float>(), valid.data<float>(), sums.data<float>(),
                             margin.numel());
  return {sums};
}

std::vector<Tensor> overlaps_backward(const Tensor& margin, const Tensor& person, const Tensor& valid,
                                      const Tensor& grad_sums) {
  auto grad_margin = unfilled_like(margin);
  portrait::overlaps_backward(margin.data<float>(), person.data<float>(), valid.data<float>(),
                              grad_sums.data<float>(), grad_margin.data<float>(), margin.numel());
  return {grad_margin};
}

Shapes overlaps_shape(Shape, Shape, Shape) { return {{2, 3}}; }

Types overlaps_type(paddle::DataType margin, paddle::DataType, paddle::DataType) { return {margin}; }

}  // namespace
}  // namespace portrait::binding

using namespace portrait::binding;  // NOLINT: the macros need plain names

PD_BUILD_OP(portrait_read_labels)
    .Inputs({"Labels"})
    .Outputs({"Person", "Valid"})
    .Attrs({"ignored: int64_t"})
    .SetKernelFn(PD_KERNEL(read_labels))
    .SetInferShapeFn(PD_INFER_SHAPE(two_shapes))
    .SetInferDtypeFn(PD_INFER_DTYPE(two_floats));

PD_BUILD_OP(portrait_cross_entropy)
    .Inputs({"Margin", "Person", "Weights"})
    .Outputs({"Mean", "Divisor"})
    .SetKernelFn(PD_KERNEL(cross_entropy_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(cross_entropy_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(cross_entropy_type));
PD_BUILD_GRAD_OP(portrait_cross_entropy)
    .Inputs({"Margin", "Person", "Weights", "Divisor", paddle::Grad("Mean")})
    .Outputs({paddle::Grad("Margin")})
    .SetKernelFn(PD_KERNEL(cross_entropy_backward));

PD_BUILD_OP(portrait_overlaps)
    .Inputs({"Margin", "Person", "Valid"})
    .Outputs({"Sums"})
    .SetKernelFn(PD_KERNEL(overlaps_forward))
    .SetInferShapeFn(PD_INFER_SHAPE(overlaps_shape))
    .SetInferDtypeFn(PD_INFER_DTYPE(overlaps_type));
PD_BUILD_GRAD_OP(portrait_overlaps)
    .Inputs({"Margin", "Person", "Valid", paddle::Grad("Sums")})
    .Outputs({paddle::Grad("Margin")})
    .SetKernelFn(PD_KERNEL(overlaps_backward));
