// The machine's float vector, as a GCC/Clang vector type: plain +, * and loads, no intrinsics.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>

namespace portrait {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof(value)); }

// Stores the first `count` lanes only.
inline void store_part(float* to, Vector value, int count) { std::memcpy(to, &value, sizeof(float) * count); }

inline Vector load_part(const float* from, int count) {
  Vector value{};
  std::memcpy(&value, from, sizeof(float) * count);
  return value;
}

// The same for a row's last vector, which may be shorter; missing lanes are zero.
inline Vector take(const float* from, int count) { return count == kLanes ? load(from) : load_part(from, count); }

inline void put(float* to, Vector value, int count) {
  if (count == kLanes)
    store(to, value);
  else
    store_part(to, value, count);
}

// Calls work(position, lanes) for every vector of [0, size), in order.
template <class Work>
inline void for_each_vector(long size, const Work& work) {
  for (long j = 0; j < size; j += kLanes) work(j, size - j < kLanes ? static_cast<int>(size - j) : kLanes);
}

// Adds the lanes pairwise: a fixed order, so the same bits on every run.
inline float sum_lanes(Vector value) {
  float lanes[kLanes];
  store(lanes, value);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

// Which lanes of two vectors to add so that segments of `kSegment` lanes shrink to half their length.
template <int kSegment>
struct Halves {
  typedef int Mask __attribute__((vector_size(kLanes * sizeof(int))));
  static Mask of(bool upper) {
    constexpr int kHalf = kSegment / 2, kSegments = kLanes / kSegment;
    Mask mask{};
    for (int lane = 0; lane < kLanes; ++lane) {
      const int segment = lane / kHalf;
      mask[lane] = segment / kSegments * kLanes + segment % kSegments * kSegment + lane % kHalf + (upper ? kHalf : 0);
    }
    return mask;
  }
};

// Lane i of the result is the sum of the lanes of values[i]; `kCount` vectors hold segments of kCount lanes each.
template <int kCount = kLanes>
inline Vector sum_each(const Vector* values) {
  if constexpr (kCount == 1) {
    return values[0];
  } else {
    Vector halved[kCount / 2];
    for (int i = 0; i < kCount / 2; ++i)
      halved[i] = __builtin_shuffle(values[2 * i], values[2 * i + 1], Halves<kCount>::of(false)) +
                  __builtin_shuffle(values[2 * i], values[2 * i + 1], Halves<kCount>::of(true));
    return sum_each<kCount / 2>(halved);
  }
}

inline long round_up(long value, long multiple) { return (value + multiple - 1) / multiple * multiple; }

// to[j] = from[j * stride]. The common strides are constants, so that the compiler can use shuffles.
inline void take_every(int stride, const float* from, long count, float* to) {
  if (stride == 1) {
    if (count > 0) std::memcpy(to, from, sizeof(float) * count);
  } else if (stride == 2) {
    for (long j = 0; j < count; ++j) to[j] = from[2 * j];
  } else {
    for (long j = 0; j < count; ++j) to[j] = from[stride * j];
  }
}

// Zeroed scratch memory that begins on a cache line: a vector across two lines costs two loads.
class Scratch {
 public:
  explicit Scratch(long size) {
    const size_t bytes = round_up(size * static_cast<long>(sizeof(float)), kLine);
    data_ = static_cast<float*>(std::aligned_alloc(kLine, bytes));
    if (!data_) throw std::bad_alloc();
    std::memset(data_, 0, bytes);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::free(data_); }

  float* data() { return data_; }
  float& operator[](long index) { return data_[index]; }

 private:
  static constexpr long kLine = 64;
  float* data_;
};

}  // namespace portrait
