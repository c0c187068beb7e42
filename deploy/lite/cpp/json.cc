#include "json.h"

#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace {

class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  Json Whole() {
    Json value = Value();
    Skip();
    if (at_ != source_.size()) Fail("something follows the end");
    return value;
  }

 private:
  Json Value() {
    Skip();
    Json value;
    if (Peek() == '{') return Map();
    if (Peek() == '[') return List();
    if (Peek() == '"') {
      value.kind = Json::kText;
      value.text = Text();
    } else if (Word("true")) {
      value.kind = Json::kBool;
      value.truth = true;
    } else if (Word("false")) {
      value.kind = Json::kBool;
    } else if (!Word("null")) {
      value.kind = Json::kNumber;
      char* end = nullptr;
      value.number = std::strtod(source_.c_str() + at_, &end);
      if (end == source_.c_str() + at_) Fail("a value is missing");
      at_ = end - source_.c_str();
    }
    return value;
  }

  Json Map() {
    Json value;
    value.kind = Json::kMap;
    Expect('{');
    for (Skip(); Peek() != '}'; Skip()) {
      if (!value.entries.empty()) Expect(',');
      Skip();
      std::string key = Text();
      Skip();
      Expect(':');
      value.entries[key] = Value();
    }
    Expect('}');
    return value;
  }

  Json List() {
    Json value;
    value.kind = Json::kList;
    Expect('[');
    for (Skip(); Peek() != ']'; Skip()) {
      if (!value.items.empty()) Expect(',');
      value.items.push_back(Value());
    }
    Expect(']');
    return value;
  }

  // Escapes other than \" \\ \/ are kept as they are: no name in deploy.json has them.
  std::string Text() {
    std::string text;
    Expect('"');
    while (Peek() != '"') {
      if (Peek() == '\\') ++at_;
      text += Peek();
      ++at_;
    }
    Expect('"');
    return text;
  }

  bool Word(const std::string& word) {
    if (source_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }

  void Skip() {
    while (at_ < source_.size() && std::isspace(static_cast<unsigned char>(source_[at_]))) ++at_;
  }

  char Peek() {
    if (at_ >= source_.size()) Fail("the text ends too early");
    return source_[at_];
  }

  void Expect(char wanted) {
    if (Peek() != wanted) Fail(std::string("'") + wanted + "' is missing");
    ++at_;
  }

  [[noreturn]] void Fail(const std::string& what) {
    throw std::runtime_error("JSON, character " + std::to_string(at_) + ": " + what);
  }

  const std::string& source_;
  std::size_t at_ = 0;
};

}  // namespace

Json Json::Parse(const std::string& source) { return Reader(source).Whole(); }

const Json& Json::operator[](const std::string& key) const {
  static const Json nothing;
  auto found = entries.find(key);
  return found == entries.end() ? nothing : found->second;
}

double Json::AsNumber() const {
  if (kind != kNumber) throw std::runtime_error("deploy.json: a number is expected");
  return number;
}
