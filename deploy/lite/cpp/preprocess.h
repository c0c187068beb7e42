// From a picture to the network's input, as deploy.json describes it, and back.
#pragma once

#include <string>
#include <vector>

#include "image.h"
#include "json.h"

// What was done to the frame of a picture.
class Geometry {
 public:
  void ScaledFrom(const Picture& picture) { steps_.push_back({false, picture.height, picture.width}); }
  void BorderedFrom(const Picture& picture) { steps_.push_back({true, picture.height, picture.width}); }
  // Brings a map of the network's frame back to the picture's: borders are cut off, and one scaling undoes all.
  Map Restore(const Map& map) const;

 private:
  struct Step {
    bool border;
    int height, width;
  };
  std::vector<Step> steps_;
};

class Preprocess {
 public:
  struct Input {
    std::vector<float> values;  // 1 × channels × height × width
    int channels, height, width;
    Geometry geometry;
  };

  // Throws std::runtime_error for a description that this program does not know.
  explicit Preprocess(const Json& description);
  Input Apply(const Picture& picture) const;

 private:
  Picture Fit(const Json& step, const Picture& picture, Geometry* geometry) const;

  Json description_;
  std::string colour_;
  std::vector<std::vector<float>> tables_;  // the value of each of the 256 levels, for each channel
};
