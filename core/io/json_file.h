#ifndef XKDE_CORE_IO_JSON_FILE_H_
#define XKDE_CORE_IO_JSON_FILE_H_

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace xkde {

/// Keys keep the order of the file.
using Json = nlohmann::ordered_json;

struct JsonLimits {
  size_t max_bytes = size_t{1} << 30;
  int max_depth = 64;
};

/// Parses one JSON value strictly: UTF-8 is validated; duplicate keys, depth beyond the limit,
/// numbers out of range and text after the value are errors; a byte-order mark and CRLF are
/// accepted. Throws DataError "<name>:<line>:<column>: expected ..., found ...".
Json parse_json(std::string_view text, const std::string& name, const JsonLimits& limits = {});

/// Reads and parses a file. Throws MissingInputError when it is not there, DataError when it is
/// empty or malformed.
Json read_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

}  // namespace xkde

#endif  // XKDE_CORE_IO_JSON_FILE_H_
