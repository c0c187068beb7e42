// The sum of a channel: the gradient of a value that was added to all of it.
#include <vector>

#include "kernels.h"
#include "vector.h"

namespace portrait {

void channel_sums(const float* x, double* sums, int batch, int channels, long size) {
#pragma omp parallel for schedule(static)
  for (int c = 0; c < channels; ++c) {
    double sum = 0;
    for (int n = 0; n < batch; ++n) {
      const float* plane = x + (static_cast<long>(n) * channels + c) * size;
      Vector lanes{};
      long j = 0;
      for (; j + kLanes <= size; j += kLanes) lanes += load(plane + j);
      if (j < size) lanes += load_part(plane + j, static_cast<int>(size - j));
      sum += sum_lanes(lanes);
    }
    sums[c] = sum;
  }
}

void bias_gradient(const float* grad_y, float* grad_bias, int batch, int channels, long size) {
  std::vector<double> sums(channels);
  channel_sums(grad_y, sums.data(), batch, channels, size);
  for (int c = 0; c < channels; ++c) grad_bias[c] = static_cast<float>(sums[c]);
}

}  // namespace portrait
