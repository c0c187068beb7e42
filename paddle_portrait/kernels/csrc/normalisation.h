// The arithmetic of batch normalisation.
//
// Sums run in float vectors over short blocks and in double across blocks; squares are taken around each plane's own
// mean. A mean's rounding to float is carried into the shift, which keeps channels whose spread is tiny beside their
// mean as exact as float32 input allows.
#pragma once

#include <cmath>

#include "vector.h"

namespace portrait {

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

// Mean and sum of squared distances from it.
struct Moments {
  double mean = 0, squares = 0;
};

inline Moments plane_moments(const float* plane, long size) {
  const double sum =
      sum_plane(size, [=](long j, int lanes, Vector& first, Vector&) { first += take(plane + j, lanes); }).first;
  const float centre = static_cast<float>(sum / size);
  const Sums sums = sum_plane(size, [=](long j, int lanes, Vector& first, Vector& second) {
    Vector distance = take(plane + j, lanes) - centre;
    for (int lane = lanes; lane < kLanes; ++lane) distance[lane] = 0;
    first += distance;
    second += distance * distance;
  });
  const double drift = sums.first / size;  // what the float centre misses of the mean
  return {centre + drift, sums.second - size * drift * drift};
}

// The moments of planes of equal size, `step` apart, taken together.
inline Moments joint_moments(const Moments* planes, int count, long step, long size) {
  Moments joint;
  for (int n = 0; n < count; ++n) joint.mean += planes[n * step].mean / count;
  for (int n = 0; n < count; ++n) {
    const double distance = planes[n * step].mean - joint.mean;
    joint.squares += planes[n * step].squares + size * distance * distance;
  }
  return joint;
}

// Moves the running statistics of a channel; returns 1 / sqrt(variance + epsilon). `count` values made the moments.
inline double settle(const Moments& moments, double count, double momentum, double epsilon, float* running_mean,
                     float* running_variance) {
  const double variance = moments.squares < 0 ? 0.0 : moments.squares / count;
  *running_mean = static_cast<float>(momentum * *running_mean + (1 - momentum) * moments.mean);
  *running_variance = static_cast<float>(momentum * *running_variance + (1 - momentum) * variance);
  return 1.0 / std::sqrt(variance + epsilon);
}

// What one channel needs to be normalised: y = (x - mean) * scale + shift.
struct Affine {
  Affine(double mean, double inverse_std, float weight, float bias)
      : centre(static_cast<float>(mean)), scale(static_cast<float>(weight * inverse_std)),
        shift(static_cast<float>(bias - (mean - centre) * weight * inverse_std)) {}

  // Forward and backward both come through here: a ReLU's gate must close on the same values in both.
  Vector operator()(Vector x) const { return (x - centre) * scale + shift; }

  float centre, scale, shift;
};

// The gradient at a channel's input: scale / std * (grad - sum / M - (x - mean) * moment / (M variance)), where sum and
// moment are those of the M gradients and of the gradients times (x - mean). Constants are gathered in double.
struct InputGradient {
  InputGradient(double mean, double inverse_std, float weight, double sum, double moment, double count)
      : centre(static_cast<float>(mean)), scale(static_cast<float>(weight * inverse_std)) {
    const double slope = moment * inverse_std * inverse_std / count;
    tilt = static_cast<float>(slope), level = static_cast<float>(sum / count - (mean - centre) * slope);
  }

  Vector operator()(Vector grad, Vector x) const { return scale * (grad - level - (x - centre) * tilt); }

  float centre, scale, tilt, level;
};

}  // namespace portrait
