#ifndef XKDE_CORE_EDITING_MOMENTS_COVARIANCE_FILE_H_
#define XKDE_CORE_EDITING_MOMENTS_COVARIANCE_FILE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// The second moments of what one module of one layer is multiplied with.
struct SecondMoment {
  at::Tensor mean;     ///< E[k kᵀ], fp64 [I, I]
  int64_t tokens = 0;  ///< that it is the mean of
};

/// By their places: "layers/5/down_proj", and of one language "languages/de/layers/5/down_proj".
using SecondMomentsByPlace = std::map<std::string, SecondMoment>;
std::string moment_place(int64_t layer, std::string_view module, std::string_view language = {});

/// What a file of second moments says of where they come from.
struct CovarianceSource {
  std::string model;  ///< what identifies the model's files: a SHA-256
  std::string texts;  ///< for people: the names of the texts
  std::string notes;  ///< of a writer that is not done yet; "" in a finished file
};

/// Writes docs/covariance_format.md, whole or not at all: equal content gives equal bytes. Throws
/// IoError.
void write_covariance(const std::filesystem::path& path, const SecondMomentsByPlace& moments,
                      const CovarianceSource& source);

/// Reads what write_covariance() wrote. The file may be anybody's: it is tried in a process of its
/// own first (core/memory/child_process.h). Throws MissingInputError, MemoryError, or DataError
/// that names the file, where it is none of ours, is damaged, or holds no such place (which lists
/// those there).
class CovarianceFile {
 public:
  static CovarianceFile open(const std::filesystem::path& path);

  const CovarianceSource& source() const noexcept { return source_; }
  const std::vector<std::string>& places() const noexcept { return places_; }
  /// Throws where read() would as there is no such place, or its matrix has another width.
  void check_has(std::span<const std::string> places, int64_t width) const;
  /// `width`: what I must be.
  SecondMoment read(const std::string& place, int64_t width) const;
  SecondMoment read(const std::string& place) const { return read(place, -1); }

 private:
  void check_has(const std::string& place) const;

  std::filesystem::path path_;
  CovarianceSource source_;
  std::vector<std::string> places_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_MOMENTS_COVARIANCE_FILE_H_
