// libFuzzer's side of a program of targets; XKDE_FUZZ_TARGET names the one to feed.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "tests/fuzz/fuzz_target.h"

namespace {

const xkde::fuzz::FuzzTarget& chosen_target() {
  const char* name = std::getenv("XKDE_FUZZ_TARGET");
  for (const xkde::fuzz::FuzzTarget& target : xkde::fuzz::targets()) {
    if (name != nullptr && target.name == name) return target;
  }
  std::fprintf(stderr, "XKDE_FUZZ_TARGET: expected one of");
  for (const xkde::fuzz::FuzzTarget& target : xkde::fuzz::targets()) {
    std::fprintf(stderr, " %s", std::string(target.name).c_str());
  }
  std::fprintf(stderr, ", found %s\n", name == nullptr ? "nothing" : name);
  std::_Exit(64);  // libFuzzer takes any other end for a finding
}

std::filesystem::path fresh_folder() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("xkde_fuzz_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const xkde::fuzz::FuzzTarget& target = chosen_target();
  static const std::filesystem::path folder = fresh_folder();
  xkde::fuzz::fuzz_one(target, {reinterpret_cast<const char*>(data), size}, folder);
  return 0;
}
