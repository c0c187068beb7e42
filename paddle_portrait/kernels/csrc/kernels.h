// What the kernels offer, in plain pointers: float32, NCHW, contiguous. `operators.cc` binds them to Paddle.
//
// Every kernel gives the same bits for any number of threads: a thread owns whole planes, images or channels,
// and sums over several of them are taken afterwards in index order.
#pragma once

#include <cstdint>

namespace portrait {

// The window of a 2-D convolution or pooling over one H x W plane.
struct Window {
  int height, width;          // input plane
  int kernel_height, kernel_width;
  int stride, dilation;
  int pad_top, pad_left;
  int out_height, out_width;

  long in_size() const { return static_cast<long>(height) * width; }
  long out_size() const { return static_cast<long>(out_height) * out_width; }
};

// Channels of a convolution with groups.
struct Channels {
  int in, out, groups;

  int in_per_group() const { return in / groups; }
  int out_per_group() const { return out / groups; }
};

// In all convolutions `bias` may be null. A transposed convolution is made of the same parts: its output is the
// gradient of an input (with a bias), the gradient of its input is an output.

// Depthwise convolution with a square kernel of 3, 4 or 5. `weight` is C x k x k.
void depthwise_forward(const float* x, const float* weight, const float* bias, float* y, int batch, int channels,
                       const Window& window);
// Either gradient may be null; without grad_weight, x may be too. `bias` is added to grad_x.
void depthwise_backward(const float* x, const float* weight, const float* grad_y, const float* bias, float* grad_x,
                        float* grad_weight, int batch, int channels, const Window& window);

// 1x1 convolution: y[n] = weight (out x in) times x[n] (in x size).
void pointwise_forward(const float* x, const float* weight, const float* bias, float* y, int batch, int in_channels,
                       int out_channels, long size);
void pointwise_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                        int batch, int in_channels, int out_channels, long size);

// Convolution with any window and groups. `weight` is out x in/groups x kh x kw.
void dense_forward(const float* x, const float* weight, const float* bias, float* y, int batch,
                   const Channels& channels, const Window& window);
void dense_input_gradient(const float* grad_y, const float* weight, const float* bias, float* grad_x, int batch,
                          const Channels& channels, const Window& window);
void dense_weight_gradient(const float* x, const float* grad_y, float* grad_weight, int batch,
                           const Channels& channels, const Window& window);

// The sum of each channel; as a gradient in float.
void channel_sums(const float* x, double* sums, int batch, int channels, long size);
void bias_gradient(const float* grad_y, float* grad_bias, int batch, int channels, long size);

// What follows a normalisation.
enum class Activation { kNone, kRelu, kRelu6, kHardSwish };

// Batch normalisation with the batch's own statistics, then the activation.
// `mean` and `inverse_std` hold one double a channel; the running statistics move in place.
void batch_norm_forward(const float* x, const float* scale, const float* shift, float* running_mean,
                        float* running_variance, float* y, double* mean, double* inverse_std, int batch, int channels,
                        long size, double momentum, double epsilon,
                        Activation activation);
void batch_norm_backward(const float* x, const float* scale, const float* shift, const double* mean,
                         const double* inverse_std, const float* grad_y, float* grad_x, float* grad_scale,
                         float* grad_shift, int batch, int channels, long size,
                         Activation activation);

// Depthwise convolution, batch norm and 1x1 convolution in one: z = depthwise(x), y = pointwise(norm(z)).
struct Separable {
  const float *depthwise, *scale, *shift, *pointwise;  // weights: in x k x k, in, in, out x in
  int batch, in, out;
  Window window;
};

struct SeparableGradients {
  float *x, *depthwise, *scale, *shift, *pointwise;
};

void separable_forward(const Separable& layer, const float* x, double momentum, double epsilon, float* running_mean,
                       float* running_variance, float* z, float* y, double* mean, double* inverse_std);
// `grad_normalised` is memory of the size of z, for the gradient of norm(z).
void separable_backward(const Separable& layer, const float* x, const float* z, const double* mean,
                        const double* inverse_std, const float* grad_y, float* grad_normalised,
                        const SeparableGradients& grads);

// Activations with slow counterparts in Paddle. `weight` holds one slope a channel, or one for all.
void prelu_forward(const float* x, const float* weight, float* y, int batch, int channels, int weights, long size);
void prelu_backward(const float* x, const float* weight, const float* grad_y, float* grad_x, float* grad_weight,
                    int batch, int channels, int weights, long size);
void hard_swish_forward(const float* x, float* y, long count);
void hard_swish_backward(const float* x, const float* grad_y, float* grad_x, long count);

// Max pooling over square windows of 2 or 3; `winners` holds, per output, which tap of the window it came from.
void max_pool_forward(const float* x, float* y, unsigned char* winners, long planes, const Window& window);
void max_pool_backward(const float* grad_y, const unsigned char* winners, float* grad_x, long planes,
                       const Window& window);

// Bilinear resizing of planes, half-pixel centres unless the corners are aligned.
void resize_forward(const float* x, float* y, long planes, int height, int width, int out_height, int out_width,
                    bool align_corners);
void resize_backward(const float* grad_y, float* grad_x, long planes, int height, int width, int out_height,
                     int out_width, bool align_corners);

// y's planes are first's and second's in turn; `planes` counts those of one of them.
void interleave(const float* first, const float* second, float* y, long planes, long size);
void deinterleave(const float* y, float* first, float* second, long planes, long size);

// The second channel minus the first, and back.
void margin_forward(const float* logits, float* margin, int batch, long size);
void margin_backward(const float* grad_margin, float* grad_logits, int batch, long size);

// Squeeze and excite: y = x * factor (+ addend), where a channel's factor is
// sigmoid(excite * relu(squeeze * means + squeeze_bias) + excite_bias) and the means are those of x (+ addend).
struct ChannelGate {
  // squeezed x channels, squeezed, channels x squeezed, channels
  const float *squeeze, *squeeze_bias, *excite, *excite_bias;
  int channels, squeezed;

  long saved_size() const { return 2L * channels + squeezed; }
};

struct GateGradients {
  float *squeeze, *squeeze_bias, *excite, *excite_bias;
};

// `addend` may be null; `saved` holds saved_size() doubles an image.
void channel_gate_forward(const ChannelGate& gate, const float* x, const float* addend, float* y, double* saved,
                          int batch, long size);
void channel_gate_backward(const ChannelGate& gate, const float* x, const double* saved, const float* grad_y,
                           float* grad_x, float* grad_addend, const GateGradients& grads, int batch, long size);

// Class numbers as floats, 0 where ignored; and 1 where a pixel counts, else 0.
void read_labels(const int64_t* labels, float* person, float* valid, int64_t ignored, long count);

// The cross entropy of two classes, log(1 + exp(margin)) - person * margin, with `person` the target's probability:
// the sum over all pixels of it times the weight, and the sum of the weights.
struct WeightedSum {
  double values, weights;
};
WeightedSum cross_entropy_forward(const float* margin, const float* person, const float* weights, long count);
// `grad` is that of the first sum.
void cross_entropy_backward(const float* margin, const float* person, const float* weights, float grad,
                            float* grad_margin, long count);

// For background and person the sums of pt, pp and tt over all pixels: p the probability, t the target, both times
// `valid`.
void overlaps_forward(const float* margin, const float* person, const float* valid, float* sums, long count);
void overlaps_backward(const float* margin, const float* person, const float* valid, const float* grad_sums,
                       float* grad_margin, long count);

// average += share * (value - average)
void blend(float* average, const float* value, float share, long count);

}  // namespace portrait
