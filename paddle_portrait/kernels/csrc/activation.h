// Activations on vectors, and the gradients that they let through.
#pragma once

#include <type_traits>

#include "kernels.h"
#include "vector.h"

namespace portrait {

// Comparisons are written so that a NaN passes, and shows.
inline Vector clamp(Vector value, float low, float high) {
  const Vector raised = value < low ? Vector{} + low : value;
  return raised > high ? Vector{} + high : raised;
}

template <Activation kKind>
inline Vector activate(Vector value) {
  if constexpr (kKind == Activation::kRelu) return value < 0.f ? Vector{} : value;
  if constexpr (kKind == Activation::kRelu6) return clamp(value, 0.f, 6.f);
  if constexpr (kKind == Activation::kHardSwish) return value * clamp(value + 3.f, 0.f, 6.f) * (1.f / 6);
  return value;
}

// The gradient at the input of the activation, whose value was `value`.
template <Activation kKind>
inline Vector through(Vector grad, Vector value) {
  if constexpr (kKind == Activation::kRelu) return value > 0.f ? grad : Vector{};
  if constexpr (kKind == Activation::kRelu6) {
    const Vector below = value < 6.f ? grad : Vector{};
    return value > 0.f ? below : Vector{};
  }
  if constexpr (kKind == Activation::kHardSwish) {
    const Vector middle = grad * (value * (1.f / 3) + 0.5f);
    const Vector below = value < 3.f ? middle : grad;
    return value > -3.f ? below : Vector{};
  }
  return grad;
}

// Calls `run` with the activation as a constant.
template <class Run>
void with_activation(Activation activation, const Run& run) {
  switch (activation) {
    case Activation::kNone: return run(std::integral_constant<Activation, Activation::kNone>());
    case Activation::kRelu: return run(std::integral_constant<Activation, Activation::kRelu>());
    case Activation::kRelu6: return run(std::integral_constant<Activation, Activation::kRelu6>());
    case Activation::kHardSwish: return run(std::integral_constant<Activation, Activation::kHardSwish>());
  }
}

}  // namespace portrait
