// Convolution with any window, stride, dilation, padding and groups, and what a transposed convolution needs of it.
//
// The input's gradient with stride s is taken phase by phase: the input positions (y, x) with equal remainders of
// (y + pad, x + pad) by s are touched by the same taps, so that each phase is itself a convolution of the gradient
// with stride 1 and nothing is scattered.
#include <vector>

#include "kernels.h"
#include "matrix.h"

namespace portrait {
namespace {

struct Tap {
  int row, column;  // within the kernel
  long y, x;        // of what it reads, for output position (0, 0)
};

// Copies what taps see of some channels into panels: term = channel * taps + tap, column = position in a grid.
// Position (u, v) of the grid, tap t: plane[u * step + t.y][v * step + t.x], and zero outside the plane.
struct WindowsOf {
  const float* data;
  long image, height, width;
  const std::vector<Tap>& taps;
  int step;
  long grid_width;

  void operator()(long n, Range columns, Range terms, float* panel) const {
    const long count = static_cast<long>(taps.size());
    for (long term = terms.begin; term < terms.end; ++term, panel += kPanelPitch)
      fill(data + n * image + term / count * height * width, taps[term % count], columns, panel);
  }

 private:
  void fill(const float* plane, const Tap& tap, Range columns, float* to) const {
    if (step == 1 && tap.y == 0 && tap.x == 0 && grid_width == width && columns.end <= height * width) {
      std::memcpy(to, plane + columns.begin, sizeof(float) * columns.count());
      return;
    }
    long u = columns.begin / grid_width, v = columns.begin % grid_width;
    for (long done = 0; done < columns.count(); ++u, v = 0) {
      const long span = std::min(grid_width - v, columns.count() - done);
      const long y = u * step + tap.y;
      if (y < 0 || y >= height)
        std::memset(to + done, 0, sizeof(float) * span);
      else
        fill_span(plane + y * width, v * step + tap.x, span, to + done);
      done += span;
    }
  }

  // to[j] = row[x + j * step], and zero where that is outside the row.
  void fill_span(const float* row, long x, long span, float* to) const {
    const long last = std::min(x < width ? (width - 1 - x) / step + 1 : 0, span);
    const long first = std::min(x >= 0 ? 0 : (-x + step - 1) / step, last);
    for (long j = 0; j < first; ++j) to[j] = 0.f;
    take_every(step, row + x + first * step, last - first, to + first);
    for (long j = std::max(last, 0L); j < span; ++j) to[j] = 0.f;
  }
};

std::vector<Tap> all_taps(const Window& window) {
  std::vector<Tap> taps;
  for (int k = 0; k < window.kernel_height; ++k)
    for (int l = 0; l < window.kernel_width; ++l)
      taps.push_back({k, l, k * window.dilation - window.pad_top, l * window.dilation - window.pad_left});
  return taps;
}

// The input positions with one pair of remainders, and the taps that touch them.
struct Phase {
  Phase(const Window& window, int row, int column)
      : first_y(first(row, window.pad_top, window.stride)), first_x(first(column, window.pad_left, window.stride)),
        height(std::max((window.height - first_y + window.stride - 1) / window.stride, 0L)),
        width(std::max((window.width - first_x + window.stride - 1) / window.stride, 0L)) {
    const int stride = window.stride, dilation = window.dilation;
    for (int k = 0; k < window.kernel_height; ++k)
      for (int l = 0; l < window.kernel_width; ++l)
        if (k * dilation % stride == row && l * dilation % stride == column)
          taps.push_back({k, l, (first_y + window.pad_top - k * dilation) / stride,
                          (first_x + window.pad_left - l * dilation) / stride});
  }

  // The smallest position at or above 0 whose distance from the padded edge leaves this remainder.
  static long first(int remainder, int pad, int stride) { return ((remainder - pad) % stride + stride) % stride; }

