// Reads JSON: enough for deploy.json, and no library.
#pragma once

#include <map>
#include <string>
#include <vector>

struct Json {
  enum Kind { kNull, kBool, kNumber, kText, kList, kMap };
  Kind kind = kNull;
  bool truth = false;
  double number = 0;
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> entries;

  // Throws std::runtime_error where it is no JSON.
  static Json Parse(const std::string& source);

  // The entry of that name; null where there is none.
  const Json& operator[](const std::string& key) const;
  bool is_null() const { return kind == kNull; }
  // Throw std::runtime_error where the value is of another kind.
  double AsNumber() const;
  int AsInt() const { return static_cast<int>(AsNumber()); }
};
