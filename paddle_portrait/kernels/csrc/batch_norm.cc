// Batch normalisation in training mode and the activation that follows it, a channel at a time, so that its values stay
// in cache for all passes.
#include <vector>

#include "activation.h"
#include "normalisation.h"

namespace portrait {
namespace {

template <Activation kKind>
void forward(const float* x, const float* scale, const float* shift, float* running_mean, float* running_variance,
             float* y, double* mean, double* inverse_std, int batch, int channels, long size, double momentum,
             double epsilon) {
  const long image = channels * size;
#pragma omp parallel
  {
    std::vector<Moments> planes(batch);
#pragma omp for schedule(static)
    for (int c = 0; c < channels; ++c) {
      for (int n = 0; n < batch; ++n) planes[n] = plane_moments(x + n * image + c * size, size);
      const Moments moments = joint_moments(planes.data(), batch, 1, size);
      mean[c] = moments.mean;
      inverse_std[c] = settle(moments, static_cast<double>(batch) * size, momentum, epsilon, running_mean + c,
                              running_variance + c);
      const Affine affine(mean[c], inverse_std[c], scale[c], shift[c]);
      for (int n = 0; n < batch; ++n) {
        const long offset = n * image + c * size;
        for (long j = 0; j < size; j += kLanes) {
          const int lanes = size - j < kLanes ? static_cast<int>(size - j) : kLanes;
          put(y + offset + j, activate<kKind>(affine(take(x + offset + j, lanes))), lanes);
        }
      }
    }
  }
}

template <Activation kKind>
void backward(const float* x, const float* scale, const float* shift, const double* mean, const double* inverse_std,
              const float* grad_y, float* grad_x, float* grad_scale, float* grad_shift, int batch, int channels,
              long size) {
  const long image = channels * size;
#pragma omp parallel for schedule(static)
  for (int c = 0; c < channels; ++c) {
    const Affine affine(mean[c], inverse_std[c], scale[c], shift[c]);
    double sum = 0, moment = 0;
    for (int n = 0; n < batch; ++n) {
      const float *plane = x + c * size + n * image, *grad = grad_y + c * size + n * image;
      const Sums sums = sum_plane(size, [&](long j, int lanes, Vector& first, Vector& second) {
        const Vector value = take(plane + j, lanes);
        const Vector passed = through<kKind>(take(grad + j, lanes), affine(value));
        first += passed;
        second += passed * (value - affine.centre);
      });
      sum += sums.first, moment += sums.second;
    }
    moment -= (mean[c] - affine.centre) * sum;
    grad_shift[c] = static_cast<float>(sum);
    grad_scale[c] = static_cast<float>(moment * inverse_std[c]);
    const InputGradient gradient(mean[c], inverse_std[c], scale[c], sum, moment, static_cast<double>(batch) * size);
    for (int n = 0; n < batch; ++n) {
      const long offset = c * size + n * image;
      for (long j = 0; j < size; j += kLanes) {
        const int lanes = size - j < kLanes ? static_cast<int>(size - j) : kLanes;
        const Vector value = take(x + offset + j, lanes);
        const Vector passed = through<kKind>(take(grad_y + offset + j, lanes), affine(value));
        put(grad_x + offset + j, gradient(passed, value), lanes);
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
