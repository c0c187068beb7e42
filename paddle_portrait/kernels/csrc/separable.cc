// Depthwise convolution, batch norm and 1x1 convolution in one: z = depthwise(x), y = pointwise(norm(z)).
//
// The normalised tensor is never written. Its statistics are taken while each plane of z is in cache; the 1x1
// convolution normalises z's columns as it copies them, with the norm's weights folded into its own. On the way back
// the gradients of the norm's weights follow from that of the 1x1 convolution's, and the norm's input gradient is
// computed plane by plane as the depthwise convolution asks for it.
#include <vector>

#include "depthwise.h"
#include "matrix.h"
#include "normalisation.h"

namespace portrait {
namespace {

// Columns of (z - mean) / std, for panels.
struct NormalisedColumnsOf {
  const float* data;
  long image, size;
  const std::vector<Affine>& affine;

  void operator()(long n, Range columns, Range rows, float* panel) const {
    for (long row = rows.begin; row < rows.end; ++row, panel += kPanelPitch) {
      const float* from = data + n * image + row * size + columns.begin;
      for (long j = 0; j < columns.count(); j += kLanes) {
        const int lanes = static_cast<int>(std::min<long>(kLanes, columns.count() - j));
        put(panel + j, affine[row](take(from + j, lanes)), lanes);
      }
    }
  }
};

std::vector<Affine> standardise(const double* mean, const double* inverse_std, int channels) {
  std::vector<Affine> affine;
  for (int c = 0; c < channels; ++c) affine.emplace_back(mean[c], inverse_std[c], 1.f, 0.f);
  return affine;
}

}  // namespace

void separable_forward(const Separable& layer, const float* x, double momentum, double epsilon, float* running_mean,
                       float* running_variance, float* z, float* y, double* mean, double* inverse_std) {
  const Window& window = layer.window;
  const int batch = layer.batch, in = layer.in, out = layer.out;
  const float *scale = layer.scale, *shift = layer.shift, *pointwise = layer.pointwise;
  const long size = window.out_size();
  std::vector<Moments> planes(static_cast<long>(batch) * in);
  with_kernel_size(window.kernel_height, [&](auto kernel) {
    correlate_planes<kernel>(x, layer.depthwise, nullptr, z, batch, in, window,
                             [&](long plane, const float* values) { planes[plane] = plane_moments(values, size); });
  });
  for (int c = 0; c < in; ++c) {
    const Moments moments = joint_moments(planes.data() + c, batch, in, size);
    mean[c] = moments.mean;
    inverse_std[c] = settle(moments, static_cast<double>(batch) * size, momentum, epsilon, running_mean + c,
                            running_variance + c);
  }
  const PackedLeft left(out, in, [=](int row, int c) { return pointwise[static_cast<long>(row) * in + c] * scale[c]; });
  std::vector<float> bias(out);
  for (int row = 0; row < out; ++row) {
    double sum = 0;
    for (int c = 0; c < in; ++c) sum += static_cast<double>(pointwise[static_cast<long>(row) * in + c]) * shift[c];
    bias[row] = static_cast<float>(sum);
  }
  const std::vector<Affine> affine = standardise(mean, inverse_std, in);
  multiply_patches(left, NormalisedColumnsOf{z, in * size, size, affine}, bias.data(), y, batch, out * size, size);
}

void separable_backward(const Separable& layer, const float* x, const float* z, const double* mean,
                        const double* inverse_std, const float* grad_y, float* grad_normalised,
                        const SeparableGradients& grads) {
  const Window& window = layer.window;
  const int batch = layer.batch, in = layer.in, out = layer.out;
  const float *scale = layer.scale, *shift = layer.shift, *pointwise = layer.pointwise;
  const long size = window.out_size();
  const double count = static_cast<double>(batch) * size;
  const PackedLeft transposed(in, out, [=](int c, int row) { return pointwise[static_cast<long>(row) * in + c]; });
  const std::vector<Affine> affine = standardise(mean, inverse_std, in);
  // The sums of grad_y times standardised z, and of grad_y alone: all that the norm's own gradients need.
  std::vector<double> products(static_cast<long>(out) * in), sums(out);
  backward_of_patches(ColumnsOf{grad_y, out * size, size}, NormalisedColumnsOf{z, in * size, size, affine}, &transposed,
                      grad_normalised, in * size, products.data(), batch, out, in, size);
  channel_sums(grad_y, sums.data(), batch, out, size);
  std::vector<InputGradient> gradient;
  for (int c = 0; c < in; ++c) {
    double sum = 0, moment = 0;
    for (int row = 0; row < out; ++row) {
      const long at = static_cast<long>(row) * in + c;
      sum += pointwise[at] * sums[row];
      moment += pointwise[at] * products[at];
      grads.pointwise[at] = static_cast<float>(products[at] * scale[c] + sums[row] * shift[c]);
    }
    grads.shift[c] = static_cast<float>(sum), grads.scale[c] = static_cast<float>(moment);
    gradient.emplace_back(mean[c], inverse_std[c], scale[c], sum, moment / inverse_std[c], count);
  }

  const auto grad_of = [&](long plane, float* computed) {
    const InputGradient& channel = gradient[plane % in];
    const float *grad = grad_normalised + plane * size, *values = z + plane * size;
    for (long j = 0; j < size; j += kLanes) {
      const int lanes = static_cast<int>(std::min<long>(kLanes, size - j));
      put(computed + j, channel(take(grad + j, lanes), take(values + j, lanes)), lanes);
    }
    return static_cast<const float*>(computed);
  };
  with_kernel_size(window.kernel_height, [&](auto kernel) {
    plane_gradients<kernel>(x, layer.depthwise, grad_of, nullptr, grads.x, grads.depthwise, batch, in, window);
  });
}

}  // namespace portrait
