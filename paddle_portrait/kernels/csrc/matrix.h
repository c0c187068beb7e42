// Small matrix products for convolutions: few rows, few terms, many columns.
//
// A convolution is  y[n] (rows x size) = weight (rows x terms) * patches[n] (terms x size).  Patches are never built
// whole: a functor `patches(n, columns, terms, panel)` copies some of their columns and terms at a time into a panel
// that fits the cache. A 1x1 convolution's patches are the input itself, a wider one's are its windows.
#pragma once

#include <algorithm>
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
constexpr int kPanelTerms = 256;                      // with its columns less than half a megabyte
// Sums longer than this are taken in pieces: rounding errors grow with the length of a running sum.
constexpr int kTermsAtOnce = 64;

struct Range {
  long begin, end;
  long count() const { return end - begin; }
};

// Piece `index` of [0, total) cut into pieces of `length`.
inline Range piece(long index, long length, long total) {
  return {index * length, std::min((index + 1) * length, total)};
}

inline long pieces(long length, long total) { return (total + length - 1) / length; }

// The left matrix of a product, cut into blocks of at most kTileRows rows, each stored term by term.
class PackedLeft {
 public:
  // `value(row, term)` gives the elements.
  template <class Value>
  PackedLeft(int rows, int terms, const Value& value)
      : rows_(rows), terms_(terms), packed_(static_cast<long>(rows) * terms) {
    float* to = packed_.data();
    for (int block = 0; block < blocks(); ++block)
      for (int term = 0; term < terms; ++term)
        for (int row = first_row(block); row < first_row(block + 1); ++row) *to++ = value(row, term);
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

// What a product is added to: what is there already, a value for each row, or nothing.
enum class Onto { kNothing, kBias, kOutput };

// out[r][0..count) = base + sum over terms of left[term][r] * panel[term][..]; kRows rows, one tile of columns.
template <int kRows>
inline void multiply_tile(const float* left, long terms, const float* panel, Onto onto, const float* bias, float* out,
                          long out_pitch, int count) {
  Vector sum[kRows][kTileVectors] = {};
  for (long term = 0; term < terms; ++term) {
    Vector column[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) column[v] = load(panel + term * kPanelPitch + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float weight = left[term * kRows + r];
      for (int v = 0; v < kTileVectors; ++v) sum[r][v] += column[v] * weight;
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kTileVectors; ++v) {
      float* to = out + r * out_pitch + v * kLanes;
      const int lanes = std::min(count - v * kLanes, kLanes);
      if (lanes <= 0) continue;
      if (onto == Onto::kBias) sum[r][v] += bias[r];
      if (lanes == kLanes)
        store(to, onto == Onto::kOutput ? load(to) + sum[r][v] : sum[r][v]);
      else
        store_part(to, onto == Onto::kOutput ? load_part(to, lanes) + sum[r][v] : sum[r][v], lanes);
    }
}

// The number of rows becomes a constant, so that all sums live in registers.
template <int kRows = kTileRows>
void multiply_rows(int rows, const float* left, long terms, const float* panel, Onto onto, const float* bias,
                   float* out, long out_pitch, int count) {
  if (rows == kRows)
    multiply_tile<kRows>(left, terms, panel, onto, bias, out, out_pitch, count);
  else if constexpr (kRows > 1)
    multiply_rows<kRows - 1>(rows, left, terms, panel, onto, bias, out, out_pitch, count);
}

// out (+)= left * panel over the panel's first `count` columns, for those of left's terms that the panel holds.
inline void multiply_panel(const PackedLeft& left, Range terms, const float* panel, const float* bias, float* out,
                           long out_pitch, long count) {
  for (long column = 0; column < count; column += kTileColumns)
    for (int block = 0; block < left.blocks(); ++block) {
      const int row = left.first_row(block), rows = left.first_row(block + 1) - row;
      for (long begin = terms.begin; begin < terms.end; begin += kTermsAtOnce) {
        const Onto onto = begin > 0 ? Onto::kOutput : bias ? Onto::kBias : Onto::kNothing;
        multiply_rows(rows, left.block(block) + begin * rows, std::min<long>(kTermsAtOnce, terms.end - begin),
                      panel + (begin - terms.begin) * kPanelPitch + column, onto, bias ? bias + row : nullptr,
                      out + row * out_pitch + column, out_pitch, static_cast<int>(count - column));
      }
    }
}

// out = left * patches[n] (+ bias) for a range of columns. `panel` is scratch for kPanelTerms rows.
template <class Patches>
void multiply_columns(const PackedLeft& left, const Patches& patches, long n, Range columns, const float* bias,
                      float* panel, float* out, long out_pitch) {
  for (long t = 0; t < pieces(kPanelTerms, left.terms()); ++t) {
    const Range terms = piece(t, kPanelTerms, left.terms());
    patches(n, columns, terms, panel);
    multiply_panel(left, terms, panel, bias, out, out_pitch, columns.count());
  }
}

inline long panel_floats(long terms) { return std::min<long>(terms, kPanelTerms) * kPanelPitch; }

// y[n] = left * patches[n] (+ bias) for every n. y[n] begins at y + n * image and has `size` columns a row.
template <class Patches>
void multiply_patches(const PackedLeft& left, const Patches& patches, const float* bias, float* y, int batch,
                      long image, long size) {
  const long panels = pieces(kPanelColumns, size);
#pragma omp parallel
  {
    Scratch panel(panel_floats(left.terms()));
#pragma omp for schedule(static)
    for (long task = 0; task < batch * panels; ++task) {
      const long n = task / panels;
      const Range columns = piece(task % panels, kPanelColumns, size);
      multiply_columns(left, patches, n, columns, bias, panel.data(), y + n * image + columns.begin, size);
    }
  }
}

constexpr int kDotTile = 4;  // 16 sums, 4 + 1 operands
constexpr int kDotSums = kDotTile * kDotTile;
static_assert(kDotSums % kLanes == 0, "a tile's sums must fill whole vectors");

// sums[4 * a + b] += the dot product of row a of `first` and row b of `second`, over `count` columns (whole vectors).
inline void dot_tile(const float* first, const float* second, long count, float* sums) {
  Vector sum[kDotSums] = {};
  for (long j = 0; j < count; j += kLanes) {
    Vector right[kDotTile];
    for (int b = 0; b < kDotTile; ++b) right[b] = load(second + b * kPanelPitch + j);
#pragma GCC unroll 4
    for (int a = 0; a < kDotTile; ++a) {
      const Vector left = load(first + a * kPanelPitch + j);
#pragma GCC unroll 4
      for (int b = 0; b < kDotTile; ++b) sum[a * kDotTile + b] += left * right[b];
    }
  }
  for (int group = 0; group < kDotSums; group += kLanes)
    store(sums + group, load(sums + group) + sum_each(sum + group));
}

// The products of all rows of gradients with all terms of patches, in tiles of 4 x 4; rows and terms are rounded up
// to whole tiles, and what the extra ones hold is never read back.
class DotSums {
 public:
  DotSums(int rows, int terms) : rows_(rows), terms_(terms), term_tiles_(pieces(kDotTile, terms)) {}

  long size() const { return pieces(kDotTile, rows_) * term_tiles_ * kDotSums; }
  static long rows_of_panel(long rows) { return round_up(rows, kDotTile); }

  // sums += gradients * panel^T, the panel holding the given terms; `first_term` starts a tile.
  void add(const float* gradients, const float* panel, Range terms, long count, float* sums) const {
    for (long a = 0; a < pieces(kDotTile, rows_); ++a)
      for (long b = terms.begin; b < terms.end; b += kDotTile)
        dot_tile(gradients + a * kDotTile * kPanelPitch, panel + (b - terms.begin) * kPanelPitch, count,
                 sums + (a * term_tiles_ + b / kDotTile) * kDotSums);
  }

  // grad_weight (float or double) = the sum of `parts` sets of sums, in order and in double.
  template <class Result>
  void reduce(const float* sums, long parts, Result* grad_weight) const {
    for (int row = 0; row < rows_; ++row)
      for (int term = 0; term < terms_; ++term) {
        const long tile = row / kDotTile * term_tiles_ + term / kDotTile;
        const long at = tile * kDotSums + row % kDotTile * kDotTile + term % kDotTile;
        double sum = 0;
        for (long part = 0; part < parts; ++part) sum += sums[part * size() + at];
        grad_weight[static_cast<long>(row) * terms_ + term] = static_cast<Result>(sum);
      }
  }

 private:
  long rows_, terms_, term_tiles_;
};

// Copies columns of a batch of rows x size matrices, `image` apart, into panels.
struct ColumnsOf {
  const float* data;
  long image, size;

  void operator()(long n, Range columns, Range rows, float* panel) const {
    const float* from = data + n * image + columns.begin;
    for (long row = rows.begin; row < rows.end; ++row, panel += kPanelPitch)
      std::memcpy(panel, from + row * size, sizeof(float) * columns.count());
  }
};

// Work for one thread in a sum over images and columns. Constants: the sums' order must not hang on the threads.
constexpr long kColumnsPerUnit = 8 * kPanelColumns;
constexpr long kFloatsOfSums = 1L << 22;  // partial sums of all parts together, unless that leaves too few parts
constexpr long kFewestParts = 8;

// The backward pass:
//   grad_weight (rows x terms) = sum over n and columns of grad_y[n] (rows x size) * patches[n] (terms x size)^T
//   grad_x[n] (terms x size) = transposed * grad_y[n], when `transposed` is given: for 1x1 convolutions, whose panels
//   of gradients serve both
template <class Patches, class Result>
void backward_of_patches(const ColumnsOf& gradients, const Patches& patches, const PackedLeft* transposed,
                         float* grad_x, long grad_x_image, Result* grad_weight, int batch, int rows, int terms,
                         long size) {
  const DotSums dots(rows, terms);
  const long units_per_image = pieces(kColumnsPerUnit, size), units = batch * units_per_image;
  const long units_per_part = pieces(std::max(kFewestParts, kFloatsOfSums / dots.size()), units);
  const long parts = pieces(units_per_part, units);
  Scratch sums(parts * dots.size());
#pragma omp parallel
  {
    Scratch gradient_panel(DotSums::rows_of_panel(rows) * kPanelPitch), panel(panel_floats(round_up(terms, kDotTile)));
#pragma omp for schedule(static)
    for (long part = 0; part < parts; ++part)
      for (long unit = part * units_per_part; unit < std::min(units, (part + 1) * units_per_part); ++unit) {
        const long n = unit / units_per_image;
        const Range unit_columns = piece(unit % units_per_image, kColumnsPerUnit, size);
        for (long begin = unit_columns.begin; begin < unit_columns.end; begin += kPanelColumns) {
          const Range columns{begin, std::min(begin + kPanelColumns, unit_columns.end)};
          const long count = columns.count(), whole = round_up(count, kLanes);
          gradients(n, columns, {0, rows}, gradient_panel.data());
          for (int row = 0; row < rows; ++row)  // whatever the patches hold there adds nothing
            for (long j = count; j < whole; ++j) gradient_panel[row * kPanelPitch + j] = 0.f;
          if (transposed)
            multiply_panel(*transposed, {0, rows}, gradient_panel.data(), nullptr, grad_x + n * grad_x_image + begin,
                           size, count);
          for (long t = 0; t < pieces(kPanelTerms, terms); ++t) {
            const Range some = piece(t, kPanelTerms, terms);
            patches(n, columns, some, panel.data());
            dots.add(gradient_panel.data(), panel.data(), some, whole, sums.data() + part * dots.size());
          }
        }
      }
  }
  dots.reduce(sums.data(), parts, grad_weight);
}

}  // namespace portrait
