#ifndef XKDE_TESTS_FUZZ_FUZZ_TARGET_H_
#define XKDE_TESTS_FUZZ_FUZZ_TARGET_H_

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace xkde::fuzz {

/// A parser that reads bytes of others. What it accepts is used once, as a run would.
struct FuzzTarget {
  std::string_view name;  ///< of its seeds too: corpus/<name>/
  /// `folder` holds nothing but what this target wrote before.
  void (*read)(std::string_view bytes, const std::filesystem::path& folder);
  ExitCode refusal = ExitCode::kBadData;  ///< of bytes that are not as they should be
};

/// The targets of this program: parsers without tensors (parser_targets.cpp), or what the program
/// itself wrote (state_targets.cpp).
std::span<const FuzzTarget> targets();

/// Reads `bytes`; nothing where they are accepted. An xkde::Error of the target's exit code, or of
/// a missing input, is a refusal, whose line is returned. All else that is thrown passes through
/// and is a finding.
std::optional<std::string> fuzz_one(const FuzzTarget& target, std::string_view bytes,
                                    const std::filesystem::path& folder);

}  // namespace xkde::fuzz

#endif  // XKDE_TESTS_FUZZ_FUZZ_TARGET_H_
