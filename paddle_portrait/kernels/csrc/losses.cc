// Losses of two classes, from the margin between their logits: the person's probability is its sigmoid.
//
// Everything is made of u = exp(-|margin|), in (0, 1]: the larger of the two probabilities is 1 / (1 + u), the other
// u / (1 + u), and no difference of numbers close to one another is taken.
#include <vector>

#include "kernels.h"
#include "vector.h"

namespace portrait {
namespace {

constexpr long kPiece = 512;  // pixels that one thread takes at a time, and that are summed in float
typedef int Integers __attribute__((vector_size(kLanes * sizeof(int))));

inline Vector magnitude(Vector value) { return value < 0.f ? -value : value; }

// exp(x) for x <= 0; what is under the smallest normal number becomes about that. The polynomial is Cephes' expf.
inline Vector exp_of_negative(Vector x) {
  x = x < -87.f ? Vector{} - 87.f : x;
  const Integers power = __builtin_convertvector(x * 1.44269504f - 0.5f, Integers);  // rounds to the nearest
  const Vector whole = __builtin_convertvector(power, Vector);
  const Vector rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Vector sum = Vector{} + 1.9875691500e-4f;
  for (const float next : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    sum = sum * rest + next;
  const Integers scale = (power + 127) << 23;
  Vector two_to_power;
  std::memcpy(&two_to_power, &scale, sizeof(scale));
  return (sum * rest * rest + rest + 1.f) * two_to_power;
}

// log(1 + u) for u in [0, 1], as 2 atanh(u / (2 + u)): exact for the smallest u, too.
inline Vector log_of_one_and(Vector u) {
  const Vector ratio = u / (u + 2.f), square = ratio * ratio;
  Vector sum = Vector{} + 2.f / 15;
  for (const float next : {2.f / 13, 2.f / 11, 2.f / 9, 2.f / 7, 2.f / 5, 2.f / 3}) sum = sum * square + next;
  return ratio * square * sum + ratio * 2.f;
}

// Calls work(first position, lanes, piece) for every vector of [0, count), a piece at a time in one thread.
template <class Work>
inline void for_each_vector_in_parallel(long count, const Work& work) {
#pragma omp parallel for schedule(static)
  for (long begin = 0; begin < count; begin += kPiece)
    for (long j = begin; j < begin + kPiece && j < count; j += kLanes)
      work(j, count - j < kLanes ? static_cast<int>(count - j) : kLanes, begin / kPiece);
}

inline long pieces_of(long count) { return (count + kPiece - 1) / kPiece; }

// Sums of one piece, which are added up in double and in order.
template <int kCount>
struct Partial {
  Vector of[kCount] = {};
};

template <int kCount>
double total(const std::vector<Partial<kCount>>& pieces, int which) {
  double sum = 0;
  for (const auto& piece : pieces) sum += sum_lanes(piece.of[which]);
  return sum;
}

// Probabilities of person and background.
struct Probabilities {
  explicit Probabilities(Vector margin) {
    const Vector u = exp_of_negative(-magnitude(margin)), likely = 1.f / (u + 1.f), unlikely = u * likely;
    person = margin < 0.f ? unlikely : likely;
    background = margin < 0.f ? likely : unlikely;
  }
  Vector person, background;
};

}  // namespace

void read_labels(const int64_t* labels, float* person, float* valid, int64_t ignored, long count) {
#pragma omp parallel for schedule(static)
  for (long begin = 0; begin < count; begin += kPiece)
    for (long j = begin; j < begin + kPiece && j < count; ++j) {
      const bool counts = labels[j] != ignored;
      valid[j] = counts ? 1.f : 0.f;
      person[j] = counts ? static_cast<float>(labels[j]) : 0.f;
    }
}

WeightedSum cross_entropy_forward(const float* margin, const float* person, const float* weights, long count) {
  std::vector<Partial<2>> partial(pieces_of(count));
  for_each_vector_in_parallel(count, [&](long j, int lanes, long piece) {
    const Vector m = take(margin + j, lanes), rest = log_of_one_and(exp_of_negative(-magnitude(m)));
    const Vector weight = take(weights + j, lanes);
    const Vector value = (m < 0.f ? Vector{} : m) - take(person + j, lanes) * m + rest;
    partial[piece].of[0] += value * weight;
    partial[piece].of[1] += weight;
  });
  return {total(partial, 0), total(partial, 1)};
}

void cross_entropy_backward(const float* margin, const float* person, const float* weights, float grad,
                            float* grad_margin, long count) {
  for_each_vector_in_parallel(count, [=](long j, int lanes, long) {
    const Vector m = take(margin + j, lanes), target = take(person + j, lanes);
    const Probabilities p(m);
    const Vector distance = m < 0.f ? p.person - target : (1.f - target) - p.background;
    put(grad_margin + j, grad * take(weights + j, lanes) * distance, lanes);
  });
}

void overlaps_forward(const float* margin, const float* person, const float* valid, float* sums, long count) {
  std::vector<Partial<6>> partial(pieces_of(count));
  for_each_vector_in_parallel(count, [&](long j, int lanes, long piece) {
    const Probabilities p(take(margin + j, lanes));
    const Vector counts = take(valid + j, lanes), target = take(person + j, lanes);
    const Vector probability[2] = {p.background * counts, p.person * counts};
    const Vector truth[2] = {(1.f - target) * counts, target * counts};
    Vector* to = partial[piece].of;
    for (int c = 0; c < 2; ++c, to += 3) {
      to[0] += probability[c] * truth[c];
      to[1] += probability[c] * probability[c];
      to[2] += truth[c] * truth[c];
    }
  });
  for (int i = 0; i < 6; ++i) sums[i] = static_cast<float>(total(partial, i));
}

void overlaps_backward(const float* margin, const float* person, const float* valid, const float* grad_sums,
                       float* grad_margin, long count) {
  const float *background = grad_sums, *of_person = grad_sums + 3;
  for_each_vector_in_parallel(count, [=](long j, int lanes, long) {
    const Probabilities p(take(margin + j, lanes));
    const Vector target = take(person + j, lanes), counts = take(valid + j, lanes);
    const Vector up = of_person[0] * target + 2.f * of_person[1] * p.person;
    const Vector down = background[0] * (1.f - target) + 2.f * background[1] * p.background;
    put(grad_margin + j, counts * counts * p.person * p.background * (up - down), lanes);
  });
}

}  // namespace portrait
