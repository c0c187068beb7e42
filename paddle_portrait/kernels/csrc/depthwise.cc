// Depthwise convolution.
#include "depthwise.h"

namespace portrait {

void depthwise_forward(const float* x, const float* weight, const float* bias, float* y, int batch, int channels,
                       const Window& window) {
  with_kernel_size(window.kernel_height, [&](auto size) {
    correlate_planes<size>(x, weight, bias, y, batch, channels, window, [](long, const float*) {});
  });
}

void depthwise_backward(const float* x, const float* weight, const float* grad_y, const float* bias, float* grad_x,
                        float* grad_weight, int batch, int channels, const Window& window) {
  const auto grad_of = [&](long plane, float*) { return grad_y + plane * window.out_size(); };
  with_kernel_size(window.kernel_height, [&](auto size) {
    plane_gradients<size>(x, weight, grad_of, bias, grad_x, grad_weight, batch, channels, window);
  });
}

}  // namespace portrait
