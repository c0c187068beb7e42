// Small matrix products for convolutions: few rows, few terms, many columns.
//
// A convolution is  y[n] (out x size) = weight (out x terms) * patches[n] (terms x size).  Patches are never built
// whole: a `fill(n, begin, count, panel, pitch)` functor copies some of their columns at a time into a panel that
// fits the cache. A 1x1 convolution's patches are the input itself, a stem's are its windows.
#pragma once

#include <vector>

#include "vector.h"

namespace portrait {

#if defined(__AVX512F__)
constexpr int kTileRows = 8;  // 8 x 3 sums, 3 columns and 1 weight: 28 of 32 registers
#else
constexpr int kTileRows = 4;  // 4 x 3 sums, 3 columns and 1 weight: all of 16 registers
#endif
constexpr int kTileVectors = 3;
constexpr int kTileColumns = kTileVectors * kLanes;
constexpr long kPanelColumns = 8 * kTileColumns;
constexpr long kPanelPitch = kPanelColumns + kLanes;  // an odd number of cache lines: rows spread over all sets

// The left matrix of a product, cut into blocks of at most kTileRows rows, each stored column by column.
class PackedLeft {
 public:
  // Element (row, term) is at data[row * row_step + term * term_step]: swapping the steps transposes.
  PackedLeft(const float* data, int rows, int terms, long row_step, long term_step)
      : rows_(rows), terms_(terms), packed_(static_cast<long>(rows) * terms) {
    float* to = packed_.data();
    for (int block = 0; block < blocks(); ++block)
      for (int term = 0; term < terms; ++term)
        for (int row = first_row(block); row < first_row(block + 1); ++row)
          *to++ = data[row * row_step + term * term_step];
  }

  int rows() const { return rows_; }
  int terms() const { return terms_; }
  int blocks() const { return (rows_ + kTileRows - 1) / kTileRows; }
  // Blocks differ by one row at most, so that none is nearly empty.
  int first_row(int block) const { return static_cast<int>(static_cast<long>(block) * rows_ / blocks()); }
  const float* block(int index) const { return packed_.data() + static_cast<long>(first_row(index)) * terms_; }

