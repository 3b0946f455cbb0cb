#ifndef XKDE_CORE_IO_EVENTS_EVENT_FILE_H_
#define XKDE_CORE_IO_EVENTS_EVENT_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/io/file.h"

namespace xkde {

/// A figure under the name that TensorBoard shows it by: "train/loss".
struct EventScalar {
  std::string tag;
  double value = 0.0;  ///< kept in fp32
};

/// A file of events as TensorBoard reads them: records of TFRecord, each a protocol buffer
/// tensorflow.Event (github.com/tensorflow/tensorboard, compat/proto). Each record is with the
/// system when a call returns, so it outlives the process. Throws IoError.
class EventFile {
 public:
  /// Makes `folder`/events.out.tfevents.SECONDS.HOST.PID. Of what older event files of the folder
  /// have, readers drop steps from `first_step` on.
  EventFile(const std::filesystem::path& folder, int64_t first_step);

  const std::filesystem::path& path() const noexcept { return file_.path(); }

  void add_scalars(int64_t step, std::span<const EventScalar> scalars);
  /// `text` in Markdown.
  void add_text(int64_t step, std::string_view tag, std::string_view text);

 private:
  void write(int64_t step, std::string_view field);

  FileHandle file_;
};

/// CRC-32C (Castagnoli, RFC 3720) of `bytes`.
uint32_t crc32c(std::string_view bytes);

}  // namespace xkde

#endif  // XKDE_CORE_IO_EVENTS_EVENT_FILE_H_
