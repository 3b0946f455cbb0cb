#ifndef XKDE_CORE_MODEL_FAMILIES_CONFIG_READER_H_
#define XKDE_CORE_MODEL_FAMILIES_CONFIG_READER_H_

#include <cstdint>
#include <string>

#include "core/io/json_file.h"

namespace xkde {

/// Typed access to the keys of a config.json. A key whose value is null counts as absent. Every
/// function throws DataError that names the file, the key, what was expected and what was found.
class ConfigReader {
 public:
  /// `json` outlives the reader; `place` begins every message. Throws where `json` is no object.
  ConfigReader(const Json& json, std::string place);

  bool has(const char* key) const;
  bool is_null(const char* key) const;  ///< there, and null
  const Json& at(const char* key) const;
  int64_t size(const char* key) const;  ///< in [1, 2^31)
  int64_t size_or(const char* key, int64_t fallback) const;
  int64_t count_or(const char* key, int64_t fallback) const;  ///< in [0, 2^31)
  double number(const char* key) const;                       ///< above 0
  double number_or(const char* key, double fallback) const;
  bool boolean_or(const char* key, bool fallback) const;
  std::string string(const char* key) const;
  ConfigReader object(const char* key) const;
  const std::string& place() const noexcept { return place_; }

 private:
  const Json& json_;
  std::string place_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_CONFIG_READER_H_
