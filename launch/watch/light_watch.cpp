#include "launch/watch/light_watch.h"

#include <filesystem>
#include <system_error>

#include <unistd.h>

namespace xkde {

int LightWatchCommand::run() {
  std::error_code absent;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", absent);
  const std::string light = own.parent_path() / "xkde_watch";
  std::vector<char*> words;
  for (std::string& word : argv_) words.push_back(word.data());
  words.push_back(nullptr);
  if (!absent) ::execv(light.c_str(), words.data());  // returns where that cannot be done
  return WatchCommand::run();
}

}  // namespace xkde
