// Interleaving the channels of two tensors: a two-group channel shuffle of their concatenation.
#include <cstring>

#include "kernels.h"

namespace portrait {

void interleave(const float* first, const float* second, float* y, long planes, long size) {
#pragma omp parallel for schedule(static)
  for (long plane = 0; plane < planes; ++plane) {
    std::memcpy(y + 2 * plane * size, first + plane * size, sizeof(float) * size);
    std::memcpy(y + (2 * plane + 1) * size, second + plane * size, sizeof(float) * size);
  }
}

void deinterleave(const float* y, float* first, float* second, long planes, long size) {
#pragma omp parallel for schedule(static)
  for (long plane = 0; plane < planes; ++plane) {
    std::memcpy(first + plane * size, y + 2 * plane * size, sizeof(float) * size);
    std::memcpy(second + plane * size, y + (2 * plane + 1) * size, sizeof(float) * size);
  }
}

}  // namespace portrait
