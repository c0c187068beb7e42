// Small things that Paddle does in many steps.
#include "kernels.h"
#include "vector.h"

namespace portrait {

void margin_forward(const float* logits, float* margin, int batch, long size) {
#pragma omp parallel for schedule(static)
  for (int n = 0; n < batch; ++n) {
    const float *background = logits + 2 * n * size, *person = background + size;
    for (long j = 0; j < size; ++j) margin[n * size + j] = person[j] - background[j];
  }
}

void margin_backward(const float* grad_margin, float* grad_logits, int batch, long size) {
#pragma omp parallel for schedule(static)
  for (int n = 0; n < batch; ++n) {
    float *background = grad_logits + 2 * n * size, *person = background + size;
    const float* grad = grad_margin + n * size;
    for (long j = 0; j < size; ++j) background[j] = -grad[j];
    std::memcpy(person, grad, sizeof(float) * size);
  }
}

void blend(float* average, const float* value, float share, long count) {
  for (long j = 0; j < count; ++j) average[j] += share * (value[j] - average[j]);
}

}  // namespace portrait
