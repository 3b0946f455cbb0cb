#ifndef XKDE_CORE_EDITING_EDITED_WEIGHTS_H_
#define XKDE_CORE_EDITING_EDITED_WEIGHTS_H_

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace xkde {

/// What edits made of a model: its changed matrices by Hugging Face name, fp32 [O, I], and the fp64
/// tensors that the editor goes on from.
struct EditedFile {
  std::map<std::string, at::Tensor> weights;
  std::map<std::string, at::Tensor> state;
  std::string editor;   ///< what wrote them, and from which edits; whose state it is
  int64_t written = 0;  ///< requests that were looked at
};

/// Writes an HDF5 file, whole or not at all: /weights/NAME and /state/NAME, with checksums of their
/// chunks. Equal content gives equal bytes. Throws IoError.
void write_edited(const std::filesystem::path& path, const EditedFile& edited);

/// Throws CheckpointError where the file is not one of these or is damaged.
EditedFile read_edited(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITED_WEIGHTS_H_
