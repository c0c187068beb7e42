// Depthwise convolution, one plane at a time in a thread's own scratch memory.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "window.h"

namespace portrait {

// One row of outputs: out[j] = sum over taps of weight * input. `tap_row[k * K + l]` is where tap (k, l) begins.
// The last vector may overwrite what follows the row when `whole_vectors` is set: the caller writes that next.
template <int K>
inline void correlate_row(const float* const* tap_row, const Vector* weight, float bias, float* out, int width,
                          bool whole_vectors) {
  for (int j = 0; j < width; j += kLanes) {
    Vector sum = Vector{} + bias;
#pragma GCC unroll 25
    for (int t = 0; t < K * K; ++t) sum += weight[t] * load(tap_row[t] + j);
    if (whole_vectors || j + kLanes <= width)
      store(out + j, sum);
    else
      store_part(out + j, sum, width - j);
  }
}

template <int K>
void broadcast_weight(const float* weight, Vector* out, bool flipped) {
  for (int t = 0; t < K * K; ++t) out[t] = Vector{} + weight[flipped ? K * K - 1 - t : t];
}

// Correlates a filled input with a K x K kernel into `y` (out_height x out_width).
template <int K>
void correlate_plane(PaddedInput<K>& input, const Taps<K>& taps, const Vector* weight, float bias,
                     const Window& window, float* y) {
  for (int i = 0; i < window.out_height; ++i) {
    const float* tap_row[K * K];
    for (int k = 0; k < K; ++k)
      for (int l = 0; l < K; ++l)
        tap_row[k * K + l] = input.row(taps.phase[k], taps.phase[l], i + taps.shift[k]) + taps.shift[l];
    // A row's overrun must stay inside this plane: another thread owns the next one.
    const long left = window.out_size() - static_cast<long>(i) * window.out_width;
    correlate_row<K>(tap_row, weight, bias, y + static_cast<long>(i) * window.out_width, window.out_width,
                     left >= round_up(window.out_width, kLanes));
  }
}

// grad_weight[k, l] = sum over outputs of gradient * the input that tap (k, l) saw there.
template <int K>
void weight_gradient(PaddedInput<K>& input, PaddedOutput<K>& grad, const Taps<K>& taps, const Window& window,
                     float* grad_weight) {
  for (int k = 0; k < K; ++k) {
    Vector sum[K] = {};
    for (int i = 0; i < window.out_height; ++i) {
      const float* g = grad.row(i);
      const float* tap_row[K];
      for (int l = 0; l < K; ++l)
        tap_row[l] = input.row(taps.phase[k], taps.phase[l], i + taps.shift[k]) + taps.shift[l];
      for (int j = 0; j < window.out_width; j += kLanes) {  // the gradient is zero past the row's end
        const Vector value = load(g + j);
#pragma GCC unroll 5
        for (int l = 0; l < K; ++l) sum[l] += value * load(tap_row[l] + j);
      }
    }
    for (int l = 0; l < K; ++l) grad_weight[k * K + l] = sum_lanes(sum[l]);
  }
}

// Stride 2: each row of the input's gradient is two interleaved phases, each fed by its own taps.
template <int K>
void input_gradient_strided(PaddedOutput<K>& grad, const Taps<K>& taps, const Vector* weight, float bias,
                            const Window& window, float* phase_rows, float* grad_x) {
  const int stride = window.stride;
  const long pitch = phase_pitch(window);
  for (int y = 0; y < window.height; ++y) {
    const int phase = (y + window.pad_top) % stride, u = (y + window.pad_top) / stride;
    std::fill_n(phase_rows, pitch * stride, bias);
    for (int k = 0; k < K; ++k) {
      if (taps.phase[k] != phase) continue;
      for (int l = 0; l < K; ++l) {
        const float* g = grad.row(u - taps.shift[k]) - taps.shift[l];
        float* target = phase_rows + taps.phase[l] * pitch;
        for (long v = 0; v < pitch; v += kLanes)
          store(target + v, load(target + v) + weight[k * K + l] * load(g + v));
      }
    }
    join_phases(phase_rows, pitch, window, grad_x + static_cast<long>(y) * window.width);
  }
}

// With stride 1 the input's gradient is the gradient correlated with the flipped kernel.
inline Window transposed(const Window& window) {
  Window result = window;
  const int reach = (window.kernel_height - 1) * window.dilation;
  result.height = window.out_height, result.width = window.out_width;
  result.out_height = window.height, result.out_width = window.width;
  result.pad_top = reach - window.pad_top, result.pad_left = reach - window.pad_left;
  return result;
}

// `done(plane, values)` is called for every output plane while it is in cache.
template <int K, class Done>
void correlate_planes(const float* x, const float* weight, const float* bias, float* y, int batch, int channels,
                      const Window& window, const Done& done) {
  const Taps<K> taps(window);
#pragma omp parallel
  {
    PaddedInput<K> input(window);
    Vector broadcast[K * K];
#pragma omp for schedule(static)
    for (long plane = 0; plane < static_cast<long>(batch) * channels; ++plane) {
      const long c = plane % channels;
      float* out = y + plane * window.out_size();
      input.fill(x + plane * window.in_size());
      broadcast_weight<K>(weight + c * K * K, broadcast, false);
      correlate_plane<K>(input, taps, broadcast, bias ? bias[c] : 0.f, window, out);
      done(plane, out);
    }
  }
}

// Either gradient may be null. Both are taken plane by plane, while the plane is in cache.
// `grad_of(plane, scratch)` returns where the plane's gradient is; it may compute it into the scratch plane.
template <int K, class GradOf>
void plane_gradients(const float* x, const float* weight, const GradOf& grad_of, const float* bias, float* grad_x,
                     float* grad_weight, int batch, int channels, const Window& window) {
  const Taps<K> taps(window);
  const Window flipped = transposed(window);
  const bool strided = window.stride > 1;
  const long filters = static_cast<long>(channels) * K * K;
  std::vector<float> partial(grad_weight ? batch * filters : 0);
#pragma omp parallel
  {
    PaddedInput<K> input(window), grad_input(strided ? window : flipped);
    PaddedOutput<K> grad(window);
    Scratch phase_rows(window.stride * phase_pitch(window)), computed(window.out_size());
    Vector broadcast[K * K];
#pragma omp for schedule(static)
    for (long plane = 0; plane < static_cast<long>(batch) * channels; ++plane) {
      const long c = plane % channels;
      const float* g = grad_of(plane, computed.data());
      if (grad_weight || strided) grad.fill(g);
      if (grad_weight) {
        input.fill(x + plane * window.in_size());
        weight_gradient<K>(input, grad, taps, window, partial.data() + plane * K * K);
      }
      if (!grad_x) continue;
      const float base = bias ? bias[c] : 0.f;
      float* target = grad_x + plane * window.in_size();
      broadcast_weight<K>(weight + c * K * K, broadcast, !strided);
      if (strided) {
        input_gradient_strided<K>(grad, taps, broadcast, base, window, phase_rows.data(), target);
      } else {
        grad_input.fill(g);
        correlate_plane<K>(grad_input, taps, broadcast, base, flipped, target);
      }
    }
  }
  for (long i = 0; i < filters && grad_weight; ++i) {
    double sum = 0;
    for (int n = 0; n < batch; ++n) sum += partial[n * filters + i];
    grad_weight[i] = static_cast<float>(sum);
  }
}

// Calls `run` with the kernel's size as a constant.
template <class Run>
void with_kernel_size(int size, const Run& run) {
  if (size == 3)
    run(std::integral_constant<int, 3>());
  else if (size == 4)
    run(std::integral_constant<int, 4>());
  else
    run(std::integral_constant<int, 5>());
}

}  // namespace portrait
