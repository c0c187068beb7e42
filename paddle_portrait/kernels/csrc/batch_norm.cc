// Batch normalisation in training mode, with the activation that follows it, a channel at a time, so that its values stay in cache for all passes.
//
// Sums run in float vectors over short blocks and in double across blocks; the variance is taken around the mean in a
// second pass. The mean's rounding to float is carried into the shift, which keeps channels whose spread is tiny
// beside their mean as exact as float32 input allows.
#include <cmath>

#include "activation.h"

namespace portrait {
namespace {

constexpr long kBlock = 512;  // values summed in float before they join the double sum

struct Sums {
  double first = 0, second = 0;
};

// Adds term(position) -> {first, second} over [0, size) of one plane.
template <class Term>
inline Sums sum_plane(long size, const Term& term) {
  Sums total;
  for (long begin = 0; begin < size; begin += kBlock) {
    const long end = begin + kBlock < size ? begin + kBlock : size;
    Vector first[2] = {}, second[2] = {};
    long j = begin;
    for (; j + 2 * kLanes <= end; j += 2 * kLanes) {
      term(j, kLanes, first[0], second[0]);
      term(j + kLanes, kLanes, first[1], second[1]);
    }
    for (; j < end; j += kLanes) term(j, end - j < kLanes ? static_cast<int>(end - j) : kLanes, first[0], second[0]);
    total.first += sum_lanes(first[0] + first[1]);
    total.second += sum_lanes(second[0] + second[1]);
  }
  return total;
}

// What one channel needs to be normalised: y = (x - mean) * scale + shift.
struct Affine {
  Affine(double mean, double inverse_std, float weight, float bias)
      : centre(static_cast<float>(mean)), scale(static_cast<float>(weight * inverse_std)),
        shift(static_cast<float>(bias - (mean - centre) * weight * inverse_std)) {}

  // Forward and backward both come through here: the ReLU's gate must close on the same values in both.
  Vector operator()(Vector x) const { return (x - centre) * scale + shift; }

  float centre, scale, shift;
};

template <Activation kKind>
void normalise_channel(const float* x, float* y, const Affine& affine, int batch, long stride, long size) {
  for (int n = 0; n < batch; ++n) {
    const float* from = x + n * stride;
    float* to = y + n * stride;
    for (long j = 0; j < size; j += kLanes) {
      const int count = size - j < kLanes ? static_cast<int>(size - j) : kLanes;
      put(to + j, activate<kKind>(affine(take(from + j, count))), count);
    }
  }
}

template <Activation kKind>
void forward(const float* x, const float* scale, const float* shift, float* running_mean, float* running_variance,
             float* y, double* mean, double* inverse_std, int batch, int channels, long size, double momentum,
             double epsilon) {
  const long stride = channels * size;
  const double count = static_cast<double>(batch) * size;
#pragma omp parallel for schedule(static)
  for (int c = 0; c < channels; ++c) {
    const float* channel = x + c * size;
    double sum = 0, squares = 0, drift = 0;
    for (int n = 0; n < batch; ++n) {
      const float* plane = channel + n * stride;
      sum += sum_plane(size, [&](long j, int lanes, Vector& first, Vector&) { first += take(plane + j, lanes); }).first;
    }
    const float centre = static_cast<float>(sum / count);
    for (int n = 0; n < batch; ++n) {
      const float* plane = channel + n * stride;
      const Sums sums = sum_plane(size, [&](long j, int lanes, Vector& first, Vector& second) {
        Vector distance = take(plane + j, lanes) - centre;
        if (lanes < kLanes)
          for (int lane = lanes; lane < kLanes; ++lane) distance[lane] = 0;
        first += distance;
        second += distance * distance;
      });
      drift += sums.first, squares += sums.second;
    }
    drift /= count;  // what the float centre misses of the mean
    const double variance = squares / count - drift * drift;
    mean[c] = centre + drift;
    inverse_std[c] = 1.0 / std::sqrt((variance > 0 || std::isnan(variance) ? variance : 0.0) + epsilon);
    running_mean[c] = static_cast<float>(momentum * running_mean[c] + (1 - momentum) * mean[c]);
    running_variance[c] = static_cast<float>(momentum * running_variance[c] + (1 - momentum) * variance);
    normalise_channel<kKind>(channel, y + c * size, Affine(mean[c], inverse_std[c], scale[c], shift[c]), batch, stride,
                             size);
  }
}

template <Activation kKind>
void backward(const float* x, const float* scale, const float* shift, const double* mean, const double* inverse_std,
              const float* grad_y, float* grad_x, float* grad_scale, float* grad_shift, int batch, int channels,
              long size) {
  const long stride = channels * size;
  const double count = static_cast<double>(batch) * size;
#pragma omp parallel for schedule(static)
  for (int c = 0; c < channels; ++c) {
    const Affine affine(mean[c], inverse_std[c], scale[c], shift[c]);
    double sum = 0, moment = 0;  // of the gradient, and of gradient * distance from the centre
    for (int n = 0; n < batch; ++n) {
      const float *plane = x + c * size + n * stride, *grad = grad_y + c * size + n * stride;
      const Sums sums = sum_plane(size, [&](long j, int lanes, Vector& first, Vector& second) {
        const Vector value = take(plane + j, lanes);
        const Vector passed = through<kKind>(take(grad + j, lanes), affine(value));
        first += passed;
        second += passed * (value - affine.centre);
      });
      sum += sums.first, moment += sums.second;
    }
    const double drift = mean[c] - affine.centre;
    moment -= drift * sum;
    grad_shift[c] = static_cast<float>(sum);
    grad_scale[c] = static_cast<float>(moment * inverse_std[c]);
    // grad_x = scale / std * (passed - sum / M - (x - mean) * moment / (M var)), the constants gathered in double.
    const double slope = moment * inverse_std[c] * inverse_std[c] / count;
    const float tilt = static_cast<float>(slope), level = static_cast<float>(sum / count - drift * slope);
    for (int n = 0; n < batch; ++n) {
      const long offset = c * size + n * stride;
      for (long j = 0; j < size; j += kLanes) {
        const int lanes = size - j < kLanes ? static_cast<int>(size - j) : kLanes;
        const Vector value = take(x + offset + j, lanes);
        const Vector passed = through<kKind>(take(grad_y + offset + j, lanes), affine(value));
        put(grad_x + offset + j, affine.scale * (passed - level - (value - affine.centre) * tilt), lanes);
      }
    }
  }
}

}  // namespace

void batch_norm_forward(const float* x, const float* scale, const float* shift, float* running_mean,
                        float* running_variance, float* y, double* mean, double* inverse_std, int batch, int channels,
                        long size, double momentum, double epsilon, Activation activation) {
  with_activation(activation, [&](auto kind) {
    forward<kind>(x, scale, shift, running_mean, running_variance, y, mean, inverse_std, batch, channels, size,
                  momentum, epsilon);
  });
}

void batch_norm_backward(const float* x, const float* scale, const float* shift, const double* mean,
                         const double* inverse_std, const float* grad_y, float* grad_x, float* grad_scale,
                         float* grad_shift, int batch, int channels, long size, Activation activation) {
  with_activation(activation, [&](auto kind) {
    backward<kind>(x, scale, shift, mean, inverse_std, grad_y, grad_x, grad_scale, grad_shift, batch, channels, size);
  });
}

}  // namespace portrait
