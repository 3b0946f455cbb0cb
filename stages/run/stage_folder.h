#ifndef XKDE_STAGES_RUN_STAGE_FOLDER_H_
#define XKDE_STAGES_RUN_STAGE_FOLDER_H_

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"

namespace xkde::recipe {

/// What a stage's result depends on, as FINGERPRINT in its folder keeps it.
struct Fingerprint {
  std::string id;  ///< SHA-256 of what it covers; later stages name it
  Json covers;     ///< an object: the covered keys with their values, inputs with their SHA-256
};
/// With the id of what it covers.
Fingerprint make_fingerprint(Json covers);

/// What the stage itself does not say of what it covers: an id of the run up to it, which its own
/// keys leave as it is.
std::string origin_id(const Json& covers, std::string_view stage);

/// The folders in `run` that are named so for some index, in the order of their numbers.
std::vector<std::string> stage_folders_of(const std::filesystem::path& run, std::string_view stage);

/// Nothing where FINGERPRINT is not there or is not of this form, as one of an earlier version.
std::optional<Fingerprint> fingerprint_in(const std::filesystem::path& folder);
/// Whether the folder has anything but marks of its stage: something that work has left there, or
/// that is the user's.
bool holds_work(const std::filesystem::path& folder);
/// Whether the stage has finished. Throws IoError where that cannot be found out.
bool is_done(const std::filesystem::path& folder);

/// Makes the folder of a stage that is to run, where it is not there or holds no work, and marks
/// it. Throws IoError.
void open_stage_folder(const std::filesystem::path& folder, const Fingerprint& fingerprint);
/// Writes DONE, last.
void finish_stage_folder(const std::filesystem::path& folder, const Fingerprint& fingerprint);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_STAGE_FOLDER_H_
