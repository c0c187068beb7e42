#include "preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace {

double Pick(const Json& values, std::size_t channel) {
  return values.items.at(values.items.size() > 1 ? channel : 0).AsNumber();
}

int Scaled(int side, double scale) { return std::max(1, static_cast<int>(std::nearbyint(side * scale))); }

Picture ScaleBy(double scale, const Picture& picture, Geometry* geometry) {
  geometry->ScaledFrom(picture);
  return Scale(picture, Scaled(picture.height, scale), Scaled(picture.width, scale));
}

Picture Resize(const Json& step, const Picture& picture, Geometry* geometry) {
  if (step["interp"].text != "LINEAR") throw std::runtime_error("this program scales LINEAR, not " + step["interp"].text);
  int width = step["target_size"].items.at(0).AsInt(), height = step["target_size"].items.at(1).AsInt();
  if (step["keep_ratio"].truth) {
    const double to_long = static_cast<double>(std::max(width, height)) / std::max(picture.height, picture.width);
    const double to_short = static_cast<double>(std::min(width, height)) / std::min(picture.height, picture.width);
    const double scale = std::min(to_long, to_short);
    height = Scaled(picture.height, scale);
    width = Scaled(picture.width, scale);
  }
  if (!step["size_divisor"].is_null()) {
    const int divisor = step["size_divisor"].AsInt();
    height = (height + divisor - 1) / divisor * divisor;
    width = (width + divisor - 1) / divisor * divisor;
  }
  geometry->ScaledFrom(picture);
  return Scale(picture, height, width);
}

Picture ResizeByShort(const Json& step, const Picture& picture, Geometry* geometry) {
  double wanted = step["short_size"].AsNumber();
  const int shorter = std::min(picture.height, picture.width), longer = std::max(picture.height, picture.width);
  const double most = step["max_size"].AsNumber();
  if (wanted / shorter * longer > most) wanted = std::max(1, static_cast<int>(most / longer * shorter));
  return ScaleBy(wanted / shorter, picture, geometry);
}

Picture LimitLong(const Json& step, const Picture& picture, Geometry* geometry) {
  const int side = std::max(picture.height, picture.width);
  int wanted = side;
  if (!step["min_long"].is_null()) wanted = std::max(wanted, step["min_long"].AsInt());
  if (!step["max_long"].is_null()) wanted = std::min(wanted, step["max_long"].AsInt());
  return wanted == side ? picture : ScaleBy(static_cast<double>(wanted) / side, picture, geometry);
}

Picture Border(const Json& step, const Picture& picture, int height, int width, Geometry* geometry) {
  if (picture.height > height || picture.width > width) {
    throw std::runtime_error("the picture is larger than the frame that it is to be put into");
  }
  geometry->BorderedFrom(picture);
  const auto level = static_cast<std::uint8_t>(std::nearbyint(step["im_padding_value"].AsNumber()));
  Picture framed{height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height) * width * 3, level)};
  for (int row = 0; row < picture.height; ++row) {
    std::memcpy(&framed.rgb[static_cast<std::size_t>(row) * width * 3],
                &picture.rgb[static_cast<std::size_t>(row) * picture.width * 3], picture.width * 3);
  }
  return framed;
}

}  // namespace

Map Geometry::Restore(const Map& map) const {
  Map result = map;
  int height = map.height, width = map.width;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (step->border) {
      const Map whole = Scale(result, height, width);
      result = {step->height, step->width, {}};
      for (int row = 0; row < step->height; ++row) {
        auto begin = whole.values.begin() + static_cast<std::size_t>(row) * width;
        result.values.insert(result.values.end(), begin, begin + step->width);
      }
    }
    height = step->height;
    width = step->width;
  }
  return Scale(result, height, width);
}

Preprocess::Preprocess(const Json& description) : description_(description), colour_(description["colour"].text) {
  const std::size_t channels = colour_ == "gray" ? 1 : 3;
  const float most = static_cast<float>(1 / description["scale"].AsNumber());
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const double mean = Pick(description["mean"], channel), std = Pick(description["std"], channel);
    std::vector<float> table(256);
    for (int level = 0; level < 256; ++level) {  // rounded where the trained network's preprocessing rounds
      table[level] = static_cast<float>(static_cast<float>(level / most - mean) / std);
    }
    tables_.push_back(table);
  }
}

Picture Preprocess::Fit(const Json& step, const Picture& picture, Geometry* geometry) const {
  const std::string& type = step["type"].text;
  if (type == "Resize") return Resize(step, picture, geometry);
  if (type == "ResizeByShort") return ResizeByShort(step, picture, geometry);
  if (type == "LimitLong") return LimitLong(step, picture, geometry);
  if (type == "ResizeByLong") {
    return ScaleBy(step["long_size"].AsNumber() / std::max(picture.height, picture.width), picture, geometry);
  }
  if (type == "Padding") {
    const auto& target = step["target_size"].items;
    return Border(step, picture, target.at(1).AsInt(), target.at(0).AsInt(), geometry);
  }
  if (type == "PaddingByAspectRatio") {
    const double ratio = step["aspect_ratio"].AsNumber();
    int height = picture.height, width = picture.width;
    if (static_cast<double>(width) / height > ratio) {
      height = std::max(height, static_cast<int>(width / ratio));
    } else {
      width = std::max(width, static_cast<int>(height * ratio));
    }
    return Border(step, picture, height, width, geometry);
  }
  throw std::runtime_error("deploy.json asks for " + type + ", which this program does not know");
}

Preprocess::Input Preprocess::Apply(const Picture& picture) const {
  Input input;
  Picture fitted = picture;
  for (const Json& step : description_["steps"].items) fitted = Fit(step, fitted, &input.geometry);
  input.channels = static_cast<int>(tables_.size());
  input.height = fitted.height;
  input.width = fitted.width;
  const std::size_t pixels = static_cast<std::size_t>(fitted.height) * fitted.width;
  input.values.resize(pixels * tables_.size());
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* pixel = &fitted.rgb[3 * i];
    if (tables_.size() == 1) {  // OpenCV's weights, in 15 bits
      input.values[i] = tables_[0][(pixel[0] * 9798 + pixel[1] * 19235 + pixel[2] * 3735 + (1 << 14)) >> 15];
      continue;
    }
    for (int channel = 0; channel < 3; ++channel) {
      input.values[channel * pixels + i] = tables_[channel][pixel[colour_ == "bgr" ? 2 - channel : channel]];
    }
  }
  return input;
}
