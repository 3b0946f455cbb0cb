#ifndef XKDE_CORE_MEMORY_MEMORY_FILE_H_
#define XKDE_CORE_MEMORY_MEMORY_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/memory/edit_memory.h"

namespace xkde {

/// What the two forms of facts on disk hold.
struct StoredFacts {
  std::vector<MemoryFact> facts;
  at::Tensor embeddings;  ///< fp32 [facts.size(), width]
};

/// What tells a memory from others of its kind: a digest of all that was added to it, in order.
struct MemoryIds {
  std::string own;     ///< of the file's facts; "" in a file of an earlier version
  std::string before;  ///< of the file before its last fold; "" where there was none
};
/// The id of a memory of id `before` to which these facts were added.
std::string id_with(const std::string& before, std::span<const MemoryFact> facts,
                    const at::Tensor& embeddings);

/// Writes all facts to `file`, which is replaced when all is durable (docs/memory_format.md).
/// embeddings: fp32, contiguous [facts.size(), kind.width]. Throws IoError.
void write_memory_file(const std::filesystem::path& file, const MemoryKind& kind,
                       const MemoryIds& ids, std::span<const MemoryFact> facts,
                       const at::Tensor& embeddings);

struct StoredMemory {
  MemoryIds ids;
  StoredFacts stored;
};
/// Reads what write_memory_file() wrote, first in a process of its own
/// (core/memory/child_process.h): the file may be anybody's. Throws MissingInputError, DataError,
/// MemoryError.
StoredMemory read_memory_file(const std::filesystem::path& file, const MemoryKind& kind);

/// Where facts of the journal belong: behind the first `first` ones of a memory whose file has the
/// id `file`.
struct JournalPlace {
  std::string file;
  int64_t first = 0;
};
/// An entry of the journal.
std::string journal_entry(const JournalPlace& place, const MemoryKind& kind,
                          std::span<const MemoryFact> facts, const at::Tensor& embeddings);
struct JournalFacts {
  JournalPlace place;  ///< without an id in an entry of an earlier version
  StoredFacts stored;
};
/// DataError naming `journal` when the entry is not one of such a memory.
JournalFacts read_journal_entry(std::string_view entry, const MemoryKind& kind,
                                const std::string& journal);

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_MEMORY_FILE_H_
