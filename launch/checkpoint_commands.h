#ifndef XKDE_LAUNCH_CHECKPOINT_COMMANDS_H_
#define XKDE_LAUNCH_CHECKPOINT_COMMANDS_H_

#include <filesystem>
#include <string>

namespace xkde {

/// `ckpt ls PATH`: a line for each checkpoint folder under `path`, the one that LATEST names
/// marked. Throws MissingInputError when there is none.
std::string list_checkpoints(const std::filesystem::path& path);

/// `ckpt verify PATH`: checks sizes and SHA-256 of every file of the newest checkpoint under
/// `path`, falling back to older ones; says which holds. Throws CheckpointError when none does,
/// MissingInputError when there is none.
std::string verify_checkpoints(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_LAUNCH_CHECKPOINT_COMMANDS_H_
