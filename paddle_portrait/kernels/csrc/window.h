// Windows that slide over a plane by 1 or 2, as depthwise convolution and pooling see them.
//
// A plane is copied into padded "phases": phase (a, b) holds the padded rows a, a+s, a+2s... and columns b, b+s, ...
// of a window with stride s. In that layout tap (k, l) of the window reads, for every output position, the element at
// a constant distance, so that all loops run over contiguous memory without a border case, whatever the stride,
// dilation and padding.
#pragma once

#include <memory>

#include "kernels.h"
#include "vector.h"

namespace portrait {

// Rows are processed in whole vectors and may read (never write) up to this far past their end.
constexpr long kSlack = 2 * kLanes;

// Where each tap of a K x K window reads within the phases.
template <int K>
struct Taps {
  explicit Taps(const Window& window) {
    for (int i = 0; i < K; ++i) {
      phase[i] = i * window.dilation % window.stride;
      shift[i] = i * window.dilation / window.stride;
    }
    reach = (K - 1) * window.dilation / window.stride;
  }
  int phase[K];  // the same for rows and columns: window, stride and dilation are square
  int shift[K];
  int reach;
};

// The padded phases of an input plane.
template <int K>
class PaddedInput {
 public:
  explicit PaddedInput(const Window& window, float padding = 0.f)
      : window_(window), pitch_(window.out_width + Taps<K>(window).reach),
        rows_(window.out_height + Taps<K>(window).reach), plane_size_(rows_ * pitch_ + kSlack),
        data_(plane_size_ * window.stride * window.stride) {
    if (padding != 0.f)
      for (long i = 0; i < plane_size_ * window.stride * window.stride; ++i) data_[i] = padding;
  }

  // The padding was written once; only the inside changes from plane to plane.
  void fill(const float* plane) {
    const int stride = window_.stride;
    for (int a = 0; a < stride; ++a)
      for (int u = 0; u < rows_; ++u) {
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
    long last = window_.width > offset ? (window_.width - 1 - offset) / stride + 1 : 0;
    if (last > pitch_) last = pitch_;
    take_every(stride, source + first * stride + offset, last - first, target + first);
  }

  Window window_;
  long pitch_, rows_, plane_size_;
  Scratch data_;
};

// Something given for each output position, with zeros around it so that taps may look `reach` outside.
template <int K>
class PaddedOutput {
 public:
  explicit PaddedOutput(const Window& window) : window_(window), reach_(Taps<K>(window).reach) {
    const long last_row = (window.height - 1 + window.pad_top) / window.stride;
    const long last_column = (window.width - 1 + window.pad_left) / window.stride;
    const long rows = last_row > window.out_height + reach_ ? last_row : window.out_height + reach_;
    const long columns = last_column >= window.out_width + reach_ ? last_column + 1 : window.out_width + reach_;
    pitch_ = reach_ + round_up(columns, kLanes);
    data_.reset(new Scratch((1 + reach_ + rows) * pitch_ + kSlack));
  }

  template <class Value>
  void fill(const Value* plane) {
    for (int i = 0; i < window_.out_height; ++i) {
      float* to = row(i);
      for (int j = 0; j < window_.out_width; ++j) to[j] = plane[static_cast<long>(i) * window_.out_width + j];
    }
  }

  // Row `index`, -reach and beyond the last row included; columns likewise.
  float* row(int index) { return data_->data() + (index + reach_) * pitch_ + reach_; }

 private:
  Window window_;
  int reach_;
  long pitch_;
  std::unique_ptr<Scratch> data_;
};

// Writes a row of an input's gradient from its interleaved phases, `pitch` apart: row[x] is phase (x + pad) mod stride
// at position (x + pad) / stride.
inline void join_phases(const float* phases, long pitch, const Window& window, float* row) {
  const int stride = window.stride, pad = window.pad_left;
  if (stride == 1) {
    std::memcpy(row, phases + pad, sizeof(float) * window.width);
    return;
  }
  const float *even = phases, *odd = phases + pitch;  // stride 2
  int x = 0;
  if (pad % 2 && window.width > 0) row[x++] = odd[pad / 2];
  const float *left = even + (x + pad) / 2, *right = odd + (x + pad) / 2;
  float* to = row + x;
  const int pairs = (window.width - x) / 2;
  for (int i = 0; i < pairs; ++i) {
    to[2 * i] = left[i];
    to[2 * i + 1] = right[i];
  }
  if (x + 2 * pairs < window.width) to[2 * pairs] = left[pairs];
}

// Columns of one phase of the input, in whole vectors.
inline long phase_pitch(const Window& window) {
  return round_up((window.width - 1 + window.pad_left) / window.stride + 1, kLanes);
}

}  // namespace portrait
