// Stand-in for libpaddle_light_api_shared: a "model" is a file with an answer (rank, sides, values), and a run notes the
// input beside it.
#include "cxx/include/paddle_api.h"

#include <fstream>

namespace paddle {
namespace lite_api {

template <>
const float* Tensor::data<float>() const {
  return storage_->floats.data();
}

template <>
const int32_t* Tensor::data<int32_t>() const {
  return storage_->integers.data();
}

template <>
float* Tensor::mutable_data<float>() const {
  std::size_t count = 1;
  for (int64_t side : storage_->shape) count *= side;
  storage_->floats.resize(count);
  return storage_->floats.data();
}

void PaddlePredictor::Run() {
  std::ofstream noted(model_ + ".input", std::ios::binary);
  noted.write(reinterpret_cast<const char*>(input_.floats.data()), input_.floats.size() * sizeof(float));
  std::ifstream answer(model_, std::ios::binary);
  int64_t rank = 0;
  answer.read(reinterpret_cast<char*>(&rank), sizeof(rank));
  output_.shape.resize(rank);
  answer.read(reinterpret_cast<char*>(output_.shape.data()), rank * sizeof(int64_t));
  std::size_t count = 1;
  for (int64_t side : output_.shape) count *= side;
  output_.floats.resize(count);
  answer.read(reinterpret_cast<char*>(output_.floats.data()), count * sizeof(float));
  output_.integers.assign(output_.floats.begin(), output_.floats.end());
}

template <>
std::shared_ptr<PaddlePredictor> CreatePaddlePredictor<MobileConfig>(const MobileConfig& config) {
  if (!std::ifstream(config.model)) return nullptr;
  return std::make_shared<PaddlePredictor>(config.model);
}

}  // namespace lite_api
}  // namespace paddle
