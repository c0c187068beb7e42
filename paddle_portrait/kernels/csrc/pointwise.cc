// 1x1 convolution: its patches are the input's own columns.
#include "kernels.h"
#include "matrix.h"

namespace portrait {

void pointwise_forward(const float* x, const float* weight, const float* bias, float* y, int batch, int in_channels,
                       int out_channels, long size) {
  const PackedLeft left(out_channels, in_channels,
                        [=](int out, int in) { return weight[static_cast<long>(out) * in_channels + in]; });
  multiply_patches(left, ColumnsOf{x, in_channels * size, size}, bias, y, batch, out_channels * size, size);
}

void pointwise_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                        int batch, int in_channels, int out_channels, long size) {
  const PackedLeft transposed(in_channels, out_channels,
                              [=](int in, int out) { return weight[static_cast<long>(out) * in_channels + in]; });
  const ColumnsOf gradients{grad_y, out_channels * size, size}, inputs{x, in_channels * size, size};
  backward_of_patches(gradients, inputs, &transposed, grad_x, in_channels * size, grad_weight, batch, out_channels,
                      in_channels, size);
}

}  // namespace portrait
