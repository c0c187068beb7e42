// Squeeze and excite: channels weighed by a small network's answer to their means. The small network has a value for
// each image and channel only, and is computed in double.
#include <cmath>
#include <vector>

#include "kernels.h"
#include "normalisation.h"

namespace portrait {
namespace {

// Vectors of one image, in the layout that the forward pass leaves for the backward pass.
template <class Number>
struct Small {
  Small(const ChannelGate& gate, Number* saved, long n)
      : means(saved + n * gate.saved_size()), hidden(means + gate.channels), factors(hidden + gate.squeezed) {}
  Number *means, *hidden, *factors;
};

double plane_sum(const float* plane, long size) {
  return sum_plane(size, [=](long j, int lanes, Vector& first, Vector&) { first += take(plane + j, lanes); }).first;
}

void answer(const ChannelGate& gate, const Small<double>& small) {
  for (int s = 0; s < gate.squeezed; ++s) {
    double sum = gate.squeeze_bias[s];
    for (int c = 0; c < gate.channels; ++c) sum += gate.squeeze[s * gate.channels + c] * small.means[c];
    small.hidden[s] = sum < 0 ? 0 : sum;
  }
  for (int c = 0; c < gate.channels; ++c) {
    double sum = gate.excite_bias[c];
    for (int s = 0; s < gate.squeezed; ++s) sum += gate.excite[c * gate.squeezed + s] * small.hidden[s];
    small.factors[c] = 1 / (1 + std::exp(-sum));
  }
}

// Turns the gradient of the factors, in `grad.factors`, into those of what the excitation and the squeeze add up (in
// `grad.factors` and `grad.hidden`) and of the means.
void answer_backward(const ChannelGate& gate, const Small<const double>& small, const Small<double>& grad) {
  for (int c = 0; c < gate.channels; ++c) grad.factors[c] *= small.factors[c] * (1 - small.factors[c]);
  for (int s = 0; s < gate.squeezed; ++s) {
    double sum = 0;
    for (int c = 0; c < gate.channels; ++c) sum += gate.excite[c * gate.squeezed + s] * grad.factors[c];
    grad.hidden[s] = small.hidden[s] > 0 ? sum : 0;
  }
  for (int c = 0; c < gate.channels; ++c) {
    double sum = 0;
    for (int s = 0; s < gate.squeezed; ++s) sum += gate.squeeze[s * gate.channels + c] * grad.hidden[s];
    grad.means[c] = sum;
  }
}

// The weights' gradients, summed over the images in order.
void weight_gradients(const ChannelGate& gate, const double* saved, double* grads, int batch,
                      const GateGradients& to) {
  for (int s = 0; s < gate.squeezed; ++s)
    for (int c = 0; c < gate.channels; ++c) {
      double squeeze = 0, excite = 0, squeeze_bias = 0, excite_bias = 0;
      for (int n = 0; n < batch; ++n) {
        const Small small(gate, saved, n);
        const Small grad(gate, grads, n);
        squeeze += grad.hidden[s] * small.means[c], squeeze_bias += grad.hidden[s];
        excite += grad.factors[c] * small.hidden[s], excite_bias += grad.factors[c];
      }
      to.squeeze[s * gate.channels + c] = static_cast<float>(squeeze);
      to.excite[c * gate.squeezed + s] = static_cast<float>(excite);
      to.squeeze_bias[s] = static_cast<float>(squeeze_bias), to.excite_bias[c] = static_cast<float>(excite_bias);
    }
}

}  // namespace

void channel_gate_forward(const ChannelGate& gate, const float* x, const float* addend, float* y, double* saved,
                          int batch, long size) {
#pragma omp parallel for schedule(static)
  for (int n = 0; n < batch; ++n) {
    const Small small(gate, saved, n);
    const long image = static_cast<long>(n) * gate.channels * size;
    for (int c = 0; c < gate.channels; ++c) {
      const long plane = image + c * size;
      small.means[c] = (plane_sum(x + plane, size) + (addend ? plane_sum(addend + plane, size) : 0)) / size;
    }
    answer(gate, small);
    for (int c = 0; c < gate.channels; ++c) {
      const long plane = image + c * size;
      const float factor = static_cast<float>(small.factors[c]);
      for_each_vector(size, [&](long j, int lanes) {
        const Vector product = take(x + plane + j, lanes) * factor;
        put(y + plane + j, addend ? product + take(addend + plane + j, lanes) : product, lanes);
      });
    }
  }
}

void channel_gate_backward(const ChannelGate& gate, const float* x, const double* saved, const float* grad_y,
                           float* grad_x, float* grad_addend, const GateGradients& grads, int batch, long size) {
  std::vector<double> small_grads(batch * gate.saved_size());
#pragma omp parallel for schedule(static)
  for (int n = 0; n < batch; ++n) {
    const Small small(gate, saved, n);
    const Small grad(gate, small_grads.data(), n);
    const long image = static_cast<long>(n) * gate.channels * size;
    for (int c = 0; c < gate.channels; ++c) {
      const float *values = x + image + c * size, *of_y = grad_y + image + c * size;
      grad.factors[c] = sum_plane(size, [=](long j, int lanes, Vector& first, Vector&) {
                          first += take(values + j, lanes) * take(of_y + j, lanes);
                        }).first;
    }
    answer_backward(gate, small, grad);
    for (int c = 0; c < gate.channels; ++c) {
      const long plane = image + c * size;
      const float factor = static_cast<float>(small.factors[c]), level = static_cast<float>(grad.means[c] / size);
      for_each_vector(size, [&](long j, int lanes) {
        const Vector of_y = take(grad_y + plane + j, lanes);
        put(grad_x + plane + j, of_y * factor + level, lanes);
        if (grad_addend) put(grad_addend + plane + j, of_y + level, lanes);
      });
    }
  }
  weight_gradients(gate, saved, small_grads.data(), batch, grads);
}

}  // namespace portrait
