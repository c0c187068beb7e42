// Max pooling. Which tap won is kept in a byte per output, so the gradient needs neither input nor output;
// among equals the first of the window wins, as in Paddle.
#include <limits>

#include "window.h"

namespace portrait {
namespace {

typedef int IntVector __attribute__((vector_size(kLanes * sizeof(int))));
typedef unsigned char ByteVector __attribute__((vector_size(kLanes)));

template <int K>
void pool_row(const float* const* tap_row, float* y, unsigned char* winner, int width) {
  for (int j = 0; j < width; j += kLanes) {
    Vector best = load(tap_row[0] + j);
    IntVector index{};
#pragma GCC unroll 25
    for (int t = 1; t < K * K; ++t) {
      const Vector value = load(tap_row[t] + j);
      index = value > best ? IntVector{} + t : index;
      best = value > best ? value : best;
    }
    const int count = width - j < kLanes ? width - j : kLanes;
    const ByteVector narrow = __builtin_convertvector(index, ByteVector);
    put(y + j, best, count);
    std::memcpy(winner + j, &narrow, count);
  }
}

template <int K>
void forward(const float* x, float* y, unsigned char* winners, long planes, const Window& window) {
  const Taps<K> taps(window);
#pragma omp parallel
  {
    PaddedInput<K> input(window, -std::numeric_limits<float>::infinity());
#pragma omp for schedule(static)
    for (long plane = 0; plane < planes; ++plane) {
      input.fill(x + plane * window.in_size());
      for (int i = 0; i < window.out_height; ++i) {
        const float* tap_row[K * K];
        for (int t = 0; t < K * K; ++t)
          tap_row[t] = input.row(taps.phase[t / K], taps.phase[t % K], i + taps.shift[t / K]) + taps.shift[t % K];
        const long at = plane * window.out_size() + static_cast<long>(i) * window.out_width;
        pool_row<K>(tap_row, y + at, winners + at, window.out_width);
      }
    }
  }
}

// Adds the gradient of every window that tap `t` won to the phase row that the tap reads.
inline void add_won(const float* grad, const float* winner, int t, float* target, long count) {
  for (long v = 0; v < count; v += kLanes) {
    const Vector won = load(winner + v) == static_cast<float>(t) ? load(grad + v) : Vector{};
    store(target + v, load(target + v) + won);
  }
}

template <int K>
void backward(const float* grad_y, const unsigned char* winners, float* grad_x, long planes, const Window& window) {
  const Taps<K> taps(window);
  const long pitch = phase_pitch(window);
#pragma omp parallel
  {
    PaddedOutput<K> grad(window), winner(window);
    Scratch phases(window.stride * pitch);
#pragma omp for schedule(static)
    for (long plane = 0; plane < planes; ++plane) {
      grad.fill(grad_y + plane * window.out_size());
      winner.fill(winners + plane * window.out_size());
      for (int y = 0; y < window.height; ++y) {
        const int phase = (y + window.pad_top) % window.stride, u = (y + window.pad_top) / window.stride;
        std::memset(phases.data(), 0, sizeof(float) * pitch * window.stride);
        for (int t = 0; t < K * K; ++t) {
          const int k = t / K, l = t % K;
          if (taps.phase[k] != phase) continue;
          add_won(grad.row(u - taps.shift[k]) - taps.shift[l], winner.row(u - taps.shift[k]) - taps.shift[l], t,
                  phases.data() + taps.phase[l] * pitch, pitch);
        }
        join_phases(phases.data(), pitch, window,
                    grad_x + plane * window.in_size() + static_cast<long>(y) * window.width);
      }
    }
  }
}

}  // namespace

void max_pool_forward(const float* x, float* y, unsigned char* winners, long planes, const Window& window) {
  const auto run = window.kernel_height == 2 ? forward<2> : forward<3>;
  run(x, y, winners, planes, window);
}

void max_pool_backward(const float* grad_y, const unsigned char* winners, float* grad_x, long planes,
                       const Window& window) {
  const auto run = window.kernel_height == 2 ? backward<2> : backward<3>;
  run(grad_y, winners, grad_x, planes, window);
}

}  // namespace portrait
