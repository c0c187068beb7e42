#include "segment.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace {

Json ReadDeploy(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("'" + path + "' is missing; make it with deploy/lite/package.py");
  std::stringstream text;
  text << file.rdbuf();
  Json deploy = Json::Parse(text.str());
  const Json &ours = deploy["paddle_portrait"], &form = ours["form"];
  const int version = ours["version"].AsInt();
  if (version != 1 && version != 2) throw std::runtime_error("deploy.json is of another version; this reads 1 and 2");
  const bool plain = form.is_null() || (form["input_dtype"].text == "float32" && form["input_channels"].is_null() &&
                                        form["bit_packed"].is_null() && form["upsampling"].is_null() &&
                                        !form["flat"].truth);
  if (!plain) throw std::runtime_error("the graph was exported in a form that this program does not read");
  return deploy;
}

double Sigmoid(double value) { return 1 / (1 + std::exp(-value)); }

// How much likelier, as a logarithm, the person (all classes but 0) is than the background.
double PersonLogit(const float* logits, std::size_t pixel, std::size_t pixels, std::size_t channels) {
  if (channels == 1) return logits[pixel];
  double top = logits[pixels + pixel];
  for (std::size_t channel = 2; channel < channels; ++channel) {
    top = std::max<double>(top, logits[channel * pixels + pixel]);
  }
  double sum = 0;
  for (std::size_t channel = 1; channel < channels; ++channel) {
    sum += std::exp(logits[channel * pixels + pixel] - top);
  }
  return top + std::log(sum) - logits[pixel];
}

}  // namespace

Segmenter::Segmenter(const std::string& folder, int threads)
    : Segmenter(folder, threads, ReadDeploy(folder + "/deploy.json")) {}

Segmenter::Segmenter(const std::string& folder, int threads, const Json& deploy)
    : preprocess_(deploy["paddle_portrait"]["preprocess"]),
      output_op_(deploy["Deploy"]["output_op"].text),
      takes_prior_(deploy["paddle_portrait"]["takes_prior"].truth) {
  paddle::lite_api::MobileConfig config;
  config.set_model_from_file(folder + "/model.nb");
  config.set_threads(threads);
  config.set_power_mode(paddle::lite_api::LITE_POWER_HIGH);
  predictor_ = paddle::lite_api::CreatePaddlePredictor<paddle::lite_api::MobileConfig>(config);
  if (predictor_ == nullptr) throw std::runtime_error("Paddle Lite cannot load '" + folder + "/model.nb'");
}

Map Segmenter::Segment(const Picture& picture) {
  const Preprocess::Input input = preprocess_.Apply(picture);
  auto given = predictor_->GetInput(0);
  given->Resize({1, input.channels + (takes_prior_ ? 1 : 0), input.height, input.width});
  float* end = std::copy(input.values.begin(), input.values.end(), given->mutable_data<float>());
  if (takes_prior_) std::fill_n(end, static_cast<std::size_t>(input.height) * input.width, 0.f);
  predictor_->Run();
  auto output = predictor_->GetOutput(0);
  const paddle::lite_api::shape_t shape = output->shape();
  Map person{static_cast<int>(shape[shape.size() - 2]), static_cast<int>(shape[shape.size() - 1]), {}};
  const std::size_t pixels = static_cast<std::size_t>(person.height) * person.width;
  std::size_t channels = 1;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) channels *= shape[i];
  for (std::size_t i = 0; i < pixels; ++i) {
    if (output_op_ == "argmax") {
      person.values.push_back(output->data<int32_t>()[i] > 0 ? 1.f : 0.f);
    } else if (output_op_ == "none") {
      person.values.push_back(Sigmoid(PersonLogit(output->data<float>(), i, pixels, channels)));
    } else {
      const float* values = output->data<float>();
      person.values.push_back(channels > 2 ? 1.f - values[i] : values[(channels - 1) * pixels + i]);
    }
  }
  return input.geometry.Restore(Scale(person, input.height, input.width));
}
