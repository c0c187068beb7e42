// 1x1 convolution: its patches are the input's own columns.
#include "kernels.h"
#include "matrix.h"

namespace portrait {
void pointwise_forward(const float* x, const float* weight, float* y, int batch, int in_channels, int out_channels,
                       long size) {
  const PackedLeft left(weight, out_channels, in_channels, in_channels, 1);
  multiply_patches(left, ColumnsOf{x, in_channels, size}, y, batch, size);
}

void pointwise_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                        int batch, int in_channels, int out_channels, long size) {
  const PackedLeft transposed(weight, in_channels, out_channels, 1, in_channels);
  backward_of_patches(grad_y, ColumnsOf{x, in_channels, size}, &transposed, grad_x, grad_weight, batch, out_channels,
                      in_channels, size);
}

}  // namespace portrait
