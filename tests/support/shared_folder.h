#ifndef XKDE_TESTS_SUPPORT_SHARED_FOLDER_H_
#define XKDE_TESTS_SUPPORT_SHARED_FOLDER_H_

#include <cstdlib>
#include <filesystem>

namespace xkde::test {

/// The folder with the real benchmark rows: $XKDE_SHARED_DIR, else "shared" beside the source tree.
/// It may be absent.
inline std::filesystem::path shared_folder() {
  const char* given = std::getenv("XKDE_SHARED_DIR");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(XKDE_SOURCE_DIR "/../shared");
}

/// The folder with the real model: $XKDE_MODEL_DIR, else "models" among the dependencies. It may be
/// absent.
inline std::filesystem::path model_folder() {
  const char* given = std::getenv("XKDE_MODEL_DIR");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(XKDE_DEPS_DIR "/models");
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_SUPPORT_SHARED_FOLDER_H_
