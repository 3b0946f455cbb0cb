#ifndef XKDE_CORE_MEMORY_EDIT_MEMORY_H_
#define XKDE_CORE_MEMORY_EDIT_MEMORY_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <ATen/core/Tensor.h>

namespace xkde {

/// An edit that is kept to be found again.
struct MemoryFact {
  std::string prompt;  ///< what is embedded
  std::string target;
  std::string language;
  int64_t record = 0;  ///< of the data set it comes from
  /// What a model is told: prompt, blank, target.
  std::string text() const { return prompt + " " + target; }
  bool operator==(const MemoryFact&) const = default;
};

/// Which embeddings a memory holds.
struct MemoryKind {
  int64_t width = 0;
  std::string encoder;  ///< says which one, as encoder_identity() does
};

/// An ordered list of facts with the embeddings of their prompts, in memory or also in a file
/// (docs/memory_format.md). Duplicates stay. Source: protocol of arXiv:2402.11905 (LTE).
///
/// A file is HDF5, with a journal (`<file>.journal`) beside it that takes what is appended: a fact
/// is durable when append() returns, and a process killed at any moment loses at most the facts of
/// the call it was in. The journal is folded into the file when it has outgrown half of it, and by
/// save(). One process at a time may append to a file; others may read it while none does.
class EditMemory {
 public:
  enum class Access { kAppend, kRead };

  /// In memory only.
  explicit EditMemory(MemoryKind kind);
  /// A new file with these facts, as append() takes them: whole, or not there at all when the
  /// process is killed before the end. IoError when there is one.
  static EditMemory create(const std::filesystem::path& file, const MemoryKind& kind,
                           std::span<const MemoryFact> facts, const at::Tensor& embeddings);
  /// A new file without facts.
  static EditMemory create(const std::filesystem::path& file, const MemoryKind& kind);
  /// An existing one. MissingInputError when it is not there; DataError (file, expected, found)
  /// when it or its journal is damaged or cut short, or has another width or encoder; IoError when
  /// another process is appending to it. kRead leaves both files as they are, and append() then
  /// changes the memory only.
  static EditMemory open(const std::filesystem::path& file, const MemoryKind& kind,
                         Access access = Access::kAppend);
  EditMemory(EditMemory&&) noexcept;
  EditMemory& operator=(EditMemory&&) noexcept;
  /// Closes the files as they are. The journal stays; a later save(), after the next open(), folds
  /// it into the file.
  ~EditMemory();

  /// Adds facts with fp32 embeddings [facts.size(), width()]. All or, after an error, none.
  /// DataError on another shape or type.
  void append(std::span<const MemoryFact> facts, const at::Tensor& embeddings);
  /// Folds the journal into the file. No effect in memory only. Throws IoError; nothing is lost
  /// then.
  void save();
  /// save(), and gives the files free; from then on in memory only.
  void close();

  int64_t size() const noexcept;
  int64_t width() const noexcept;
  const std::string& encoder() const noexcept;
  const MemoryFact& fact(int64_t index) const;  ///< in [0, size())
  /// fp32 [size(), width()] as given; stays as it is while facts are appended.
  at::Tensor embeddings() const;

 private:
  struct Impl;
  explicit EditMemory(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_EDIT_MEMORY_H_
