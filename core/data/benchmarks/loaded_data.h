#ifndef XKDE_CORE_DATA_BENCHMARKS_LOADED_DATA_H_
#define XKDE_CORE_DATA_BENCHMARKS_LOADED_DATA_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/data/benchmarks/benchmark_source.h"
#include "core/data/conversation.h"
#include "core/data/slice.h"

namespace xkde {

/// Which records of a benchmark, in one language pair.
struct EditQuery {
  const BenchmarkSource& source;
  std::filesystem::path data;  ///< one file, or the benchmark's folder
  std::string edit_language;   ///< by any code
  std::string test_language;
  Slice slice = {};  ///< counts rows after those without a language were left out
  Split split = Split::kTest;
};

struct EditDataset {
  /// With all languages that the files at hand give, keyed by ISO code.
  std::vector<EditRecord> records;
  std::map<std::string, int64_t> skipped;    ///< reason -> count, e.g. "no language tr" -> 4
  std::vector<std::filesystem::path> files;  ///< those that give the records
};

/// The files of edits and of conversations that a run has read. A file is parsed at its first use
/// and kept; it is parsed again only when its size or time of change differs. Joining the rows of
/// parsed files is cheap next to parsing them, so joined sets are not kept: a training set in 144
/// language pairs would hold each text dozens of times. Not thread-safe.
class LoadedData {
 public:
  /// Parses what is not there yet. The reference holds until the next call for the same file.
  /// Throws as BenchmarkSource::read.
  const EditFile& file(const BenchmarkSource& source, const std::filesystem::path& path);

  /// The records that have both languages. Throws MissingInputError, DataError (also where no row
  /// has both, or files that are joined by row have other rows) or ConfigError.
  EditDataset edits(const EditQuery& query);

  /// All records of all languages of every file that the benchmark asks questions of, `data` as in
  /// EditQuery; records are not joined over files. Throws as edits().
  EditDataset all_edits(const BenchmarkSource& source, const std::filesystem::path& data);

  /// The rows of a training file, as read_conversations() gives them. The reference holds until the
  /// next call for the same file. Throws as read_conversations().
  const std::vector<Conversation>& conversations(const std::filesystem::path& path);

  int64_t num_parsed() const noexcept { return num_parsed_; }  ///< how often a file was parsed

 private:
  using Reader = EditFile (*)(const std::filesystem::path&);
  struct State {
    uintmax_t bytes = 0;
    std::filesystem::file_time_type changed;
    bool operator==(const State&) const = default;
  };
  template <typename Content>
  struct Entry {
    State state;
    Content content;
  };
  template <typename Key, typename Read>
  auto& kept(std::map<Key, Entry<std::invoke_result_t<Read>>>& entries, const Key& key,
             const std::filesystem::path& path, const Read& read);

  std::map<std::pair<Reader, std::filesystem::path>, Entry<EditFile>>
      files_;  ///< by canonical path
  std::map<std::filesystem::path, Entry<std::vector<Conversation>>> conversations_;
  int64_t num_parsed_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_LOADED_DATA_H_
