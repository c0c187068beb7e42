// 1x1 convolution: its patches are the input's own columns.
#include "kernels.h"
#include "matrix.h"

namespace portrait {
namespace {

// Copies columns of a channels x size matrix, one per image, into a panel.
struct ColumnsOf {
  const float* data;
  int channels;
  long size;

  void operator()(long n, long begin, long count, float* panel, long pitch) const {
    const float* from = data + n * channels * size + begin;
    for (int c = 0; c < channels; ++c) std::memcpy(panel + c * pitch, from + c * size, sizeof(float) * count);
  }
};

}  // namespace

void pointwise_forward(const float* x, const float* weight, float* y, int batch, int in_channels, int out_channels,
                       long size) {
  const PackedLeft left(weight, out_channels, in_channels, in_channels, 1);
  multiply_patches(left, ColumnsOf{x, in_channels, size}, y, batch, size);
}

void pointwise_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                        int batch, int in_channels, int out_channels, long size) {
  const PackedLeft transposed(weight, in_channels, out_channels, 1, in_channels);
  multiply_patches(transposed, ColumnsOf{grad_y, out_channels, size}, grad_x, batch, size);
  weight_gradient_of_patches(grad_y, ColumnsOf{x, in_channels, size}, grad_weight, batch, out_channels, in_channels,
                             size);
}

}  // namespace portrait