  long first_y, first_x, height, width;
  std::vector<Tap> taps;
};

// Spreads columns of a phase, rows `kPanelPitch` apart, over the planes they belong to.
void spread(const float* panel, int rows, Range columns, const Phase& phase, const Window& window, float* planes) {
  for (int row = 0; row < rows; ++row, panel += kPanelPitch, planes += window.in_size())
    for (long column = columns.begin; column < columns.end;) {
      const long u = column / phase.width, v = column % phase.width;
      const long span = std::min(phase.width - v, columns.end - column);
      float* to = planes + (phase.first_y + u * window.stride) * window.width + phase.first_x + v * window.stride;
      const float* from = panel + column - columns.begin;
      for (long j = 0; j < span; ++j) to[j * window.stride] = from[j];
      column += span;
    }
}

// One phase of the gradient of one group's input.
void phase_gradient(const float* grad_y, const float* weight, const float* bias, float* grad_x, int batch,
                    const Channels& channels, const Window& window, const Phase& phase) {
  const int in = channels.in_per_group(), out = channels.out_per_group();
  const int taps = static_cast<int>(phase.taps.size());
  const PackedLeft left(in, out * taps, [&](int row, int term) {
    const Tap& tap = phase.taps[term % taps];
    const long filter = static_cast<long>(term / taps) * in + row;
    return weight[(filter * window.kernel_height + tap.row) * window.kernel_width + tap.column];
  });
  const WindowsOf windows{grad_y, channels.out * window.out_size(), window.out_height, window.out_width, phase.taps, 1,
                          phase.width};
  const long grad_x_image = channels.in * window.in_size(), size = phase.height * phase.width;
  if (window.stride == 1) {
    multiply_patches(left, windows, bias, grad_x, batch, grad_x_image, size);
    return;
  }
  const long panels = pieces(kPanelColumns, size);
#pragma omp parallel
  {
    Scratch panel(panel_floats(left.terms())), result(in * kPanelPitch);
#pragma omp for schedule(static)
    for (long task = 0; task < batch * panels; ++task) {
      const long n = task / panels;
      const Range columns = piece(task % panels, kPanelColumns, size);
      for (int row = 0; row < in && taps == 0; ++row)  // no tap touches this phase
        std::fill_n(result.data() + row * kPanelPitch, columns.count(), bias ? bias[row] : 0.f);
      multiply_columns(left, windows, n, columns, bias, panel.data(), result.data(), kPanelPitch);
      spread(result.data(), in, columns, phase, window, grad_x + n * grad_x_image);
    }
  }
}

}  // namespace

void dense_forward(const float* x, const float* weight, const float* bias, float* y, int batch,
                   const Channels& channels, const Window& window) {
  const std::vector<Tap> taps = all_taps(window);
  const int in = channels.in_per_group(), out = channels.out_per_group(), terms = in * static_cast<int>(taps.size());
  for (int group = 0; group < channels.groups; ++group) {
    const float* filters = weight + static_cast<long>(group) * out * terms;
    const PackedLeft left(out, terms,
                          [=](int row, int term) { return filters[static_cast<long>(row) * terms + term]; });
    const WindowsOf windows{x + group * in * window.in_size(), channels.in * window.in_size(), window.height,
                            window.width, taps, window.stride, window.out_width};
    multiply_patches(left, windows, bias ? bias + group * out : nullptr, y + group * out * window.out_size(), batch,
                     channels.out * window.out_size(), window.out_size());
  }
}

void dense_input_gradient(const float* grad_y, const float* weight, const float* bias, float* grad_x, int batch,
                          const Channels& channels, const Window& window) {
  const int in = channels.in_per_group(), out = channels.out_per_group();
  const long filter = static_cast<long>(in) * window.kernel_height * window.kernel_width;
  for (int row = 0; row < window.stride; ++row)
    for (int column = 0; column < window.stride; ++column) {
      const Phase phase(window, row, column);
      for (int group = 0; group < channels.groups; ++group)
        phase_gradient(grad_y + group * out * window.out_size(), weight + group * out * filter,
                       bias ? bias + group * in : nullptr, grad_x + group * in * window.in_size(), batch, channels,
                       window, phase);
    }
}

void dense_weight_gradient(const float* x, const float* grad_y, float* grad_weight, int batch,
                           const Channels& channels, const Window& window) {
  const std::vector<Tap> taps = all_taps(window);
  const int in = channels.in_per_group(), out = channels.out_per_group(), terms = in * static_cast<int>(taps.size());
  for (int group = 0; group < channels.groups; ++group) {
    const WindowsOf windows{x + group * in * window.in_size(), channels.in * window.in_size(), window.height,
                            window.width, taps, window.stride, window.out_width};
    const ColumnsOf gradients{grad_y + group * out * window.out_size(), channels.out * window.out_size(),
                              window.out_size()};
    backward_of_patches(gradients, windows, nullptr, nullptr, 0, grad_weight + static_cast<long>(group) * out * terms,
                        batch, out, terms, window.out_size());
  }
}

}  // namespace portrait
