// Convolution of the network's input: few channels, any window, and no gradient for the input.
#include "kernels.h"
#include "matrix.h"

namespace portrait {
namespace {

// Copies windows of the input into a panel, one column per output position.
struct WindowsOf {
  const float* data;
  int channels;
  Window window;

  void operator()(long n, long begin, long count, float* panel, long pitch) const {
    for (int c = 0; c < channels; ++c) {
      const float* plane = data + (n * channels + c) * window.in_size();
      for (int k = 0; k < window.kernel_height; ++k)
        for (int l = 0; l < window.kernel_width; ++l, panel += pitch) fill_tap(plane, k, l, begin, count, panel);
    }
  }

 private:
  // What tap (k, l) sees at output positions [begin, begin + count), row by row of the output.
  void fill_tap(const float* plane, int k, int l, long begin, long count, float* to) const {
    long row = begin / window.out_width, column = begin % window.out_width;
    for (long done = 0; done < count; ++row, column = 0) {
      long span = window.out_width - column;
      if (span > count - done) span = count - done;
      const long y = row * window.stride + k * window.dilation - window.pad_top;
      const long x = column * window.stride + l * window.dilation - window.pad_left;
      if (y < 0 || y >= window.height)
        std::memset(to + done, 0, sizeof(float) * span);
      else
        fill_span(plane + y * window.width, x, span, to + done);
      done += span;
    }
  }

  // to[j] = row[x + j * stride], and zero where that is outside the row.
  void fill_span(const float* row, long x, long span, float* to) const {
    const int stride = window.stride;
    long first = x >= 0 ? 0 : (-x + stride - 1) / stride;
    long last = x < window.width ? (window.width - 1 - x) / stride + 1 : 0;
    if (last > span) last = span;
    if (first > last) first = last;
    for (long j = 0; j < first; ++j) to[j] = 0.f;
    take_every(stride, row + x + first * stride, last - first, to + first);
    for (long j = last; j < span; ++j) to[j] = 0.f;
  }
};

}  // namespace

void stem_forward(const float* x, const float* weight, float* y, int batch, int in_channels, int out_channels,
                  const Window& window) {
  const int terms = in_channels * window.kernel_height * window.kernel_width;
  multiply_patches(PackedLeft(weight, out_channels, terms, terms, 1), WindowsOf{x, in_channels, window}, y, batch,
                   window.out_size());
}

void stem_backward(const float* x, const float* grad_y, float* grad_weight, int batch, int in_channels,
                   int out_channels, const Window& window) {
  const int terms = in_channels * window.kernel_height * window.kernel_width;
  backward_of_patches(grad_y, WindowsOf{x, in_channels, window}, nullptr, nullptr, grad_weight, batch, out_channels,
                      terms, window.out_size());
}

}  // namespace portrait
