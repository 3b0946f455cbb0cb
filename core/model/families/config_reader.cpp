#include "core/model/families/config_reader.h"

#include <utility>

#include "core/base/error.h"

namespace xkde {

ConfigReader::ConfigReader(const Json& json, std::string place)
    : json_(json), place_(std::move(place)) {
  XKDE_CHECK(json.is_object(), DataError, place_, ": expected an object, found ", json.dump());
}

bool ConfigReader::has(const char* key) const {
  return json_.contains(key) && !json_[key].is_null();
}

bool ConfigReader::is_null(const char* key) const {
  return json_.contains(key) && json_[key].is_null();
}

const Json& ConfigReader::at(const char* key) const {
  XKDE_CHECK(has(key), DataError, place_, ": expected key ", key, ", found none");
  return json_[key];
}

int64_t ConfigReader::size(const char* key) const {
  const Json& value = at(key);
  const bool sensible = value.is_number_integer() && value.get<int64_t>() > 0 &&
                        value.get<int64_t>() < (int64_t{1} << 31);
  XKDE_CHECK(sensible, DataError, place_, ": ", key, ": expected a positive integer, found ",
             value.dump());
  return value.get<int64_t>();
}

int64_t ConfigReader::size_or(const char* key, int64_t fallback) const {
  return has(key) ? size(key) : fallback;
}

int64_t ConfigReader::count_or(const char* key, int64_t fallback) const {
  if (has(key) && at(key) == 0) return 0;
  return size_or(key, fallback);
}

double ConfigReader::number(const char* key) const {
  const Json& value = at(key);
  XKDE_CHECK(value.is_number() && value.get<double>() > 0, DataError, place_, ": ", key,
             ": expected a positive number, found ", value.dump());
  return value.get<double>();
}

double ConfigReader::number_or(const char* key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool ConfigReader::boolean_or(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  XKDE_CHECK(at(key).is_boolean(), DataError, place_, ": ", key, ": expected true or false, found ",
             at(key).dump());
  return at(key).get<bool>();
}

std::string ConfigReader::string(const char* key) const {
  XKDE_CHECK(at(key).is_string(), DataError, place_, ": ", key, ": expected a string, found ",
             at(key).dump());
  return at(key).get<std::string>();
}

ConfigReader ConfigReader::object(const char* key) const { return {at(key), place_ + ": " + key}; }

}  // namespace xkde
