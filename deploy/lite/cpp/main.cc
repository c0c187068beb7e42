// lite_portrait: segment a picture and put something else behind the person.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>

#include "segment.h"

namespace {

const char kUsage[] =
    "usage: lite_portrait --model FOLDER --input PHOTO.ppm --output RESULT.ppm\n"
    "  --model FOLDER      with model.nb and deploy.json (deploy/lite/package.py makes it)\n"
    "  --effect NAME       blur, white or none (default: blur)\n"
    "  --mask MASK.pgm     write the person's probability, too\n"
    "  --threads N         of one run (default: 1)\n"
    "  --repeat N          run that often and print the median time (default: 1)\n";

std::map<std::string, std::string> ReadFlags(int count, char** words) {
  std::map<std::string, std::string> flags{{"effect", "blur"}, {"threads", "1"}, {"repeat", "1"}, {"model", ""},
                                           {"input", ""},      {"output", ""},   {"mask", ""}};
  for (int i = 1; i < count; i += 2) {
    const std::string word = words[i];
    if (word.substr(0, 2) != "--" || flags.find(word.substr(2)) == flags.end() || i + 1 == count) {
      throw std::invalid_argument("'" + word + "' is not known, or has no value");
    }
    flags[word.substr(2)] = words[i + 1];
  }
  for (const char* name : {"model", "input", "output"}) {
    if (flags[name].empty()) throw std::invalid_argument(std::string("--") + name + " is missing");
  }
  for (const char* name : {"threads", "repeat"}) {
    if (std::atoi(flags[name].c_str()) < 1) throw std::invalid_argument(std::string("--") + name + " must be 1 or more");
  }
  if (flags["effect"] != "blur" && flags["effect"] != "white" && flags["effect"] != "none") {
    throw std::invalid_argument("--effect must be blur, white or none");
  }
  return flags;
}

Picture Draw(const Picture& picture, const Map& person, const std::string& effect) {
  if (effect == "none") return picture;
  Picture result = picture;
  if (effect == "white") {
    std::fill(result.rgb.begin(), result.rgb.end(), 255);
  } else {
    result = Blur(picture, std::max(1, std::min(picture.height, picture.width) * 3 / 100));
  }
  for (std::size_t i = 0; i < result.rgb.size(); ++i) {
    const float share = person.values[i / 3];
    result.rgb[i] = std::lrint(result.rgb[i] + share * (static_cast<int>(picture.rgb[i]) - result.rgb[i]));
  }
  return result;
}

Map SegmentTimed(Segmenter* segmenter, const Picture& picture, int repeat) {
  std::vector<double> times;
  Map person;
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    person = segmenter->Segment(picture);
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  std::printf("%.2f ms\n", times[times.size() / 2]);
  return person;
}

}  // namespace

int main(int count, char** words) {
  try {
    auto flags = ReadFlags(count, words);
    const Picture picture = ReadPpm(flags["input"]);
    Segmenter segmenter(flags["model"], std::atoi(flags["threads"].c_str()));
    const Map person = SegmentTimed(&segmenter, picture, std::atoi(flags["repeat"].c_str()));
    WritePpm(flags["output"], Draw(picture, person, flags["effect"]));
    if (!flags["mask"].empty()) WritePgm(flags["mask"], person);
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "error: %s\n%s", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
