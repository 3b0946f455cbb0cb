#ifndef XKDE_LAUNCH_COMMAND_LINE_FOLDER_ARGUMENT_H_
#define XKDE_LAUNCH_COMMAND_LINE_FOLDER_ARGUMENT_H_

#include <filesystem>
#include <string_view>

namespace xkde {

/// The name of a folder that a command is to make, without a slash at its end. Throws UsageError
/// "COMMAND: expected the name of a folder, found 'NAME'" where it has no name of its own, as ".."
/// has none, or is not one line.
std::filesystem::path new_folder_name(std::string_view command, const std::filesystem::path& named);

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_FOLDER_ARGUMENT_H_
