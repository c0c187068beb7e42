// Pictures and maps, and scaling them as OpenCV does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// 8 bits of red, green, blue for each pixel, row after row.
struct Picture {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> rgb;
};

// A float for each pixel, row after row.
struct Map {
  int height = 0;
  int width = 0;
  std::vector<float> values;
};

// Read and write binary PPM (P6) and PGM (P5). Throw std::runtime_error.
Picture ReadPpm(const std::string& path);
void WritePpm(const std::string& path, const Picture& picture);
void WritePgm(const std::string& path, const Map& map);

// Bilinear, half-pixel centres: pictures in 11-bit fixed point (bit for bit OpenCV's), maps in floats.
Picture Scale(const Picture& picture, int height, int width);
Map Scale(const Map& map, int height, int width);

// Averages over boxes three times, which is near a Gaussian.
Picture Blur(const Picture& picture, int reach);
