#ifndef XKDE_CORE_DATA_BENCHMARKS_KNOWEDIT_H_
#define XKDE_CORE_DATA_BENCHMARKS_KNOWEDIT_H_

#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/data/benchmarks/benchmark_source.h"
#include "core/io/json_file.h"

namespace xkde {

/// What the sets of KnowEdit (protocol 1.3) differ in. All are in English.
struct KnowEditLayout {
  std::string_view folder;
  std::array<std::string_view, 2> train = {};  ///< names of its file; "": none
  std::array<std::string_view, 2> test = {};
  std::string_view subject = "subject";  ///< keys of a row
  std::string_view prompt = "prompt";
  std::string_view target = "target_new";
};

/// The only language of KnowEdit, by ISO code.
inline constexpr std::string_view kKnowEditLanguages[] = {"en"};

/// The file of a set: `data` itself, or in the folder `data` (in it, or in its subfolder of that
/// set or split) the split's file by its published name or the name of a part of it. Throws
/// MissingInputError with the names that were looked for, or DataError when several fit.
std::filesystem::path find_knowedit_file(const KnowEditLayout& layout,
                                         const std::filesystem::path& data, Split split);

/// Reads such a file. Answers come as a text, as a list of texts (each an answer) or as a list of
/// lists of aliases. EditFile::skipped counts "portability: empty",
/// "locality.Forgetfulness: empty", "locality.Forgetfulness: empty answer",
/// "locality.Forgetfulness: no answer" (the probe is left out), "ground_truth: empty answer",
/// "portability.Other: unknown kind" (its list is passed over) and "note: unknown field", also
/// "locality.Forgetfulness.note: unknown field" of a probe. Throws MissingInputError or
/// DataError "file: row 17: portability.Reasoning[0].prompt: expected a non-empty string, found
/// null".
EditFile read_knowedit(const KnowEditLayout& layout, const std::filesystem::path& file);

/// The same of what such a file holds.
EditFile parse_knowedit(const KnowEditLayout& layout, const std::filesystem::path& file,
                        const Json& json);

/// The benchmark with that layout.
template <const KnowEditLayout& layout>
constexpr BenchmarkSource knowedit_source(std::string_view name) {
  return {.name = name,
          .languages = kKnowEditLanguages,
          .is_evaluated = true,
          .has_averaging = true,
          .files = [](const std::filesystem::path& data, const Language&, const Language&,
                      Split split) { return std::vector{find_knowedit_file(layout, data, split)}; },
          .all_files =
              [](const std::filesystem::path& data) {
                return std::vector{find_knowedit_file(layout, data, Split::kTest)};
              },
          .read = [](const std::filesystem::path& file) { return read_knowedit(layout, file); }};
}

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_KNOWEDIT_H_