 private:
  int rows_, terms_;
  std::vector<float> packed_;
};

// Sums longer than this are taken in pieces: rounding errors grow with the length of a running sum.
constexpr int kTermsAtOnce = 64;

// out[r][0..count) (+)= sum over terms of left[term][r] * panel[term][..], for kRows rows and one tile of columns.
template <int kRows>
inline void multiply_tile(const float* left, int terms, const float* panel, float* out, long out_pitch, int count,
                          bool add) {
  Vector sum[kRows][kTileVectors] = {};
  for (int term = 0; term < terms; ++term) {
    Vector column[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) column[v] = load(panel + term * kPanelPitch + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float weight = left[static_cast<long>(term) * kRows + r];
      for (int v = 0; v < kTileVectors; ++v) sum[r][v] += column[v] * weight;
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kTileVectors; ++v) {
      float* to = out + r * out_pitch + v * kLanes;
      const int left_over = count - v * kLanes;
      if (left_over >= kLanes)
        store(to, add ? load(to) + sum[r][v] : sum[r][v]);
      else if (left_over > 0)
        store_part(to, add ? load_part(to, left_over) + sum[r][v] : sum[r][v], left_over);
    }
}

template <int kRows>
void multiply_rows(const float* left, int terms, const float* panel, float* out, long out_pitch, int count) {
  for (int begin = 0; begin < terms; begin += kTermsAtOnce)
    multiply_tile<kRows>(left + static_cast<long>(begin) * kRows,
                         terms - begin < kTermsAtOnce ? terms - begin : kTermsAtOnce, panel + begin * kPanelPitch, out,
                         out_pitch, count, begin > 0);
}

// The number of rows becomes a constant, so that all sums live in registers.
template <int kRows = kTileRows>
void multiply_rows(int rows, const float* left, int terms, const float* panel, float* out, long out_pitch, int count) {
  if (rows == kRows)
    multiply_rows<kRows>(left, terms, panel, out, out_pitch, count);
  else if constexpr (kRows > 1)
    multiply_rows<kRows - 1>(rows, left, terms, panel, out, out_pitch, count);
}

// out = left * panel over the panel's first `count` columns; out has `out_pitch` columns a row.
inline void multiply_panel(const PackedLeft& left, const float* panel, float* out, long out_pitch, long count) {
  for (long column = 0; column < count; column += kTileColumns)
    for (int block = 0; block < left.blocks(); ++block) {
      const int row = left.first_row(block), rows = left.first_row(block + 1) - row;
      multiply_rows(rows, left.block(block), left.terms(), panel + column, out + row * out_pitch + column, out_pitch,
                    static_cast<int>(count - column));
    }
}

// Copies columns of a batch x rows x size matrix into a panel.
struct ColumnsOf {
  const float* data;
  int rows;
  long size;

  void operator()(long n, long begin, long count, float* panel, long pitch) const {
    const float* from = data + n * rows * size + begin;
    for (int row = 0; row < rows; ++row) std::memcpy(panel + row * pitch, from + row * size, sizeof(float) * count);
  }
};

// y[n] = left * patches[n] for every n; y is batch x rows x size.
template <class Fill>
void multiply_patches(const PackedLeft& left, const Fill& fill, float* y, int batch, long size) {
  const long panels = (size + kPanelColumns - 1) / kPanelColumns;
#pragma omp parallel
  {
    Scratch panel(left.terms() * kPanelPitch);
#pragma omp for schedule(static)
    for (long task = 0; task < batch * panels; ++task) {
      const long n = task / panels, begin = task % panels * kPanelColumns;
      const long count = size - begin < kPanelColumns ? size - begin : kPanelColumns;
      fill(n, begin, count, panel.data(), kPanelPitch);
      multiply_panel(left, panel.data(), y + n * left.rows() * size + begin, size, count);
    }
  }
}

constexpr int kDotTile = 4;  // 16 sums, 4 + 1 operands
constexpr int kDotGroups = kDotTile * kDotTile / kLanes;
static_assert(kDotGroups * kLanes == kDotTile * kDotTile, "a tile's sums must fill whole vectors");

// sums[4 * a + b] += the dot product of row a of `first` and row b of `second`, over `count` columns (whole vectors).
inline void dot_tile(const float* first, const float* second, long pitch, long count, float* sums) {
  Vector sum[kDotTile * kDotTile] = {};
  for (long j = 0; j < count; j += kLanes) {
    Vector right[kDotTile];
    for (int b = 0; b < kDotTile; ++b) right[b] = load(second + b * pitch + j);
#pragma GCC unroll 4
    for (int a = 0; a < kDotTile; ++a) {
      const Vector left = load(first + a * pitch + j);
#pragma GCC unroll 4
      for (int b = 0; b < kDotTile; ++b) sum[a * kDotTile + b] += left * right[b];
    }
  }
  for (int group = 0; group < kDotGroups; ++group)
    store(sums + group * kLanes, load(sums + group * kLanes) + sum_each(sum + group * kLanes));
}

// sums[tile of rows][tile of terms][4][4] += gradients * patches^T over `count` columns (whole vectors).
inline void dot_panels(const float* gradients, const float* patches, long row_tiles, long term_tiles, long count,
                       float* sums) {
  for (long a = 0; a < row_tiles; ++a)
    for (long b = 0; b < term_tiles; ++b, sums += kDotTile * kDotTile)
      dot_tile(gradients + a * kDotTile * kPanelPitch, patches + b * kDotTile * kPanelPitch, kPanelPitch, count, sums);
}

// Columns whose products are summed by one thread. A constant: the sums' order must not hang on the threads.
constexpr long kColumnsPerTask = 8 * kPanelColumns;

// The backward pass, each panel of gradients read once for both results:
//   grad_weight (rows x terms) = sum over n and columns of grad_y[n] (rows x size) * patches[n] (terms x size)^T
//   grad_x[n] (terms x size) = transposed * grad_y[n], when `transposed` is not null
// Rows and terms are rounded up to whole tiles; what the extra ones hold is never read back.
template <class Fill>
void backward_of_patches(const float* grad_y, const Fill& fill, const PackedLeft* transposed, float* grad_x,
                         float* grad_weight, int batch, int rows, int terms, long size) {
  const long row_tiles = (rows + kDotTile - 1) / kDotTile, term_tiles = (terms + kDotTile - 1) / kDotTile;
  const long sums_per_task = row_tiles * term_tiles * kDotTile * kDotTile;
  const long tasks_per_image = (size + kColumnsPerTask - 1) / kColumnsPerTask, tasks = batch * tasks_per_image;
  const ColumnsOf fill_gradients{grad_y, rows, size};
  Scratch partial(tasks * sums_per_task);
#pragma omp parallel
  {
    Scratch gradients(row_tiles * kDotTile * kPanelPitch);
    Scratch patches(term_tiles * kDotTile * kPanelPitch);
#pragma omp for schedule(static)
    for (long task = 0; task < tasks; ++task) {
      const long n = task / tasks_per_image, first = task % tasks_per_image * kColumnsPerTask;
      const long last = first + kColumnsPerTask < size ? first + kColumnsPerTask : size;
      for (long begin = first; begin < last; begin += kPanelColumns) {
        const long count = last - begin < kPanelColumns ? last - begin : kPanelColumns;
        const long whole = round_up(count, kLanes);
        fill_gradients(n, begin, count, gradients.data(), kPanelPitch);
        for (int row = 0; row < rows; ++row)  // whatever the patches hold there adds nothing
          for (long j = count; j < whole; ++j) gradients[row * kPanelPitch + j] = 0.f;
        if (transposed) multiply_panel(*transposed, gradients.data(), grad_x + n * terms * size + begin, size, count);
        fill(n, begin, count, patches.data(), kPanelPitch);
        dot_panels(gradients.data(), patches.data(), row_tiles, term_tiles, whole,
                   partial.data() + task * sums_per_task);
      }
    }
  }
  for (int row = 0; row < rows; ++row)
    for (int term = 0; term < terms; ++term) {
      const long tile = row / kDotTile * term_tiles + term / kDotTile;
      const long at = (tile * kDotTile + row % kDotTile) * kDotTile + term % kDotTile;
      double sum = 0;
      for (long task = 0; task < tasks; ++task) sum += partial[task * sums_per_task + at];
      grad_weight[static_cast<long>(row) * terms + term] = static_cast<float>(sum);
    }
}

}  // namespace portrait
