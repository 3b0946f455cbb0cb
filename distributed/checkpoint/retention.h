#ifndef XKDE_DISTRIBUTED_CHECKPOINT_RETENTION_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_RETENTION_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace xkde::dist {

inline constexpr const char* kLatestFile = "LATEST";  ///< names the checkpoint written last
inline constexpr const char* kBestFile = "BEST";      ///< names the one with the lowest score
inline constexpr const char* kTemporary = ".tmp";     ///< ends the name of what is unfinished

/// The folder that LATEST or BEST names; "" where there is none. Throws IoError where that cannot
/// be found out.
std::string named_by(const std::filesystem::path& root, const char* file);

/// Whether a checkpoint of this name and score is to be BEST: there is none whose state.json tells
/// a lower or equal score, or it is this one, written again. Throws IoError where that cannot be
/// found out, so that no best checkpoint is removed by mistake.
bool is_best(const std::filesystem::path& root, const std::string& name, double score);

/// Removes unfinished folders and files of ours.
void remove_leftovers(const std::filesystem::path& root);

/// What a save has left to do once its folder has its final name, for a save that was broken off
/// there. `newest` is the newest checkpoint that verifies; newer folders are not looked at. LATEST
/// names `newest`, and BEST, if `keeps_best`, the folder with the lowest score, of equal ones the
/// earliest. Leftovers and old folders are removed. Throws IoError.
void finish_broken_save(const std::filesystem::path& root, const std::string& newest,
                        int64_t keep_last, bool keeps_best);

/// Removes all but the newest `keep_last` folders and those that LATEST and BEST name.
void remove_old(const std::filesystem::path& root, int64_t keep_last);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_RETENTION_H_
