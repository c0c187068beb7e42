// Depthwise convolution, one plane at a time in a thread's own scratch memory.
//
// A plane is first copied into zero-padded "phases": phase (a, b) holds the padded rows a, a+s, a+2s... and columns
// b, b+s, ... of a convolution with stride s. In that layout tap (k, l) of the kernel reads, for every output
// position, the element at a constant distance, so that all loops run over contiguous memory without a border case,
// whatever the stride, dilation and padding.
#include <vector>

#include "kernels.h"
#include "vector.h"

namespace portrait {
namespace {

// Rows are processed in whole vectors and may read (never write) up to this far past their end.
constexpr long kSlack = 2 * kLanes;

// Where each tap of a K x K kernel reads within the phases.
template <int K>
struct Taps {
  explicit Taps(const Window& window) {
    for (int i = 0; i < K; ++i) {
      phase[i] = i * window.dilation % window.stride;
      shift[i] = i * window.dilation / window.stride;
    }
    reach = (K - 1) * window.dilation / window.stride;
  }
  int phase[K];  // the same for rows and columns: kernel, stride and dilation are square
  int shift[K];
  int reach;
};

// The zero-padded phases of an input plane.
template <int K>
class PaddedInput {
 public:
  explicit PaddedInput(const Window& window)
      : window_(window), pitch_(window.out_width + Taps<K>(window).reach),
        plane_size_((window.out_height + Taps<K>(window).reach) * pitch_ + kSlack),
        data_(plane_size_ * window.stride * window.stride, 0.f) {}

  // The padding was zeroed once; only the inside changes from plane to plane.
  void fill(const float* plane) {
    const int stride = window_.stride, rows = static_cast<int>((plane_size_ - kSlack) / pitch_);
    for (int a = 0; a < stride; ++a)
      for (int u = 0; u < rows; ++u) {
        const int y = u * stride + a - window_.pad_top;
        if (y < 0 || y >= window_.height) continue;
        for (int b = 0; b < stride; ++b) fill_row(plane + static_cast<long>(y) * window_.width, b, row(a, b, u));
      }
  }

  float* row(int phase_row, int phase_column, int index) {
    return data_.data() + (phase_row * window_.stride + phase_column) * plane_size_ + index * pitch_;
  }

 private:
  void fill_row(const float* source, int phase, float* target) const {
    const int stride = window_.stride, offset = phase - window_.pad_left;  // source column = target * stride + offset
    const int first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    long last = (window_.width - 1 - offset) / stride + 1;
    if (window_.width - 1 < offset) last = 0;
    if (last > pitch_) last = pitch_;
    take_every(stride, source + first * stride + offset, last - first, target + first);
  }

  Window window_;
  long pitch_, plane_size_;
  std::vector<float> data_;
};

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

// The gradient of the output with zeros around it, so that taps may look `reach` outside.
template <int K>
class PaddedGradient {
 public:
  explicit PaddedGradient(const Window& window) : window_(window), reach_(Taps<K>(window).reach) {
    const int last_row = (window.height - 1 + window.pad_top) / window.stride;
    const int last_column = (window.width - 1 + window.pad_left) / window.stride;
    const int rows = 1 + reach_ + (last_row > window.out_height + reach_ ? last_row : window.out_height + reach_);
    const long needed = 1 + last_column > window.out_width + reach_ ? 1 + last_column : window.out_width + reach_;
    pitch_ = reach_ + round_up(needed, kLanes);
    data_.assign(rows * pitch_ + kSlack, 0.f);
  }

  void fill(const float* grad) {
    for (int i = 0; i < window_.out_height; ++i)
      std::memcpy(row(i), grad + static_cast<long>(i) * window_.out_width, sizeof(float) * window_.out_width);
  }

  // Row `index` of the gradient, -reach and beyond the last row included; columns likewise.
  float* row(int index) { return data_.data() + (index + reach_) * pitch_ + reach_; }

 private:
  Window window_;
  int reach_;
  long pitch_;
  std::vector<float> data_;
};

// grad_weight[k, l] = sum over outputs of gradient * the input that tap (k, l) saw there.
template <int K>
void weight_gradient(PaddedInput<K>& input, PaddedGradient<K>& grad, const Taps<K>& taps, const Window& window,
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
void input_gradient_strided(PaddedGradient<K>& grad, const Taps<K>& taps, const Vector* weight, const Window& window,
                            float* phase_rows, float* grad_x) {
  const int stride = window.stride;
  const int columns = (window.width - 1 + window.pad_left) / stride + 1;
  const long pitch = round_up(columns, kLanes);
  for (int y = 0; y < window.height; ++y) {
    const int phase = (y + window.pad_top) % stride, u = (y + window.pad_top) / stride;
    std::memset(phase_rows, 0, sizeof(float) * pitch * stride);
    for (int k = 0; k < K; ++k) {
      if (taps.phase[k] != phase) continue;
      for (int l = 0; l < K; ++l) {
        const float* g = grad.row(u - taps.shift[k]) - taps.shift[l];
        float* target = phase_rows + taps.phase[l] * pitch;
        for (int v = 0; v < columns; v += kLanes)
          store(target + v, load(target + v) + weight[k * K + l] * load(g + v));
      }
    }
    float* out = grad_x + static_cast<long>(y) * window.width;
    for (int b = 0; b < stride; ++b) {
      const float* from = phase_rows + b * pitch;
      const int first = window.pad_left > b ? (window.pad_left - b + stride - 1) / stride : 0;
      for (int v = first; v * stride + b - window.pad_left < window.width; ++v)
        out[v * stride + b - window.pad_left] = from[v];
    }
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
    PaddedGradient<K> grad(window);
    PaddedInput<K> grad_input(strided ? window : flipped);
    std::vector<float> phase_rows(2 * round_up(window.width + window.pad_left + 2, kLanes) + kSlack);
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
