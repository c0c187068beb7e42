// Stand-in for Paddle Lite's header of this name, with the calls that lite_portrait makes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace paddle {
namespace lite_api {

using shape_t = std::vector<int64_t>;

enum PowerMode { LITE_POWER_HIGH = 0 };

struct Storage {
  shape_t shape;
  std::vector<float> floats;
  std::vector<int32_t> integers;
};

// A handle, as in Paddle Lite: the numbers are the predictor's.
class Tensor {
 public:
  explicit Tensor(Storage* storage) : storage_(storage) {}
  void Resize(const shape_t& shape) { storage_->shape = shape; }
  shape_t shape() const { return storage_->shape; }
  template <typename T>
  const T* data() const;
  template <typename T>
  T* mutable_data() const;

 private:
  Storage* storage_;
};

class PaddlePredictor {
 public:
  explicit PaddlePredictor(const std::string& model) : model_(model) {}
  std::unique_ptr<Tensor> GetInput(int) { return std::unique_ptr<Tensor>(new Tensor(&input_)); }
  std::unique_ptr<const Tensor> GetOutput(int) { return std::unique_ptr<const Tensor>(new Tensor(&output_)); }
  void Run();

 private:
  std::string model_;
  Storage input_, output_;
};

class MobileConfig {
 public:
  void set_model_from_file(const std::string& path) { model = path; }
  void set_threads(int) {}
  void set_power_mode(PowerMode) {}

  std::string model;
};

template <typename ConfigT>
std::shared_ptr<PaddlePredictor> CreatePaddlePredictor(const ConfigT& config);

}  // namespace lite_api
}  // namespace paddle
