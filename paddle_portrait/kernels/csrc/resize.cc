// Bilinear resizing: columns first, while there are few rows; then every output row is a blend of two.
#include <algorithm>
#include <vector>

#include "kernels.h"
#include "vector.h"

namespace portrait {
namespace {

// Along one axis: output i = (1 - fraction) * source[lower] + fraction * source[upper].
struct Axis {
  Axis(int source, int target, bool align_corners) : lower(target), upper(target), fraction(target) {
    for (int i = 0; i < target; ++i) {
      double position = align_corners ? i * (source - 1.0) / (target - 1.0) : (i + 0.5) * source / target - 0.5;
      if (target == 1 || position < 0) position = 0;  // a single output takes the first value, as in Paddle
      lower[i] = std::min(static_cast<int>(position), source - 1);
      upper[i] = std::min(lower[i] + 1, source - 1);
      fraction[i] = static_cast<float>(position - lower[i]);
    }
  }
  std::vector<int> lower, upper;
  std::vector<float> fraction;
};

void stretch_row(const float* row, const Axis& columns, int width, float* out) {
  const int *lower = columns.lower.data(), *upper = columns.upper.data();
  const float* fraction = columns.fraction.data();
  for (int j = 0; j < width; ++j) out[j] = row[lower[j]] + fraction[j] * (row[upper[j]] - row[lower[j]]);
}

void gather_row(const float* grad, const Axis& columns, int width, float* out) {
  for (int j = 0; j < width; ++j) {
    const float right = columns.fraction[j] * grad[j];
    out[columns.lower[j]] += grad[j] - right;
    out[columns.upper[j]] += right;
  }
}

}  // namespace

void resize_forward(const float* x, float* y, long planes, int height, int width, int out_height, int out_width,
                    bool align_corners) {
  const Axis rows(height, out_height, align_corners), columns(width, out_width, align_corners);
#pragma omp parallel
  {
    Scratch stretched(static_cast<long>(height) * out_width);
#pragma omp for schedule(static)
    for (long plane = 0; plane < planes; ++plane) {
      const float* from = x + plane * height * width;
      for (int i = 0; i < height; ++i)
        stretch_row(from + static_cast<long>(i) * width, columns, out_width,
                    stretched.data() + static_cast<long>(i) * out_width);
      for (int i = 0; i < out_height; ++i) {
        const float* lower = stretched.data() + static_cast<long>(rows.lower[i]) * out_width;
        const float* upper = stretched.data() + static_cast<long>(rows.upper[i]) * out_width;
        const float fraction = rows.fraction[i];
        float* out = y + (plane * out_height + i) * out_width;
#pragma omp simd
        for (int j = 0; j < out_width; ++j) out[j] = lower[j] + fraction * (upper[j] - lower[j]);
      }
    }
  }
}

void resize_backward(const float* grad_y, float* grad_x, long planes, int height, int width, int out_height,
                     int out_width, bool align_corners) {
  const Axis rows(height, out_height, align_corners), columns(width, out_width, align_corners);
  const long stretched_size = static_cast<long>(height) * out_width;
#pragma omp parallel
  {
    Scratch stretched(stretched_size);
#pragma omp for schedule(static)
    for (long plane = 0; plane < planes; ++plane) {
      std::memset(stretched.data(), 0, sizeof(float) * stretched_size);
      for (int i = 0; i < out_height; ++i) {
        const float* grad = grad_y + (plane * out_height + i) * out_width;
        float* lower = stretched.data() + static_cast<long>(rows.lower[i]) * out_width;
        float* upper = stretched.data() + static_cast<long>(rows.upper[i]) * out_width;
        const float fraction = rows.fraction[i], rest = 1.f - fraction;
        for (int j = 0; j < out_width; ++j) lower[j] += rest * grad[j];
        for (int j = 0; j < out_width; ++j) upper[j] += fraction * grad[j];
      }
      float* target = grad_x + plane * height * width;
      std::memset(target, 0, sizeof(float) * height * width);
      for (int i = 0; i < height; ++i)
        gather_row(stretched.data() + static_cast<long>(i) * out_width, columns, out_width,
                   target + static_cast<long>(i) * width);
    }
  }
}

}  // namespace portrait
