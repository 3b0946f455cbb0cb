#include "launch/command_line/folder_argument.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "core/base/error.h"
#include "launch/command_line/recipe_arguments.h"

namespace xkde {

namespace fs = std::filesystem;

fs::path new_folder_name(std::string_view command, const fs::path& named) {
  const fs::path normal = named.lexically_normal();
  const fs::path folder = normal.has_filename() ? normal : normal.parent_path();
  const fs::path last = folder.filename();
  const std::string text = named.string();
  const bool is_one_line = std::none_of(text.begin(), text.end(), [](char letter) {
    return std::iscntrl(static_cast<unsigned char>(letter)) != 0;
  });
  XKDE_CHECK(!last.empty() && last != "." && last != ".." && is_one_line, UsageError, command,
             ": expected the name of a folder, found ", in_quotes(text));
  return folder;
}

}  // namespace xkde
