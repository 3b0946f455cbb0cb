#include "core/memory/edit_memory.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/io/journal.h"
#include "core/memory/memory_file.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

/// A journal up to here is left alone, however small the file is.
constexpr int64_t kSmallJournal = 16 << 20;

fs::path journal_of(const fs::path& file) { return file.string() + ".journal"; }

}  // namespace

struct EditMemory::Impl {
  MemoryKind kind;
  std::vector<MemoryFact> facts;
  at::Tensor rows;  ///< fp32 [room, width], the first facts.size() of which are in use
  fs::path file;    ///< empty: in memory only
  MemoryIds ids;    ///< of the file
  std::string id;   ///< of all facts: the file's after the next fold
  std::optional<Journal> journal;
  bool is_journal_taken = true;  ///< all that was read of the journal is in the file

  int64_t size() const { return std::ssize(facts); }

  void check(std::span<const MemoryFact> more, const at::Tensor& embeddings) const {
    XKDE_CHECK(embeddings.dim() == 2 && embeddings.size(0) == std::ssize(more) &&
                   embeddings.size(1) == kind.width,
               DataError, "edit memory: expected embeddings [", more.size(), ", ", kind.width,
               "], found ", embeddings.sizes());
    XKDE_CHECK(embeddings.scalar_type() == at::kFloat && embeddings.is_cpu(), DataError,
               "edit memory: expected embeddings of fp32 on the CPU, found ",
               embeddings.scalar_type(), " on ", embeddings.device());
  }

  /// Rows that were handed out stay where they are; new ones come behind them, or in a new place.
  void add(std::span<const MemoryFact> more, const at::Tensor& embeddings) {
    const int64_t before = size();
    const int64_t after = before + std::ssize(more);
    if (after > rows.size(0)) {
      const at::Tensor larger =
          at::empty({std::max(after, 2 * rows.size(0)), kind.width}, at::kFloat);
      larger.narrow(0, 0, before).copy_(rows.narrow(0, 0, before));
      rows = larger;
    }
    rows.narrow(0, before, std::ssize(more)).copy_(embeddings);
    facts.insert(facts.end(), more.begin(), more.end());
    if (!file.empty()) id = id_with(id, more, embeddings);
  }

  void replay(std::string_view entry) {
    const std::string name = journal_of(file).string();
    const JournalFacts read = read_journal_entry(entry, kind, name);
    const int64_t end = read.place.first + std::ssize(read.stored.facts);
    const bool is_own = read.place.file == ids.own;
    // A fold that was killed after it had renamed its file leaves entries that are in it.
    if (end <= size() && (is_own || read.place.file == ids.before)) return;
    is_journal_taken = false;
    XKDE_CHECK(
        is_own, DataError, name, ": expected facts of the memory ", file.filename().string(),
        " as it is, found those of another one; a memory and its journal are copied together");
    XKDE_CHECK(read.place.first == size(), DataError, name, ": expected facts from ", size(),
               " on, found them from ", read.place.first, " on");
    add(read.stored.facts, read.stored.embeddings);
  }

  at::Tensor used() const { return rows.narrow(0, 0, size()); }

  void fold() {
    const MemoryIds next = id == ids.own ? ids : MemoryIds{id, ids.own};
    write_memory_file(file, kind, next, facts, used());
    ids = next;
    journal->clear();
  }

  /// Too much for the journal: folded soon, or at once.
  bool outgrows(int64_t journal_bytes) const {
    const int64_t stored = size() * kind.width * static_cast<int64_t>(sizeof(float));
    return journal_bytes > std::max(kSmallJournal, stored / 2);
  }
};

