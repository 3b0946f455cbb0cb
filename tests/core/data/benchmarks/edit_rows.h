#ifndef XKDE_TESTS_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_
#define XKDE_TESTS_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "core/data/benchmarks/benchmarks.h"
#include "core/data/benchmarks/loaded_data.h"
#include "core/io/json_file.h"

namespace xkde::test {

/// An invented side in the Bi-ZsRE / MzsRE layout, told apart by language and fact number.
inline Json bizsre_side(const std::string& language, int fact) {
  const std::string tag = language + std::to_string(fact);
  return {
      {"subject", "S " + tag},
      {"src", "src " + tag + "?"},
      {"rephrase", "rephrase " + tag + "?"},
      {"alt", "alt " + tag},
      {"loc", "loc " + tag},
      {"loc_ans", "loc_ans " + tag},
      {"portability", {{"New Question", "port " + tag + "?"}, {"New Answer", "port_ans " + tag}}}};
}

/// The same in the BMIKE-53 layout.
inline Json bmike_side(const std::string& language, int fact) {
  Json side = bizsre_side(language, fact);
  side.erase("portability");
  const std::string tag = language + std::to_string(fact);
  side["port"] = "port " + tag + "?";
  side["port_ans"] = "port_ans " + tag;
  side["case_id"] = fact;
  return side;
}

inline std::string rows_text(Json (*side)(const std::string&, int),
                             const std::vector<std::string>& codes, int count) {
  Json rows = Json::array();
  for (int fact = 0; fact < count; ++fact) {
    Json row = Json::object();
    for (const std::string& code : codes) row[code] = side(code, fact);
    rows.push_back(row);
  }
  return rows.dump();
}

/// The records of a benchmark, from a cache of their own.
inline EditDataset load_edits(const char* benchmark, const std::filesystem::path& data,
                              const char* edit, const char* test, const Slice& slice = {}) {
  return LoadedData().edits({.source = benchmark_of(benchmark),
                             .data = data,
                             .edit_language = edit,
                             .test_language = test,
                             .slice = slice});
}

inline EditDataset load_all_edits(const char* benchmark, const std::filesystem::path& data) {
  return LoadedData().all_edits(benchmark_of(benchmark), data);
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_
