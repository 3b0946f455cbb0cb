#include "tests/fuzz/fuzz_target.h"

namespace xkde::fuzz {

std::optional<std::string> fuzz_one(const FuzzTarget& target, std::string_view bytes,
                                    const std::filesystem::path& folder) {
  try {
    target.read(bytes, folder);
  } catch (const Error& error) {
    const bool is_refusal =
        error.exit_code() == target.refusal || error.exit_code() == ExitCode::kMissingInput;
    if (!is_refusal) throw;
    return error.what();
  }
  return std::nullopt;
}

}  // namespace xkde::fuzz
