// The gradient of a value added to a whole channel.
#include <vector>

#include "kernels.h"
#include "vector.h"

namespace portrait {

void bias_gradient(const float* grad_y, float* grad_bias, int batch, int channels, long size) {
#pragma omp parallel for schedule(static)
  for (int c = 0; c < channels; ++c) {
    double sum = 0;
    for (int n = 0; n < batch; ++n) {
      const float* plane = grad_y + (static_cast<long>(n) * channels + c) * size;
      Vector lanes{};
      long j = 0;
      for (; j + kLanes <= size; j += kLanes) lanes += load(plane + j);
      if (j < size) lanes += load_part(plane + j, static_cast<int>(size - j));
      sum += sum_lanes(lanes);
    }
    grad_bias[c] = static_cast<float>(sum);
  }
}

}  // namespace portrait
