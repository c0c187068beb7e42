// Activations by themselves.
#include <vector>

#include "activation.h"

namespace portrait {
namespace {

constexpr long kPiece = 1L << 14;  // values that one thread takes at a time

// Calls work(position, lanes) for every vector of [0, count), a piece at a time in one thread.
template <class Work>
inline void for_each_vector_in_parallel(long count, const Work& work) {
#pragma omp parallel for schedule(static)
  for (long begin = 0; begin < count; begin += kPiece)
    for (long j = begin; j < begin + kPiece && j < count; j += kLanes)
      work(j, count - j < kLanes ? static_cast<int>(count - j) : kLanes);
}

}  // namespace

void prelu_forward(const float* x, const float* weight, float* y, int batch, int channels, int weights, long size) {
#pragma omp parallel for schedule(static)
  for (long plane = 0; plane < static_cast<long>(batch) * channels; ++plane) {
    const float slope = weight[weights > 1 ? plane % channels : 0];
    for_each_vector(size, [=](long j, int lanes) {
      const Vector value = take(x + plane * size + j, lanes);
      put(y + plane * size + j, value > 0.f ? value : value * slope, lanes);
    });
  }
}

void prelu_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                    int batch, int channels, int weights, long size) {
  const long planes = static_cast<long>(batch) * channels;
  std::vector<float> partial(planes);
#pragma omp parallel for schedule(static)
  for (long plane = 0; plane < planes; ++plane) {
    const float slope = weight[weights > 1 ? plane % channels : 0];
    Vector sum{};
    for_each_vector(size, [&](long j, int lanes) {
      const long at = plane * size + j;
      const Vector value = take(x + at, lanes), grad = take(grad_y + at, lanes);
      put(grad_x + at, value > 0.f ? grad : grad * slope, lanes);
      sum += value > 0.f ? Vector{} : grad * value;
    });
    partial[plane] = sum_lanes(sum);
  }
  std::vector<double> sums(weights, 0.0);
  for (long plane = 0; plane < planes; ++plane) sums[weights > 1 ? plane % channels : 0] += partial[plane];
  for (int i = 0; i < weights; ++i) grad_weight[i] = static_cast<float>(sums[i]);
}

void hard_swish_forward(const float* x, float* y, long count) {
  for_each_vector_in_parallel(count, [=](long j, int lanes) {
    put(y + j, activate<Activation::kHardSwish>(take(x + j, lanes)), lanes);
  });
}

void hard_swish_backward(const float* x, const float* grad_y, float* grad_x, long count) {
  for_each_vector_in_parallel(count, [=](long j, int lanes) {
    put(grad_x + j, through<Activation::kHardSwish>(take(grad_y + j, lanes), take(x + j, lanes)), lanes);
  });
}

}  // namespace portrait
