#include "image.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace {

constexpr int kOne = 2048;

// For each place of a side: the two places that it is made of, and the share of the second.
struct Side {
  std::vector<int> lower, upper;
  std::vector<float> share;

  // Beyond the border a row is mixed with itself, a column is taken as it is: that rounds differently.
  Side(int before, int after, bool rows) : lower(after), upper(after), share(after) {
    const double scale = 1.0 / (static_cast<double>(after) / before);
    for (int place = 0; place < after; ++place) {
      const float at = static_cast<float>((place + 0.5) * scale - 0.5);
      const int below = static_cast<int>(std::floor(at));
      const bool inside = below >= 0 && below < before - 1;
      lower[place] = std::max(0, std::min(below, before - 1));
      upper[place] = std::max(0, std::min(below + 1, before - 1));
      share[place] = inside || rows ? at - below : 0.f;
    }
  }

  int Second(int place) const { return static_cast<int>(std::lrint(share[place] * kOne)); }
  int First(int place) const { return static_cast<int>(std::lrint((1.f - share[place]) * kOne)); }
};

void Across(const Picture& picture, int row, const Side& columns, std::vector<int>* target) {
  const std::uint8_t* line = picture.rgb.data() + static_cast<std::size_t>(row) * picture.width * 3;
  for (std::size_t column = 0; column < columns.lower.size(); ++column) {
    const int first = columns.First(column), second = columns.Second(column);
    for (int channel = 0; channel < 3; ++channel) {
      (*target)[column * 3 + channel] =
          line[columns.lower[column] * 3 + channel] * first + line[columns.upper[column] * 3 + channel] * second;
    }
  }
}

void Box(const std::vector<std::uint8_t>& from, std::vector<std::uint8_t>* to, int lines, int length, int line_step,
         int step, int reach) {
  auto at = [&](int start, int i) { return from[start + std::max(0, std::min(i, length - 1)) * step]; };
  for (int line = 0; line < lines; ++line) {
    for (int start = line * line_step; start < line * line_step + 3; ++start) {
      int sum = 0;
      for (int i = -reach; i <= reach; ++i) sum += at(start, i);
      for (int i = 0; i < length; ++i) {
        (*to)[start + i * step] = static_cast<std::uint8_t>(sum / (2 * reach + 1));
        sum += at(start, i + reach + 1) - at(start, i - reach);
      }
    }
  }
}

}  // namespace

Picture ReadPpm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  Picture picture;
  int most = 0;
  file >> kind >> picture.width >> picture.height >> most;
  if (!file || kind != "P6" || most != 255 || picture.width < 1 || picture.height < 1) {
    throw std::runtime_error("'" + path + "' is no binary PPM (P6) of 8 bits; make one with: ffmpeg -i PHOTO x.ppm");
  }
  file.get();
  picture.rgb.resize(static_cast<std::size_t>(picture.width) * picture.height * 3);
  file.read(reinterpret_cast<char*>(picture.rgb.data()), picture.rgb.size());
  if (!file) throw std::runtime_error("'" + path + "' ends too early");
  return picture;
}

void WritePpm(const std::string& path, const Picture& picture) {
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << picture.width << " " << picture.height << "\n255\n";
  file.write(reinterpret_cast<const char*>(picture.rgb.data()), picture.rgb.size());
  if (!file) throw std::runtime_error("cannot write '" + path + "'");
}

void WritePgm(const std::string& path, const Map& map) {
  std::ofstream file(path, std::ios::binary);
  file << "P5\n" << map.width << " " << map.height << "\n255\n";
  for (float value : map.values) file.put(static_cast<char>(std::lrint(value * 255)));
  if (!file) throw std::runtime_error("cannot write '" + path + "'");
}

Picture Scale(const Picture& picture, int height, int width) {
  if (picture.height == height && picture.width == width) return picture;
  const Side rows(picture.height, height, true), columns(picture.width, width, false);
  Picture result{height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height) * width * 3)};
  std::vector<int> above(width * 3), below(width * 3);
  for (int row = 0; row < height; ++row) {
    Across(picture, rows.lower[row], columns, &above);
    Across(picture, rows.upper[row], columns, &below);
    const int first = rows.First(row), second = rows.Second(row);
    for (int i = 0; i < width * 3; ++i) {
      const int sum = (first * (above[i] >> 4) >> 16) + (second * (below[i] >> 4) >> 16);
      result.rgb[static_cast<std::size_t>(row) * width * 3 + i] = std::max(0, std::min(255, (sum + 2) >> 2));
    }
  }
  return result;
}

Map Scale(const Map& map, int height, int width) {
  if (map.height == height && map.width == width) return map;
  const Side rows(map.height, height, true), columns(map.width, width, false);
  Map result{height, width, std::vector<float>(static_cast<std::size_t>(height) * width)};
  for (int row = 0; row < height; ++row) {
    const float* above = map.values.data() + static_cast<std::size_t>(rows.lower[row]) * map.width;
    const float* below = map.values.data() + static_cast<std::size_t>(rows.upper[row]) * map.width;
    for (int column = 0; column < width; ++column) {
      const float right = columns.share[column], left = 1.f - right;
      const int first = columns.lower[column], second = columns.upper[column];
      const float top = above[first] * left + above[second] * right;
      const float bottom = below[first] * left + below[second] * right;
      result.values[static_cast<std::size_t>(row) * width + column] =
          top * (1.f - rows.share[row]) + bottom * rows.share[row];
    }
  }
  return result;
}

Picture Blur(const Picture& picture, int reach) {
  Picture result = picture;
  std::vector<std::uint8_t> between(picture.rgb.size());
  for (int round = 0; round < 3; ++round) {
    Box(result.rgb, &between, picture.height, picture.width, 3 * picture.width, 3, reach);
    Box(between, &result.rgb, picture.width, picture.height, 3, 3 * picture.width, reach);
  }
  return result;
}
