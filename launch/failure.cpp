#include "launch/failure.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iterator>
#include <new>
#include <set>

#include "core/base/error.h"
#include "core/base/memory_failure.h"

namespace xkde {
namespace {

/// "PATH: expected ..., found the system's words".
std::string description_of(const std::filesystem::filesystem_error& error) {
  return error.path1().string() + ": expected to reach it, found " + error.code().message();
}

}  // namespace

bool end_alike(std::span<const dist::RankEnd> ends) {
  return std::ranges::all_of(
      ends, [&](const dist::RankEnd& end) { return end.exit_code == ends.front().exit_code; });
}

bool speaks(std::span<const dist::RankEnd> ends, int rank) {
  std::set<uint64_t> before;
  for (const dist::RankEnd& end : ends.first(static_cast<size_t>(rank))) before.insert(end.text);
  const bool is_new = !before.contains(ends[static_cast<size_t>(rank)].text);
  return is_new && std::ssize(before) < kMostTexts;
}

Failure describe_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {static_cast<int>(error.exit_code()), error.kind(), error.what()};
  } catch (const std::exception& error) {
    if (const auto memory = memory_failure(error))
      return {static_cast<int>(ExitCode::kOutOfMemory), "MemoryError", *memory};
    if (const auto* files = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
      return {static_cast<int>(ExitCode::kIo), "IoError", description_of(*files)};
    const std::string what = error.what();
    return {static_cast<int>(ExitCode::kInternal), "InternalError",
            what.substr(0, what.find('\n'))};
  } catch (...) {
    return {static_cast<int>(ExitCode::kInternal), "InternalError", "an exception without words"};
  }
}

}  // namespace xkde
