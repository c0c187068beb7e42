// From a picture to the probability that each pixel shows a person, with Paddle Lite.
#pragma once

#include <memory>
#include <string>

#include "image.h"
#include "paddle_api.h"
#include "preprocess.h"

class Segmenter {
 public:
  // Loads model.nb and deploy.json of a folder. Throws std::runtime_error.
  Segmenter(const std::string& folder, int threads);
  // A probability for each pixel of the picture. A network that takes the previous mask gets zeros: there was none.
  Map Segment(const Picture& picture);

 private:
  Segmenter(const std::string& folder, int threads, const Json& deploy);

  Preprocess preprocess_;
  std::string output_op_;
  bool takes_prior_;
  std::shared_ptr<paddle::lite_api::PaddlePredictor> predictor_;
};
