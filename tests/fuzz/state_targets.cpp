// What this program writes itself and may be handed by others: edit memories and checkpoints.
#include <fstream>

#include "core/base/error.h"
#include "core/io/sha256.h"
#include "core/memory/memory_file.h"
#include "distributed/checkpoint/manifest.h"
#include "tests/fuzz/fuzz_target.h"

namespace xkde::fuzz {
namespace {

namespace fs = std::filesystem;

const MemoryKind kKind{.width = 2, .encoder = "e"};

void write(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary).write(bytes.data(), std::ssize(bytes));
}

void read_memory(std::string_view bytes, const fs::path& folder) {
  const fs::path file = folder / "memory.h5";
  write(file, bytes);
  read_memory_file(file, kKind);
}

void read_memory_entry(std::string_view bytes, const fs::path&) {
  read_journal_entry(bytes, kKind, "memory.h5.journal");
}

/// With the right digest beside it, as whoever forges one writes it.
void read_checkpoint(std::string_view bytes, const fs::path& folder) {
  write(folder / dist::kManifestFile, bytes);
  write(folder / dist::kManifestDigestFile, sha256_hex(bytes) + "  " + dist::kManifestFile + "\n");
  const dist::Manifest manifest = dist::read_manifest(folder);
  for (const dist::UnitLayout& unit : manifest.layout.units) {
    for (const dist::TensorSlot& slot : unit.slots) pieces_of(manifest.layout, unit, slot);
  }
}

constexpr FuzzTarget kTargets[] = {{"memory", read_memory, ExitCode::kBadData},
                                   {"memory_entry", read_memory_entry, ExitCode::kBadData},
                                   {"manifest", read_checkpoint, ExitCode::kNoCheckpoint}};

}  // namespace

std::span<const FuzzTarget> targets() { return kTargets; }

}  // namespace xkde::fuzz