EditMemory::EditMemory(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EditMemory::EditMemory(EditMemory&&) noexcept = default;
EditMemory& EditMemory::operator=(EditMemory&&) noexcept = default;
EditMemory::~EditMemory() = default;

EditMemory::EditMemory(MemoryKind kind) : impl_(std::make_unique<Impl>()) {
  XKDE_CHECK(kind.width > 0, InternalError, "edit memory: expected a positive width, found ",
             kind.width);
  impl_->rows = at::empty({0, kind.width}, at::kFloat);
  impl_->kind = std::move(kind);
}

EditMemory EditMemory::create(const fs::path& file, const MemoryKind& kind) {
  return create(file, kind, {}, at::empty({0, kind.width}, at::kFloat));
}

EditMemory EditMemory::create(const fs::path& file, const MemoryKind& kind,
                              std::span<const MemoryFact> facts, const at::Tensor& embeddings) {
  EditMemory memory(kind);
  Impl& impl = *memory.impl_;
  impl.check(facts, embeddings);
  impl.file = file;
  impl.add(facts, embeddings.contiguous());
  impl.journal.emplace(journal_of(file), Journal::Use::kAppend, [](std::string_view) {});
  XKDE_CHECK(!is_there(file, FileOrigin::kOwn), IoError, file.string(),
             ": expected no such file yet, found one");
  XKDE_CHECK(impl.journal->bytes() == 0, IoError, journal_of(file).string(),
             ": expected no facts of a file that is gone, found ", impl.journal->bytes(), " bytes");
  impl.fold();
  return memory;
}

EditMemory EditMemory::open(const fs::path& file, const MemoryKind& kind, Access access) {
  EditMemory memory(kind);
  Impl& impl = *memory.impl_;
  XKDE_CHECK(open_if_there(file, FileOrigin::kInput), MissingInputError, file.string(),
             ": expected a file of an edit memory, found none");
  impl.file = file;
  // The journal's lock is what keeps the file as it is, so that it comes first.
  bool is_read = false;
  const auto read_file = [&] {
    if (std::exchange(is_read, true)) return;
    StoredMemory read = read_memory_file(file, kind);
    impl.ids = std::move(read.ids);
    impl.id = impl.ids.own;
    impl.facts = std::move(read.stored.facts);
    impl.rows = std::move(read.stored.embeddings);
  };
  const bool appends = access == Access::kAppend;
  Journal journal(journal_of(file), appends ? Journal::Use::kAppend : Journal::Use::kRead,
                  [&](std::string_view entry) {
                    read_file();
                    impl.replay(entry);
                  });
  read_file();
  if (appends) {
    impl.journal.emplace(std::move(journal));
    // A fold that was killed is ended here: its entries would be strangers to the next file.
    if (impl.is_journal_taken && impl.journal->bytes() > 0) impl.journal->clear();
  } else {
    impl.file.clear();
  }
  return memory;
}

void EditMemory::append(std::span<const MemoryFact> facts, const at::Tensor& embeddings) {
  Impl& impl = *impl_;
  impl.check(facts, embeddings);
  if (facts.empty()) return;
  const at::Tensor rows = embeddings.contiguous();
  const int64_t bytes = rows.numel() * static_cast<int64_t>(sizeof(float));
  if (!impl.journal) return impl.add(facts, rows);
  const int64_t before = impl.size();
  if (!impl.outgrows(impl.journal->bytes() + bytes)) {
    impl.journal->append(journal_entry({impl.ids.own, before}, impl.kind, facts, rows));
    return impl.add(facts, rows);
  }
  const std::string id = impl.id;
  impl.add(facts, rows);
  try {
    impl.fold();
  } catch (...) {
    impl.facts.resize(static_cast<size_t>(before));
    impl.id = id;
    throw;
  }
}

void EditMemory::save() {
  if (impl_->journal && impl_->journal->bytes() > 0) impl_->fold();
}

void EditMemory::close() {
  save();
  impl_->journal.reset();
  impl_->file.clear();
}

int64_t EditMemory::size() const noexcept { return impl_->size(); }
int64_t EditMemory::width() const noexcept { return impl_->kind.width; }
const std::string& EditMemory::encoder() const noexcept { return impl_->kind.encoder; }

const MemoryFact& EditMemory::fact(int64_t index) const {
  XKDE_CHECK(index >= 0 && index < size(), InternalError, "edit memory: expected a fact below ",
             size(), ", found ", index);
  return impl_->facts[static_cast<size_t>(index)];
}

at::Tensor EditMemory::embeddings() const { return impl_->used(); }

}  // namespace xkde
