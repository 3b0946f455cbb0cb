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

/// Writes all facts to `file`, which is replaced when all is durable (docs/memory_format.md).
/// embeddings: fp32, contiguous [facts.size(), kind.width]. Throws IoError.
void write_memory_file(const std::filesystem::path& file, const MemoryKind& kind,
                       std::span<const MemoryFact> facts, const at::Tensor& embeddings);

/// Reads what write_memory_file() wrote. Throws MissingInputError, DataError.
StoredFacts read_memory_file(const std::filesystem::path& file, const MemoryKind& kind);

/// An entry of the journal: facts that follow the first `first` ones of a memory.
std::string journal_entry(int64_t first, const MemoryKind& kind, std::span<const MemoryFact> facts,
                          const at::Tensor& embeddings);
struct JournalFacts {
  int64_t first = 0;
  StoredFacts stored;
};
/// DataError naming `journal` when the entry is not one of such a memory.
JournalFacts read_journal_entry(std::string_view entry, const MemoryKind& kind,
                                const std::string& journal);

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_MEMORY_FILE_H_
