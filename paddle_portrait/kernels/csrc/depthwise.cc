// Depthwise convolution, one plane at a time in a thread's own scratch memory.
#include <vector>

#include "window.h"

namespace portrait {
namespace {

// One row of outputs: out[j] = sum over taps of weight * input. `tap_row[k * K + l]` is where tap (k, l) begins.
// The last vector may overwrite what follows the row when `whole_vectors` is set: the caller writes that next.
template <int K>
inline void correlate_row(const float* const* tap_row, const Vector* weight, float* out, int width,
                          bool whole_vectors) {
  for (int j = 0; j < width; j += kLanes) {
    Vector sum = weight[0] * load(tap_row[0] + j);
#pragma GCC unroll 25
    for (int t = 1; t < K * K; ++t) sum += weight[t] * load(tap_row[t] + j);
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
void correlate_plane(PaddedInput<K>& input, const Taps<K>& taps, const Vector* weight, const Window& window, float* y) {
  for (int i = 0; i < window.out_height; ++i) {
    const float* tap_row[K * K];
    for (int k = 0; k < K; ++k)
      for (int l = 0; l < K; ++l)
        tap_row[k * K + l] = input.row(taps.phase[k], taps.phase[l], i + taps.shift[k]) + taps.shift[l];
    // A row's overrun must stay inside this plane: another thread owns the next one.
    const long left = window.out_size() - static_cast<long>(i) * window.out_width;
    correlate_row<K>(tap_row, weight, y + static_cast<long>(i) * window.out_width, window.out_width,
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
void input_gradient_strided(PaddedOutput<K>& grad, const Taps<K>& taps, const Vector* weight, const Window& window,
                            float* phase_rows, float* grad_x) {
  const int stride = window.stride;
  const long pitch = phase_pitch(window);
  for (int y = 0; y < window.height; ++y) {
    const int phase = (y + window.pad_top) % stride, u = (y + window.pad_top) / stride;
    std::memset(phase_rows, 0, sizeof(float) * pitch * stride);
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
Window transposed(const Window& window) {
  Window result = window;
  const int reach = (window.kernel_height - 1) * window.dilation;
  result.height = window.out_height, result.width = window.out_width;
  result.out_height = window.height, result.out_width = window.width;
  result.pad_top = reach - window.pad_top, result.pad_left = reach - window.pad_left;
  return result;
}

template <int K>
void forward(const float* x, const float* weight, float* y, int batch, int channels, const Window& window) {
  const Taps<K> taps(window);
#pragma omp parallel
  {
    PaddedInput<K> input(window);
    Vector broadcast[K * K];
#pragma omp for schedule(static)
    for (long plane = 0; plane < static_cast<long>(batch) * channels; ++plane) {
      input.fill(x + plane * window.in_size());
      broadcast_weight<K>(weight + plane % channels * K * K, broadcast, false);
      correlate_plane<K>(input, taps, broadcast, window, y + plane * window.out_size());
    }
  }
}

template <int K>
void backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight, int batch,
              int channels, const Window& window) {
  const Taps<K> taps(window);
  const Window flipped = transposed(window);
  const bool strided = window.stride > 1;
  std::vector<float> partial(static_cast<long>(batch) * channels * K * K);
#pragma omp parallel
  {
    PaddedInput<K> input(window);
    PaddedOutput<K> grad(window);
    PaddedInput<K> grad_input(strided ? window : flipped);
    Scratch phase_rows(window.stride * phase_pitch(window));
    Vector broadcast[K * K];
#pragma omp for schedule(static)
    for (long plane = 0; plane < static_cast<long>(batch) * channels; ++plane) {
      const float* g = grad_y + plane * window.out_size();
      input.fill(x + plane * window.in_size());
      grad.fill(g);
      weight_gradient<K>(input, grad, taps, window, partial.data() + plane * K * K);
      broadcast_weight<K>(weight + plane % channels * K * K, broadcast, !strided);
      float* target = grad_x + plane * window.in_size();
      if (strided) {
        input_gradient_strided<K>(grad, taps, broadcast, window, phase_rows.data(), target);
      } else {
        grad_input.fill(g);
        correlate_plane<K>(grad_input, taps, broadcast, flipped, target);
      }
    }
  }
  for (long i = 0; i < static_cast<long>(channels) * K * K; ++i) {
    double sum = 0;
    for (int n = 0; n < batch; ++n) sum += partial[n * static_cast<long>(channels) * K * K + i];
    grad_weight[i] = static_cast<float>(sum);
  }
}

}  // namespace

void depthwise_forward(const float* x, const float* weight, float* y, int batch, int channels, const Window& window) {
  const auto run = window.kernel_height == 3 ? forward<3> : forward<5>;
  run(x, weight, y, batch, channels, window);
}

void depthwise_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                        int batch, int channels, const Window& window) {
  const auto run = window.kernel_height == 3 ? backward<3> : backward<5>;
  run(x, weight, grad_y, grad_x, grad_weight, batch, channels, window);
}

}  // namespace portrait
